#include "logic/jwt/jwks_fetch.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/http/addresses.h"
#include "common/http/client.h"
#include "common/tls/tls.h"
#include "logic/jwt/jwks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAUSE_DOUBLINGS = 4, SPREAD_PERCENT = 10, SECOND = 1000 };

struct jwks_fetch {
    struct logic *logic;
    const struct logic_config *config;
    jwks_fetch_fn fn;
    void *arg;
    struct http_url url;
    struct http_addresses *addresses;
    struct tls_client *tls;     /* NULL: not https */
    struct http_client *client; /* NULL: nothing is asked */
    union endpoint address;     /* of the client */
    size_t tries;               /* addresses that were tried in this fetch */
    uv_timer_t timer;           /* busy: it is late; else the next fetch is due */
    uint64_t began_ms, good_ms; /* loop time; good_ms: of the last one that brought keys, or of the
                                   start */
    unsigned failures;          /* in a row */
    bool busy, good, failing;
};

static uint64_t now_of(const struct jwks_fetch *fetch)
{
    return loop_now_ms(fetch->logic->loop);
}

/* --- settings --- */

int jwks_fetch_check(const struct logic_config *config, char *err, size_t errlen)
{
    struct http_url url;
    const char *why;

    if (config->jwt_jwks_url[0] == '\0')
        return 0;
    if (http_url_parse(config->jwt_jwks_url, &url, &why) != 0) {
        (void)snprintf(err, errlen, "jwt.jwks_url: %s", why);
        return -EINVAL;
    }
    if (!url.tls && !http_url_is_loopback(&url) && !config->jwt_jwks_insecure) {
        (void)snprintf(err, errlen,
                       "jwt.jwks_url: http:// to another machine: whoever is on the way can put in "
                       "a key, and be any user. Use https://, or on a network that no stranger "
                       "reaches jwt.jwks_insecure = yes");
        return -EINVAL;
    }
    if (config->jwt_jwks_timeout_ms >= config->connect_timeout_ms) {
        (void)snprintf(err, errlen,
                       "jwt.jwks_timeout (%lld ms) has to be less than connect.timeout (%lld ms): "
                       "clients with a new key wait for it",
                       (long long)config->jwt_jwks_timeout_ms,
                       (long long)config->connect_timeout_ms);
        return -EINVAL;
    }
    return 0;
}

/* --- the end of a fetch --- */

static void on_due(uv_timer_t *timer);

static uint64_t next_in(const struct jwks_fetch *fetch)
{
    uint64_t refresh = (uint64_t)fetch->config->jwt_jwks_refresh_ms;
    uint64_t pause = (uint64_t)fetch->config->jwt_jwks_pause_ms;
    unsigned doublings = fetch->failures > 0 ? fetch->failures - 1 : 0;

    pause <<= doublings < PAUSE_DOUBLINGS ? doublings : PAUSE_DOUBLINGS;
    uint64_t ms = fetch->failures > 0 && pause < refresh ? pause : refresh;
    return ms + random_number() % (ms * SPREAD_PERCENT / 100 + 1); /* not all logics at once */
}

static void fetch_end(struct jwks_fetch *fetch, struct jwt_keys *keys, enum logic_metric metric)
{
    http_client_close(fetch->client);
    fetch->client = NULL;
    fetch->busy = false;
    fetch->good = keys != NULL;
    fetch->failures = keys != NULL ? 0 : fetch->failures + 1;
    if (keys != NULL)
        fetch->good_ms = now_of(fetch);
    logic_count(fetch->logic, metric, 1);
    uv_timer_start(&fetch->timer, on_due, next_in(fetch), 0);
    fetch->fn(fetch->arg, keys);
}

