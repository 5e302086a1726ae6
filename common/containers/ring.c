/* Every node has many points on a circle of 32-bit numbers. A key belongs to the node of the first
 * point at or after its hash.
 *
 *   0 ──a──b──a──c──…──b──► 2^32 ─ wraps
 *
 * When a node comes or goes, only the keys before its own points move. */
#include "common/containers/ring.h"
#include "common/base/hash.h"
#include "common/base/mem.h"

#include <assert.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGESTS = 40, /* per unit of weight */
    POINTS_PER_DIGEST = 4,
    DIGEST_SIZE = 16,
    NAME_MAX_LEN = 255,
};

struct point {
    uint32_t at;
    uint32_t node;
};

struct ring {
    size_t n_points;
    uint64_t hash;
    int only; /* index of the node that owns everything; -1: there are several */
    struct point points[];
};

/* --- MD5 --- */

static pthread_once_t md5_once = PTHREAD_ONCE_INIT;
static EVP_MD *md5;
static pthread_key_t md5_key;

static void md5_free_ctx(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

static void md5_setup(void)
{
    /* MD5 is not used for security here, so fetch it even where a FIPS policy leaves it out. */
    md5 = EVP_MD_fetch(NULL, "MD5", "-fips");
    if (md5 == NULL || pthread_key_create(&md5_key, md5_free_ctx) != 0) {
        (void)fputs("OpenSSL has no MD5 here, which the ketama ring needs\n", stderr);
        abort();
    }
}

static void md5_digest(const void *data, size_t len, uint8_t out[DIGEST_SIZE])
{
    pthread_once(&md5_once, md5_setup);
    EVP_MD_CTX *ctx = pthread_getspecific(md5_key); /* creating a context costs more than the
                                                     * digest */
    if (ctx == NULL) {
        ctx = EVP_MD_CTX_new();
        pthread_setspecific(md5_key, ctx);
    }
    unsigned int size = DIGEST_SIZE;
    if (ctx == NULL || EVP_DigestInit_ex(ctx, md5, NULL) != 1 ||
        EVP_DigestUpdate(ctx, data, len) != 1 || EVP_DigestFinal_ex(ctx, out, &size) != 1)
        abort(); /* fails only without memory */
}

static uint32_t read_le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* --- building --- */

struct named_point {
    struct point point;
    const char *name;
};

static int compare_points(const void *a, const void *b)
{
    const struct named_point *x = a, *y = b;
    if (x->point.at != y->point.at)
        return x->point.at < y->point.at ? -1 : 1;
    return strcmp(x->name, y->name); /* two points at one place: the result must not depend on the
                                      * order of the nodes */
}

static int compare_nodes(const void *a, const void *b)
{
    const struct ring_node *const *x = a, *const *y = b;
    int order = strcmp((*x)->name, (*y)->name);
    if (order != 0)
        return order;
    return (*x)->epoch < (*y)->epoch ? -1 : (*x)->epoch > (*y)->epoch;
}

static uint32_t weight_of(const struct ring_node *node)
{
    return node->weight < RING_MAX_WEIGHT ? node->weight : RING_MAX_WEIGHT;
}

static struct named_point *add_points(struct named_point *at, const struct ring_node *node,
                                      uint32_t index)
{
    uint8_t digest[DIGEST_SIZE];
    char label[NAME_MAX_LEN + 16];
    for (uint32_t i = 0; i < weight_of(node) * DIGESTS; i++) {
        int len = snprintf(label, sizeof label, "%s-%u", node->name, i);
        assert(len > 0 && (size_t)len < sizeof label);
        md5_digest(label, (size_t)len, digest);
        for (size_t k = 0; k < POINTS_PER_DIGEST; k++) {
            at->name = node->name;
            at->point = (struct point){.at = read_le32(digest + 4 * k), .node = index};
            at++;
        }
    }
    return at;
}

static uint64_t hash_number(uint64_t h, uint64_t v)
{
    uint8_t bytes[8]; /* little-endian and big-endian machines get the same hash */
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    return hash_fnv1a(h, bytes, sizeof bytes);
}

static uint64_t hash_nodes(const struct ring_node *nodes, size_t n)
{
    if (n == 0)
        return 0;
    const struct ring_node **sorted = mem_alloc(n * sizeof(const struct ring_node *));
    for (size_t i = 0; i < n; i++)
        sorted[i] = &nodes[i];
    qsort(sorted, n, sizeof(const struct ring_node *), compare_nodes);
    uint64_t h = HASH_FNV1A_BEGIN;
    for (size_t i = 0; i < n; i++) {
        h = hash_fnv1a(h, sorted[i]->name, strlen(sorted[i]->name) + 1);
        h = hash_number(h, sorted[i]->epoch);
        h = hash_number(h, sorted[i]->weight);
    }
    free((void *)sorted);
    return h != 0 ? h : 1;
}

struct ring *ring_new(const struct ring_node *nodes, size_t n)
{
    size_t n_points = 0, owners = 0;
    int only = -1;
    for (size_t i = 0; i < n; i++) {
        n_points += (size_t)weight_of(&nodes[i]) * DIGESTS * POINTS_PER_DIGEST;
        if (nodes[i].weight > 0) {
            owners++;
            only = (int)i;
        }
    }
    struct named_point *named = mem_alloc(n_points * sizeof *named), *at = named;
    for (size_t i = 0; i < n; i++)
        at = add_points(at, &nodes[i], (uint32_t)i);
    qsort(named, n_points, sizeof *named, compare_points);

    struct ring *ring = mem_alloc(sizeof *ring + n_points * sizeof ring->points[0]);
    ring->n_points = n_points;
    ring->only = owners == 1 ? only : -1;
    ring->hash = hash_nodes(nodes, n);
    for (size_t i = 0; i < n_points; i++)
        ring->points[i] = named[i].point;
    free(named);
    return ring;
}

void ring_free(struct ring *ring)
{
    free(ring);
}

/* --- finding --- */

static int owner_of(const struct ring *ring, uint32_t hash)
{
    size_t low = 0, high = ring->n_points;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ring->points[middle].at < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return (int)ring->points[low < ring->n_points ? low : 0].node;
}

int ring_find(const struct ring *ring, const void *key, size_t len)
{
    uint8_t digest[DIGEST_SIZE];
    if (ring->n_points == 0 || ring->only >= 0)
        return ring->only;
    md5_digest(key, len, digest);
    return owner_of(ring, read_le32(digest));
}

int ring_find_uid(const struct ring *ring, int64_t uid)
{
    if (ring->n_points == 0 || ring->only >= 0)
        return ring->only;
    uint64_t h = (uint64_t)uid;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93U;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93U;
    return owner_of(ring, (uint32_t)(h ^ h >> 32));
}

uint64_t ring_hash(const struct ring *ring)
{
    return ring->hash;
}
