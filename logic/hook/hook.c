#include "logic/hook/hook.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/http/addresses.h"
#include "common/http/client.h"
#include "common/http/url.h"
#include "common/protocol/ops.h"
#include "common/tls/tls.h"
#include "logic/hook/breaker.h"
#include "logic/hook/cache.h"
#include "logic/hook/failure.h"
#include "logic/hook/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AGAIN_MS = 20, AGAIN_SPREAD_MS = 60, LOG_MS = 1000 };

/* One client's question. */
struct call {
    STAILQ_ENTRY(call) next; /* while it waits for a slot */
    char *body;
    size_t len;
    uint8_t digest[HOOK_DIGEST]; /* if there is a cache */
    uint64_t deadline_ms, asked_ns;
    size_t tries;
    uint32_t answers; /* the breaker's, at the first try */
    hook_fn fn;
    void *arg;
};

/* A place for one question at a time, with a connection that is kept. */
struct slot {
    LIST_ENTRY(slot) next; /* while it is free */
    struct hook *hook;
    struct http_client *client; /* NULL: none yet */
    union endpoint address;     /* of the client */
    struct call *call;          /* NULL: free */
    uv_timer_t pause;           /* before it is asked once more */
};

struct hook {
    struct logic *logic;
    const struct logic_config *config;
    struct http_url url;
    struct http_addresses *addresses;
    struct hook_cache *cache; /* NULL: auth.cache is 0 */
    struct hook_breaker breaker;
    struct tls_client *tls; /* NULL: not https */
    char *secret;           /* a header; NULL: none */
    struct daemon_reload reload;
    struct slot *slots;
    LIST_HEAD(, slot) free_slots; /* the one that was used last comes first */
    size_t n_busy;
    STAILQ_HEAD(, call) waiting; /* in the order of their deadlines */
    size_t n_waiting;
    uv_timer_t expire; /* the first one's deadline */
    int open_handles;
    bool closed, failing;
    uint64_t logged_ms; /* when a failure was logged last */
    uint64_t unlogged;
};

static void pump(struct hook *hook);

static uint64_t now_of(const struct hook *hook)
{
    return loop_now_ms(hook->logic->loop);
}

static void count(const struct hook *hook, enum logic_metric metric)
{
    logic_count(hook->logic, metric, 1);
}

/* --- the log --- */

/* At most one line a second, whatever storm there is. */
static void tell_failure(struct hook *hook, const char *why)
{
    uint64_t now = now_of(hook);

    hook->failing = true;
    if (hook->logged_ms != 0 && now - hook->logged_ms < LOG_MS) {
        hook->unlogged++;
        return;
    }
    log_warn("the business did not say who connects",
             "host=%s why=\"%s\" others=%llu; the clients get code 12, and connect again",
             hook->url.host, why, (unsigned long long)hook->unlogged);
    hook->logged_ms = now;
    hook->unlogged = 0;
}

static void tell_success(struct hook *hook)
{
    if (hook->failing)
        log_info("the business says again who connects", "host=%s", hook->url.host);
    hook->failing = false;
    hook->logged_ms = 0;
}

/* --- the end of a question --- */

static void call_end(struct hook *hook, struct call *call, const struct hook_answer *answer)
{
    hook_fn fn = call->fn;
    void *arg = call->arg;

    logic_count(hook->logic, LOGIC_AUTH_US, (int64_t)((uv_hrtime() - call->asked_ns) / 1000));
    if (answer->code == CLOSE_NONE)
        count(hook, LOGIC_AUTH_ADMITTED);
    mem_wiped_free(call->body, call->len);
    free(call);
    fn(arg, answer);
}

/* The business has not said who it is. */
static void call_fail(struct hook *hook, struct call *call, enum logic_metric reason,
                      const char *why)
{
    struct hook_answer answer = {0};

    count(hook, reason);
    tell_failure(hook, why);
    hook_answer_refuse(&answer, CLOSE_UNAVAILABLE, "service unavailable, try again");
    call_end(hook, call, &answer);
}

