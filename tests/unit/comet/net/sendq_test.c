#include "comet/net/sendq.h"
#include "common/containers/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct slab *entries;
static struct sendq sendq;

static void owner_done(void *owner, uint64_t arg, struct conn *conn, enum ticket_result result)
{
    (void)owner;
    (void)arg;
    (void)conn;
    (void)result;
}

static const struct ticket_ops owner_ops = {.done = owner_done};
static const struct ticket_ops passive_ops = {.done = owner_done, .passive = true};

static void add(const char *text, uint32_t sent, uint64_t arg, uint64_t now_ms)
{
    struct msg *msg = msg_copy(text, strlen(text));
    struct ticket ticket = {.ops = arg != 0 ? &owner_ops : NULL, .arg = arg};
    sendq_add(&sendq, entries, msg, sent, ticket, now_ms);
    msg_unref(msg);
}

/* The tickets of a list, as digits; frees it. */
static const char *tickets(struct sendq_entry *entry)
{
    static char out[64];
    size_t at = 0;
    while (entry != NULL) {
        struct sendq_entry *next = entry->next;
        out[at++] = (char)('0' + entry->ticket.arg);
        sendq_entry_free(entries, entry);
        entry = next;
    }
    out[at] = '\0';
    return out;
}

static const char *waiting(void)
{
    static char out[64];
    struct iovec iov[8];
    size_t at = 0;
    int n = sendq_iov(&sendq, iov, 8, false);
    for (int i = 0; i < n; i++) {
        memcpy(out + at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    out[at] = '\0';
    assert_int_equal(sendq.bytes, at);
    return out;
}

static int setup(void **state)
{
    (void)state;
    entries = slab_open("entries", sizeof(struct sendq_entry));
    sendq_init(&sendq, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tickets(sendq_take_all(&sendq));
    slab_close(entries);
    return 0;
}

static void sends_in_order_from_the_middle_of_an_entry(void **state)
{
    (void)state;
    add("abcdef", 2, 1, 0);
    add("ghi", 0, 2, 0);
    add("jkl", 0, 0, 0);
    assert_string_equal(waiting(), "cdefghijkl");
    assert_string_equal(tickets(sendq_advance(&sendq, 3)), "");
    assert_string_equal(waiting(), "fghijkl");
    assert_string_equal(tickets(sendq_advance(&sendq, 5)), "12");
    assert_string_equal(waiting(), "kl");
    add("m", 0, 4, 0);
    assert_string_equal(tickets(sendq_advance(&sendq, 3)), "04");
    assert_null(sendq.head);
    add("n", 0, 5, 0); /* the tail was put right */
    assert_string_equal(waiting(), "n");
}

static void takes_only_what_is_untouched_and_has_a_ticket(void **state)
{
    (void)state;
    add("abc", 1, 1, 0);
    add("de", 0, 0, 0);
    add("f", 0, 2, 0);
    add("g", 0, 3, 0);
    assert_string_equal(tickets(sendq_take_untouched(&sendq, 0)), "23");
    assert_string_equal(waiting(), "bcde");
    add("h", 0, 4, 0);
    assert_string_equal(waiting(), "bcdeh");
}

/* TLS has bytes that the kernel has not: their entries cannot be taken back any more. */
static void what_tls_has_is_touched(void **state)
{
    (void)state;
    add("ab", 0, 0, 0);
    add("cd", 0, 1, 0);
    add("ef", 0, 2, 0);
    assert_null(sendq_begun_ticket(&sendq, 0));
    assert_null(sendq_begun_ticket(&sendq, 2));
    assert_int_equal(sendq_begun_ticket(&sendq, 3)->arg, 1);
    assert_int_equal(sendq_begun_ticket(&sendq, 4)->arg, 1);
    assert_string_equal(tickets(sendq_take_untouched(&sendq, 3)), "2");
    assert_string_equal(waiting(), "abcd");
    add("gh", 0, 3, 0);
    assert_string_equal(tickets(sendq_take_untouched(&sendq, 2)), "13");
    assert_string_equal(waiting(), "ab");
}

/* A record has at most one of them, so that at most one cannot be taken back. */
static void pieces_of_one_ticket(void **state)
{
    (void)state;
    struct iovec iov[8];
    add("ab", 1, 1, 0);
    add("cd", 0, 0, 0);
    add("ef", 0, 2, 0);
    assert_int_equal(sendq_iov(&sendq, iov, 8, true), 2);
    assert_int_equal(sendq_iov(&sendq, iov, 8, false), 3);
    assert_int_equal(sendq_iov(&sendq, iov, 1, true), 1);
    assert_string_equal(tickets(sendq_advance(&sendq, 1)), "1");
    assert_int_equal(sendq_iov(&sendq, iov, 8, true), 2);
}

static void stalls_are_told_once(void **state)
{
    (void)state;
    add("no ticket", 0, 0, 1000);
    assert_false(sendq_stalled(&sendq, 5000, 100));
    add("a", 0, 1, 1000);
    add("b", 0, 2, 1050);
    assert_false(sendq_stalled(&sendq, 1099, 100));
    assert_true(sendq_stalled(&sendq, 1100, 100));
    assert_false(sendq_stalled(&sendq, 1200, 100));
    add("c", 0, 3, 1200);
    assert_false(sendq_stalled(&sendq, 1299, 100));
    assert_true(sendq_stalled(&sendq, 1300, 100));
}

static void a_queue_that_moves_has_not_stalled(void **state)
{
    (void)state;
    add("a", 0, 1, 1000);
    add("b", 0, 2, 1090);
    tickets(sendq_advance(&sendq, 1));
    assert_false(sendq_stalled(&sendq, 1100, 100));
    assert_false(sendq_stalled(&sendq, 1189, 100));
    assert_true(sendq_stalled(&sendq, 1190, 100));
}

/* A ticket of one who only looks on changes nothing but who is told in the end. */
static void a_passive_ticket_changes_nothing(void **state)
{
    (void)state;
    struct iovec iov[8];
    struct msg *msg = msg_copy("xy", 2);
    sendq_add(&sendq, entries, msg, 1, (struct ticket){.ops = &passive_ops, .arg = 8}, 1000);
    sendq_add(&sendq, entries, msg, 0, (struct ticket){.ops = &passive_ops, .arg = 9}, 1000);
    msg_unref(msg);
    add("a", 0, 1, 2000);
    assert_null(sendq_begun_ticket(&sendq, 0));
    assert_int_equal(sendq_iov(&sendq, iov, 8, true), 3);
    assert_false(sendq_stalled(&sendq, 2099, 100));
    assert_true(sendq_stalled(&sendq, 2100, 100));
    assert_string_equal(tickets(sendq_take_untouched(&sendq, 0)), "1");
    assert_string_equal(tickets(sendq_advance(&sendq, 3)), "89");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sends_in_order_from_the_middle_of_an_entry, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(takes_only_what_is_untouched_and_has_a_ticket, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_tls_has_is_touched, setup, teardown),
        cmocka_unit_test_setup_teardown(pieces_of_one_ticket, setup, teardown),
        cmocka_unit_test_setup_teardown(a_passive_ticket_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(stalls_are_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_queue_that_moves_has_not_stalled, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
