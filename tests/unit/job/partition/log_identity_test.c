/* Another log at the same offsets is found out, whatever its length; the same one is not taken for
 * another, however it is read. */
#include "job/partition/log_identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct log_identity check;
static uint64_t now;

static int setup(void **state)
{
    (void)state;
    now = 100000;
    log_identity_init(&check);
    return 0;
}

/* What stands at an offset of the first, the second … log. */
static uint64_t mark_of(int log, int64_t offset)
{
    uint64_t words[] = {(uint64_t)log, (uint64_t)offset};

    return log_identity_mark(1000 + log, words, sizeof words);
}

static enum log_verdict message(int log, int64_t offset)
{
    return log_identity_message(&check, offset, mark_of(log, offset), now);
}

static void read_log(int log, int64_t from, int64_t to)
{
    for (int64_t offset = from; offset < to; offset++)
        assert_int_equal(message(log, offset), LOG_NEW);
}

static int64_t due(int64_t end)
{
    return log_identity_due(&check, end, now);
}

static void what_rises_is_new(void **state)
{
    (void)state;
    assert_int_equal(due(0), LOG_NOTHING);
    read_log(1, 17, 100);
    assert_int_equal(message(1, 105), LOG_NEW); /* gaps are nothing special */
    assert_int_equal(due(106), LOG_NOTHING);
}

static void offsets_that_go_back_are_another_log(void **state)
{
    (void)state;
    read_log(1, 0, 10);
    assert_int_equal(message(2, 0), LOG_OTHER);
}

static void an_idle_log_is_looked_at_and_is_the_same(void **state)
{
    (void)state;
    read_log(1, 0, 10);
    now += LOG_IDLE_MS;
    assert_int_equal(due(10), 9);
    assert_int_equal(due(10), LOG_NOTHING);
    assert_int_equal(message(1, 9), LOG_SEEN);
    assert_int_equal(message(1, 10), LOG_NEW);
    now += LOG_LOOK_MS - 1;
    assert_int_equal(due(11), LOG_NOTHING);
    now++;
    assert_int_equal(due(11), 9); /* there was a pause after it */
    assert_int_equal(message(1, 9), LOG_SEEN);
    assert_int_equal(message(1, 10), LOG_SEEN);
    assert_int_equal(message(1, 11), LOG_NEW);
}

/* Else all of it would be read twice some seconds later. */
static void a_burst_after_a_pause_is_looked_at_soon(void **state)
{
    enum { LAST = 9 + LOG_BURST };

    (void)state;
    read_log(1, 0, 10);
    now += LOG_LOOK_MS;
    assert_int_equal(due(10), 9);
    assert_int_equal(message(1, 9), LOG_SEEN);
    now += LOG_PAUSE_MS;
    read_log(1, 10, LAST);
    assert_int_equal(due(LAST), LOG_NOTHING);
    read_log(1, LAST, LAST + 1);
    assert_int_equal(due(LAST + 1), 9);
    for (int64_t offset = 9; offset <= LAST; offset++)
        assert_int_equal(message(1, offset), LOG_SEEN);
    read_log(1, LAST + 1, 10000);
    now += LOG_PAUSE_MS - 1;
    read_log(1, 10000, 20000);
    assert_int_equal(due(20000), LOG_NOTHING); /* no pause since */
}

static void a_burst_of_another_log_is_found_soon(void **state)
{
    (void)state;
    read_log(1, 0, 10);
    now += LOG_LOOK_MS;
    assert_int_equal(due(10), 9);
    assert_int_equal(message(1, 9), LOG_SEEN);
    now += LOG_PAUSE_MS;
    read_log(2, 10, 10 + LOG_BURST);
    now += LOG_PAUSE_MS; /* another pause, after which the other log looks like the one that was
                            read */
    read_log(2, 10 + LOG_BURST, 20 + LOG_BURST);
    assert_int_equal(due(20 + LOG_BURST), 9);
    assert_int_equal(message(2, 9), LOG_OTHER);
}

static void another_log_of_the_same_length_is_found_when_idle(void **state)
{
    (void)state;
    read_log(1, 0, 10);
    now += LOG_IDLE_MS;
    assert_int_equal(due(10), 9);
    assert_int_equal(message(2, 9), LOG_OTHER);
}

/* It has outgrown what was read of the first one before anything was read of it. */
static void a_longer_log_is_found_after_the_pause(void **state)
{
    (void)state;
    read_log(1, 0, 10);
    now += LOG_LOOK_MS + LOG_PAUSE_MS;
    read_log(2, 10, 50000);
    assert_int_equal(due(50000), 9);
    assert_int_equal(message(2, 9), LOG_OTHER);
}

static void a_shorter_log_is_found_by_an_older_message(void **state)
{
    (void)state;
    read_log(1, 0, 100000);
    assert_int_equal(due(40000), LOG_NOTHING);
    now += LOG_SHORT_MS;
    int64_t offset = due(40000);
    assert_in_range(offset, 0, 39999);
    assert_int_equal(message(2, offset), LOG_OTHER);
}

