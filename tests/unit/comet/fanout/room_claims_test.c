/* A loop's claims on rooms: what is posted when, and when it is known. */
#include "comet/base/config.h"
#include "comet/base/worker.h"
#include "comet/fanout/room_claims.h"
#include "tests/unit/lib/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct comet_config config;
static struct worker worker;
static char posted[1 << 20]; /* "1:+5-6 " = post 1 claims room 5 and drops room 6 */
static uint64_t posts, changes;
static int known, outwaited;

static void on_post(struct worker *from, struct claims_post *post)
{
    size_t at = strlen(posted);

    assert_ptr_equal(from, &worker);
    assert_ptr_equal(post->worker, &worker);
    assert_int_equal(post->number, ++posts);
    changes += post->n;
    at += (size_t)snprintf(posted + at, sizeof posted - at, "%d:", (int)post->number);
    for (size_t i = 0; i < post->n && at < sizeof posted - 64; i++)
        at += (size_t)snprintf(posted + at, sizeof posted - at, "%c%d",
                               post->changes[i].dropped ? '-' : '+', (int)post->changes[i].room);
    snprintf(posted + at, sizeof posted - at, " ");
    free(post);
}

static void on_known(struct worker *of, bool ended)
{
    assert_ptr_equal(of, &worker);
    known++;
    outwaited += ended;
}

static int setup(void **state)
{
    (void)state;
    clock_take();
    memset(&worker, 0, sizeof worker);
    config = (struct comet_config){.rooms_linger_ms = 30000};
    worker.config = &config;
    assert_int_equal(loop_init(&worker.loop, "test", 0), 0);
    room_claims_open(&worker, on_post, on_known);
    posts = changes = 0;
    known = outwaited = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    room_claims_close(&worker);
    loop_close(&worker.loop);
    clock_give_back();
    return 0;
}

static const char *step(void)
{
    static char text[sizeof posted];

    posted[0] = '\0';
    for (int i = 0; i < 3; i++)
        uv_run(&worker.loop.uv, UV_RUN_NOWAIT);
    memcpy(text, posted, sizeof text);
    return text;
}

static void the_changes_of_a_turn_are_one_post(void **state)
{
    (void)state;
    assert_int_equal(room_claims_take(&worker, 5), 1);
    assert_int_equal(room_claims_take(&worker, 6), 1);
    assert_false(room_claims_known(&worker, 1));
    assert_string_equal(step(), "1:+5+6 ");
    assert_int_equal(room_claims_take(&worker, 7), 2);
    assert_string_equal(step(), "2:+7 ");
    assert_string_equal(step(), "");
    room_claims_release(&worker, 1, false);
    assert_true(room_claims_known(&worker, 1) && !room_claims_known(&worker, 2));
    room_claims_release(&worker, 2, true);
    assert_true(room_claims_known(&worker, 2));
    room_claims_release(&worker, 2, true); /* nothing new */
    assert_true(known == 2 && outwaited == 1);
    room_claims_drop(&worker, 5);
    room_claims_drop(&worker, 6);
    room_claims_drop(&worker, 7);
}

static void a_room_that_was_left_lingers(void **state)
{
    (void)state;
    room_claims_take(&worker, 5);
    step();
    room_claims_drop(&worker, 5);
    clock_move(29000);
    assert_string_equal(step(), "");
    assert_int_equal(room_claims_take(&worker, 5), 1); /* known as it was */
    clock_move(60000);
    assert_string_equal(step(), "");
    room_claims_drop(&worker, 5);
    clock_move(29000);
    assert_string_equal(step(), "");
    clock_move(2000);
    assert_string_equal(step(), "2:-5 ");
    assert_int_equal(room_claims_take(&worker, 5), 3); /* anew */
    assert_string_equal(step(), "3:+5 ");
    room_claims_drop(&worker, 5);
}

static void rooms_with_the_same_hash_share_a_claim(void **state)
{
    (void)state;
    config.rooms_linger_ms = 0;
    room_claims_take(&worker, 5);
    room_claims_take(&worker, 5);
    assert_string_equal(step(), "1:+5 ");
    room_claims_drop(&worker, 5);
    clock_move(1000);
    assert_string_equal(step(), "");
    room_claims_drop(&worker, 5);
    clock_move(1000);
    assert_string_equal(step(), "2:-5 ");
}

static void so_many_linger(void **state)
{
    (void)state;
    for (uint64_t room = 0; room <= CLAIMS_LINGER_MAX; room++) {
        room_claims_take(&worker, room);
        room_claims_drop(&worker, room);
    }
    const char *text = step();
    assert_int_equal(changes, CLAIMS_LINGER_MAX + 2);
    assert_non_null(strstr(text, "-0 ")); /* the oldest, behind all that was claimed */
    assert_int_equal(room_claims_take(&worker, 0), 2);
    room_claims_drop(&worker, 0);
}

/* Both in one turn: the receiver must see them in order. */
static void dropped_and_claimed_again_in_one_turn(void **state)
{
    (void)state;
    room_claims_take(&worker, 5);
    room_claims_drop(&worker, 5);
    step();
    for (uint64_t room = 100; room < 100 + CLAIMS_LINGER_MAX; room++) {
        room_claims_take(&worker, room);
        room_claims_drop(&worker, room);
    }
    room_claims_take(&worker, 5);
    assert_non_null(strstr(step(), "-5+5 "));
    room_claims_drop(&worker, 5);
}

static void without_it_everything_is_known(void **state)
{
    (void)state;
    struct worker other = {.config = &config};
    assert_int_equal(room_claims_take(&other, 5), 0);
    assert_true(room_claims_known(&other, 0));
    room_claims_drop(&other, 5);
    room_claims_release(&other, 1, false);
    room_claims_close(&other);
}

static void what_is_deferred_at_the_end_is_dropped(void **state)
{
    (void)state;
    room_claims_take(&worker, 5);
    room_claims_drop(&worker, 5);
    room_claims_close(&worker);
    assert_string_equal(step(), "");
    room_claims_release(&worker, 1, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_changes_of_a_turn_are_one_post, setup, teardown),
        cmocka_unit_test_setup_teardown(a_room_that_was_left_lingers, setup, teardown),
        cmocka_unit_test_setup_teardown(rooms_with_the_same_hash_share_a_claim, setup, teardown),
        cmocka_unit_test_setup_teardown(so_many_linger, setup, teardown),
        cmocka_unit_test_setup_teardown(dropped_and_claimed_again_in_one_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(without_it_everything_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_deferred_at_the_end_is_dropped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
