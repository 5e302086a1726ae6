#include "logic/http/idempotency.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "logic/http/idempotency_begin.lua.h"
#include "logic/http/idempotency_end.lua.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define IDEM_PREFIX "imc:idem:"

enum {
    KEEP_MS = 5 * 60 * 1000,
    AGAIN_MS = 50,
    SPARE_MS = 3000, /* when a call is pending for so much longer than its own timeouts, its logic
                      * is taken for dead */
};

struct idem {
    struct logic *logic;
    idem_fn fn;
    void *arg;
    uv_timer_t again;
    uint64_t deadline_ms;
    size_t key_len;
    char key[sizeof IDEM_PREFIX + IDEM_SCOPE_MAX + 1 + IDEM_KEY_MAX];
    char owner[IDEM_DIGEST + 24]; /* "p", the digest, and a text that no other call has */
};

enum idem_state idem_parse(const char *text, size_t len, struct idem_value *value)
{
    if (len < 1 + IDEM_DIGEST)
        return IDEM_GARBLED;
    value->digest = text + 1;
    value->rest = text + 1 + IDEM_DIGEST;
    value->rest_len = len - 1 - IDEM_DIGEST;
    switch (text[0]) {
    case 'p':
        return IDEM_PENDING;
    case 'f':
        return IDEM_PARTIAL;
    case 'a':
        return IDEM_ANSWERED;
    default:
        return IDEM_GARBLED;
    }
}

/* --- begin --- */

static struct redis_script begin_script = {.source = idempotency_begin_lua};

static struct redis_script end_script = {.source = idempotency_end_lua};

static uint64_t pending_ms(const struct logic *logic)
{
    const struct logic_config *config = logic->config;

    return (uint64_t)(config->bus_timeout_ms + config->lookup_timeout_ms) + SPARE_MS;
}

static void idem_on_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct idem, again));
}

static void idem_free(struct idem *idem)
{
    uv_close((uv_handle_t *)&idem->again, idem_on_closed);
}

static void begin_answer(struct idem *idem, enum idem_verdict verdict, const char *data, size_t len)
{
    if (verdict == IDEM_FIRST)
        logic_count(idem->logic, LOGIC_FIRST, 1);
    else if (verdict == IDEM_REPEATED)
        logic_count(idem->logic, LOGIC_REPEATED, 1);
    idem->fn(idem->arg, verdict, verdict == IDEM_FIRST ? idem : NULL, data, len);
    if (verdict != IDEM_FIRST)
        idem_free(idem);
}

static void begin_ask(struct idem *idem);

static void idem_on_again(uv_timer_t *timer)
{
    begin_ask(container_of(timer, struct idem, again));
}

static void begin_wait(struct idem *idem)
{
    if (loop_now_ms(idem->logic->loop) >= idem->deadline_ms)
        begin_answer(idem, IDEM_BUSY, NULL, 0);
    else
        uv_timer_start(&idem->again, idem_on_again, AGAIN_MS, 0);
}

static void begin_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct idem *idem = arg;
    struct idem_value value = {0};

    (void)redis;
    if (reply == NULL || (reply->type != REDIS_REPLY_NIL && reply->type != REDIS_REPLY_STRING)) {
        if (reply != NULL)
            log_error("redis refused an idempotency command", "err=\"%s\"", reply->str);
        begin_answer(idem, IDEM_AWAY, NULL, 0);
        return;
    }
    if (reply->type == REDIS_REPLY_NIL) {
        begin_answer(idem, IDEM_FIRST, NULL, 0);
        return;
    }
    enum idem_state state = idem_parse(reply->str, (size_t)reply->len, &value);
    if (state != IDEM_GARBLED && memcmp(value.digest, idem->owner + 1, IDEM_DIGEST) != 0) {
        begin_answer(idem, IDEM_OTHER, NULL, 0);
        return;
    }
    switch (state) {
    case IDEM_PARTIAL:
        begin_answer(idem, IDEM_FIRST, value.rest, value.rest_len);
        break;
    case IDEM_ANSWERED:
        begin_answer(idem, IDEM_REPEATED, value.rest, value.rest_len);
        break;
    case IDEM_PENDING:
        begin_wait(idem);
        break;
    case IDEM_GARBLED:
        log_error("idempotency value is not ours", "key=%s", idem->key);
        begin_answer(idem, IDEM_AWAY, NULL, 0);
        break;
    }
}