static void a_log_with_less_than_any_message_we_know_is_another(void **state)
{
    (void)state;
    read_log(1, 7, 10);
    due(0);
    now += LOG_SHORT_MS;
    assert_int_equal(due(0), LOG_IS_OTHER);
}

/* The end is behind us for a while when a broker takes over from another one. */
static void an_end_behind_us_may_be_of_the_same_log(void **state)
{
    (void)state;
    read_log(1, 0, 1000);
    due(990);
    now += LOG_SHORT_MS - 1;
    assert_int_equal(due(990), LOG_NOTHING);
    assert_int_equal(due(1000), LOG_NOTHING);
    now += LOG_SHORT_MS;
    assert_int_equal(due(990), LOG_NOTHING); /* begins again */
    now += LOG_SHORT_MS;
    int64_t offset = due(990);
    assert_in_range(offset, 0, 989);
    for (; offset < 1000; offset++)
        assert_int_equal(message(1, offset), LOG_SEEN);
    assert_int_equal(message(1, 1000), LOG_NEW);
}

static void a_look_into_a_log_that_became_shorter_goes_deeper(void **state)
{
    (void)state;
    read_log(1, 0, 10);
    now += LOG_IDLE_MS;
    assert_int_equal(due(10), 9);
    assert_int_equal(due(4), LOG_NOTHING);
    now += LOG_SHORT_MS;
    assert_int_equal(due(4), 3);
    assert_int_equal(message(2, 3), LOG_OTHER);
}

static void old_messages_may_be_deleted(void **state)
{
    (void)state;
    read_log(1, 0, 10);
    now += LOG_IDLE_MS;
    assert_int_equal(due(10), 9);
    assert_int_equal(message(1, 10), LOG_NEW);
}

static void it_begins_anew_while_we_look(void **state)
{
    (void)state;
    read_log(1, 0, 10);
    now += LOG_IDLE_MS;
    assert_int_equal(due(10), 9);
    assert_int_equal(message(2, 0), LOG_OTHER);
}

static void it_begins_anew_after_we_have_looked(void **state)
{
    (void)state;
    read_log(1, 0, 10);
    now += LOG_IDLE_MS;
    assert_int_equal(due(10), 9);
    assert_int_equal(message(1, 9), LOG_SEEN);
    assert_int_equal(message(2, 0), LOG_OTHER);
}

static void what_is_rewound_is_new_once_more(void **state)
{
    (void)state;
    read_log(1, 0, 10);
    log_identity_rewind(&check, 5);
    read_log(1, 5, 12);
    assert_int_equal(message(1, 11), LOG_OTHER);
}

static void an_alarm_has_it_looked_at_at_once(void **state)
{
    (void)state;
    log_identity_alarm(&check);
    assert_int_equal(due(10), LOG_NOTHING);
    read_log(1, 0, 10);
    log_identity_alarm(&check);
    assert_int_equal(due(10), 9);
}

/* As an owner did that read log 1 up to OFFSET. */
static void begin(int64_t offset)
{
    log_identity_expect(&check, (struct log_anchor){offset - 1, mark_of(1, offset - 1)});
}

static void the_first_message_waits_for_the_anchor(void **state)
{
    (void)state;
    begin(10);
    assert_int_equal(message(1, 10), LOG_SEEK);
    assert_int_equal(check.sought.offset, 9);
    assert_int_equal(due(20), LOG_NOTHING);
    assert_int_equal(message(1, 9), LOG_SEEN);
    read_log(1, 10, 20);
    assert_int_equal(message(1, 15), LOG_OTHER);
}

static void what_lies_between_anchor_and_offset_was_read(void **state)
{
    (void)state;
    begin(10);
    assert_int_equal(message(1, 14), LOG_SEEK);
    for (int64_t offset = 9; offset < 14; offset++)
        assert_int_equal(message(1, offset), LOG_SEEN);
    read_log(1, 14, 20);
}

static void a_log_that_outgrew_the_offset_is_another(void **state)
{
    (void)state;
    begin(10);
    assert_int_equal(message(2, 10), LOG_SEEK);
    assert_int_equal(message(2, 9), LOG_OTHER);
    log_identity_init(&check);
    read_log(2, 0, 20);
}

static void an_anchor_at_the_offset_itself_is_compared_at_once(void **state)
{
    (void)state;
    begin(11);
    read_log(1, 10, 12);
    log_identity_init(&check);
    begin(11);
    assert_int_equal(message(2, 10), LOG_OTHER);
}

static void nothing_is_skipped_by_who_begins_below_the_anchor(void **state)
{
    (void)state;
    begin(10);
    read_log(2, 0, 20);
}

static void who_has_no_anchor_begins_at_once(void **state)
{
    (void)state;
    log_identity_expect(&check, (struct log_anchor){.offset = -1});
    read_log(1, 10, 12);
}

