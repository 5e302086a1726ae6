#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/containers/wheel.h"
#include "tests/unit/lib/clock.h"

enum { TICK = 5, SLOTS = 8 };

struct item {
    struct wheel_timer timer;
    uint64_t set_ms, delay_ms, fired_ms;
    int fired;
};

struct fixture {
    struct loop loop;
    struct wheel *wheel;
    int left; /* stop when so many have fired */
    void (*on_fire)(struct fixture *fixture, struct item *item);
    struct item *items;
};

static struct fixture *of_test;

static void fire(struct wheel *wheel, struct wheel_timer *timer)
{
    struct fixture *fixture = of_test;
    struct item *item = container_of(timer, struct item, timer);
    assert_ptr_equal(wheel, fixture->wheel);
    assert_false(wheel_is_set(timer));
    item->fired++;
    item->fired_ms = loop_now_ms(&fixture->loop);
    bool last = --fixture->left == 0;
    if (fixture->on_fire != NULL)
        fixture->on_fire(fixture, item);
    if (last)
        loop_stop(&fixture->loop);
}

static void setup(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    clock_take();
    assert_int_equal(loop_init(&fixture->loop, "test", 0), 0);
    fixture->wheel = wheel_open(&fixture->loop, TICK, SLOTS, fire);
    of_test = fixture;
}

static void teardown(struct fixture *fixture)
{
    wheel_close(fixture->wheel);
    loop_close(&fixture->loop);
}

static void set(struct fixture *fixture, struct item *item, uint64_t delay_ms)
{
    item->set_ms = loop_now_ms(&fixture->loop);
    item->delay_ms = delay_ms;
    wheel_set(fixture->wheel, &item->timer, delay_ms);
}

static void watchdog(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("timers did not fire within 10 s");
}

static void run(struct fixture *fixture)
{
    uv_timer_t guard;
    uv_timer_init(&fixture->loop.uv, &guard);
    uv_timer_start(&guard, watchdog, 10000, 0);
    fixture->loop.stopping = false;
    loop_run(&fixture->loop);
    uv_close((uv_handle_t *)&guard, NULL);
    uv_run(&fixture->loop.uv, UV_RUN_NOWAIT);
}

static void never_early_and_within_two_ticks(void **state)
{
    (void)state;
    enum { N = 200 };
    struct fixture fixture;
    setup(&fixture);
    static struct item items[N];
    memset(items, 0, sizeof items);
    for (int i = 0; i < N; i++) /* up to five rounds of the wheel */
        set(&fixture, &items[i], (uint64_t)i);
    fixture.left = N;
    run(&fixture);
    int late = 0;
    for (int i = 0; i < N; i++) {
        assert_int_equal(items[i].fired, 1);
        uint64_t after = items[i].fired_ms - items[i].set_ms;
        assert_true(after >= items[i].delay_ms);
        late += after > items[i].delay_ms + 2 * TICK;
    }
    assert_true(late < N / 2); /* a busy machine may hold the loop up, but not all the time */
    assert_false(uv_is_active((uv_handle_t *)fixture.wheel)); /* nothing set: asleep */
    teardown(&fixture);
}

static void moves_and_cancels(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    struct item a = {0}, b = {0}, c = {0};
    set(&fixture, &a, 10);
    set(&fixture, &b, 10);
    set(&fixture, &c, 60);
    set(&fixture, &a, 60); /* later */
    wheel_cancel(fixture.wheel, &b.timer);
    wheel_cancel(fixture.wheel, &b.timer);
    assert_true(wheel_is_set(&a.timer));
    assert_false(wheel_is_set(&b.timer));
    set(&fixture, &c, 1); /* sooner */
    fixture.left = 2;
    run(&fixture);
    assert_int_equal(b.fired, 0);
    assert_true(c.fired_ms < a.fired_ms);
    assert_true(a.fired_ms - a.set_ms >= 60);
    teardown(&fixture);
}

