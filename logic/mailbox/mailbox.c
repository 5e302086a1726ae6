/*   mailbox_store ──ZADD, HSET if owed, trim, PEXPIRE (script)──►  imc:mb:UID and the other keys of
 *   mailbox_first ──ZCARD; if there are any:                       mailbox.h, on the shard of the
 *   mailbox_fetch ──ZRANGEBYSCORE, HGET (script)────────────────►  former: scripts make the others'
 *   mailbox_confirm, _waive, _trim: confirm.c                      names themselves */
#include "logic/mailbox/mailbox.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/saturate.h"
#include "logic/mailbox/fetch.lua.h"
#include "logic/mailbox/internal.h"
#include "logic/mailbox/mailbox_trace.h"
#include "logic/mailbox/remove.lua.h"
#include "logic/mailbox/store.lua.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* No logic of this cluster made an id that is further ahead of our clock than this. */
enum { FOREIGN_AHEAD_MS = 24 * 3600 * 1000 };
enum { PAGES_MOST = 64 }; /* asked for at a time */

/* --- what every command needs --- */

struct mailbox_key mailbox_key_of(struct logic *logic, int64_t uid)
{
    struct mailbox_key key;

    key.len = mailbox_key_write(uid, key.text);
    key.shard = redis_shard_of(logic->redis, key.text, key.len);
    return key;
}

struct mailbox_number mailbox_number(uint64_t value)
{
    struct mailbox_number n;

    n.len = (size_t)snprintf(n.text, sizeof n.text, "%" PRIu64, value);
    return n;
}

struct mailbox_call *mailbox_call_new(struct logic *logic, int64_t uid, void *arg)
{
    struct mailbox_call *call = mem_zalloc(sizeof *call);

    call->logic = logic;
    call->uid = uid;
    call->arg = arg;
    return call;
}

bool mailbox_reply_is(const redisReply *reply, int type, const char *what)
{
    if (reply == NULL)
        return false; /* common/redis/redis.c has logged that */
    if (reply->type == type)
        return true;
    log_error("redis refused a mailbox command", "command=%s err=\"%s\"", what,
              reply->type == REDIS_REPLY_ERROR ? reply->str : "unexpected type of answer");
    return false;
}

/* --- store --- */

bool mailbox_refuses(struct logic *logic, const struct mailbox_message *message)
{
    if (!mailbox_is_expired(message, logic_now_ms(logic), (uint64_t)logic->config->mailbox_ttl_ms))
        return false;
    logic_count(logic, LOGIC_EXPIRED_UNSTORED, 1);
    return true;
}

static struct redis_script store_script = {.source = store_lua};

enum { STORE_SHORT = 5, STORE_LONG = 10 }; /* elements of an answer of store.lua */

/* Counts and traces what has left for another message. */
static void store_count_left(const struct mailbox_call *call, const redisReply *reply)
{
    struct logic *logic = call->logic;

    logic_count(logic, LOGIC_REPLACED, reply->element[5]->integer);
    logic_count(logic, LOGIC_TRIMMED_ACKED, reply->element[6]->integer);
    mailbox_trace_list(logic, call->uid, reply->element[7], TRACE_TRIMMED, "mailbox.limit_spilled");
    mailbox_trace_list(logic, call->uid, reply->element[8], TRACE_REPLACED,
                       "a newer message has its collapse key");
    mailbox_trace_list(logic, call->uid, reply->element[9], TRACE_TRIMMED, "mailbox.limit_acked");
}

static void store_count(const struct mailbox_call *call, const redisReply *reply)
{
    struct logic *logic = call->logic;
    bool again = call->by == MAILBOX_OWE || call->by == MAILBOX_OWE_IF_THERE;
    enum logic_metric stored = call->by == MAILBOX_SPILL ? LOGIC_STORED_SPILL : LOGIC_STORED_SETTLE;
    const redisReply *newest = reply->element[4];

    if (reply->element[0]->integer == 1)
        logic_count(logic, stored, 1);
    else if (!again)
        logic_count(logic, LOGIC_STORED_AGAIN, 1);
    logic_count(logic, LOGIC_TRIMMED, reply->element[1]->integer);
    logic_count(logic, LOGIC_EXPIRED, reply->element[3]->integer);
    if (reply->elements > STORE_SHORT)
        store_count_left(call, reply);
    if (call->there == NULL)
        return;
    call->there->n = (uint64_t)reply->element[2]->integer;
    call->there->added = reply->element[0]->integer == 1;
    call->there->newest = newest->type == REDIS_REPLY_STRING && newest->len == MAILBOX_ID
                              ? mailbox_get_id(newest->str)
                              : 0;
}