static void begin_ask(struct idem *idem)
{
    struct logic *logic = idem->logic;
    char life[24];
    int life_len = snprintf(life, sizeof life, "%" PRIu64, pending_ms(logic));
    const char *argv[] = {idem->key, idem->owner, life};
    size_t argvlen[] = {idem->key_len, strlen(idem->owner), (size_t)life_len};

    redis_eval(logic->redis,
               &(struct redis_eval){.script = &begin_script,
                                    .shard = redis_shard_of(logic->redis, idem->key, idem->key_len),
                                    .keys = 1,
                                    .argc = 3,
                                    .argv = argv,
                                    .argvlen = argvlen},
               begin_on_reply, idem);
}

void idem_begin(struct logic *logic, const struct idem_call *call, idem_fn fn, void *arg)
{
    struct idem *idem = mem_zalloc(sizeof *idem);

    loop_assert_owner(logic->loop);
    assert(strlen(call->key) <= IDEM_KEY_MAX && strlen(call->scope) < IDEM_SCOPE_MAX &&
           strlen(call->digest) == IDEM_DIGEST);
    idem->logic = logic;
    idem->fn = fn;
    idem->arg = arg;
    idem->deadline_ms = loop_now_ms(logic->loop) + pending_ms(logic);
    idem->key_len =
        (size_t)snprintf(idem->key, sizeof idem->key, IDEM_PREFIX "%s:%s", call->scope, call->key);
    snprintf(idem->owner, sizeof idem->owner, "p%s%016" PRIx64, call->digest,
             message_id_next(&logic->ids, logic_now_us(logic)));
    uv_timer_init(&logic->loop->uv, &idem->again);
    begin_ask(idem);
}

/* --- end --- */

static void end_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    (void)redis;
    (void)arg;
    /* The call itself is answered. Only a retry is not recognised then. */
    if (reply == NULL)
        log_warn("idempotency answer not kept", "err=\"no answer from redis\"");
    else if (reply->type == REDIS_REPLY_ERROR)
        log_error("redis refused an idempotency command", "err=\"%s\"", reply->str);
    else if (reply->type == REDIS_REPLY_INTEGER && reply->integer == 0)
        log_warn("idempotency key lapsed while its call was under way", "hint=\"see bus.timeout\"");
}

static void idem_end(struct idem *idem, char state, const void *data, size_t len)
{
    struct logic *logic = idem->logic;
    char *value = mem_alloc(1 + IDEM_DIGEST + len), life[24];
    int life_len = snprintf(life, sizeof life, "%d", KEEP_MS);

    value[0] = state;
    memcpy(value + 1, idem->owner + 1, IDEM_DIGEST);
    if (len > 0)
        memcpy(value + 1 + IDEM_DIGEST, data, len);
    const char *argv[] = {idem->key, idem->owner, value, life};
    size_t argvlen[] = {idem->key_len, strlen(idem->owner),
                        state == '\0' ? 0 : 1 + IDEM_DIGEST + len, (size_t)life_len};
    redis_eval(logic->redis,
               &(struct redis_eval){.script = &end_script,
                                    .shard = redis_shard_of(logic->redis, idem->key, idem->key_len),
                                    .keys = 1,
                                    .argc = 4,
                                    .argv = argv,
                                    .argvlen = argvlen},
               end_on_reply, NULL);
    free(value);
    idem_free(idem);
}

void idem_done(struct idem *idem, const void *answer, size_t len)
{
    idem_end(idem, 'a', answer, len);
}

void idem_fail(struct idem *idem, const void *partial, size_t len)
{
    idem_end(idem, len > 0 ? 'f' : '\0', partial, len);
}