/* Whoever is fired first takes the others of its tick away: cancelled, freed, moved. */
static void first_one_decides(struct fixture *fixture, struct item *item)
{
    if (fixture->items == NULL)
        return;
    struct item *items = fixture->items;
    fixture->items = NULL;
    size_t me = (size_t)(item - items);
    wheel_cancel(fixture->wheel, &items[(me + 1) % 4].timer);
    set(fixture, &items[(me + 2) % 4], 0);
    set(fixture, item, 3 * TICK * SLOTS);
}

static void callback_may_change_anything(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    struct item *items = calloc(4, sizeof *items);
    assert_non_null(items);
    fixture.items = items;
    fixture.on_fire = first_one_decides;
    for (int i = 0; i < 4; i++)
        set(&fixture, &items[i], 2 * TICK);
    fixture.left = 4; /* 4 - 1 cancelled + 1 set anew */
    run(&fixture);
    int times[3] = {0};
    for (int i = 0; i < 4; i++)
        times[items[i].fired]++;
    assert_int_equal(times[0], 1);
    assert_int_equal(times[1], 2);
    assert_int_equal(times[2], 1);
    free(items);
    teardown(&fixture);
}

static void free_all(struct fixture *fixture, struct item *item)
{
    (void)item;
    for (int i = 0; i < 4; i++)
        wheel_cancel(fixture->wheel, &fixture->items[i].timer);
    free(fixture->items);
    fixture->items = NULL;
}

static void callback_may_free_all_of_them(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    fixture.items = calloc(4, sizeof *fixture.items);
    assert_non_null(fixture.items);
    fixture.on_fire = free_all;
    for (int i = 0; i < 4; i++)
        set(&fixture, &fixture.items[i], i < 2 ? 1 : 500);
    fixture.left = 1;
    run(&fixture);
    assert_null(fixture.items);
    teardown(&fixture);
}

static void close_wheel(struct fixture *fixture, struct item *item)
{
    (void)item;
    wheel_close(fixture->wheel);
}

static void callback_may_close_the_wheel(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    struct item items[3];
    memset(items, 0, sizeof items);
    fixture.on_fire = close_wheel;
    for (int i = 0; i < 3; i++)
        set(&fixture, &items[i], 1);
    fixture.left = 1;
    run(&fixture);
    assert_int_equal(items[0].fired + items[1].fired + items[2].fired, 1);
    loop_close(&fixture.loop);
}

static void set_again(struct fixture *fixture, struct item *item)
{
    if (fixture->left > 0)
        set(fixture, item, 0);
}

static void a_timer_that_sets_itself_does_not_starve_the_loop(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    struct item item = {0};
    fixture.on_fire = set_again;
    set(&fixture, &item, 0);
    uint64_t start = loop_now_ms(&fixture.loop);
    fixture.left = 10;
    run(&fixture);
    assert_int_equal(loop_now_ms(&fixture.loop) - start, 10 * TICK);
    teardown(&fixture);
}

static void held_up_loop_catches_up(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    struct item items[40];
    memset(items, 0, sizeof items);
    for (int i = 0; i < 40; i++)
        set(&fixture, &items[i], (uint64_t)i * TICK);
    clock_move(5 * SLOTS * TICK); /* more than a round, and past all of them */
    fixture.left = 40;
    uv_update_time(&fixture.loop.uv);
    uint64_t before = loop_now_ms(&fixture.loop);
    run(&fixture);
    assert_true(loop_now_ms(&fixture.loop) - before <= TICK);
    for (int i = 0; i < 40; i++)
        assert_int_equal(items[i].fired, 1);
    teardown(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_early_and_within_two_ticks),
        cmocka_unit_test(moves_and_cancels),
        cmocka_unit_test(callback_may_change_anything),
        cmocka_unit_test(callback_may_free_all_of_them),
        cmocka_unit_test(callback_may_close_the_wheel),
        cmocka_unit_test(a_timer_that_sets_itself_does_not_starve_the_loop),
        cmocka_unit_test(held_up_loop_catches_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
