/* mailbox_store ──ZADD, trim, PEXPIRE (script)──►
 * mailbox_first ──ZRANGE──────────────────────►     imc:mb:UID
 * mailbox_fetch ──ZRANGEBYSCORE (script)──────►  on the shard of that key
 * mailbox_confirm ──find by id, ZREM (script)─► */
#include "logic/mailbox.h"
#include "common/log.h"
#include "common/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* An id further ahead of our clock than this was not made by a logic of this cluster. */
enum { FOREIGN_AHEAD_MS = 24 * 3600 * 1000 };

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
    return ids_millis(message->id) + ttl_ms <= now_ms;
}

/* --- what every command needs --- */

struct mailbox_key {
    char text[40];
    size_t len, shard;
};

static struct mailbox_key key_of(struct logic *logic, int64_t uid)
{
    struct mailbox_key key;

    key.len = (size_t)snprintf(key.text, sizeof key.text, "imc:mb:%" PRId64, uid);
    key.shard = redis_shard_of(logic->redis, key.text, key.len);
    return key;
}

/* A number as an argument of a command. */
struct number {
    char text[24];
    size_t len;
};

static struct number number(uint64_t value)
{
    struct number n;

    n.len = (size_t)snprintf(n.text, sizeof n.text, "%" PRIu64, value);
    return n;
}

struct mailbox_call {
    struct logic *logic;
    int64_t uid;
    enum mailbox_store by;
    mailbox_fn fn;
    mailbox_page_fn page_fn;
    void *arg;
    size_t limit;
};

static struct mailbox_call *call_new(struct logic *logic, int64_t uid, void *arg)
{
    struct mailbox_call *call = mem_zalloc(sizeof *call);

    call->logic = logic;
    call->uid = uid;
    call->arg = arg;
    return call;
}

/* False, and a line in the log, for no answer, an error, or another type than TYPE. */
static bool reply_is(const redisReply *reply, int type, const char *what)
{
    if (reply == NULL)
        return false; /* redis.c has told */
    if (reply->type == type)
        return true;
    log_error("redis refused a mailbox command", "command=%s err=\"%s\"", what,
              reply->type == REDIS_REPLY_ERROR ? reply->str : "unexpected type of answer");
    return false;
}

/* --- store --- */

/* ARGV: score, member, number to keep, ttl → {added, trimmed}. The key outlives its newest message
 * by nothing: what the key's expiry takes with it is older than mailbox.ttl. */
static struct redis_script store_script = {
    .source = "local added = redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])\n"
              "local trimmed = 0\n"
              "if added == 1 then\n"
              "  trimmed = redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[3]))\n"
              "end\n"
              "redis.call('PEXPIRE', KEYS[1], ARGV[4])\n"
              "return {added, trimmed}",
};

static void store_count(const struct mailbox_call *call, const redisReply *reply)
{
    struct logic *logic = call->logic;
    enum logic_metric stored =
        call->by == MAILBOX_SETTLE ? LOGIC_STORED_SETTLE : LOGIC_STORED_SPILL;

    logic_count(logic, reply->element[0]->integer == 1 ? stored : LOGIC_STORED_AGAIN, 1);
    logic_count(logic, LOGIC_TRIMMED, reply->element[1]->integer);
}

static void store_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct mailbox_call *call = arg;
    bool good = reply_is(reply, REDIS_REPLY_ARRAY, "store") && reply->elements == 2;

    (void)redis;
    if (good)
        store_count(call, reply);
    else
        logic_count(call->logic, LOGIC_STORE_FAILED, 1);
    call->fn(call->arg, good ? 0 : -EAGAIN);
    free(call);
}

void mailbox_store(struct logic *logic, enum mailbox_store by, int64_t uid,
                   const struct mailbox_message *message, mailbox_fn fn, void *arg)
{
    const struct logic_config *config = logic->config;
    struct mailbox_call *call = call_new(logic, uid, arg);
    struct mailbox_key key = key_of(logic, uid);
    struct number score = number(ids_millis(message->id));
    struct number keep = number(
        (uint64_t)(by == MAILBOX_SETTLE ? config->mailbox_limit : config->mailbox_limit_spilled));
    struct number ttl = number((uint64_t)config->mailbox_ttl_ms);
    size_t len = MAILBOX_HEADER + message->len;
    uint8_t *member = mem_alloc(len);
    const char *argv[] = {key.text, score.text, (const char *)member, keep.text, ttl.text};
    size_t argvlen[] = {key.len, score.len, len, keep.len, ttl.len};

    call->by = by;
    call->fn = fn;
    mailbox_encode(message, member);
    redis_eval(logic->redis, key.shard, &store_script, 1, 5, argv, argvlen, store_on_reply, call);
    free(member);
}

/* --- fetch --- */

/* ARGV: lowest score, the two halves of AFTER, number wanted, bytes wanted → members. Several ids
 * may share AFTER's millisecond, so the page starts inside that score: hence by script, in one step
 * with respect to confirms. At least one member comes if there is one. A member too short for an id
 * comes too: page_answer() throws it out. */
