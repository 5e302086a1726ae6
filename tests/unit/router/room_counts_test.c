#include "room_counts_fixture.h"

static void sweep(struct fixture *f)
{
    while (room_counts_sweep(f->counts, 3, f->now_ms))
        ;
}

static void shares_add_up(void **state)
{
    struct fixture *f = *state;

    say(f, "a", "c1", 0, 3);
    say(f, "a", "c1", 1, 4);
    say(f, "a", "c2", 0, 5);
    say(f, "b", "c2", 0, 1);
    assert_int_equal(room_counts_total(f->counts, "a"), 12);
    assert_int_equal(room_counts_total(f->counts, "b"), 1);
    assert_int_equal(room_counts_total(f->counts, "c"), 0);
    say(f, "a", "c1", 0, 0);
    assert_int_equal(room_counts_total(f->counts, "a"), 9);
}

static void a_word_that_was_overtaken_says_nothing(void **state)
{
    struct fixture *f = *state;
    struct room_word late = {
        .room = "a", .comet = "c1", .epoch = 5, .sessions = 7, .number = ++f->number};

    say(f, "a", "c1", 0, 0);
    f->now_ms += ROOM_COUNTS_KEEP_MS - 1;
    sweep(f);
    room_counts_set(f->counts, &late, f->now_ms);
    assert_int_equal(room_counts_total(f->counts, "a"), 0);
}

static void empty_rooms_are_swept_after_a_while(void **state)
{
    struct fixture *f = *state;
    char name[8];
    size_t before = room_counts_bytes(f->counts);

    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "%d", i);
        say(f, name, "c1", 0, i == 5);
    }
    sweep(f);
    assert_int_equal(room_counts_kept(f->counts), 10);
    f->now_ms += ROOM_COUNTS_KEEP_MS;
    sweep(f);
    assert_int_equal(room_counts_kept(f->counts), 1);
    assert_int_equal(room_counts_total(f->counts, "5"), 1);
    say(f, "5", "c1", 0, 0);
    f->now_ms += ROOM_COUNTS_KEEP_MS;
    sweep(f);
    assert_int_equal(room_counts_kept(f->counts), 0);
    assert_int_equal(room_counts_bytes(f->counts), before);
}

static void the_dead_do_not_count(void **state)
{
    struct fixture *f = *state;

    say(f, "a", "c1", 0, 3);
    say(f, "a", "c2", 0, 5);
    say(f, "b", "c2", 0, 5);
    show(f, 1, 5);
    assert_int_equal(room_counts_total(f->counts, "a"), 3);
    sweep(f);
    assert_int_equal(room_counts_kept(f->counts), 1);
    show(f, 1, 6); /* another life of c1 */
    assert_int_equal(room_counts_total(f->counts, "a"), 0);
}

static void a_comet_can_be_forgotten(void **state)
{
    struct fixture *f = *state;

    say(f, "a", "c1", 0, 3);
    say(f, "a", "c2", 0, 5);
    say(f, "b", "c2", 1, 5);
    room_counts_forget(f->counts, "c2");
    assert_int_equal(room_counts_total(f->counts, "a"), 3);
    assert_int_equal(room_counts_kept(f->counts), 1);
    room_counts_forget(f->counts, "nobody");
    say(f, "b", "c2", 1, 4); /* it lives, and says so */
    assert_int_equal(room_counts_total(f->counts, "b"), 4);
}

/* goim's comets hold no lease: they count as long as they say so. */
static void foreign_comets_count_for_a_while(void **state)
{
    struct fixture *f = *state;
    struct room_word word = {.room = "a", .comet = "goim-1", .sessions = 7, .number = 1};

    say(f, "a", "c1", 0, 3);
    room_counts_set(f->counts, &word, f->now_ms);
    assert_int_equal(room_counts_total(f->counts, "a"), 10);
    f->now_ms += ROOM_COUNTS_FOREIGN_MS - 1;
    sweep(f);
    assert_int_equal(room_counts_total(f->counts, "a"), 10);
    word.number = 2;
    word.sessions = 8;
    room_counts_set(f->counts, &word, f->now_ms);
    f->now_ms += ROOM_COUNTS_FOREIGN_MS - 1;
    sweep(f);
    assert_int_equal(room_counts_total(f->counts, "a"), 11);
    f->now_ms++;
    sweep(f);
    assert_int_equal(room_counts_total(f->counts, "a"), 3);
}

static void rooms_of_other_routers_do_not_count(void **state)
{
    struct fixture *f = *state;
    char name[8];
    uint64_t sum = 0;
    const struct room_filter all = {.prefix = "", .least = 1};
    struct room_total total;
    const struct counted_room *room = NULL;

    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "%d", i);
        say(f, name, "c1", 0, 1);
    }
    routers(f, 3);
    while ((room = room_counts_next(f->counts, room, &all, &total)) != NULL) {
        assert_int_equal(total.sessions, room_counts_total(f->counts, total.name));
        sum += total.sessions;
    }
    assert_in_range(sum, 50, 150); /* a third of them is ours */
    sweep(f);
    assert_int_equal(room_counts_kept(f->counts), sum);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(shares_add_up),
        TEST(a_word_that_was_overtaken_says_nothing),
        TEST(empty_rooms_are_swept_after_a_while),
        TEST(the_dead_do_not_count),
        TEST(a_comet_can_be_forgotten),
        TEST(foreign_comets_count_for_a_while),
        TEST(rooms_of_other_routers_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
