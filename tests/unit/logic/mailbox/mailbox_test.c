#include "common/base/mem.h"
#include "common/base/time.h"
#include "logic/mailbox/mailbox.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* In place of Redis: keeps the last command that has an answer to come. */
static redis_fn last_fn;
static void *last_arg;
static char sent[4096]; /* of what is binary up to the first NUL */

static void remember(int argc, const char **argv, const size_t *argvlen)
{
    size_t at = 0;
    for (int i = 0; i < argc && at < sizeof sent; i++)
        at += (size_t)snprintf(sent + at, sizeof sent - at, "%s%.*s", i > 0 ? " " : "",
                               (int)argvlen[i], argv[i]);
}

size_t redis_shard_of(const struct redis *redis, const char *key, size_t len)
{
    (void)redis;
    (void)key;
    (void)len;
    return 0;
}

static int removals;
static redis_fn remove_fn;
static void *remove_arg;
static bool in_page; /* a script is called while a page is answered: it removes */

void redis_command(struct redis *redis, size_t shard, int argc, const char **argv,
                   const size_t *argvlen, redis_fn fn, void *arg)
{
    (void)redis;
    (void)shard;
    remember(argc, argv, argvlen);
    last_fn = fn;
    last_arg = arg;
}

void redis_eval(struct redis *redis, const struct redis_eval *what, redis_fn fn, void *arg)
{
    (void)redis;
    assert_int_equal(what->keys, 1);
    if (in_page) {
        removals += what->argc - 1;
        remove_fn = fn;
        remove_arg = arg;
        return;
    }
    remember(what->argc, what->argv, what->argvlen);
    last_fn = fn;
    last_arg = arg;
}

static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct logic_config config = {
    .mailbox_limit = 20,
    .mailbox_limit_spilled = 10000,
    .mailbox_limit_acked = 1000,
    .mailbox_ttl_ms = 86400000,
    .mailbox_page = 500,
    .mailbox_page_bytes = 1000,
};
static struct loop loop; /* nobody runs it */
static struct logic logic = {.config = &config, .counters = counters, .loop = &loop};

static int clear(void **state)
{
    (void)state;
    logic_init(&logic);
    memset(counters, 0, sizeof counters);
    removals = 0;
    sent[0] = '\0';
    return 0;
}

static uint64_t id_now(uint64_t sequence)
{
    return time_unix_ms() << 22 | sequence;
}

/* A reply of members with ids FIRST, FIRST + 1 …, bodies of LEN bytes. */
static redisReply *members(size_t n, uint64_t first, size_t len, uint64_t expires_ms)
{
    redisReply *reply = mem_zalloc(sizeof *reply);
    reply->type = REDIS_REPLY_ARRAY;
    reply->elements = n;
    reply->element = mem_zalloc((n + 1) * sizeof *reply->element);
    for (size_t i = 0; i < n; i++) {
        uint8_t *body = mem_zalloc(len + 1);
        struct mailbox_message message = {
            .id = first + i, .op = 5, .expires_ms = expires_ms, .body = body, .len = len};
        redisReply *member = reply->element[i] = mem_zalloc(sizeof *member);
        member->type = REDIS_REPLY_STRING;
        member->len = MAILBOX_HEADER + len;
        member->str = mem_zalloc(member->len + 1);
        mailbox_encode(&message, (uint8_t *)member->str);
        free(body);
    }
    return reply;
}

/* Others are owed MEMBER: only its id comes. */
static void leave_out(redisReply *member)
{
    member->type = REDIS_REPLY_ARRAY;
    member->elements = 1;
    member->element = mem_alloc(sizeof *member->element);
    redisReply *id = member->element[0] = mem_zalloc(sizeof *id);
    id->type = REDIS_REPLY_STRING;
    id->str = member->str;
    id->len = 8;
}

static void members_free(redisReply *reply)
{
    for (size_t i = 0; i < reply->elements; i++) {
        redisReply *member = reply->element[i];
        if (member->type == REDIS_REPLY_ARRAY)
            free(member->element[0]);
        free(member->element);
        free(member->str);
        free(member);
    }
    free(reply->element);
    free(reply);
}

static struct {
    int calls, err;
    size_t n;
    bool more;
    uint64_t first, last, left_out;
} got;