static void call_refuse(struct hook *hook, struct call *call, uint32_t code, const char *reason)
{
    struct hook_answer answer = {0};

    count(hook, LOGIC_AUTH_REFUSED);
    hook_answer_refuse(&answer, code, reason);
    call_end(hook, call, &answer);
}

static struct call *take_waiting(struct hook *hook)
{
    struct call *call = STAILQ_TAKE(&hook->waiting, next);

    hook->n_waiting -= call != NULL;
    return call;
}

static void fail_waiting(struct hook *hook, enum logic_metric reason, const char *why)
{
    struct call *call;

    while ((call = take_waiting(hook)) != NULL)
        call_fail(hook, call, reason, why);
}

/* --- answers --- */

/* CALL got a good answer, now or earlier (CACHED). */
static void call_answered(struct hook *hook, struct call *call, const struct hook_answer *answer)
{
    uint64_t now_ms = logic_now_ms(hook->logic);

    if (answer->code != CLOSE_NONE) {
        count(hook, LOGIC_AUTH_REFUSED);
        call_end(hook, call, answer);
    } else if (answer->expire_at != 0 && answer->expire_at * 1000 <= now_ms) {
        call_refuse(hook, call, CLOSE_BAD_TOKEN, "expired");
    } else {
        call_end(hook, call, answer);
    }
}

/* Keeps the answer as long as both sides allow. */
static void keep(struct hook *hook, const struct call *call, const struct hook_answer *answer,
                 const char *body, size_t len)
{
    uint64_t ms = answer->cache_s < UINT32_MAX ? answer->cache_s * 1000 : UINT32_MAX;

    if (hook->cache == NULL || ms == 0)
        return;
    if (ms > (uint64_t)hook->config->auth_cache_ms)
        ms = (uint64_t)hook->config->auth_cache_ms;
    hook_cache_put(hook->cache, call->digest, now_of(hook) + ms, body, len);
}

static void call_has_body(struct hook *hook, struct call *call, const char *body, size_t len)
{
    struct hook_answer answer;
    char why[HOOK_WHY_MAX];

    if (hook_answer_read(body, len, &answer, why) != 0) {
        call_fail(hook, call, LOGIC_AUTH_FAILED_ANSWER, why);
        return;
    }
    tell_success(hook);
    keep(hook, call, &answer, body, len);
    call_answered(hook, call, &answer);
}

/* The business answered, with any status that is not a reason to ask once more. */
static void call_has_status(struct hook *hook, struct call *call, int status, const char *body,
                            size_t len)
{
    char why[64];

    if (status >= 200 && status < 300) {
        call_has_body(hook, call, body, len);
    } else if (status == 401 || status == 403) {
        tell_success(hook);
        call_refuse(hook, call, CLOSE_BAD_TOKEN, "refused");
    } else {
        (void)snprintf(why, sizeof why, "it answered with HTTP status %d", status);
        call_fail(hook, call, LOGIC_AUTH_FAILED_STATUS, why);
    }
}

/* --- slots --- */

static void slot_drop_client(struct slot *slot)
{
    http_client_close(slot->client);
    slot->client = NULL;
}

static struct call *slot_free(struct slot *slot)
{
    struct hook *hook = slot->hook;
    struct call *call = slot->call;

    slot->call = NULL;
    hook->n_busy--;
    LIST_INSERT_HEAD(&hook->free_slots, slot, next);
    return call;
}

/* May CALL be asked once more? Another address is tried if one cannot be reached, whatever
 * auth.retries says. */
static bool may_try_again(const struct hook *hook, const struct call *call, int status)
{
    size_t tries = (size_t)hook->config->auth_retries + 1;
    size_t addresses = http_addresses_count(hook->addresses);

    if (status < 0 && status != -ETIMEDOUT && tries < addresses)
        tries = addresses;
    return !hook->closed && !hook->breaker.open && call->tries < tries &&
           now_of(hook) + AGAIN_MS + AGAIN_SPREAD_MS < call->deadline_ms;
}