static void fetch_failed(struct jwks_fetch *fetch, enum logic_metric metric, const char *why)
{
    if (!fetch->failing)
        log_warn("keys of jwt.jwks_url not fetched",
                 "host=%s why=\"%s\" hint=\"keys that were fetched before stay in force; logic "
                 "tries again\"",
                 fetch->url.host, why);
    fetch->failing = true;
    fetch_end(fetch, NULL, metric);
}

static void fetch_has_body(struct jwks_fetch *fetch, const char *body, size_t len)
{
    struct jwt_keys *keys = jwt_keys_new();
    struct jwt_why why;
    size_t skipped;

    if (jwks_add(keys, body, len, &skipped, &why) != 0) {
        jwt_keys_unref(keys);
        fetch_failed(fetch, LOGIC_JWKS_ANSWER, why.text);
        return;
    }
    if (fetch->failing)
        log_info("keys of jwt.jwks_url are fetched again", "host=%s keys=%zu skipped=%zu",
                 fetch->url.host, keys->n, skipped);
    fetch->failing = false;
    fetch_end(fetch, keys, LOGIC_JWKS_GOOD);
}

/* --- asking --- */

static void fetch_from_address(struct jwks_fetch *fetch);

/* No answer: from another address, if the name has one. */
static void fetch_no_answer(struct jwks_fetch *fetch, int status)
{
    char why[96];

    http_addresses_failed(fetch->addresses, &fetch->address);
    if (status != -ETIMEDOUT && fetch->tries < http_addresses_count(fetch->addresses)) {
        http_client_close(fetch->client);
        fetch_from_address(fetch);
        return;
    }
    (void)snprintf(why, sizeof why, "no connection: %s", uv_strerror(status));
    fetch_failed(fetch, status == -ETIMEDOUT ? LOGIC_JWKS_TIMEOUT : LOGIC_JWKS_CONNECT,
                 status == -ETIMEDOUT ? "no answer within jwt.jwks_timeout" : why);
}

static void on_answer(int status, const char *body, size_t len, void *arg)
{
    struct jwks_fetch *fetch = arg;
    char why[64];

    if (status >= 200 && status < 300) {
        fetch_has_body(fetch, body, len);
    } else if (status == -EMSGSIZE) {
        fetch_failed(fetch, LOGIC_JWKS_ANSWER, "its answer is longer than jwt.jwks_max");
    } else if (status == -EBADMSG) {
        fetch_failed(fetch, LOGIC_JWKS_ANSWER, "its answer is not HTTP");
    } else if (status < 0) {
        fetch_no_answer(fetch, status);
    } else {
        (void)snprintf(why, sizeof why, "it answered with HTTP status %d", status);
        fetch_failed(fetch, LOGIC_JWKS_STATUS, why);
    }
}

static void fetch_from_address(struct jwks_fetch *fetch)
{
    const struct logic_config *config = fetch->config;

    fetch->tries++;
    fetch->address = *http_addresses_current(fetch->addresses);
    fetch->client = http_client_open(fetch->logic->loop, &fetch->address.any, on_answer, fetch);
    if (fetch->tls != NULL)
        http_client_set_tls(fetch->client, fetch->tls, fetch->url.address.host);
    http_client_set_host(fetch->client, fetch->url.host);
    http_client_limit(fetch->client, (size_t)config->jwt_jwks_max);
    http_client_get(fetch->client, fetch->url.path, (uint64_t)config->jwt_jwks_timeout_ms);
}

static void on_late(uv_timer_t *timer)
{
    struct jwks_fetch *fetch = container_of(timer, struct jwks_fetch, timer);

    if (fetch->client != NULL)
        http_addresses_failed(fetch->addresses, &fetch->address);
    fetch_failed(fetch, LOGIC_JWKS_TIMEOUT,
                 fetch->client != NULL ? "no answer within jwt.jwks_timeout"
                                       : "its name is not resolved within jwt.jwks_timeout");
}

