/* Readers of the announced rooms, against a model: whatever comes and goes between their bites, a
 * reader that is done knows exactly the rooms that there are. */
#include "comet/job/announced_rooms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HASHES = 40, READERS = 3, RUNS = 300, EVENTS = 400 };

static struct announced_rooms rooms;
static int loops[HASHES];       /* that claim it */
static uint64_t serial[HASHES]; /* as add() told */

struct told {
    struct announced_reader reader;
    bool open, knows[HASHES];
};

static struct told readers[READERS];

static void add(size_t hash)
{
    uint64_t got = announced_rooms_add(&rooms, hash);

    assert_true(loops[hash]++ == 0 ? got == rooms.serial : got == serial[hash]);
    serial[hash] = got;
}

static void drop(size_t hash)
{
    if (loops[hash] == 0)
        return;
    loops[hash]--;
    announced_rooms_remove(&rooms, hash);
}

/* As room_grants.c has it: nothing new before all that was left is told. */
static void bite(struct told *told, size_t max)
{
    uint64_t out[HASHES];

    size_t n = announced_reader_take_left(&told->reader, out, max);
    for (size_t i = 0; i < n; i++)
        told->knows[out[i]] = false;
    if (told->reader.n_left > 0)
        return;
    n = announced_reader_take(&told->reader, out, max);
    assert_true(n <= max);
    for (size_t i = 0; i < n; i++) {
        assert_true(loops[out[i]] > 0);
        told->knows[out[i]] = true;
    }
    uint64_t upto = announced_reader_upto(&rooms, &told->reader);
    for (size_t hash = 0; hash < HASHES; hash++)
        assert_true(loops[hash] == 0 || serial[hash] > upto || told->knows[hash]);
}

static void reopen(struct told *told)
{
    if (!told->open)
        announced_reader_open(&rooms, &told->reader);
    else if (rand() % 2 == 0)
        announced_reader_restart(&rooms, &told->reader);
    else {
        announced_reader_close(&told->reader);
        announced_reader_open(&rooms, &told->reader);
    }
    told->open = true;
    memset(told->knows, 0, sizeof told->knows);
}

static void event(void)
{
    struct told *told = &readers[rand() % READERS];
    int what = rand() % 100;

    if (what < 40)
        add((size_t)rand() % HASHES);
    else if (what < 80)
        drop((size_t)rand() % HASHES);
    else if (what < 83 || !told->open)
        reopen(told);
    else
        bite(told, 1 + (size_t)rand() % 5);
}

static void end_run(void)
{
    for (int r = 0; r < READERS; r++) {
        struct told *told = &readers[r];
        if (!told->open)
            reopen(told);
        while (!announced_reader_is_done(&told->reader))
            bite(told, 7);
        assert_int_equal(announced_reader_upto(&rooms, &told->reader), rooms.serial);
        for (size_t hash = 0; hash < HASHES; hash++)
            assert_int_equal(told->knows[hash], loops[hash] > 0);
        announced_reader_close(&told->reader);
    }
}

static void readers_know_what_there_is(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= RUNS; seed++) {
        srand(seed);
        memset(loops, 0, sizeof loops);
        memset(readers, 0, sizeof readers);
        announced_rooms_open(&rooms);
        for (int i = 0; i < EVENTS; i++)
            event();
        end_run();
        announced_rooms_close(&rooms);
    }
}

static void what_was_never_told_needs_no_taking_back(void **state)
{
    (void)state;
    uint64_t out[4];
    struct announced_reader reader;
    announced_rooms_open(&rooms);
    announced_reader_open(&rooms, &reader);
    announced_rooms_add(&rooms, 1);
    announced_rooms_add(&rooms, 2);
    announced_rooms_remove(&rooms, 1);
    assert_int_equal(announced_rooms_count(&rooms), 1);
    assert_int_equal(announced_reader_take_left(&reader, out, 4), 0);
    assert_int_equal(announced_reader_take(&reader, out, 4), 1);
    assert_int_equal(out[0], 2);
    announced_reader_close(&reader);
    announced_rooms_close(&rooms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_know_what_there_is),
        cmocka_unit_test(what_was_never_told_needs_no_taking_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
