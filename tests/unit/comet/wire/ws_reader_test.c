#include "comet/wire/ws_frame.h"
#include "comet/wire/ws_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/lib/freed.h"

/* What was sent, masked, ready to be fed. */
static uint8_t wire[4096];
static size_t wire_len;

static void frame(uint8_t first, const char *payload, size_t len)
{
    static const uint8_t mask[4] = {9, 8, 7, 6};
    uint8_t *at = wire + wire_len;
    at[0] = first;
    at[1] = (uint8_t)(0x80 | (len < 126 ? len : 126));
    at += 2;
    if (len >= 126) {
        *at++ = (uint8_t)(len >> 8);
        *at++ = (uint8_t)len;
    }
    memcpy(at, mask, 4);
    memcpy(at + 4, payload, len);
    ws_mask(at + 4, len, mask, 0);
    wire_len = (size_t)(at + 4 + len - wire);
}

static char seen[4096];

static void note(const struct ws_item *item)
{
    static const char *const names[] = {"more", "part", "message", "ping", "pong", "close", "fail"};
    size_t at = strlen(seen);
    if (item->event == WS_PART)
        return;
    int n = snprintf(seen + at, sizeof seen - at, "%s", names[item->event]);
    at += (size_t)n;
    if (item->event == WS_CLOSE || item->event == WS_FAIL)
        (void)snprintf(seen + at, sizeof seen - at, " %u ", item->code);
    else
        (void)snprintf(seen + at, sizeof seen - at, "%s(%.*s) ", item->text ? " text" : "",
                       (int)item->len, item->len > 0 ? (const char *)item->data : "");
}

/* Feeds everything in pieces of STEP bytes, as the input does: a rest stays in front. */
static const char *feed(size_t step, size_t max)
{
    struct ws *ws = NULL;
    struct ws_item item = {0};
    uint8_t buf[sizeof wire];
    size_t have = 0, fed = 0;
    seen[0] = '\0';
    while (fed < wire_len && item.event != WS_FAIL) {
        size_t n = step < wire_len - fed ? step : wire_len - fed, at = 0;
        memcpy(buf + have, wire + fed, n);
        fed += n;
        have += n;
        for (;;) {
            at += ws_next(&ws, buf + at, have - at, max, &item);
            assert_true(at <= have);
            if (item.event == WS_MORE || item.event == WS_FAIL)
                break;
            note(&item);
        }
        memmove(buf, buf + at, have - at);
        have -= at;
    }
    if (item.event == WS_FAIL)
        note(&item);
    else
        assert_null(ws); /* nothing under way: nothing held */
    ws_free(ws);
    return seen;
}

static void expect(const char *expected)
{
    static const size_t steps[] = {1, 2, 3, 5, 7, 100, sizeof wire};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        assert_string_equal(feed(steps[i], 1000), expected);
    wire_len = 0;
}

static void messages_in_one_frame(void **state)
{
    (void)state;
    frame(0x81, "hello", 5);
    frame(0x82, "\xff\xfe", 2);
    frame(0x81, "", 0);
    expect("message text(hello) message(\xff\xfe) message text() ");
}

static void fragments_with_control_frames_between(void **state)
{
    (void)state;
    frame(0x01, "he", 2);
    frame(0x89, "ping", 4);
    frame(0x00, "", 0);
    frame(0x8a, "", 0);
    frame(0x80, "llo", 3);
    frame(0x82, "next", 4);
    frame(0x02, "", 0);
    frame(0x80, "", 0);
    expect("ping(ping) pong() message text(hello) message(next) message() ");
}

static void fragments_out_of_order_fail(void **state)
{
    (void)state;
    frame(0x80, "x", 1);
    expect("fail 1002 ");
    frame(0x01, "a", 1);
    frame(0x81, "b", 1);
    expect("fail 1002 ");
}

static void text_must_be_utf8_also_across_fragments(void **state)
{
    (void)state;
    frame(0x01, "\xc3", 1);
    frame(0x80, "\xa4", 1);
    expect("message text(\xc3\xa4) ");
    frame(0x81, "\xc3", 1);
    expect("fail 1007 ");
    frame(0x01, "ok", 2);
    frame(0x80, "\xc3", 1);
    expect("fail 1007 ");
    frame(0x01, "\xed\xa0", 2); /* a surrogate: told before the message is over */
    expect("fail 1007 ");
}

static void close_frames_are_checked(void **state)
{
    (void)state;
    frame(0x88, "", 0);
    expect("close 0 ");
    frame(0x88,
          "\x03\xe8"
          "bye",
          5);
    expect("close 1000 ");
    frame(0x88, "\x03", 1);
    expect("fail 1002 ");
    frame(0x88, "\x03\xed", 2);
    expect("fail 1002 ");
    frame(0x88, "\x03\xe8\xff", 3);
    expect("fail 1007 ");
}

static void the_limit_holds_for_the_whole_message(void **state)
{
    (void)state;
    char long_text[1001];
    memset(long_text, 'x', sizeof long_text);
    frame(0x82, long_text, 1000);
    assert_string_equal(feed(77, 1001), feed(wire_len, 1000));
    assert_true(strncmp(feed(77, 1000), "message(xxx", 11) == 0);
    assert_string_equal(feed(77, 999), "fail 1009 ");
    wire_len = 0;
    frame(0x02, long_text, 600);
    frame(0x80, long_text, 400);
    assert_true(strncmp(feed(77, 1000), "message(xxx", 11) == 0);
    assert_string_equal(feed(77, 999), "fail 1009 ");
    wire_len = 0;
}

/* A token may come so. */
static void what_was_collected_is_overwritten(void **state)
{
    (void)state;
    if (!freed_is_watched)
        skip();
    frame(0x01, "{\"op\":7,\"body\":\"" FREED_SECRET,
          sizeof "{\"op\":7,\"body\":\"" FREED_SECRET - 1);
    frame(0x80, "\"}", 2);
    freed_watch(false);
    for (size_t step = 1; step < wire_len; step++)
        feed(step, 1000);
    assert_int_equal(freed_end(), 0);
    wire_len = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_in_one_frame),
        cmocka_unit_test(what_was_collected_is_overwritten),
        cmocka_unit_test(fragments_with_control_frames_between),
        cmocka_unit_test(fragments_out_of_order_fail),
        cmocka_unit_test(text_must_be_utf8_also_across_fragments),
        cmocka_unit_test(close_frames_are_checked),
        cmocka_unit_test(the_limit_holds_for_the_whole_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
