/* What a million sessions cost: memory, puts, lookups, a sweep. Prints figures, asserts memory. */
#include "common/base/mem.h"
#include "router/session_map.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum {
    MANY = SANITIZED ? 100000 : 1000000,
    ROOM_SIZE = 100,
    SLICE = 2048,
    BYTES_MAX = 120,
    IMGO_BYTES_MAX = 64,
};

static bool owns_all(int64_t uid, void *arg)
{
    (void)uid;
    (void)arg;
    return true;
}

/* The second number of statm, in pages. */
static size_t resident(void)
{
    char line[128], *end;
    FILE *file = fopen("/proc/self/statm", "re");

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    (void)fclose(file);
    (void)strtoul(line, &end, 10);
    return strtoul(end, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static double seconds_since(uint64_t start)
{
    return (double)(uv_hrtime() - start) / 1e9;
}

static void put_many(struct session_map *sessions, uint16_t life, bool keys)
{
    char room[32], key[64] = "";

    for (int64_t i = 0; i < MANY; i++) {
        snprintf(room, sizeof room, "live://%lld", (long long)(i / ROOM_SIZE));
        if (keys)
            snprintf(key, sizeof key, "8c4f9a2e-1b7d-4e53-9f60-%012lld", (long long)i);
        struct session_new put = {.uid = 1000000 + i,
                                  .handle = (uint64_t)i << 8,
                                  .life = life,
                                  .key = key,
                                  .room = room,
                                  .max_others = 8};
        if (session_map_put(sessions, &put) != SESSION_MAP_OK)
            fail();
    }
}

static void look_up_many(const struct session_map *sessions)
{
    uint64_t x = 1, hits = 0, start = uv_hrtime();

    for (int i = 0; i < MANY; i++) {
        x = x * 6364136223846793005ULL + 1442695040888963407ULL;
        hits += session_map_first(sessions, 1000000 + (int64_t)((x >> 33) % MANY)) != NULL;
    }
    double hit_s = seconds_since(start);
    assert_int_equal(hits, MANY);
    start = uv_hrtime();
    for (int64_t i = 0; i < MANY; i++)
        hits += session_map_first(sessions, -i) != NULL;
    double miss_s = seconds_since(start);
    assert_int_equal(hits, MANY);
    printf("lookups: %.1f M/s there, %.1f M/s not there\n", MANY / hit_s / 1e6,
           MANY / miss_s / 1e6);
}

static void sweep_many(struct session_map *sessions)
{
    uint64_t start = uv_hrtime(), longest = 0;

    comet_lives_forget_all(sessions->comets);
    assert_int_equal(sessions->comets->live_sessions, 0);
    while (session_map_sweep_waits(sessions)) {
        uint64_t slice = uv_hrtime();
        session_map_sweep(sessions, SLICE);
        slice = uv_hrtime() - slice;
        longest = slice > longest ? slice : longest;
    }
    printf("sweep of %d dead sessions: %.0f ms, slices of %d, longest %.2f ms\n", MANY,
           seconds_since(start) * 1e3, SLICE, (double)longest / 1e6);
    assert_int_equal(sessions->pool.used, 0);
    assert_int_equal(interned_count(sessions->rooms), 0);
    assert_true(sessions->pool.bytes <= 2 * SLOTS_PER_CHUNK * sizeof(struct session_row));
}

static void measure(bool keys, size_t limit)
{
    struct comet_lives *comets = comet_lives_new(1000);
    struct session_map *sessions = session_map_new(comets, owns_all, NULL);
    struct known_comet *comet;
    size_t before = resident();
    uint64_t start = uv_hrtime();

    assert_int_equal(comet_lives_see(comets, "comet-1", 1, 1, &comet), 0);
    put_many(sessions, comet_lives_current(comets, comet), keys);
    double put_s = seconds_since(start);
    size_t rss = (resident() - before) / MANY, own = session_map_bytes(sessions) / MANY;
    printf("%d sessions %s keys: %zu bytes each by the map's own count, %zu resident; %.1f M "
           "puts/s\n",
           MANY, keys ? "with" : "without", own, rss, MANY / put_s / 1e6);
    assert_true(own <= limit);
    if (!SANITIZED)
        assert_true(rss <= limit);
    look_up_many(sessions);
    sweep_many(sessions);
    printf("resident afterwards: %.1f MB more than before\n",
           ((double)resident() - (double)before) / 1e6);
    session_map_free(sessions);
    comet_lives_free(comets);
}

static void imgo_sessions_are_small(void **state)
{
    (void)state;
    measure(false, IMGO_BYTES_MAX);
}

static void sessions_with_keys_are_within_the_budget(void **state)
{
    (void)state;
    measure(true, BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imgo_sessions_are_small),
        cmocka_unit_test(sessions_with_keys_are_within_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