/* Whose messages the rest are, nobody knows: they come once more. */
static void an_anchor_that_is_gone_has_the_rest_read(void **state)
{
    (void)state;
    begin(10);
    assert_int_equal(message(1, 20), LOG_SEEK);
    read_log(1, 12, 25);
}

static void a_log_that_begins_at_the_offset_is_read_from_there(void **state)
{
    (void)state;
    begin(10);
    assert_int_equal(message(1, 10), LOG_SEEK);
    read_log(1, 10, 12);
}

static void a_log_without_anchor_and_offset_is_read_from_its_beginning(void **state)
{
    (void)state;
    begin(10);
    assert_int_equal(message(1, 10), LOG_SEEK);
    assert_int_equal(message(1, 11), LOG_OTHER);
}

static void a_shorter_log_does_not_reach_the_anchor(void **state)
{
    (void)state;
    begin(10);
    assert_int_equal(message(2, 10), LOG_SEEK);
    assert_int_equal(message(3, 0), LOG_OTHER);
}

static void the_same_anchor_comes_back_from_its_text(void **state)
{
    char text[ANCHOR_TEXT_MAX];
    struct log_anchor anchor = {INT64_MAX, UINT64_MAX};

    (void)state;
    size_t len = log_anchor_write(anchor, text);
    assert_in_range(len, 1, sizeof text - 1);
    struct log_anchor again = log_anchor_read(text, len);
    assert_true(again.offset == anchor.offset && again.mark == anchor.mark);
    assert_int_equal(log_anchor_write((struct log_anchor){.offset = -1}, text), 0);
}

static void any_other_text_is_no_anchor(void **state)
{
    static const char *const texts[] = {
        "",      "imc1",       "imc2 5 0000000000000001",  "imc1 5 1",
        "imc1 ", "imc1 -5 01", "imc1 5 0000000000000001 ", "imc1  5 0000000000000001",
    };
    char text[ANCHOR_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(log_anchor_read(texts[i], strlen(texts[i])).offset, -1);
    assert_int_equal(log_anchor_read(NULL, 0).offset, -1);
    size_t len = log_anchor_write((struct log_anchor){5, 1}, text);
    assert_int_equal(log_anchor_read(text, len - 1).offset, -1);
    text[3] = '\0';
    assert_int_equal(log_anchor_read(text, len).offset, -1);
    memset(text, '1', sizeof text);
    assert_int_equal(log_anchor_read(text, sizeof text).offset, -1);
}

static void marks_tell_messages_apart(void **state)
{
    static const char text[] = "the very same forty bytes in both of them";

    (void)state;
    assert_int_equal(log_identity_mark(5, text, sizeof text),
                     log_identity_mark(5, text, sizeof text));
    assert_int_not_equal(log_identity_mark(5, text, sizeof text),
                         log_identity_mark(6, text, sizeof text));
    assert_int_not_equal(log_identity_mark(5, text, sizeof text),
                         log_identity_mark(5, text, sizeof text - 1));
    assert_int_not_equal(log_identity_mark(5, NULL, 0), log_identity_mark(6, NULL, 0));
    assert_int_not_equal(log_identity_mark(5, "a", 1), log_identity_mark(5, NULL, 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(what_rises_is_new),
        TEST(offsets_that_go_back_are_another_log),
        TEST(an_idle_log_is_looked_at_and_is_the_same),
        TEST(a_burst_after_a_pause_is_looked_at_soon),
        TEST(a_burst_of_another_log_is_found_soon),
        TEST(another_log_of_the_same_length_is_found_when_idle),
        TEST(a_longer_log_is_found_after_the_pause),
        TEST(a_shorter_log_is_found_by_an_older_message),
        TEST(a_log_with_less_than_any_message_we_know_is_another),
        TEST(an_end_behind_us_may_be_of_the_same_log),
        TEST(a_look_into_a_log_that_became_shorter_goes_deeper),
        TEST(old_messages_may_be_deleted),
        TEST(it_begins_anew_while_we_look),
        TEST(it_begins_anew_after_we_have_looked),
        TEST(what_is_rewound_is_new_once_more),
        TEST(an_alarm_has_it_looked_at_at_once),
        TEST(the_first_message_waits_for_the_anchor),
        TEST(what_lies_between_anchor_and_offset_was_read),
        TEST(a_log_that_outgrew_the_offset_is_another),
        TEST(an_anchor_at_the_offset_itself_is_compared_at_once),
        TEST(nothing_is_skipped_by_who_begins_below_the_anchor),
        TEST(who_has_no_anchor_begins_at_once),
        TEST(an_anchor_that_is_gone_has_the_rest_read),
        TEST(a_log_that_begins_at_the_offset_is_read_from_there),
        TEST(a_log_without_anchor_and_offset_is_read_from_its_beginning),
        TEST(a_shorter_log_does_not_reach_the_anchor),
        TEST(the_same_anchor_comes_back_from_its_text),
        TEST(any_other_text_is_no_anchor),
        TEST(marks_tell_messages_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