static void slot_ask(struct slot *slot);

static void on_pause_over(uv_timer_t *timer)
{
    struct slot *slot = container_of(timer, struct slot, pause);

    count(slot->hook, LOGIC_AUTH_RETRIES);
    slot_ask(slot);
}

static void slot_failed(struct slot *slot, int status)
{
    struct hook *hook = slot->hook;
    char why[96];

    http_addresses_failed(hook->addresses, &slot->address);
    if (status < 0)
        slot_drop_client(slot); /* the next try is for another address, perhaps */
    if (may_try_again(hook, slot->call, status)) {
        uv_timer_start(&slot->pause, on_pause_over, AGAIN_MS + random_number() % AGAIN_SPREAD_MS,
                       0);
        return;
    }
    bool opens = hook_breaker_failed(&hook->breaker, slot->call->answers, now_of(hook));
    failure_why(status, why, sizeof why);
    call_fail(hook, slot_free(slot), failure_reason(status), why);
    if (opens)
        fail_waiting(hook, LOGIC_AUTH_FAILED_PAUSE,
                     "it is not asked for a moment: it did not "
                     "answer several times");
}

static void on_answer(int status, const char *body, size_t len, void *arg)
{
    struct slot *slot = arg;
    struct hook *hook = slot->hook;

    if (failure_is_worth_another_try(status)) {
        slot_failed(slot, status);
    } else if (status < 0) {
        char why[96];
        failure_why(status, why, sizeof why);
        slot_drop_client(slot);
        call_fail(hook, slot_free(slot), failure_reason(status), why);
    } else {
        (void)hook_breaker_answered(&hook->breaker);
        call_has_status(hook, slot_free(slot), status, body, len);
    }
    pump(hook);
}

static void slot_open_client(struct slot *slot)
{
    struct hook *hook = slot->hook;

    slot->address = *http_addresses_current(hook->addresses);
    slot->client = http_client_open(hook->logic->loop, &slot->address.any, on_answer, slot);
    if (hook->tls != NULL)
        http_client_set_tls(slot->client, hook->tls, hook->url.address.host);
    http_client_set_host(slot->client, hook->url.host);
    http_client_limit(slot->client, (size_t)hook->config->auth_max_answer);
}

/* There is an address. */
static void slot_ask(struct slot *slot)
{
    static const char type[] = "application/json";
    struct hook *hook = slot->hook;
    struct call *call = slot->call;
    uint64_t now = now_of(hook), timeout = (uint64_t)hook->config->auth_timeout_ms;
    const struct http_client_body body = {type, call->body, call->len};

    if (slot->client != NULL &&
        !endpoint_same(&slot->address, http_addresses_current(hook->addresses)))
        slot_drop_client(slot);
    if (slot->client == NULL)
        slot_open_client(slot);
    if (call->deadline_ms <= now + timeout)
        timeout = call->deadline_ms > now ? call->deadline_ms - now : 0;
    if (call->tries++ == 0)
        call->answers = hook->breaker.answers;
    count(hook, LOGIC_AUTH_ASKED);
    http_client_set_header(slot->client, hook->secret);
    http_client_post_body(slot->client, hook->url.path, &body, timeout);
}

/* --- waiting --- */

static void on_expired(uv_timer_t *timer)
{
    struct hook *hook = container_of(timer, struct hook, expire);
    struct call *call;

    while ((call = STAILQ_FIRST(&hook->waiting)) != NULL && call->deadline_ms <= now_of(hook))
        call_fail(hook, take_waiting(hook), LOGIC_AUTH_FAILED_WAITING,
                  "too many questions are under way (auth.in_flight)");
    pump(hook);
}

static void watch_deadline(struct hook *hook)
{
    const struct call *first = STAILQ_FIRST(&hook->waiting);
    uint64_t now = now_of(hook);

    if (first == NULL)
        uv_timer_stop(&hook->expire);
    else if (!uv_is_active((uv_handle_t *)&hook->expire))
        uv_timer_start(&hook->expire, on_expired,
                       first->deadline_ms > now ? first->deadline_ms - now : 0, 0);
}