static struct redis_script fetch_script = {
    .source = "local out, offset, bytes = {}, 0, 0\n"
              "local high, low, want, room = tonumber(ARGV[2]), tonumber(ARGV[3]), "
              "tonumber(ARGV[4]), tonumber(ARGV[5])\n"
              "local step = math.min(want, 64)\n"
              "while #out < want do\n"
              "  local page = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'LIMIT', "
              "offset, step)\n"
              "  if #page == 0 then break end\n"
              "  for _, member in ipairs(page) do\n"
              "    local h, l = math.huge, 0\n"
              "    if #member >= 8 then h, l = struct.unpack('>I4I4', member) end\n"
              "    if h > high or (h == high and l > low) then\n"
              "      out[#out + 1] = member\n"
              "      bytes = bytes + #member\n"
              "      if #out == want or bytes > room then return out end\n"
              "    end\n"
              "  end\n"
              "  offset = offset + #page\n"
              "end\n"
              "return out",
};

/* Counted by what Redis removes: two readers at once may find the same. */
static void expired_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    (void)redis;
    if (reply_is(reply, REDIS_REPLY_INTEGER, "ZREM"))
        logic_count(arg, LOGIC_EXPIRED, reply->integer);
}

static void foreign_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    (void)redis;
    if (reply_is(reply, REDIS_REPLY_INTEGER, "ZREM"))
        logic_count(arg, LOGIC_MAILBOX_FOREIGN, reply->integer);
}

static void remove_members(struct logic *logic, int64_t uid, const redisReply **members, size_t n,
                           redis_fn fn)
{
    struct mailbox_key key = key_of(logic, uid);
    const char **argv = mem_alloc((n + 2) * sizeof *argv);
    size_t *argvlen = mem_alloc((n + 2) * sizeof *argvlen);

    argv[0] = "ZREM";
    argvlen[0] = 4;
    argv[1] = key.text;
    argvlen[1] = key.len;
    for (size_t i = 0; i < n; i++) {
        argv[i + 2] = members[i]->str;
        argvlen[i + 2] = (size_t)members[i]->len;
    }
    redis_command(logic->redis, key.shard, (int)n + 2, argv, argvlen, fn, logic);
    free(argvlen);
    free(argv);
}

/* What a page leaves out, and what therefore leaves the mailbox. */
struct outcasts {
    const redisReply **members; /* the expired from the start, those of others from the end */
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

/* False: it does not belong into a page. */
static bool take_member(const struct logic *logic, const redisReply *member, uint64_t now,
                        struct mailbox_message *message, struct outcasts *out)
{
    bool short_one = mailbox_decode(member->str, (size_t)member->len, message) != 0;

    if (short_one || ids_millis(message->id) > now + FOREIGN_AHEAD_MS)
        out->members[out->n - ++out->n_foreign] = member;
    else if (mailbox_is_expired(message, now, (uint64_t)logic->config->mailbox_ttl_ms))
        out->members[out->n_expired++] = member;
    else
        return true;
    return false;
}

/* A page of at most LIMIT out of the members that came; one more than LIMIT was asked for, to know
 * about `more`. */
static void page_answer(struct mailbox_call *call, const redisReply *reply)
{
    struct logic *logic = call->logic;
    uint64_t now = unix_now_ms();
    size_t room = (size_t)logic->config->mailbox_page_bytes, used = 0, bytes = 0;
    struct mailbox_message *messages = mem_alloc((reply->elements + 1) * sizeof *messages);
    struct outcasts out = {.members = mem_alloc((reply->elements + 1) * sizeof(void *)),
                           .n = reply->elements};
    struct mailbox_page page = {.messages = messages};

    for (size_t i = 0; i < reply->elements; i++) {
        struct mailbox_message *message = &messages[page.n];
        bytes += (size_t)reply->element[i]->len;
        if (!take_member(logic, reply->element[i], now, message, &out))
            continue;
        page.more = page.n == call->limit || (page.n > 0 && used + message->len > room);
        if (page.more)
            break;
        used += message->len;
        page.n++;
    }
    /* Those left out may have made the page full, or stopped the script at its bytes: there may be
     * others behind. */
    page.more = page.more || reply->elements > call->limit || bytes > room;
    outcasts_remove(logic, call->uid, &out);
    logic_count(logic, LOGIC_FETCHED, (int64_t)page.n);
    call->page_fn(call->arg, 0, &page);
    free(out.members);
    free(messages);
}

static void page_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct mailbox_call *call = arg;

    (void)redis;
    if (reply_is(reply, REDIS_REPLY_ARRAY, "fetch"))
        page_answer(call, reply);
    else
        call->page_fn(call->arg, -EAGAIN, NULL);
    free(call);
}

