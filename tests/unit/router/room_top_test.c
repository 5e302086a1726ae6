/* The largest rooms, against a list that was sorted as a whole. */
#include "room_counts_fixture.h"
#include "router/room_top.h"

enum { ROOMS = 300 };

struct expected {
    char name[16];
    uint64_t sessions;
};

static int in_order(const void *a_, const void *b_)
{
    const struct expected *a = a_, *b = b_;

    if (a->sessions != b->sessions)
        return a->sessions > b->sessions ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Says the same 300 rooms to F, with few different numbers, some of them 0. */
static void say_rooms(struct fixture *f, struct expected rooms[ROOMS])
{
    for (uint32_t i = 0, seed = 7; i < ROOMS; i++) {
        seed = seed * 1103515245 + 12345;
        uint32_t here = (seed >> 16) % 20, there = (seed >> 8) % 3;
        snprintf(rooms[i].name, sizeof rooms[i].name, "%s%u", i % 3 == 0 ? "live://" : "game://",
                 i);
        rooms[i].sessions = here + there;
        say(f, rooms[i].name, "c1", 0, here);
        say(f, rooms[i].name, "c2", 0, there);
    }
    qsort(rooms, ROOMS, sizeof *rooms, in_order);
}

static void check(struct fixture *f, const struct expected rooms[ROOMS], const char *prefix,
                  size_t limit)
{
    struct room_total out[ROOMS];
    size_t n = room_top(f->counts, prefix, out, limit), i = 0;

    for (size_t k = 0; k < ROOMS && i < limit; k++) {
        if (rooms[k].sessions == 0 || strncmp(rooms[k].name, prefix, strlen(prefix)) != 0)
            continue;
        assert_true(i < n);
        assert_string_equal(out[i].name, rooms[k].name);
        assert_int_equal(out[i].sessions, rooms[k].sessions);
        i++;
    }
    assert_int_equal(n, i);
}

static void the_largest_rooms_in_order(void **state)
{
    static const size_t limits[] = {0, 1, 2, 3, 7, 50, 99, ROOMS};
    struct fixture *f = *state;
    struct expected rooms[ROOMS];

    say_rooms(f, rooms);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        check(f, rooms, "", limits[i]);
        check(f, rooms, "live://", limits[i]);
        check(f, rooms, "nobody", limits[i]);
    }
}

/* A room of a comet that has died is not large, whatever the comet had said. */
static void the_dead_do_not_make_a_room_large(void **state)
{
    struct fixture *f = *state;
    struct room_total out[2];

    say(f, "a", "c1", 0, 3);
    say(f, "b", "c2", 0, 50);
    say(f, "b", "c1", 0, 1);
    say(f, "c", "c2", 0, 50);
    show(f, 1, 5);
    assert_int_equal(room_top(f->counts, "", out, 2), 2);
    assert_string_equal(out[0].name, "a");
    assert_string_equal(out[1].name, "b");
    assert_int_equal(out[1].sessions, 1);
}

static void rooms_of_other_routers_are_theirs_to_tell(void **state)
{
    struct fixture *f = *state;
    struct room_total out[ROOMS];
    struct expected rooms[ROOMS];

    say_rooms(f, rooms);
    routers(f, 3);
    size_t n = room_top(f->counts, "", out, ROOMS);
    assert_in_range(n, 30, ROOMS / 2);
    for (size_t i = 0; i < n; i++)
        assert_true(completeness_owns_room(&f->completeness, out[i].name));
}

/* Page after page, while rooms come and go: each that stays is in one page. */
static void pages_show_each_room_that_stays_once(void **state)
{
    struct fixture *f = *state;
    unsigned seen[200] = {0};
    char name[16], after[16] = "";
    struct room_total out[7];
    size_t n, pages = 0;

    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof name, "p/%03d", i);
        say(f, name, "c1", 0, 1);
    }
    say(f, "o", "c1", 0, 1);
    say(f, "q", "c1", 0, 1);
    say(f, "p/0005", "c1", 0, 0);
    while ((n = room_page(f->counts, "p/", after, out, 7)) > 0) {
        for (size_t i = 0; i < n; i++) {
            assert_true(strcmp(out[i].name, after) > 0);
            (void)snprintf(after, sizeof after, "%s", out[i].name);
            if (strlen(after) == 5)
                seen[strtoul(after + 2, NULL, 10)]++;
        }
        (void)snprintf(name, sizeof name, "p/%03zu+", pages * 9 % 200); /* comes */
        say(f, name, "c2", 0, 1);
        (void)snprintf(name, sizeof name, "p/%03zu", pages++ * 9 % 200 / 4 * 4); /* goes */
        say(f, name, "c1", 0, 0);
        f->now_ms += ROOM_COUNTS_KEEP_MS;
        while (room_counts_sweep(f->counts, 10, f->now_ms))
            continue;
    }
    assert_true(pages > 28);
    for (size_t i = 0; i < 200; i++)
        assert_true(seen[i] == 1 || (i % 4 == 0 && seen[i] == 0));
}

static void a_page_begins_behind_a_name(void **state)
{
    struct fixture *f = *state;
    struct room_total out[4];

    say(f, "a", "c1", 0, 1);
    say(f, "b", "c1", 0, 2);
    say(f, "ba", "c2", 0, 3);
    say(f, "c", "c1", 0, 4);
    assert_int_equal(room_page(f->counts, "", "", out, 4), 4);
    assert_int_equal(room_page(f->counts, "", "", out, 0), 0);
    assert_int_equal(room_page(f->counts, "", "a", out, 4), 3);
    assert_int_equal(room_page(f->counts, "", "aa", out, 1), 1);
    assert_string_equal(out[0].name, "b");
    assert_int_equal(room_page(f->counts, "b", "", out, 4), 2);
    assert_string_equal(out[1].name, "ba");
    assert_int_equal(out[1].sessions, 3);
    assert_int_equal(room_page(f->counts, "b", "b", out, 4), 1);
    assert_int_equal(room_page(f->counts, "b", "c", out, 4), 0);
    assert_int_equal(room_page(f->counts, "d", "", out, 4), 0);
    room_counts_forget(f->counts, "c1");
    assert_int_equal(room_page(f->counts, "", "", out, 4), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_largest_rooms_in_order),
        TEST(the_dead_do_not_make_a_room_large),
        TEST(rooms_of_other_routers_are_theirs_to_tell),
        TEST(pages_show_each_room_that_stays_once),
        TEST(a_page_begins_behind_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