/* Gives free slots to those that wait. */
static void pump(struct hook *hook)
{
    struct slot *slot;

    if (hook->closed)
        return;
    while (!STAILQ_EMPTY(&hook->waiting) && http_addresses_count(hook->addresses) > 0 &&
           (slot = LIST_FIRST(&hook->free_slots)) != NULL) {
        LIST_REMOVE(slot, next);
        hook->n_busy++;
        slot->call = take_waiting(hook);
        slot_ask(slot);
    }
    watch_deadline(hook);
}

static void on_addresses(void *arg, int err)
{
    struct hook *hook = arg;
    char why[160];

    if (err != 0) {
        (void)snprintf(why, sizeof why, "its name is not resolved: %s", uv_strerror(err));
        tell_failure(hook, why);
        if (http_addresses_count(hook->addresses) == 0)
            fail_waiting(hook, LOGIC_AUTH_FAILED_CONNECT, why);
    }
    pump(hook);
}

/* --- asking --- */

/* True: an earlier answer was used. */
static bool answered_before(struct hook *hook, struct call *call, size_t own)
{
    struct hook_answer answer;
    char why[HOOK_WHY_MAX];
    size_t len;

    if (hook->cache == NULL)
        return false;
    hook_cache_digest(hook->cache, call->body + own, call->len - own, call->digest);
    const char *body = hook_cache_get(hook->cache, call->digest, now_of(hook), &len);
    if (body == NULL || hook_answer_read(body, len, &answer, why) != 0)
        return false;
    count(hook, LOGIC_AUTH_CACHED);
    call_answered(hook, call, &answer);
    return true;
}

void hook_ask(struct hook *hook, const struct hook_question *question, uint64_t deadline_ms,
              hook_fn fn, void *arg)
{
    struct call *call = mem_zalloc(sizeof *call);
    size_t own;

    loop_assert_owner(hook->logic->loop);
    call->body = hook_question_write(question, &call->len, &own);
    call->deadline_ms = deadline_ms;
    call->asked_ns = uv_hrtime();
    call->fn = fn;
    call->arg = arg;
    if (answered_before(hook, call, own))
        return;
    http_addresses_refresh(hook->addresses);
    if (hook->closed || !hook_breaker_lets(&hook->breaker, now_of(hook))) {
        call_fail(hook, call, LOGIC_AUTH_FAILED_PAUSE, "it is not asked for a moment");
    } else if (http_addresses_count(hook->addresses) == 0 &&
               !http_addresses_resolving(hook->addresses)) {
        call_fail(hook, call, LOGIC_AUTH_FAILED_CONNECT, "its name is not resolved");
    } else if (LIST_EMPTY(&hook->free_slots) &&
               hook->n_waiting >= (size_t)hook->config->auth_waiting) {
        call_fail(hook, call, LOGIC_AUTH_FAILED_WAITING,
                  "as many questions as may (auth.waiting) wait");
    } else {
        STAILQ_INSERT_TAIL(&hook->waiting, call, next);
        hook->n_waiting++;
        pump(hook);
    }
}

void hook_scrape(struct hook *hook)
{
    metric_set(hook->logic->counters, LOGIC_AUTH_WAITING, (int64_t)hook->n_waiting);
    metric_set(hook->logic->counters, LOGIC_AUTH_IN_FLIGHT, (int64_t)hook->n_busy);
    metric_set(hook->logic->counters, LOGIC_AUTH_KEPT,
               hook->cache != NULL ? (int64_t)hook_cache_count(hook->cache) : 0);
}

/* --- life --- */

static int on_reload(struct daemon *daemon, void *arg, char *err, size_t errlen)
{
    struct hook *hook = arg;
    char *secret = hook_secret_read(hook->config->auth_secret_file, err, errlen);

    (void)daemon;
    if (secret == NULL)
        return -EINVAL;
    mem_wiped_free_text(hook->secret);
    hook->secret = secret; /* requests under way have a copy */
    return 0;
}