static void store_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct mailbox_call *call = arg;
    bool good = mailbox_reply_is(reply, REDIS_REPLY_ARRAY, "store") &&
                (reply->elements == STORE_SHORT || reply->elements == STORE_LONG);
    bool early = good && reply->element[2]->integer < 0;

    (void)redis;
    if (!good)
        logic_count(call->logic, LOGIC_STORE_FAILED, 1);
    else if (!early)
        store_count(call, reply);
    call->fn(call->arg, early ? -ENOENT : good ? 0 : -EAGAIN);
    free(call);
}

/* How long MESSAGE may wait, from NOW on, in milliseconds; at least 1. */
static uint64_t life_of(const struct mailbox_message *message, uint64_t now, uint64_t ttl_ms)
{
    uint64_t ends = message_id_millis(message->id) + ttl_ms;

    if (message->expires_ms != 0 && message->expires_ms < ends)
        ends = message->expires_ms;
    return ends > now ? ends - now : 1;
}

void mailbox_store(struct logic *logic, const struct mailbox_put *put, mailbox_fn fn, void *arg)
{
    enum { PLAIN = 11, MOST = 16 }; /* number of arguments: without tokens, and with them */
    const struct logic_config *config = logic->config;
    const struct mailbox_message *message = &put->message;
    struct mailbox_call *call = mailbox_call_new(logic, put->uid, arg);
    struct mailbox_key key = mailbox_key_of(logic, put->uid);
    const char *owed = mailbox_text(put->owed), *devices = mailbox_text(put->devices),
               *collapse = mailbox_text(put->collapse);
    bool plain = owed[0] == '\0' && devices[0] == '\0' && collapse[0] == '\0';
    uint64_t now = logic_now_ms(logic), ttl = (uint64_t)config->mailbox_ttl_ms;
    struct mailbox_number numbers[] = {
        mailbox_number(message_id_millis(message->id)),
        mailbox_number(life_of(message, now, ttl)),
        mailbox_number((uint64_t)config->mailbox_limit_spilled),
        mailbox_number(now),
        mailbox_number(saturate_sub(now, ttl)),
        mailbox_number(message->expires_ms),
        mailbox_number((uint64_t)config->mailbox_limit),
        mailbox_number(message_id_millis(put->behind)),
        mailbox_number((uint64_t)config->mailbox_limit_acked),
    };
    size_t len = mailbox_size(message);
    uint8_t *member = mem_alloc(len), behind[MAILBOX_ID];
    const char *argv[MOST] = {key.text, numbers[0].text, (const char *)member};
    size_t argvlen[MOST] = {key.len, numbers[0].len, len};

    loop_assert_owner(logic->loop);
    for (int i = 1; i < 8; i++) {
        argv[i + 2] = numbers[i].text;
        argvlen[i + 2] = numbers[i].len;
    }
    mailbox_put_id(behind, put->behind);
    argv[PLAIN - 1] = (const char *)behind;
    argvlen[PLAIN - 1] = put->behind != 0 ? sizeof behind : 0;
    argv[PLAIN] = owed;
    argv[PLAIN + 1] = devices;
    argv[PLAIN + 2] = put->by == MAILBOX_OWE_IF_THERE ? "1" : "0";
    argv[PLAIN + 3] = numbers[8].text;
    argv[PLAIN + 4] = collapse;
    for (int i = PLAIN; i < MOST; i++)
        argvlen[i] = strlen(argv[i]);
    call->by = put->by;
    call->there = put->there;
    call->fn = fn;
    mailbox_encode(message, member);
    const struct mailbox_tells tells = {mailbox_end_letters(logic), ""};
    mailbox_eval(logic,
                 &(struct redis_eval){.script = &store_script,
                                      .shard = key.shard,
                                      .keys = 1,
                                      .argc = plain && tells.letters[0] == '\0' ? PLAIN : MOST,
                                      .argv = argv,
                                      .argvlen = argvlen},
                 &tells, store_on_reply, call);
    free(member);
}

/* --- fetch --- */

static struct redis_script fetch_script = {.source = fetch_lua};

static struct redis_script remove_script = {.source = remove_lua};

/* Counts what Redis has removed. Two readers at the same time may have found the same messages. */
static void expired_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    (void)redis;
    if (mailbox_reply_is(reply, REDIS_REPLY_INTEGER, "remove"))
        logic_count(arg, LOGIC_EXPIRED, reply->integer);
}