static void on_page(void *arg, int err, const struct mailbox_page *page)
{
    (void)arg;
    got.calls++;
    got.err = err;
    got.n = err == 0 ? page->n : 0;
    got.more = err == 0 && page->more;
    got.left_out = err == 0 ? page->last : 0;
    got.first = got.n > 0 ? page->messages[0].id : 0;
    got.last = got.n > 0 ? page->messages[got.n - 1].id : 0;
}

static void answer_page(redisReply *reply)
{
    memset(&got, 0, sizeof got);
    in_page = true;
    last_fn(NULL, reply, last_arg);
    in_page = false;
    members_free(reply);
    assert_int_equal(got.calls, 1);
}

static void member_encoding(void **state)
{
    struct mailbox_message in = {.id = 0x0102030405060708,
                                 .op = -2,
                                 .expires_ms = 0x1122334455667788,
                                 .body = (const uint8_t *)"hi",
                                 .len = 2};
    struct mailbox_message out;
    static const uint8_t want[] = {1,    2,    3,    4,    5,    6,    7,    8,    0xff, 0xff, 0xff,
                                   0xfe, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 'h',  'i'};
    uint8_t bytes[MAILBOX_HEADER + 2];

    (void)state;
    mailbox_encode(&in, bytes);
    assert_memory_equal(bytes, want, sizeof want);
    assert_int_equal(mailbox_decode(bytes, sizeof bytes, &out), 0);
    assert_true(out.id == in.id && out.op == -2 && out.expires_ms == in.expires_ms && out.len == 2);
    assert_memory_equal(out.body, "hi", 2);
    assert_int_equal(mailbox_decode(bytes, MAILBOX_HEADER, &out), 0);
    assert_int_equal(out.len, 0);
    assert_int_equal(mailbox_decode(bytes, MAILBOX_HEADER - 1, &out), -EBADMSG);
}

/* A traced message has its mark before the body, and nothing else differs. */
static void traced_member(void **state)
{
    uint8_t mark[TRACE_MARK_LEN], bytes[MAILBOX_HEADER + TRACE_MARK_LEN + 2];
    struct mailbox_message in = {
        .id = 7, .op = 5, .expires_ms = 9, .body = (const uint8_t *)"hi", .len = 2, .trace = mark};
    struct mailbox_message out;

    (void)state;
    memset(mark, 0xee, sizeof mark);
    assert_int_equal(mailbox_size(&in), sizeof bytes);
    mailbox_encode(&in, bytes);
    assert_true(bytes[12] == 0x80);
    assert_int_equal(mailbox_decode(bytes, sizeof bytes, &out), 0);
    assert_true(out.id == 7 && out.op == 5 && out.expires_ms == 9 && out.len == 2);
    assert_memory_equal(out.body, "hi", 2);
    assert_memory_equal(out.trace, mark, sizeof mark);
    assert_int_equal(mailbox_decode(bytes, MAILBOX_HEADER + TRACE_MARK_LEN, &out), 0);
    assert_int_equal(mailbox_decode(bytes, MAILBOX_HEADER + TRACE_MARK_LEN - 1, &out), -EBADMSG);
    in.trace = NULL;
    mailbox_encode(&in, bytes);
    assert_int_equal(mailbox_decode(bytes, mailbox_size(&in), &out), 0);
    assert_null(out.trace);
}

static void bytes_order_as_ids(void **state)
{
    uint8_t a[MAILBOX_HEADER], b[MAILBOX_HEADER];
    struct mailbox_message lower = {.id = 0x00000000000000ff, .op = 99},
                           higher = {.id = 0x0000000000000100, .op = 1};

    (void)state;
    mailbox_encode(&lower, a);
    mailbox_encode(&higher, b);
    assert_true(memcmp(a, b, sizeof a) < 0);
}

static void expiry(void **state)
{
    struct mailbox_message message = {.id = (uint64_t)1000 << 22, .expires_ms = 0};

    (void)state;
    assert_false(mailbox_is_expired(&message, 1499, 500));
    assert_true(mailbox_is_expired(&message, 1500, 500));
    message.expires_ms = 1200;
    assert_false(mailbox_is_expired(&message, 1199, 500));
    assert_true(mailbox_is_expired(&message, 1200, 500));
}

static void on_stored(void *arg, int err)
{
    *(int *)arg = err;
}

/* What was sent: an id of 1970 lives for a moment; then what differs from run to run; REST. */
static void assert_stored(const char *rest)
{
    static const char begin[] = "imc:mb:42 7  1 10000 ";
    size_t len = strlen(sent), end = strlen(rest);

    assert_memory_equal(sent, begin, sizeof begin - 1);
    assert_true(len > end);
    assert_string_equal(sent + len - end, rest);
}

