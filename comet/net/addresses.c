/* A part has a hash table with chains. Its entries never move, so a reference is part and place:
 *
 *   key ─hash─► part, bucket ─► entry ─next─► entry
 *   used: has connections ─── the last one leaves ──► idle: in the ring, oldest first
 *     ▲                                                │ bucket full, or the ring is: forgotten
 *     └───────────────────── another one comes ────────┘ (it stays in the ring until its turn) */
#include "comet/net/addresses.h"
#include "common/base/hash.h"
#include "common/base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    PART_BITS = 6,
    PARTS = 1 << PART_BITS,
    IDLE_MOST = ADDRESSES_IDLE / PARTS,
    BUCKETS_MIN = 64,
    CHUNK = 64, /* the number of entries grows by a quarter, and by so many */
};

struct entry {
    uint64_t key;
    uint32_t next; /* in the chain of its bucket, or of free entries; 0: none */
    uint32_t full; /* token bucket of new connections: rate.h */
    uint32_t sessions;
    uint32_t conns : 31;
    bool waits : 1; /* in the ring */
};
_Static_assert(sizeof(struct entry) == 24,
               "an address is what the memory of the table consists of");

struct part {
    pthread_mutex_t lock;
    struct hash_seed seed;
    struct entry *entries; /* the first one is not used: place 0 means none */
    uint32_t n_entries, capacity;
    uint32_t free;
    uint32_t used; /* entries with an address */
    uint32_t *buckets;
    uint32_t n_buckets; /* a power of two; 0: not open yet */
    uint32_t ring[IDLE_MOST];
    uint32_t ring_at, ring_n;
};

static struct part parts[PARTS] = {
    [0 ... PARTS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER},
};
static pthread_once_t opened = PTHREAD_ONCE_INIT;
static struct hash_seed part_seed;
static _Atomic int64_t with_sessions, known;

static void open_parts(void)
{
    hash_seed_init(&part_seed);
    for (int i = 0; i < PARTS; i++)
        hash_seed_init(&parts[i].seed);
}

/* IPv4 is kept apart from every network that hosts can have in IPv6: ff00::/8 is multicast. */
static uint64_t key_of(const struct ip *ip)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t bytes[8] = {0xff, 0xff, 0xff, 0xff};
    uint64_t key;

    if (memcmp(ip->bytes, mapped, sizeof mapped) == 0)
        memcpy(bytes + 4, ip->bytes + sizeof mapped, 4);
    else
        memcpy(bytes, ip->bytes, sizeof bytes);
    memcpy(&key, bytes, sizeof key);
    return key;
}

/* --- hash table --- */

static uint32_t *bucket_of(struct part *part, uint64_t key)
{
    return &part->buckets[hash_u64(&part->seed, key) & (part->n_buckets - 1)];
}

static void rehash(struct part *part, uint32_t n)
{
    uint32_t *old = part->buckets, n_old = part->n_buckets;

    part->buckets = mem_zalloc(n * sizeof *part->buckets);
    part->n_buckets = n;
    for (uint32_t i = 0; i < n_old; i++) {
        for (uint32_t place = old[i], next; place != 0; place = next) {
            struct entry *entry = &part->entries[place];
            uint32_t *bucket = bucket_of(part, entry->key);
            next = entry->next;
            entry->next = *bucket;
            *bucket = place;
        }
    }
    free(old);
}

static uint32_t find(struct part *part, uint64_t key)
{
    uint32_t place = part->n_buckets > 0 ? *bucket_of(part, key) : 0;

    while (place != 0 && part->entries[place].key != key)
        place = part->entries[place].next;
    return place;
}

static uint32_t take_free(struct part *part)
{
    uint32_t place = part->free;

    if (place != 0) {
        part->free = part->entries[place].next;
        return place;
    }
    if (part->n_entries == 0)
        part->n_entries = 1;
    if (part->n_entries >= part->capacity) {
        part->capacity += part->capacity / 4 + CHUNK;
        part->entries = mem_realloc(part->entries, part->capacity * sizeof *part->entries);
    }
    return part->n_entries++;
}

static uint32_t add(struct part *part, uint64_t key, uint64_t now_ms)
{
    uint32_t place = take_free(part);

    if (part->n_buckets == 0)
        rehash(part, BUCKETS_MIN);
    else if (part->used >= part->n_buckets)
        rehash(part, part->n_buckets * 2);
    uint32_t *bucket = bucket_of(part, key);
    part->entries[place] = (struct entry){.key = key, .next = *bucket, .full = rate_full(now_ms)};
    *bucket = place;
    part->used++;
    atomic_fetch_add_explicit(&known, 1, memory_order_relaxed);
    return place;
}

/* The arrays go when the last address goes, and at a quarter of their size they are halved. */
static void shrink(struct part *part)
{
    if (part->used == 0) {
        free(part->entries);
        free(part->buckets);
        part->entries = NULL;
        part->buckets = NULL;
        part->n_entries = part->capacity = part->free = part->n_buckets = 0;
    } else if (part->used < part->n_buckets / 4 && part->n_buckets > BUCKETS_MIN) {
        rehash(part, part->n_buckets / 2);
    }
}