static void foreign_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    (void)redis;
    if (mailbox_reply_is(reply, REDIS_REPLY_INTEGER, "remove"))
        logic_count(arg, LOGIC_MAILBOX_FOREIGN, reply->integer);
}

/* LETTERS: as of struct mailbox_tells. */
static void remove_members(struct logic *logic, int64_t uid, const redisReply **members, size_t n,
                           const char *letters, redis_fn fn)
{
    const struct mailbox_tells tells = {letters, ""};
    struct mailbox_key key = mailbox_key_of(logic, uid);
    const char **argv = mem_alloc((n + 1) * sizeof *argv);
    size_t *argvlen = mem_alloc((n + 1) * sizeof *argvlen);

    argv[0] = key.text;
    argvlen[0] = key.len;
    for (size_t i = 0; i < n; i++) {
        argv[i + 1] = members[i]->str;
        argvlen[i + 1] = (size_t)members[i]->len;
    }
    mailbox_eval(logic,
                 &(struct redis_eval){.script = &remove_script,
                                      .shard = key.shard,
                                      .keys = 1,
                                      .argc = (int)n + 1,
                                      .argv = argv,
                                      .argvlen = argvlen},
                 &tells, fn, logic);
    free(argvlen);
    free(argv);
}

/* Members that do not belong into a page, and are removed from the mailbox. */
struct outcasts {
    const redisReply **members; /* expired ones from the front, foreign ones from the back */
    size_t n, n_expired, n_foreign;
};

static void outcasts_remove(struct logic *logic, int64_t uid, const struct outcasts *out)
{
    if (out->n_expired > 0)
        remove_members(logic, uid, out->members, out->n_expired, mailbox_end_letters(logic),
                       expired_on_reply);
    if (out->n_foreign == 0)
        return;
    log_error("mailbox members are not ours",
              "key=imc:mb:%" PRId64 " dropped=%zu hint=\"only logic writes them\"", uid,
              out->n_foreign);
    remove_members(logic, uid, out->members + out->n - out->n_foreign, out->n_foreign, "",
                   foreign_on_reply);
}

/* Decodes MEMBER for a page. False: it does not belong there. */
static bool take_member(const struct logic *logic, const redisReply *member, uint64_t now,
                        struct mailbox_message *message, struct outcasts *out)
{
    bool short_one = mailbox_decode(member->str, (size_t)member->len, message) != 0;

    if (short_one || message_id_millis(message->id) > now + FOREIGN_AHEAD_MS)
        out->members[out->n - ++out->n_foreign] = member;
    else if (mailbox_is_expired(message, now, (uint64_t)logic->config->mailbox_ttl_ms))
        out->members[out->n_expired++] = member;
    else
        return true;
    return false;
}

/* The id of a message that others are owed. */
static uint64_t left_out_id(const redisReply *reply)
{
    bool good = reply->elements == 1 && reply->element[0]->type == REDIS_REPLY_STRING &&
                reply->element[0]->len == MAILBOX_ID;

    return good ? mailbox_get_id(reply->element[0]->str) : 0;
}

/* Makes a page of at most LIMIT messages out of REPLY. Redis was asked for one more, to know
 * `more`. */
static void page_answer(struct mailbox_call *call, const redisReply *reply)
{
    struct logic *logic = call->logic;
    uint64_t now = logic_now_ms(logic);
    size_t room = (size_t)logic->config->mailbox_page_bytes, used = 0, bytes = 0;
    struct mailbox_message *messages = mem_alloc((reply->elements + 1) * sizeof *messages);
    struct outcasts out = {.members = mem_alloc((reply->elements + 1) * sizeof(void *)),
                           .n = reply->elements};
    struct mailbox_page page = {.messages = messages};

    for (size_t i = 0; i < reply->elements; i++) {
        struct mailbox_message *message = &messages[page.n];
        bytes += (size_t)reply->element[i]->len;
        if (reply->element[i]->type == REDIS_REPLY_ARRAY) {
            page.last = left_out_id(reply->element[i]);
            continue;
        }
        if (!take_member(logic, reply->element[i], now, message, &out))
            continue;
        page.more = page.n == call->limit || (page.n > 0 && used + message->len > room);
        if (page.more)
            break;
        used += message->len;
        page.n++;
    }
    if (page.n > 0 && page.last <= messages[page.n - 1].id)
        page.last = 0; /* the caller goes on after the last message anyway */
    /* Members that were left out may have filled the page, or reached the script's limit of bytes.
     * So there may be more. */
    page.more = page.more || reply->elements > call->limit || bytes > room;
    outcasts_remove(logic, call->uid, &out);
    logic_count(logic, LOGIC_FETCHED, (int64_t)page.n);
    call->page_fn(call->arg, 0, &page);
    free(out.members);
    free(messages);
}

