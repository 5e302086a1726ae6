/*   mailbox_store ──ZADD, HSET if owed, trim, PEXPIRE (script)──►  imc:mb:UID, imc:mb:UID:owed,
 *   mailbox_first ──ZRANGE──────────────────────────────────────►  imc:soon:UID, on the shard of
 *   mailbox_fetch ──ZRANGEBYSCORE, HGET (script)────────────────►  the former: scripts make the
 *   mailbox_confirm, _waive, _trim: confirm.c                      second name themselves */
#include "logic/mailbox/mailbox.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/saturate.h"
#include "logic/mailbox/fetch.lua.h"
#include "logic/mailbox/internal.h"
#include "logic/mailbox/remove.lua.h"
#include "logic/mailbox/store.lua.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* No logic of this cluster made an id that is further ahead of our clock than this. */
enum { FOREIGN_AHEAD_MS = 24 * 3600 * 1000 };
enum { PAGES_MOST = 64 }; /* asked for at a time */

/* --- encoding --- */

static void put_be(uint8_t *out, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        out[i] = (uint8_t)value;
        value >>= 8;
    }
}

static uint64_t get_be(const uint8_t *in, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++)
        value = value << 8 | in[i];
    return value;
}

void mailbox_put_id(uint8_t out[MAILBOX_ID], uint64_t id)
{
    put_be(out, id, MAILBOX_ID);
}

uint64_t mailbox_get_id(const void *in)
{
    return get_be(in, MAILBOX_ID);
}

void mailbox_encode(const struct mailbox_message *message, uint8_t *out)
{
    put_be(out, message->id, 8);
    put_be(out + 8, (uint32_t)message->op, 4);
    put_be(out + 12, message->expires_ms, 8);
    if (message->len > 0)
        memcpy(out + MAILBOX_HEADER, message->body, message->len);
}

int mailbox_decode(const void *member, size_t len, struct mailbox_message *message)
{
    const uint8_t *in = member;

    if (len < MAILBOX_HEADER)
        return -EBADMSG;
    message->id = get_be(in, 8);
    message->op = (int32_t)(uint32_t)get_be(in + 8, 4);
    message->expires_ms = get_be(in + 12, 8);
    message->body = in + MAILBOX_HEADER;
    message->len = len - MAILBOX_HEADER;
    return 0;
}

bool mailbox_is_expired(const struct mailbox_message *message, uint64_t now_ms, uint64_t ttl_ms)
{
    if (message->expires_ms != 0 && message->expires_ms <= now_ms)
        return true;
    return message_id_millis(message->id) + ttl_ms <= now_ms;
}

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
    if (call->there == NULL)
        return;
    call->there->n = (uint64_t)reply->element[2]->integer;
    call->there->newest = newest->type == REDIS_REPLY_STRING && newest->len == MAILBOX_ID
                              ? mailbox_get_id(newest->str)
                              : 0;
}

static void store_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct mailbox_call *call = arg;
    bool good = mailbox_reply_is(reply, REDIS_REPLY_ARRAY, "store") && reply->elements == 5;
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
    enum { OWED = 11, MOST = 13 }; /* number of arguments: without tokens, and with them */
    const struct logic_config *config = logic->config;
    const struct mailbox_message *message = &put->message;
    struct mailbox_call *call = mailbox_call_new(logic, put->uid, arg);
    struct mailbox_key key = mailbox_key_of(logic, put->uid);
    bool owed = put->owed != NULL && put->owed[0] != '\0';
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
    };
    size_t len = MAILBOX_HEADER + message->len;
    uint8_t *member = mem_alloc(len), behind[MAILBOX_ID];
    const char *argv[MOST] = {key.text, numbers[0].text, (const char *)member};
    size_t argvlen[MOST] = {key.len, numbers[0].len, len};

    loop_assert_owner(logic->loop);
    for (int i = 1; i < (int)(sizeof numbers / sizeof numbers[0]); i++) {
        argv[i + 2] = numbers[i].text;
        argvlen[i + 2] = numbers[i].len;
    }
    mailbox_put_id(behind, put->behind);
    argv[OWED - 1] = (const char *)behind;
    argvlen[OWED - 1] = put->behind != 0 ? sizeof behind : 0;
    argv[OWED] = owed ? put->owed : "";
    argvlen[OWED] = strlen(argv[OWED]);
    argv[OWED + 1] = put->by == MAILBOX_OWE_IF_THERE ? "1" : "0";
    argvlen[OWED + 1] = 1;
    call->by = put->by;
    call->there = put->there;
    call->fn = fn;
    mailbox_encode(message, member);
    redis_eval(logic->redis,
               &(struct redis_eval){.script = &store_script,
                                    .shard = key.shard,
                                    .keys = 1,
                                    .argc = owed ? MOST : OWED,
                                    .argv = argv,
                                    .argvlen = argvlen},
               store_on_reply, call);
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