static void forget(struct part *part, uint32_t place)
{
    uint32_t *link = bucket_of(part, part->entries[place].key);

    while (*link != place)
        link = &part->entries[*link].next;
    *link = part->entries[place].next;
    part->entries[place] = (struct entry){.next = part->free};
    part->free = place;
    part->used--;
    atomic_fetch_sub_explicit(&known, 1, memory_order_relaxed);
}

/* --- addresses without connections --- */

/* Takes the oldest ones out of the ring: those that have rested enough, and ONE at least if it is
 * set. */
static void forget_idle(struct part *part, const struct rate_limit *rate, uint64_t now_ms, bool one)
{
    while (part->ring_n > 0) {
        uint32_t place = part->ring[part->ring_at];
        struct entry *entry = &part->entries[place];
        bool rested = rate == NULL || rate_used(rate, entry->full, now_ms) == 0;
        if (entry->conns == 0 && !rested && !one)
            return;
        part->ring_at = (part->ring_at + 1) % IDLE_MOST;
        part->ring_n--;
        entry->waits = false;
        one = false;
        if (entry->conns == 0)
            forget(part, place);
    }
}

/* PLACE has no connection, or no more. */
static void idle(struct part *part, uint32_t place, const struct rate_limit *rate, uint64_t now_ms)
{
    struct entry *entry = &part->entries[place];
    bool rested =
        rate == NULL || rate->per_second == 0 || rate_used(rate, entry->full, now_ms) == 0;

    if (!entry->waits && rested) {
        forget(part, place);
    } else if (!entry->waits) {
        forget_idle(part, rate, now_ms, part->ring_n == IDLE_MOST);
        part->ring[(part->ring_at + part->ring_n++) % IDLE_MOST] = place;
        entry->waits = true;
    }
    forget_idle(part, rate, now_ms, false);
    shrink(part);
}

/* --- for others --- */

enum address_verdict addresses_enter(const struct ip *ip, const struct addresses_limits *limits,
                                     uint64_t now_ms, uint32_t *ref)
{
    uint64_t key = key_of(ip);
    enum address_verdict verdict = ADDRESS_OK;

    pthread_once(&opened, open_parts);
    uint32_t number = (uint32_t)hash_u64(&part_seed, key) & (PARTS - 1);
    struct part *part = &parts[number];
    pthread_mutex_lock(&part->lock);
    uint32_t place = find(part, key);
    if (place == 0)
        place = add(part, key, now_ms);
    struct entry *entry = &part->entries[place];
    if (limits != NULL && !rate_take(&limits->rate, &entry->full, now_ms, 1))
        verdict = ADDRESS_FAST;
    else if (limits != NULL && limits->most > 0 && (int64_t)entry->conns >= limits->most)
        verdict = ADDRESS_FULL;
    if (verdict == ADDRESS_OK) {
        entry->conns++;
        *ref = place << PART_BITS | number;
    } else if (entry->conns == 0) {
        idle(part, place, &limits->rate, now_ms);
    }
    pthread_mutex_unlock(&part->lock);
    return verdict;
}

void addresses_leave(uint32_t ref, const struct rate_limit *rate, uint64_t now_ms)
{
    struct part *part = &parts[ref & (PARTS - 1)];
    uint32_t place = ref >> PART_BITS;

    if (ref == 0)
        return;
    pthread_mutex_lock(&part->lock);
    struct entry *entry = &part->entries[place];
    assert(entry->conns > 0);
    entry->conns--;
    if (entry->conns == 0)
        idle(part, place, rate, now_ms);
    pthread_mutex_unlock(&part->lock);
}

void addresses_session(uint32_t ref, int by)
{
    struct part *part = &parts[ref & (PARTS - 1)];

    if (ref == 0)
        return;
    pthread_mutex_lock(&part->lock);
    struct entry *entry = &part->entries[ref >> PART_BITS];
    entry->sessions += (uint32_t)by;
    if (entry->sessions == (by > 0 ? 1U : 0U))
        atomic_fetch_add_explicit(&with_sessions, by, memory_order_relaxed);
    pthread_mutex_unlock(&part->lock);
}

int64_t addresses_with_sessions(void)
{
    return atomic_load_explicit(&with_sessions, memory_order_relaxed);
}

int64_t addresses_known(void)
{
    return atomic_load_explicit(&known, memory_order_relaxed);
}

size_t addresses_bytes(void)
{
    size_t bytes = sizeof parts;

    for (int i = 0; i < PARTS; i++) {
        pthread_mutex_lock(&parts[i].lock);
        bytes += parts[i].capacity * sizeof(struct entry) + parts[i].n_buckets * sizeof(uint32_t);
        pthread_mutex_unlock(&parts[i].lock);
    }
    return bytes;
}
