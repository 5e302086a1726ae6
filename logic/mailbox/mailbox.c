/*   mailbox_store ──ZADD, HSET if owed, trim, PEXPIRE (script)──►  imc:mb:UID, imc:mb:UID:owed,
 *   mailbox_first ──ZRANGE──────────────────────────────────────►  imc:soon:UID, on the shard of
 *   mailbox_fetch ──ZRANGEBYSCORE, HGET (script)────────────────►  the former: scripts make the
 *   mailbox_confirm, _waive, _trim: confirm.c                      second name themselves */
#include "logic/mailbox/mailbox.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "logic/mailbox/internal.h"

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
    return ids_millis(message->id) + ttl_ms <= now_ms;
}

/* --- what every command needs --- */

struct mailbox_key mailbox_key_of(struct logic *logic, int64_t uid)
{
    struct mailbox_key key;

    key.len = (size_t)snprintf(key.text, sizeof key.text, "imc:mb:%" PRId64, uid);
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
        return false; /* common/redis/redis.c has told */
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

/* What has ended leaves: by age, which is the lowest scores; and, if the number says that it is
 * time, by a ttl of its own, for which members must be read: once a second, and a thousand, at
 * most. */
#define LUA_DROP_ENDED                                                                      \
    "local expired = 0\n"                                                                   \
    "local function drop(old)\n"                                                            \
    "  redis.call('HDEL', owed, string.sub(old, 1, 8))\n"                                   \
    "  expired = expired + redis.call('ZREM', KEYS[1], old)\n"                              \
    "end\n"                                                                                 \
    "local aged = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[6], 'LIMIT', 0, 100)\n" \
    "for _, old in ipairs(aged) do drop(old) end\n"                                         \
    "local at = redis.call('GET', soon)\n"                                                  \
    "if at and tonumber(at) <= now then\n"                                                  \
    "  local least = math.huge\n"                                                           \
    "  for _, old in ipairs(redis.call('ZRANGE', KEYS[1], 0, 999)) do\n"                    \
    "    if #old >= 20 then\n"                                                              \
    "      local high, low = struct.unpack('>I4I4', old, 13)\n"                             \
    "      local ends = high * 4294967296 + low\n"                                          \
    "      if ends > 0 and ends <= now then\n"                                              \
    "        drop(old)\n"                                                                   \
    "      elseif ends > 0 and ends < least then\n"                                         \
    "        least = ends\n"                                                                \
    "      end\n"                                                                           \
    "    end\n"                                                                             \
    "  end\n"                                                                               \
    "  at = least < math.huge and math.max(least, now + 1000)\n"                            \
    "  if not at then redis.call('DEL', soon) end\n"                                        \
    "end\n"

/* ARGV: score, member, how long it may wait, number to keep, now, the highest score that is too
 * old, when the message ends by a ttl of its own (0 = not), mailbox.limit, score and id of the one
 * that must be there before it (id '': none); then, unless nobody is owed this one, tokens, and 1
 * if it must be there already → {added, trimmed, how many there are, ended, id of the newest if
 * there are more than mailbox.limit}, or {0, 0, -1, 0, ''}: that one is not there. The keys live as
 * long as what is in them that lives longest; nor does the hash live longer, whose newest message
 * is not newer. A hash that has outlived its set (somebody deleted that, or Redis evicted it) goes
 * before a new one begins. Where nothing waits yet, as for most of a crowd that is away, the first
 * lines do all there is to do, in little more than half the time. */
static struct redis_script store_script = {
    .source =
        "local left = redis.call('PTTL', KEYS[1])\n"
        "if left == -2 and ARGV[7] == '0' and ARGV[10] == '' and not ARGV[11] then\n"
        "  redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])\n"
        "  redis.call('PEXPIRE', KEYS[1], ARGV[3])\n"
        "  return {1, 0, 1, 0, ''}\n"
        "end\n"
        "local owed, soon, member = KEYS[1] .. ':owed', 'imc:soon:' .. string.sub(KEYS[1], 8), "
        "ARGV[2]\n"
        "local now, ends = tonumber(ARGV[5]), tonumber(ARGV[7])\n"
        "if ARGV[12] == '1' and not redis.call('ZSCORE', KEYS[1], member) then\n"
        "  return {0, 0, 0, 0, ''}\n"
        "end\n"
        "if ARGV[10] ~= '' then\n"
        "  local there = false\n"
        "  for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[9], ARGV[9])) do\n"
        "    there = there or string.sub(old, 1, 8) == ARGV[10]\n"
        "  end\n"
        "  if not there then return {0, 0, -1, 0, ''} end\n"
        "end\n" LUA_DROP_ENDED "if expired > 0 then left = redis.call('PTTL', KEYS[1]) end\n"
        "local life = math.max(left, tonumber(ARGV[3]))\n"
        "local added = redis.call('ZADD', KEYS[1], ARGV[1], member)\n"
        "local count = redis.call('ZCARD', KEYS[1])\n"
        "if ARGV[11] then\n"
        "  if added == 1 and count == 1 then redis.call('DEL', owed) end\n"
        "  local id = string.sub(member, 1, 8)\n"
        "  local list = redis.call('HGET', owed, id) or ''\n"
        "  for token in string.gmatch(ARGV[11], '%S+') do\n"
        "    if list == '' then\n"
        "      list = token\n"
        "    elseif not string.find(' ' .. list .. ' ', ' ' .. token .. ' ', 1, true) then\n"
        "      list = list .. ' ' .. token\n"
        "    end\n"
        "  end\n"
        "  redis.call('HSET', owed, id, list)\n"
        "  redis.call('PEXPIRE', owed, life)\n"
        "end\n"
        "if ends > 0 and not (at and tonumber(at) <= ends) then at = ends end\n"
        "if at then\n"
        "  redis.call('SET', soon, string.format('%.0f', tonumber(at)), 'PX', life)\n"
        "end\n"
        "local excess = count - ARGV[4]\n" MAILBOX_LUA_REMOVE_EXCESS "count = count - excess\n"
        "redis.call('PEXPIRE', KEYS[1], life)\n"
        "local newest = ''\n"
        "if count > tonumber(ARGV[8]) then\n"
        "  newest = string.sub(redis.call('ZRANGE', KEYS[1], -1, -1)[1], 1, 8)\n"
        "end\n"
        "return {added, excess, count, expired, newest}",
};

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

/* How long MESSAGE may wait, from NOW on; at least a moment. */
static uint64_t life_of(const struct mailbox_message *message, uint64_t now, uint64_t ttl_ms)
{
    uint64_t ends = ids_millis(message->id) + ttl_ms;

    if (message->expires_ms != 0 && message->expires_ms < ends)
        ends = message->expires_ms;
    return ends > now ? ends - now : 1;
}

void mailbox_store(struct logic *logic, const struct mailbox_put *put, mailbox_fn fn, void *arg)
{
    enum { OWED = 11, MOST = 13 }; /* arguments without, and with what is owed */
    const struct logic_config *config = logic->config;
    const struct mailbox_message *message = &put->message;
    struct mailbox_call *call = mailbox_call_new(logic, put->uid, arg);
    struct mailbox_key key = mailbox_key_of(logic, put->uid);
    bool owed = put->owed != NULL && put->owed[0] != '\0';
    uint64_t now = logic_now_ms(logic), ttl = (uint64_t)config->mailbox_ttl_ms;
    struct mailbox_number numbers[] = {
        mailbox_number(ids_millis(message->id)),
        mailbox_number(life_of(message, now, ttl)),
        mailbox_number((uint64_t)config->mailbox_limit_spilled),
        mailbox_number(now),
        mailbox_number(now > ttl ? now - ttl : 0),
        mailbox_number(message->expires_ms),
        mailbox_number((uint64_t)config->mailbox_limit),
        mailbox_number(ids_millis(put->behind)),
    };
    size_t len = MAILBOX_HEADER + message->len;
    uint8_t *member = mem_alloc(len), behind[MAILBOX_ID];
    const char *argv[MOST] = {key.text, numbers[0].text, (const char *)member};
    size_t argvlen[MOST] = {key.len, numbers[0].len, len};

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
    redis_eval(logic->redis, key.shard, &store_script, 1, owed ? MOST : OWED, argv, argvlen,
               store_on_reply, call);
    free(member);
}

/* --- fetch --- */

/* ARGV: lowest score, the two halves of AFTER, number wanted, bytes wanted; then, if what is owed
 * only to others is to be left out, a token → members, and of what is left out the id alone.
 * Several ids may share AFTER's millisecond, so the page starts inside that score: hence by script,
 * in one step with respect to confirms. At least one member comes if there is one. A member too
 * short for an id comes too: page_answer() throws it out. */
static struct redis_script fetch_script = {
    .source =
        "local out, offset, bytes, owed = {}, 0, 0, KEYS[1] .. ':owed'\n"
        "local high, low, want, room = tonumber(ARGV[2]), tonumber(ARGV[3]), "
        "tonumber(ARGV[4]), tonumber(ARGV[5])\n"
        "local own = ARGV[6] and redis.call('EXISTS', owed) == 1 and ' ' .. ARGV[6] .. ' '\n"
        "local step = math.min(want, 64)\n"
        "while #out < want do\n"
        "  local page = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'LIMIT', "
        "offset, step)\n"
        "  if #page == 0 then break end\n"
        "  for _, member in ipairs(page) do\n"
        "    local h, l = math.huge, 0\n"
        "    if #member >= 8 then h, l = struct.unpack('>I4I4', member) end\n"
        "    if h > high or (h == high and l > low) then\n"
        "      local id = string.sub(member, 1, 8)\n"
        "      local list = own and redis.call('HGET', owed, id)\n"
        "      if list and not string.find(' ' .. list .. ' ', own, 1, true) then member = id end\n"
        "      out[#out + 1] = member\n"
        "      bytes = bytes + #member\n"
        "      if #out == want or bytes > room then return out end\n"
        "    end\n"
        "  end\n"
        "  offset = offset + #page\n"
        "end\n"
        "return out",
};

/* ARGV: members → number removed. */
static struct redis_script remove_script = {
    .source = "local removed = 0\n"
              "for _, member in ipairs(ARGV) do\n"
              "  removed = removed + redis.call('ZREM', KEYS[1], member)\n"
              "  redis.call('HDEL', KEYS[1] .. ':owed', string.sub(member, 1, 8))\n"
              "end\n"
              "return removed",
};

/* Counted by what Redis removes: two readers at once may find the same. */
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
    redis_eval(logic->redis, key.shard, &remove_script, 1, (int)n + 1, argv, argvlen, fn, logic);
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
    uint64_t now = logic_now_ms(logic);
    size_t room = (size_t)logic->config->mailbox_page_bytes, used = 0, bytes = 0;
    struct mailbox_message *messages = mem_alloc((reply->elements + 1) * sizeof *messages);
    struct outcasts out = {.members = mem_alloc((reply->elements + 1) * sizeof(void *)),
                           .n = reply->elements};
    struct mailbox_page page = {.messages = messages};