static void store_counts_by_who_stores(void **state)
{
    struct mailbox_there has = {.n = 99};
    struct mailbox_put put = {.uid = 42, .message.id = (uint64_t)7 << 22, .there = &has};
    redisReply added = {.type = REDIS_REPLY_INTEGER, .integer = 1},
               trimmed = {.type = REDIS_REPLY_INTEGER, .integer = 3},
               there = {.type = REDIS_REPLY_INTEGER, .integer = 10000},
               ended = {.type = REDIS_REPLY_INTEGER, .integer = 2},
               newest = {.type = REDIS_REPLY_STRING,
                         .len = 8,
                         .str = (char[]){"\0\0\0\0\0\0\0\x09"}},
               replaced = {.type = REDIS_REPLY_INTEGER, .integer = 4},
               dropped = {.type = REDIS_REPLY_INTEGER, .integer = 5},
               traced = {.type = REDIS_REPLY_ARRAY};
    redisReply *elements[] = {&added,    &trimmed, &there,  &ended,  &newest,
                              &replaced, &dropped, &traced, &traced, &traced};
    redisReply reply = {.type = REDIS_REPLY_ARRAY, .elements = 10, .element = elements};
    int err = 99;

    (void)state;
    put.by = MAILBOX_SETTLE;
    mailbox_store(&logic, &put, on_stored, &err);
    assert_stored(" 0 20 0 ");
    last_fn(NULL, &reply, last_arg);
    assert_int_equal(err, 0);
    assert_true(has.n == 10000 && has.newest == 9);
    assert_int_equal(counters[LOGIC_EXPIRED], 2);
    assert_int_equal(counters[LOGIC_STORED_SETTLE], 1);
    assert_int_equal(counters[LOGIC_TRIMMED], 3);
    assert_int_equal(counters[LOGIC_REPLACED], 4);
    assert_int_equal(counters[LOGIC_TRIMMED_ACKED], 5);

    put.behind = (uint64_t)6 << 22;
    mailbox_store(&logic, &put, on_stored, &err);
    there.integer = -1;
    last_fn(NULL, &reply, last_arg);
    there.integer = 10000;
    assert_int_equal(err, -ENOENT);
    assert_true(has.n == 10000);
    assert_int_equal(counters[LOGIC_STORED_SETTLE], 1);
    assert_int_equal(counters[LOGIC_STORE_FAILED], 0);

    put.behind = 0;
    put.by = MAILBOX_SPILL;
    put.owed = "c/1";
    mailbox_store(&logic, &put, on_stored, &err);
    assert_stored(" 0 20 0  c/1  0 1000 ");
    added.integer = trimmed.integer = 0;
    last_fn(NULL, &reply, last_arg);
    assert_int_equal(counters[LOGIC_STORED_SPILL], 0);
    assert_int_equal(counters[LOGIC_STORED_AGAIN], 1);

    mailbox_store(&logic, &put, on_stored, &err);
    last_fn(NULL, NULL, last_arg);
    assert_int_equal(err, -EAGAIN);
    assert_int_equal(counters[LOGIC_STORE_FAILED], 1);

    /* Saying to whom it is owed is no repetition; but it may have to be stored after all. */
    put.by = MAILBOX_OWE;
    mailbox_store(&logic, &put, on_stored, &err);
    last_fn(NULL, &reply, last_arg);
    assert_int_equal(counters[LOGIC_STORED_AGAIN], 1);
    put.by = MAILBOX_OWE_IF_THERE;
    mailbox_store(&logic, &put, on_stored, &err);
    assert_stored(" 0 20 0  c/1  1 1000 ");
    added.integer = 1;
    last_fn(NULL, &reply, last_arg);
    assert_int_equal(counters[LOGIC_STORED_SETTLE], 2);
}

static void fetch(int64_t uid, uint64_t after, size_t limit, const char *own)
{
    struct mailbox_read read = {.uid = uid, .after = after, .limit = limit, .own = own};
    mailbox_fetch(&logic, &read, on_page, NULL);
}

static void page_is_cut_at_its_limit(void **state)
{
    uint64_t id = id_now(0);

    (void)state;
    fetch(1, 0, 3, NULL);
    answer_page(members(4, id, 1, 0)); /* one more than asked for */
    assert_int_equal(got.n, 3);
    assert_true(got.more && got.first == id && got.last == id + 2);

    fetch(1, 0, 3, NULL);
    answer_page(members(3, id, 1, 0));
    assert_int_equal(got.n, 3);
    assert_false(got.more);
    assert_int_equal(counters[LOGIC_FETCHED], 6);
}