static void remove_members(struct logic *logic, int64_t uid, const redisReply **members, size_t n,
                           redis_fn fn)
{
    struct mailbox_key key = mailbox_key_of(logic, uid);
    const char **argv = mem_alloc((n + 1) * sizeof *argv);
    size_t *argvlen = mem_alloc((n + 1) * sizeof *argvlen);

    argv[0] = key.text;
    argvlen[0] = key.len;
    for (size_t i = 0; i < n; i++) {
        argv[i + 1] = members[i]->str;
        argvlen[i + 1] = (size_t)members[i]->len;
    }
    redis_eval(logic->redis,
               &(struct redis_eval){.script = &remove_script,
                                    .shard = key.shard,
                                    .keys = 1,
                                    .argc = (int)n + 1,
                                    .argv = argv,
                                    .argvlen = argvlen},
               fn, logic);
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
        remove_members(logic, uid, out->members, out->n_expired, expired_on_reply);
    if (out->n_foreign == 0)
        return;
    log_error("mailbox members are not ours",
              "key=imc:mb:%" PRId64 " dropped=%zu hint=\"only logic writes them\"", uid,
              out->n_foreign);
    remove_members(logic, uid, out->members + out->n - out->n_foreign, out->n_foreign,
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
        if (call->own != NULL && reply->element[i]->len == MAILBOX_ID) {
            page.last = mailbox_get_id(reply->element[i]->str);
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
                          call->own != NULL ? call->own : ""};
    size_t argvlen[] = {key.len,
                        score.len,
                        high.len,
                        low.len,
                        want.len,
                        room.len,
                        call->own != NULL ? strlen(call->own) : 0};
    redis_eval(logic->redis,
               &(struct redis_eval){.script = &fetch_script,
                                    .shard = key.shard,
                                    .keys = 1,
                                    .argc = call->own != NULL ? 7 : 6,
                                    .argv = argv,
                                    .argvlen = argvlen},
               page_on_reply, call);
}

static void ask_for_first_page(struct mailbox_call *call)
{
    struct mailbox_key key = mailbox_key_of(call->logic, call->uid);
    struct mailbox_number last = mailbox_number(call->limit);
    const char *argv[] = {"ZRANGE", key.text, "0", last.text};
    size_t argvlen[] = {6, key.len, 1, last.len};

    redis_command(call->logic->redis, key.shard, 4, argv, argvlen, page_on_reply, call);
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
            ask_for_first_page(call);
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
    struct mailbox_call *call = arg;
    struct logic *logic = call->logic;

    (void)redis;
    logic->pages_out--;
    if (mailbox_reply_is(reply, REDIS_REPLY_ARRAY, "fetch"))
        page_answer(call, reply);
    else
        call->page_fn(call->arg, -EAGAIN, NULL);
    free(call->own);
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
    if (read->own != NULL && read->own[0] != '\0')
        call->own = mem_strdup(read->own);
    page_begin(call);
}

void mailbox_first(struct logic *logic, int64_t uid, mailbox_page_fn fn, void *arg)
{
    enum { FIRST_MOST = 64 };
    struct mailbox_call *call = mailbox_call_new(logic, uid, arg);
    size_t limit = (size_t)logic->config->mailbox_limit;

    loop_assert_owner(logic->loop);
    call->page_fn = fn;
    call->limit = limit < FIRST_MOST ? limit : FIRST_MOST;
    call->first = true;
    page_begin(call);
}