void mailbox_fetch(struct logic *logic, int64_t uid, uint64_t after, size_t limit,
                   mailbox_page_fn fn, void *arg)
{
    struct mailbox_call *call = call_new(logic, uid, arg);
    struct mailbox_key key = key_of(logic, uid);
    size_t page = (size_t)logic->config->mailbox_page;

    call->page_fn = fn;
    call->limit = limit == 0 || limit > page ? page : limit;
    struct number score = number(ids_millis(after)), high = number(after >> 32),
                  low = number(after & UINT32_MAX);
    struct number want = number(call->limit + 1),
                  room = number((uint64_t)logic->config->mailbox_page_bytes);
    const char *argv[] = {key.text, score.text, high.text, low.text, want.text, room.text};
    size_t argvlen[] = {key.len, score.len, high.len, low.len, want.len, room.len};
    redis_eval(logic->redis, key.shard, &fetch_script, 1, 6, argv, argvlen, page_on_reply, call);
}

void mailbox_first(struct logic *logic, int64_t uid, mailbox_page_fn fn, void *arg)
{
    enum { FIRST_MOST = 64 };
    struct mailbox_call *call = call_new(logic, uid, arg);
    struct mailbox_key key = key_of(logic, uid);
    size_t limit = (size_t)logic->config->mailbox_limit;

    call->page_fn = fn;
    call->limit = limit < FIRST_MOST ? limit : FIRST_MOST;
    struct number last = number(call->limit);
    const char *argv[] = {"ZRANGE", key.text, "0", last.text};
    size_t argvlen[] = {6, key.len, 1, last.len};
    redis_command(logic->redis, key.shard, 4, argv, argvlen, page_on_reply, call);
}

/* --- confirm --- */

/* ARGV: pairs of score and id (8 bytes) → number removed. */
static struct redis_script confirm_script = {
    .source =
        "local removed = 0\n"
        "for i = 1, #ARGV, 2 do\n"
        "  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[i], ARGV[i])) do\n"
        "    if string.sub(member, 1, 8) == ARGV[i + 1] then\n"
        "      removed = removed + redis.call('ZREM', KEYS[1], member)\n"
        "    end\n"
        "  end\n"
        "end\n"
        "return removed",
};

/* ARGV: score, the two halves of the id → number removed. */
static struct redis_script upto_script = {
    .source = "local removed = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1])\n"
              "local high, low = tonumber(ARGV[2]), tonumber(ARGV[3])\n"
              "for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[1])) do\n"
              "  local h, l = 0, 0\n"
              "  if #member >= 8 then h, l = struct.unpack('>I4I4', member) end\n"
              "  if h < high or (h == high and l <= low) then\n"
              "    removed = removed + redis.call('ZREM', KEYS[1], member)\n"
              "  end\n"
              "end\n"
              "return removed",
};

static void confirm_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct mailbox_call *call = arg;
    bool good = reply_is(reply, REDIS_REPLY_INTEGER, "confirm");

    (void)redis;
    if (good)
        logic_count(call->logic, LOGIC_CONFIRMED, reply->integer);
    call->fn(call->arg, good ? 0 : -EAGAIN);
    free(call);
}

void mailbox_confirm(struct logic *logic, int64_t uid, const uint64_t *ids, size_t n, mailbox_fn fn,
                     void *arg)
{
    struct mailbox_call *call = call_new(logic, uid, arg);
    struct mailbox_key key = key_of(logic, uid);
    struct number *scores = mem_alloc((n + 1) * sizeof *scores);
    uint8_t(*prefixes)[8] = mem_alloc((n + 1) * sizeof *prefixes);
    const char **argv = mem_alloc((2 * n + 1) * sizeof *argv);
    size_t *argvlen = mem_alloc((2 * n + 1) * sizeof *argvlen);

    call->fn = fn;
    argv[0] = key.text;
    argvlen[0] = key.len;
    for (size_t i = 0; i < n; i++) {
        scores[i] = number(ids_millis(ids[i]));
        put_be(prefixes[i], ids[i], 8);
        argv[2 * i + 1] = scores[i].text;
        argvlen[2 * i + 1] = scores[i].len;
        argv[2 * i + 2] = (const char *)prefixes[i];
        argvlen[2 * i + 2] = 8;
    }
    redis_eval(logic->redis, key.shard, &confirm_script, 1, (int)(2 * n + 1), argv, argvlen,
               confirm_on_reply, call);
    free(argvlen);
    free(argv);
    free(prefixes);
    free(scores);
}

void mailbox_confirm_upto(struct logic *logic, int64_t uid, uint64_t upto, mailbox_fn fn, void *arg)
{
    struct mailbox_call *call = call_new(logic, uid, arg);
    struct mailbox_key key = key_of(logic, uid);
    struct number score = number(ids_millis(upto)), high = number(upto >> 32),
                  low = number(upto & UINT32_MAX);
    const char *argv[] = {key.text, score.text, high.text, low.text};
    size_t argvlen[] = {key.len, score.len, high.len, low.len};

    call->fn = fn;
    redis_eval(logic->redis, key.shard, &upto_script, 1, 4, argv, argvlen, confirm_on_reply, call);
}