static void page_is_cut_at_its_bytes(void **state)
{
    (void)state;
    fetch(1, 0, 0, NULL);
    answer_page(members(3, id_now(0), 450, 0));
    assert_int_equal(got.n, 2);
    assert_true(got.more);
    /* One alone goes, however long. */
    fetch(1, 0, 0, NULL);
    answer_page(members(1, id_now(0), 5000, 0));
    assert_int_equal(got.n, 1);
}

static void expired_are_skipped_removed_and_counted(void **state)
{
    redisReply removed = {.type = REDIS_REPLY_INTEGER, .integer = 2};

    (void)state;
    fetch(1, 0, 10, NULL);
    answer_page(members(2, id_now(0), 1, time_unix_ms() - 1));
    assert_int_equal(got.n, 0);
    assert_false(got.more);
    assert_int_equal(removals, 2);
    assert_int_equal(counters[LOGIC_EXPIRED], 0); /* not before Redis says so */
    remove_fn(NULL, &removed, remove_arg);
    assert_int_equal(counters[LOGIC_EXPIRED], 2);

    /* A page of nothing but expired ones: there may be others behind. */
    fetch(1, 0, 3, NULL);
    answer_page(members(4, id_now(0), 1, time_unix_ms() - 1));
    assert_int_equal(got.n, 0);
    assert_true(got.more);
}

/* Too short for a message, or of an id that no clock of ours has made. */
static void what_is_not_ours_is_removed_and_counted_apart(void **state)
{
    redisReply removed = {.type = REDIS_REPLY_INTEGER, .integer = 2};
    redisReply *page = members(4, id_now(0), 1, 0);
    struct mailbox_message future = {.id = id_now(0) + ((uint64_t)25 * 3600 * 1000 << 22)};

    (void)state;
    page->element[0]->len = MAILBOX_HEADER - 1;
    mailbox_encode(&future, (uint8_t *)page->element[2]->str);
    fetch(1, 0, 10, NULL);
    answer_page(page);
    assert_int_equal(got.n, 2);
    assert_int_equal(removals, 2);
    remove_fn(NULL, &removed, remove_arg);
    assert_int_equal(counters[LOGIC_MAILBOX_FOREIGN], 2);
    assert_int_equal(counters[LOGIC_EXPIRED], 0);
}

static void redis_away(void **state)
{
    redisReply error = {.type = REDIS_REPLY_ERROR, .str = (char[]){"OOM"}};

    (void)state;
    mailbox_first(&logic, 1, "", on_page, NULL);
    assert_string_equal(sent, "ZCARD imc:mb:1");
    memset(&got, 0, sizeof got);
    last_fn(NULL, NULL, last_arg);
    assert_int_equal(got.err, -EAGAIN);
    mailbox_first(&logic, 1, "", on_page, NULL);
    last_fn(NULL, &error, last_arg);
    assert_int_equal(got.calls, 2);
    assert_int_equal(got.err, -EAGAIN);
}

static void fetch_starts_inside_the_millisecond(void **state)
{
    (void)state;
    fetch(9, (uint64_t)5 << 22 | 3, 10, NULL);
    assert_string_equal(sent, "imc:mb:9 5 0 20971523 11 1000");
    answer_page(members(0, 0, 0, 0));
}

/* Of what others are owed only the id comes: it takes room on the page, and says where to go on. */
static void what_others_are_owed_is_left_out(void **state)
{
    uint64_t id = id_now(0);
    redisReply *page = members(4, id, 1, 0);

    (void)state;
    for (int i = 1; i < 4; i++)
        leave_out(page->element[i]);
    fetch(1, 0, 3, "c/1");
    assert_string_equal(strrchr(sent, 'c'), "c/1 ");
    answer_page(page);
    assert_int_equal(got.n, 1);
    assert_true(got.more && got.left_out == id + 3);
    assert_int_equal(removals, 0);

    page = members(3, id, 1, 0);
    leave_out(page->element[0]);
    fetch(1, 0, 3, "c/1");
    answer_page(page);
    assert_int_equal(got.n, 2);
    assert_true(!got.more && got.left_out == 0); /* behind the messages nothing is */

    page = members(1, id, 1, 0); /* garbage that looks like an id */
    page->element[0]->len = 8;
    fetch(1, 0, 3, "c/1");
    answer_page(page);
    assert_int_equal(removals, 1);
}

