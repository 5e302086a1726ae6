/* Chains stay short, whoever chooses the uids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "router/uid_index.h"

enum { UIDS = 40000 };

struct map {
    struct uid_index index;
    struct session_pool pool;
};

static void map_open(struct map *map)
{
    uid_index_init(&map->index);
    session_pool_init(&map->pool);
}

static void map_close(struct map *map)
{
    uid_index_close(&map->index);
    session_pool_close(&map->pool);
}

static void map_put(struct map *map, int64_t uid)
{
    uint32_t slot = session_pool_take(&map->pool), *head = uid_index_head(&map->index, uid);

    assert_true(slot != SLOT_NONE);
    *session_pool_at(&map->pool, slot) = (struct session_row){.uid = uid, .life = 1, .next = *head};
    *head = slot;
    uid_index_fit(&map->index, &map->pool);
}

static unsigned chain_of(const struct map *map, int64_t uid)
{
    unsigned n = 0;

    for (uint32_t at = *uid_index_head(&map->index, uid); at != SLOT_NONE;
         at = session_pool_at(&map->pool, at)->next)
        n++;
    return n;
}

static unsigned longest(const struct map *map, int64_t (*uid_of)(uint64_t))
{
    unsigned most = 0;

    for (uint64_t i = 0; i < UIDS; i++) {
        unsigned n = chain_of(map, uid_of(i));
        most = n > most ? n : most;
    }
    return most;
}

static int64_t consecutive(uint64_t i)
{
    return (int64_t)i;
}

static int64_t in_the_high_bits(uint64_t i)
{
    return (int64_t)(i << 40);
}

static uint64_t inverse_of(uint64_t odd)
{
    uint64_t x = odd;

    for (int i = 0; i < 6; i++)
        x *= 2 - odd * x;
    return x;
}

/* What MurmurHash3's finalizer, which needs no seed, makes numbers of that differ in their high
 * halves only. */
static int64_t chosen(uint64_t i)
{
    uint64_t h = i << 32;

    h ^= h >> 33;
    h *= inverse_of(0xc4ceb9fe1a85ec53U);
    h ^= h >> 33;
    h *= inverse_of(0xff51afd7ed558ccdU);
    h ^= h >> 33;
    return (int64_t)h;
}

static void chains_are_short(void **state)
{
    static int64_t (*const kinds[])(uint64_t) = {consecutive, in_the_high_bits, chosen};

    (void)state;
    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        struct map map;
        map_open(&map);
        for (uint64_t i = 0; i < UIDS; i++)
            map_put(&map, kinds[kind](i));
        assert_in_range(longest(&map, kinds[kind]), 1, 16);
        map_close(&map);
    }
}

static void two_maps_differ(void **state)
{
    struct map one, other;
    unsigned together = 0;

    (void)state;
    map_open(&one);
    map_open(&other);
    for (uint64_t i = 0; i < UIDS; i++) {
        map_put(&one, consecutive(i));
        map_put(&other, consecutive(i));
    }
    for (uint64_t i = 0; i < UIDS; i++)
        together += chain_of(&one, consecutive(i)) == chain_of(&other, consecutive(i));
    assert_true(together < UIDS);
    map_close(&one);
    map_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_are_short),
        cmocka_unit_test(two_maps_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