static void page_on_reply(struct redis *redis, const redisReply *reply, void *arg);

static void ask_for_page(struct mailbox_call *call)
{
    struct logic *logic = call->logic;
    struct mailbox_key key = mailbox_key_of(logic, call->uid);
    struct mailbox_number score = mailbox_number(message_id_millis(call->after)),
                          high = mailbox_number(call->after >> 32),
                          low = mailbox_number(call->after & UINT32_MAX),
                          want = mailbox_number(call->limit + 1),
                          room = mailbox_number((uint64_t)logic->config->mailbox_page_bytes);
    const char *argv[] = {key.text,
                          score.text,
                          high.text,
                          low.text,
                          want.text,
                          room.text,
                          mailbox_text(call->own),
                          mailbox_text(call->device)};
    size_t argvlen[] = {key.len,  score.len, high.len,        low.len,
                        want.len, room.len,  strlen(argv[6]), strlen(argv[7])};
    redis_eval(logic->redis,
               &(struct redis_eval){.script = &fetch_script,
                                    .shard = key.shard,
                                    .keys = 1,
                                    .argc = call->own != NULL ? 8 : 6,
                                    .argv = argv,
                                    .argvlen = argvlen},
               page_on_reply, call);
}

static void ask_whether_any(struct mailbox_call *call)
{
    struct mailbox_key key = mailbox_key_of(call->logic, call->uid);
    const char *argv[] = {"ZCARD", key.text};
    size_t argvlen[] = {5, key.len};

    redis_command(call->logic->redis, key.shard, 2, argv, argvlen, page_on_reply, call);
}

/* Each page may have a megabyte. Many at once would keep Redis, and the connection, from all else
 * for so long that Redis is taken for dead. */
static void pages_go_on(struct logic *logic)
{
    struct mailbox_call *call;

    while (logic->pages_out < PAGES_MOST &&
           (call = STAILQ_TAKE(&logic->pages_waiting, waiting)) != NULL) {
        logic->pages_out++;
        if (call->first)
            ask_whether_any(call);
        else
            ask_for_page(call);
    }
}

static void page_begin(struct mailbox_call *call)
{
    struct logic *logic = call->logic;

    STAILQ_INSERT_TAIL(&logic->pages_waiting, call, waiting);
    pages_go_on(logic);
}

static void page_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    static const struct mailbox_page none = {0};
    struct mailbox_call *call = arg;
    struct logic *logic = call->logic;
    bool good = mailbox_reply_is(reply, call->first ? REDIS_REPLY_INTEGER : REDIS_REPLY_ARRAY,
                                 call->first ? "first page" : "fetch");

    (void)redis;
    if (good && call->first && reply->integer > 0) {
        call->first = false;
        ask_for_page(call);
        return;
    }
    logic->pages_out--;
    if (!good)
        call->page_fn(call->arg, -EAGAIN, NULL);
    else if (call->first)
        call->page_fn(call->arg, 0, &none);
    else
        page_answer(call, reply);
    free(call->own);
    free(call->device);
    free(call);
    pages_go_on(logic);
}

void mailbox_fetch(struct logic *logic, const struct mailbox_read *read, mailbox_page_fn fn,
                   void *arg)
{
    struct mailbox_call *call = mailbox_call_new(logic, read->uid, arg);
    size_t page = (size_t)logic->config->mailbox_page;

    loop_assert_owner(logic->loop);
    call->page_fn = fn;
    call->limit = read->limit == 0 || read->limit > page ? page : read->limit;
    call->after = read->after;
    if (read->own != NULL) {
        call->own = mem_strdup(read->own);
        call->device = mem_strdup(mailbox_text(read->device));
    }
    page_begin(call);
}

void mailbox_first(struct logic *logic, int64_t uid, const char *device, mailbox_page_fn fn,
                   void *arg)
{
    enum { FIRST_MOST = 64 };
    struct mailbox_call *call = mailbox_call_new(logic, uid, arg);
    size_t limit = (size_t)logic->config->mailbox_limit;

    loop_assert_owner(logic->loop);
    call->page_fn = fn;
    call->limit = limit < FIRST_MOST ? limit : FIRST_MOST;
    call->first = true;
    call->own = mem_strdup("");
    call->device = mem_strdup(device);
    page_begin(call);
}