/* --- confirm --- */

static struct {
    int calls, err;
    size_t n;
    uint64_t ids[2];
    char owed[64];
} left;

static void on_confirmed(void *arg, int err, const struct mailbox_debts *debts)
{
    (void)arg;
    left.calls++;
    left.err = err;
    left.n = debts->n;
    for (size_t i = 0; i < debts->n && i < 2; i++)
        left.ids[i] = debts->ids[i];
    snprintf(left.owed, sizeof left.owed, "%s", debts->owed);
}

static redisReply text(const char *bytes, size_t len)
{
    return (redisReply){.type = REDIS_REPLY_STRING, .str = mem_unconst(bytes), .len = len};
}

static void confirm(const redisReply *reply)
{
    static const uint64_t ids[] = {(uint64_t)7 << 22, (uint64_t)8 << 22 | 1};
    struct mailbox_debts debts = {.uid = 42, .n = 2, .ids = ids, .owed = "c/1"};

    memset(&left, 0, sizeof left);
    mailbox_confirm(&logic, &debts, on_confirmed, NULL);
    assert_string_equal(sent, "imc:mb:42 c/1  7  8 ");
    last_fn(NULL, reply, last_arg);
    assert_int_equal(left.calls, 1);
}

static void what_stays_is_told(void **state)
{
    redisReply number = {.type = REDIS_REPLY_INTEGER, .integer = 2};
    redisReply kept = {.type = REDIS_REPLY_INTEGER};
    redisReply one = text("\0\0\0\0\0\0\0\x01", 8), two = text("\0\0\0\0\0\0\0\x02", 8),
               ones = text("a/1 b/2", 7), twos = text("b/2 c/3", 7);
    redisReply *list[] = {&number, &kept, &one, &ones, &two, &twos};
    redisReply reply = {.type = REDIS_REPLY_ARRAY, .elements = 6, .element = list};

    (void)state;
    reply.elements = 2;
    confirm(&reply);
    assert_int_equal(left.err, 0);
    assert_int_equal(left.n, 0);
    assert_string_equal(left.owed, "");
    assert_int_equal(counters[LOGIC_CONFIRMED], 2);
    assert_int_equal(counters[LOGIC_CONFIRMED_KEPT], 0);
    kept.integer = 5;
    reply.elements = 6;
    confirm(&reply);
    assert_int_equal(left.err, 0);
    assert_int_equal(left.n, 2);
    assert_true(left.ids[0] == 1 && left.ids[1] == 2);
    assert_string_equal(left.owed, "a/1 b/2 c/3");
    assert_int_equal(counters[LOGIC_CONFIRMED], 4);
    assert_int_equal(counters[LOGIC_CONFIRMED_KEPT], 5);
    two.len = 3; /* what no script of ours says */
    confirm(&reply);
    assert_int_equal(left.n, 1);
    confirm(&number);
    assert_int_equal(left.err, -EAGAIN);
}

static void a_confirmation_may_fail(void **state)
{
    redisReply error = {.type = REDIS_REPLY_ERROR, .str = (char[]){"OOM"}};

    (void)state;
    confirm(NULL);
    assert_int_equal(left.err, -EAGAIN);
    confirm(&error);
    assert_int_equal(left.err, -EAGAIN);
    assert_int_equal(counters[LOGIC_CONFIRMED], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(member_encoding),
        cmocka_unit_test(traced_member),
        cmocka_unit_test(bytes_order_as_ids),
        cmocka_unit_test(expiry),
        cmocka_unit_test_setup(store_counts_by_who_stores, clear),
        cmocka_unit_test_setup(page_is_cut_at_its_limit, clear),
        cmocka_unit_test_setup(page_is_cut_at_its_bytes, clear),
        cmocka_unit_test_setup(expired_are_skipped_removed_and_counted, clear),
        cmocka_unit_test_setup(what_is_not_ours_is_removed_and_counted_apart, clear),
        cmocka_unit_test_setup(redis_away, clear),
        cmocka_unit_test_setup(fetch_starts_inside_the_millisecond, clear),
        cmocka_unit_test_setup(what_others_are_owed_is_left_out, clear),
        cmocka_unit_test_setup(what_stays_is_told, clear),
        cmocka_unit_test_setup(a_confirmation_may_fail, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
