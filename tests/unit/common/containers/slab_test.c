#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/containers/slab.h"

enum { CHUNK = 64 * 1024 };

static void objects_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    enum { N = 5000, SIZE = 200 };
    struct slab *slab = slab_open("test", SIZE);
    static uint8_t *objects[N];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            objects[i] = slab_alloc(slab);
            assert_int_equal((uintptr_t)objects[i] % 16, 0);
            for (int k = 0; k < SIZE; k++)
                assert_int_equal(objects[i][k], 0);
            memset(objects[i], i % 255 + 1, SIZE);
        }
        for (int i = 0; i < N; i++) {
            assert_int_equal(objects[i][0], i % 255 + 1);
            assert_int_equal(objects[i][SIZE - 1], i % 255 + 1);
            slab_free(slab, objects[i]);
        }
    }
    slab_free(slab, NULL);
    slab_close(slab);
}

static void memory_goes_back(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct slab *slab = slab_open("test", 100);
    assert_int_equal(slab_reserved(slab), 0);
    static void *objects[N];
    for (int i = 0; i < N; i++)
        objects[i] = slab_alloc(slab);
    size_t full = slab_reserved(slab);
    assert_true(full >= N * 112U && full < N * 112U + 3 * CHUNK);
    for (int i = 0; i < N; i++)
        slab_free(slab, objects[i]);
    assert_int_equal(slab_reserved(slab), CHUNK); /* the spare */
    slab_close(slab);
}

/* After a random nine of ten have gone, the churn of those that stay must let chunks drain. */
static void churn_lets_the_emptiest_chunks_drain(void **state)
{
    (void)state;
    enum { N = 50000, KEEP = N / 10 };
    struct slab *slab = slab_open("test", 128);
    static void *objects[N];
    srand(1);
    for (int i = 0; i < N; i++)
        objects[i] = slab_alloc(slab);
    size_t full = slab_reserved(slab);
    for (int i = N - 1; i >= KEEP; i--) {
        int other = rand() % (i + 1);
        slab_free(slab, objects[other]);
        objects[other] = objects[i];
    }
    for (int round = 0; round < 10 * KEEP; round++) {
        int i = rand() % KEEP;
        slab_free(slab, objects[i]);
        objects[i] = slab_alloc(slab);
    }
    assert_true(slab_reserved(slab) < full / 4);
    for (int i = 0; i < KEEP; i++)
        slab_free(slab, objects[i]);
    slab_close(slab);
}

static void edge_of_a_chunk_does_not_flap(void **state)
{
    (void)state;
    struct slab *slab = slab_open("test", 64);
    void *first = slab_alloc(slab), *objects[2000];
    size_t n = 0;
    while (slab_reserved(slab) == CHUNK)
        objects[n++] = slab_alloc(slab);
    assert_true(n == (CHUNK - 64) / 64);
    slab_free(slab, objects[--n]);
    assert_int_equal(slab_reserved(slab), 2 * CHUNK);
    objects[n++] = slab_alloc(slab);
    assert_int_equal(slab_reserved(slab), 2 * CHUNK);
    while (n > 0)
        slab_free(slab, objects[--n]);
    slab_free(slab, first);
    assert_int_equal(slab_reserved(slab), CHUNK);
    slab_close(slab);
}

static void any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 8, 16, 17, 4096, 8192, 20000, 65536, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct slab *slab = slab_open("test", sizes[i]);
        void *objects[40];
        for (int k = 0; k < 40; k++) {
            objects[k] = slab_alloc(slab);
            memset(objects[k], 0xaa, sizes[i]);
        }
        for (int k = 0; k < 40; k++)
            slab_free(slab, objects[k]);
        slab_close(slab);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_zeroed_aligned_and_apart),
        cmocka_unit_test(memory_goes_back),
        cmocka_unit_test(churn_lets_the_emptiest_chunks_drain),
        cmocka_unit_test(edge_of_a_chunk_does_not_flap),
        cmocka_unit_test(any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