static void warn_of_plain(const struct hook *hook)
{
    if (!hook->url.tls && !http_url_is_loopback(&hook->url))
        log_warn("auth.url is not on this machine, and without TLS",
                 "host=%s hint=\"tokens and cookies of clients go there: only on a network that "
                 "you trust\"",
                 hook->url.host);
}

static void open_slots(struct hook *hook)
{
    size_t n = (size_t)hook->config->auth_in_flight;

    hook->slots = mem_zalloc(n * sizeof *hook->slots);
    hook->open_handles = (int)n + 1;
    for (size_t i = n; i-- > 0;) {
        struct slot *slot = &hook->slots[i];
        slot->hook = hook;
        uv_timer_init(&hook->logic->loop->uv, &slot->pause);
        slot->pause.data = hook;
        LIST_INSERT_HEAD(&hook->free_slots, slot, next);
    }
}

static int open_tls(struct logic *logic, const struct http_url *url, struct tls_client **tls)
{
    const struct tls_client_options options = {.name = "auth", .alpn = "http/1.1"};
    char err[TLS_ERROR_MAX];
    int rc = url->tls ? tls_client_open(logic->daemon->tls, &options, tls, err, sizeof err) : 0;

    if (rc != 0)
        log_error("cannot ask the business who connects, over TLS", "%s", err);
    return rc;
}

int hook_open(struct logic *logic, struct hook **out)
{
    struct hook *hook;
    struct http_url url;
    struct tls_client *tls = NULL;
    char *secret = NULL, err[256];
    const char *why;

    *out = NULL;
    if (logic->config->auth_url[0] == '\0')
        return 0;
    (void)http_url_parse(logic->config->auth_url, &url, &why); /* hook_check() has */
    int rc = open_tls(logic, &url, &tls);
    if (rc != 0)
        return rc;
    if (logic->config->auth_secret_file[0] != '\0' &&
        (secret = hook_secret_read(logic->config->auth_secret_file, err, sizeof err)) == NULL) {
        log_error("cannot ask the business who connects", "err=\"%s\"", err);
        return -EINVAL;
    }
    hook = mem_zalloc(sizeof *hook);
    hook->logic = logic;
    hook->config = logic->config;
    hook->secret = secret;
    hook->url = url;
    hook->tls = tls;
    STAILQ_INIT(&hook->waiting);
    LIST_INIT(&hook->free_slots);
    uv_timer_init(&logic->loop->uv, &hook->expire);
    hook->expire.data = hook;
    open_slots(hook);
    if (logic->config->auth_cache_ms > 0)
        hook->cache = hook_cache_open((size_t)logic->config->auth_cache_entries);
    hook->addresses = http_addresses_open(logic->loop, &hook->url, on_addresses, hook);
    warn_of_plain(hook);
    if (secret != NULL) {
        hook->reload = (struct daemon_reload){.what = "auth", .run = on_reload, .arg = hook};
        daemon_on_reload(logic->daemon, &hook->reload);
    }
    *out = hook;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct hook *hook = handle->data;

    if (--hook->open_handles > 0)
        return;
    free(hook->slots);
    free(hook);
}

void hook_close(struct hook *hook)
{
    if (hook == NULL)
        return;
    loop_assert_owner(hook->logic->loop);
    hook->closed = true;
    fail_waiting(hook, LOGIC_AUTH_FAILED_PAUSE, "logic ends");
    for (int64_t i = 0; i < hook->config->auth_in_flight; i++) {
        struct slot *slot = &hook->slots[i];
        slot_drop_client(slot);
        if (slot->call != NULL)
            call_fail(hook, slot_free(slot), LOGIC_AUTH_FAILED_PAUSE, "logic ends");
        uv_close((uv_handle_t *)&slot->pause, on_handle_closed);
    }
    http_addresses_close(hook->addresses);
    hook_cache_close(hook->cache);
    mem_wiped_free_text(hook->secret);
    uv_close((uv_handle_t *)&hook->expire, on_handle_closed);
}