static void on_addresses(void *arg, int err)
{
    struct jwks_fetch *fetch = arg;
    char why[160];

    if (!fetch->busy || fetch->client != NULL)
        return;
    if (http_addresses_count(fetch->addresses) > 0) {
        fetch_from_address(fetch);
        return;
    }
    (void)snprintf(why, sizeof why, "its name is not resolved: %s",
                   err != 0 ? uv_strerror(err) : "no address");
    fetch_failed(fetch, LOGIC_JWKS_CONNECT, why);
}

/* If the name cannot be asked for now, the timer ends the fetch. */
static void fetch_begin(struct jwks_fetch *fetch)
{
    fetch->busy = true;
    fetch->tries = 0;
    fetch->began_ms = now_of(fetch);
    uv_timer_start(&fetch->timer, on_late, (uint64_t)fetch->config->jwt_jwks_timeout_ms, 0);
    http_addresses_refresh(fetch->addresses);
    if (http_addresses_count(fetch->addresses) > 0)
        fetch_from_address(fetch);
}

static void on_due(uv_timer_t *timer)
{
    fetch_begin(container_of(timer, struct jwks_fetch, timer));
}

bool jwks_fetch_ask(struct jwks_fetch *fetch)
{
    loop_assert_owner(fetch->logic->loop);
    if (fetch->busy)
        return true;
    if (now_of(fetch) < fetch->began_ms + (uint64_t)fetch->config->jwt_jwks_pause_ms) {
        logic_count(fetch->logic, LOGIC_JWKS_TOO_SOON, 1);
        return false;
    }
    fetch_begin(fetch);
    return true;
}

bool jwks_fetch_is_good(const struct jwks_fetch *fetch)
{
    return fetch->good;
}

void jwks_fetch_scrape(const struct jwks_fetch *fetch)
{
    metric_set(fetch->logic->counters, LOGIC_JWKS_AGE,
               (int64_t)((now_of(fetch) - fetch->good_ms) / SECOND));
}

/* --- life --- */

int jwks_fetch_open(struct logic *logic, jwks_fetch_fn fn, void *arg, struct jwks_fetch **out)
{
    const struct tls_client_options options = {.name = "jwks", .alpn = "http/1.1"};
    struct jwks_fetch *fetch;
    struct tls_client *tls = NULL;
    struct http_url url;
    const char *why;
    char err[TLS_ERROR_MAX];

    *out = NULL;
    if (logic->config->jwt_jwks_url[0] == '\0')
        return 0;
    (void)http_url_parse(logic->config->jwt_jwks_url, &url, &why); /* jwks_fetch_check() has */
    int rc = url.tls ? tls_client_open(logic->daemon->tls, &options, &tls, err, sizeof err) : 0;
    if (rc != 0) {
        log_error("cannot fetch jwt.jwks_url over TLS", "%s", err);
        return rc;
    }
    fetch = mem_zalloc(sizeof *fetch);
    fetch->logic = logic;
    fetch->config = logic->config;
    fetch->fn = fn;
    fetch->arg = arg;
    fetch->url = url;
    fetch->tls = tls;
    fetch->good_ms = now_of(fetch);
    uv_timer_init(&logic->loop->uv, &fetch->timer);
    if (!url.tls && !http_url_is_loopback(&url))
        log_warn("jwt.jwks_url is on another machine, and without TLS",
                 "host=%s hint=\"whoever is on the way can be any user: only on a network that "
                 "no stranger reaches\"",
                 url.host);
    fetch->addresses = http_addresses_open(logic->loop, &fetch->url, on_addresses, fetch);
    fetch_begin(fetch);
    *out = fetch;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct jwks_fetch, timer));
}

void jwks_fetch_close(struct jwks_fetch *fetch)
{
    if (fetch == NULL)
        return;
    loop_assert_owner(fetch->logic->loop);
    http_client_close(fetch->client);
    http_addresses_close(fetch->addresses);
    uv_close((uv_handle_t *)&fetch->timer, on_timer_closed);
}
