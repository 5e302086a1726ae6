/* The ring of events: what is read, which fit, what gives way. */
#include "common/base/mem.h"
#include "common/events/event_types.h"
#include "logic/feed/feed_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct feed_ring *ring;

static int set_up(void **state)
{
    (void)state;
    ring = mem_zalloc(sizeof *ring);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    feed_ring_clear(ring);
    free(ring);
    return 0;
}

static bool put(const char *text)
{
    struct feed_event event;

    if (!feed_event_read(text, strlen(text), &event))
        return false;
    feed_ring_put(ring, &event);
    return true;
}

static void put_of(int64_t uid, const char *what)
{
    char text[200];

    (void)snprintf(text, sizeof text,
                   "{\"type\":\"io.imc.session.%s.v1\",\"subject\":\"%lld\",\"data\":{}}", what,
                   (long long)uid);
    assert_true(put(text));
}

static size_t count(const struct feed_filter *filter, uint64_t *at)
{
    size_t n = 0;

    while (feed_ring_next(ring, filter, at) != NULL)
        n++;
    return n;
}

static void what_is_no_event_is_refused(void **state)
{
    char *large = mem_alloc(FEED_EVENT_MAX + 3);

    (void)state;
    assert_false(put(""));
    assert_false(put("[]"));
    assert_false(put("{\"type\":"));
    assert_false(put("{} {}"));
    (void)snprintf(large, FEED_EVENT_MAX + 3, "{%*s}", FEED_EVENT_MAX - 2, "");
    assert_true(put(large));
    (void)snprintf(large, FEED_EVENT_MAX + 3, "{%*s}", FEED_EVENT_MAX - 1, "");
    assert_false(put(large));
    free(large);
}

static void type_and_user_are_read(void **state)
{
    static const struct {
        const char *text;
        unsigned type;
        bool has_uid;
        int64_t uid;
    } cases[] = {
        {"{}", 0, false, 0},
        {"{\"type\":\"io.imc.room.joined.v1\",\"subject\":\"-12\"}", 1U << EVENT_JOINED, true, -12},
        {"{\"type\":\"io.imc.room.connected.v1\",\"subject\":\"x\"}", 0, false, 0},
        {"{\"type\":\"io.imc.session.connected.v2\",\"subject\":\" 1\"}", 0, false, 0},
        {"{\"type\":\"io.imc.session.connected.v1\\u0000\",\"subject\":\"\"}", 0, false, 0},
        {"{\"type\":7,\"subject\":7}", 0, false, 0},
        {"{\"subject\":\"99999999999999999999\"}", 0, false, 0},
        {" {\"type\":\"io.imc.message.expired.v1\",\"data\":{\"type\":\"x\"}} ",
         1U << EVENT_EXPIRED, false, 0},
    };
    struct feed_event event;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(feed_event_read(cases[i].text, strlen(cases[i].text), &event));
        assert_int_equal(event.type, cases[i].type);
        assert_int_equal(event.has_uid, cases[i].has_uid);
        if (event.has_uid)
            assert_int_equal(event.uid, cases[i].uid);
        assert_int_equal(event.text[0], '{');
        assert_int_equal(event.text[event.len - 1], '}');
        free(event.text);
    }
}

static void a_reader_gets_what_fits_once_and_in_order(void **state)
{
    const struct feed_filter of_two = {.has_uid = true, .uid = 2};
    const struct feed_filter ends = {.types = 1U << EVENT_DISCONNECTED};
    const struct feed_filter all = {0};
    uint64_t at = 0;

    (void)state;
    put_of(1, "connected");
    put_of(2, "connected");
    put_of(1, "disconnected");
    assert_int_equal(feed_ring_next(ring, &of_two, &at)->uid, 2);
    assert_int_equal(at, 2);
    assert_null(feed_ring_next(ring, &of_two, &at));
    assert_int_equal(at, 3);
    put_of(2, "disconnected");
    assert_int_equal(count(&of_two, &at), 1);
    at = 0;
    assert_int_equal(count(&ends, &at), 2);
    assert_int_equal(feed_ring_newest(ring, &all, 3), 1);
    assert_int_equal(feed_ring_newest(ring, &ends, 1), 3);
    assert_int_equal(feed_ring_newest(ring, &ends, 9), 0);
    assert_int_equal(feed_ring_newest(ring, &all, 0), 4);
}

static void another_run_goes_on_by_time(void **state)
{
    (void)state;
    assert_int_equal(feed_ring_later(ring, 5), 0);
    assert_int_equal(feed_ring_ms(ring), 0);
    for (int i = 1; i <= 4; i++) {
        put_of(i, "connected");
        ring->events[i].ms = 10 * i;
    }
    assert_int_equal(feed_ring_later(ring, 0), 0);
    assert_int_equal(feed_ring_later(ring, 20), 2);
    assert_int_equal(feed_ring_later(ring, 25), 2);
    assert_int_equal(feed_ring_later(ring, 40), 4);
    assert_int_equal(feed_ring_ms(ring), 40);
}

static void the_oldest_give_way(void **state)
{
    const struct feed_filter all = {0};
    uint64_t at = 0;

    (void)state;
    for (int i = 0; i < FEED_EVENTS; i++)
        put_of(i, "connected");
    assert_false(feed_ring_has_lost(ring, 0));
    put_of(7, "connected");
    assert_true(feed_ring_has_lost(ring, 0));
    assert_false(feed_ring_has_lost(ring, 1));
    assert_int_equal(count(&all, &at), FEED_EVENTS);
    assert_int_equal(feed_ring_newest(ring, &all, FEED_EVENTS + 1), 1);
}

static void bytes_are_bounded(void **state)
{
    char text[FEED_EVENT_MAX + 1];

    (void)state;
    (void)snprintf(text, sizeof text, "{%*s}", FEED_EVENT_MAX - 2, "");
    for (int i = 0; i < FEED_BYTES / FEED_EVENT_MAX; i++)
        assert_true(put(text));
    assert_int_equal(ring->bytes, FEED_BYTES);
    assert_false(feed_ring_has_lost(ring, 0));
    assert_true(put("{}"));
    assert_true(ring->bytes <= FEED_BYTES);
    assert_true(feed_ring_has_lost(ring, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_no_event_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(type_and_user_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_gets_what_fits_once_and_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_run_goes_on_by_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_oldest_give_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_are_bounded, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