    for (size_t i = 0; i < reply->elements; i++) {
        struct mailbox_message *message = &messages[page.n];
        bytes += (size_t)reply->element[i]->len;
        if (call->own && reply->element[i]->len == MAILBOX_ID) {
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
        page.last = 0; /* one goes on after the messages anyway */
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
    if (mailbox_reply_is(reply, REDIS_REPLY_ARRAY, "fetch"))
        page_answer(call, reply);
    else
        call->page_fn(call->arg, -EAGAIN, NULL);
    free(call);
}

void mailbox_fetch(struct logic *logic, const struct mailbox_read *read, mailbox_page_fn fn,
                   void *arg)
{
    struct mailbox_call *call = mailbox_call_new(logic, read->uid, arg);
    struct mailbox_key key = mailbox_key_of(logic, read->uid);
    size_t page = (size_t)logic->config->mailbox_page;

    call->page_fn = fn;
    call->limit = read->limit == 0 || read->limit > page ? page : read->limit;
    call->own = read->own != NULL && read->own[0] != '\0';
    struct mailbox_number score = mailbox_number(ids_millis(read->after)),
                          high = mailbox_number(read->after >> 32),
                          low = mailbox_number(read->after & UINT32_MAX),
                          want = mailbox_number(call->limit + 1),
                          room = mailbox_number((uint64_t)logic->config->mailbox_page_bytes);
    const char *argv[] = {key.text,
                          score.text,
                          high.text,
                          low.text,
                          want.text,
                          room.text,
                          call->own ? read->own : ""};
    size_t argvlen[] = {key.len,
                        score.len,
                        high.len,
                        low.len,
                        want.len,
                        room.len,
                        call->own ? strlen(read->own) : 0};
    redis_eval(logic->redis, key.shard, &fetch_script, 1, call->own ? 7 : 6, argv, argvlen,
               page_on_reply, call);
}

void mailbox_first(struct logic *logic, int64_t uid, mailbox_page_fn fn, void *arg)
{
    enum { FIRST_MOST = 64 };
    struct mailbox_call *call = mailbox_call_new(logic, uid, arg);
    struct mailbox_key key = mailbox_key_of(logic, uid);
    size_t limit = (size_t)logic->config->mailbox_limit;

    call->page_fn = fn;
    call->limit = limit < FIRST_MOST ? limit : FIRST_MOST;
    struct mailbox_number last = mailbox_number(call->limit);
    const char *argv[] = {"ZRANGE", key.text, "0", last.text};
    size_t argvlen[] = {6, key.len, 1, last.len};
    redis_command(logic->redis, key.shard, 4, argv, argvlen, page_on_reply, call);
}
