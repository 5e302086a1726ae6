#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/network.h"
#include "common/webhook/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LOG_MS = 10000 };

void webhook_count(const struct webhook *hook, enum webhook_count what, int64_t by)
{
    hook->options.count(what, by, hook->options.arg);
}

/* --- what is told --- */

static void tell_success(struct webhook *hook)
{
    if (!hook->failing || hook->disabled || hook->n_failing > 0)
        return;
    if (hook->logged)
        log_info("webhook works again", "what=%s host=%s", hook->options.name, hook->url.host);
    hook->failing = hook->logged = false;
    hook->options.ready(true, NULL, hook->options.ready_arg);
}

static void tell_failure(struct webhook *hook, const char *why)
{
    uint64_t now = loop_now_ms(hook->options.loop);
    char text[WEBHOOK_WHY_MAX + 64];

    if (hook->disabled)
        return;
    if (hook->logged_ms == 0 || now - hook->logged_ms >= LOG_MS) {
        log_warn("webhook failed", "what=%s host=%s why=\"%s\"; posted again", hook->options.name,
                 hook->url.host, why);
        hook->logged_ms = now;
        hook->logged = true;
    }
    hook->failing = true;
    (void)snprintf(text, sizeof text, "%s.url does not take events: %s", hook->options.name, why);
    hook->options.ready(false, text, hook->options.ready_arg);
}

void webhook_tell(struct webhook *hook, const char *why)
{
    if (why != NULL)
        tell_failure(hook, why);
    else
        tell_success(hook);
}

void webhook_disable(struct webhook *hook)
{
    char text[160];

    if (hook->disabled)
        return;
    hook->disabled = hook->failing = hook->logged = true;
    (void)snprintf(text, sizeof text,
                   "%s.url answered 410 Gone: nothing is posted until SIGHUP or a restart",
                   hook->options.name);
    log_error("webhook is disabled", "what=%s host=%s why=\"%s\"", hook->options.name,
              hook->url.host, text);
    hook->options.ready(false, text, hook->options.ready_arg);
    for (size_t i = 0; i < hook->n_lanes && !hook->options.keeps; i++) {
        if (!hook->lanes[i].posting)
            lane_fail_all(&hook->lanes[i], -EAGAIN);
    }
}

/* --- where to --- */

static bool may_use(const struct webhook *hook, const union endpoint *address)
{
    struct ip ip;

    if (hook->options.settings->private_addresses || hook->names_private)
        return true;
    return ip_of_endpoint(address, &ip) && !ip_is_private(&ip);
}

const union endpoint *webhook_address(struct webhook *hook, char why[WEBHOOK_WHY_MAX])
{
    size_t n = http_addresses_count(hook->addresses);
    char text[IP_TEXT_MAX] = "";
    struct ip ip;

    why[0] = '\0';
    http_addresses_refresh(hook->addresses);
    for (size_t i = 0; i < n; i++) {
        const union endpoint *address = http_addresses_current(hook->addresses);
        if (may_use(hook, address))
            return address;
        if (ip_of_endpoint(address, &ip))
            ip_text(&ip, text);
        http_addresses_failed(hook->addresses, address); /* the next one, perhaps */
    }
    if (n > 0)
        (void)snprintf(why, WEBHOOK_WHY_MAX,
                       "its name leads to the private address %s; if that is right, set "
                       "%s.url_private = yes",
                       text, hook->options.name);
    else if (!http_addresses_resolving(hook->addresses))
        (void)snprintf(why, WEBHOOK_WHY_MAX, "its name is not resolved");
    return NULL;
}

static void on_addresses(void *arg, int err)
{
    struct webhook *hook = arg;
    char why[WEBHOOK_WHY_MAX];

    if (err == 0 || http_addresses_count(hook->addresses) > 0) {
        for (size_t i = 0; i < hook->n_lanes; i++)
            lane_go(&hook->lanes[i]);
        return;
    }
    (void)snprintf(why, sizeof why, "its name is not resolved: %s", uv_strerror(err));
    for (size_t i = 0; i < hook->n_lanes; i++) {
        struct webhook_lane *lane = &hook->lanes[i];
        if (!lane->posting && !lane_is_paused(lane) && !TAILQ_EMPTY(&lane->queue))
            lane_unreachable(lane, why);
    }
}

/* Does the URL say itself that it leads to a private address? */
static bool names_private(const struct http_url *url)
{
    struct ip ip;

    return http_url_is_loopback(url) ||
           (ip_parse(url->address.host, strlen(url->address.host), &ip) && ip_is_private(&ip));
}

/* --- sending --- */

static void on_pump(struct loop *loop, struct loop_task *task)
{
    struct webhook *hook = container_of(task, struct webhook, pump);

    (void)loop;
    for (size_t i = 0; i < hook->n_lanes && !hook->closed; i++)
        lane_go(&hook->lanes[i]);
}

int webhook_send(struct webhook *hook, int64_t uid, struct webhook_ticket *ticket)
{
    struct webhook_lane *lane = &hook->lanes[hash_mix64((uint64_t)uid) % hook->n_lanes];
    size_t most = hook->options.max_waiting;

    loop_assert_owner(hook->options.loop);
    if (hook->closed || (!hook->options.keeps && (hook->disabled || lane_is_paused(lane))))
        return -EAGAIN;
    if (most > 0 && hook->bytes > 0 && hook->bytes + ticket->len > most)
        return -EAGAIN;
    ticket->lane = lane;
    ticket->sent = false;
    hook->bytes += ticket->len;
    TAILQ_INSERT_TAIL(&lane->queue, ticket, link);
    if (!lane->posting)
        loop_defer(hook->options.loop, &hook->pump);
    return 0;
}

void webhook_cancel(struct webhook_ticket *ticket)
{
    struct webhook_lane *lane = ticket->lane;

    loop_assert_owner(lane->hook->options.loop);
    TAILQ_REMOVE(ticket->sent ? &lane->batch : &lane->queue, ticket, link);
    lane->hook->bytes -= ticket->len;
    ticket->lane = NULL;
    if (TAILQ_EMPTY(&lane->queue) && TAILQ_EMPTY(&lane->batch) && lane->failures > 0) {
        lane_forgive(lane); /* nothing will show that it works again */
        tell_success(lane->hook);
    }
}

size_t webhook_waiting(const struct webhook *hook)
{
    return hook->bytes;
}

bool webhook_is_disabled(const struct webhook *hook)
{
    return hook->disabled;
}

/* --- life --- */

static int open_tls(struct webhook *hook, char *err, size_t errlen)
{
    const struct tls_client_options client = {.name = "webhook", .alpn = "http/1.1"};
    const struct tls_settings settings = {.ca = hook->options.settings->ca};
    int rc = 0;

    if (!hook->url.tls)
        return 0;
    if (settings.ca[0] != '\0')
        rc = tls_open(&settings, &hook->own_tls, err, errlen);
    struct tls *tls = hook->own_tls != NULL ? hook->own_tls : hook->options.tls;
    return rc != 0 ? rc : tls_client_open(tls, &client, &hook->tls, err, errlen);
}

static int open_files(struct webhook *hook, char *err, size_t errlen)
{
    int rc = webhook_keys_read(hook->options.settings->secret_file, &hook->keys, err, errlen);

    return rc != 0 ? rc : open_tls(hook, err, errlen);
}

static void webhook_free(struct webhook *hook)
{
    tls_close(hook->own_tls);
    webhook_keys_free(hook->keys);
    free(hook->lanes);
    free(hook);
}

int webhook_open(const struct webhook_options *options, struct webhook **out)
{
    struct webhook *hook = mem_zalloc(sizeof *hook);
    char err[TLS_ERROR_MAX];

    loop_assert_owner(options->loop);
    hook->options = *options;
    int rc = webhook_check(options->settings, options->name, &hook->url, err, sizeof err);
    if (rc == 0)
        rc = open_files(hook, err, sizeof err);
    if (rc != 0) {
        log_error("cannot post events", "what=%s.url err=\"%s\"", options->name, err);
        webhook_free(hook);
        return rc;
    }
    if (!hook->url.tls && !http_url_is_loopback(&hook->url))
        log_warn("a webhook is not on this machine, and without TLS",
                 "what=%s.url host=%s hint=\"who is on the way reads the events\"", options->name,
                 hook->url.host);
    hook->names_private = names_private(&hook->url);
    hook->pump.run = on_pump;
    hook->n_lanes = (size_t)options->settings->in_flight;
    hook->lanes = mem_alloc(hook->n_lanes * sizeof *hook->lanes);
    for (size_t i = 0; i < hook->n_lanes; i++)
        lane_open(hook, &hook->lanes[i]);
    uv_timer_init(&options->loop->uv, &hook->last);
    hook->addresses = http_addresses_open(options->loop, &hook->url, on_addresses, hook);
    *out = hook;
    return 0;
}

int webhook_reload(struct webhook *hook, char *err, size_t errlen)
{
    struct webhook_keys *keys;
    int rc = webhook_keys_read(hook->options.settings->secret_file, &keys, err, errlen);

    loop_assert_owner(hook->options.loop);
    if (rc == 0 && hook->own_tls != NULL && (rc = tls_reload(hook->own_tls, err, errlen)) != 0)
        webhook_keys_free(keys);
    if (rc != 0)
        return rc;
    webhook_keys_free(hook->keys);
    hook->keys = keys;
    hook->until_ms = 0;
    if (hook->disabled)
        log_info("webhook is enabled again", "what=%s host=%s", hook->options.name, hook->url.host);
    hook->disabled = false;
    for (size_t i = 0; i < hook->n_lanes; i++)
        lane_forgive(&hook->lanes[i]);
    tell_success(hook);
    loop_defer(hook->options.loop, &hook->pump);
    return 0;
}

static void on_last_closed(uv_handle_t *handle)
{
    webhook_free(container_of((uv_timer_t *)handle, struct webhook, last));
}

static void on_lane_closed(uv_handle_t *handle)
{
    struct webhook *hook = handle->data;

    if (--hook->n_open == 0)
        uv_close((uv_handle_t *)&hook->last, on_last_closed);
}

void webhook_close(struct webhook *hook)
{
    if (hook == NULL)
        return;
    loop_assert_owner(hook->options.loop);
    hook->closed = true;
    hook->n_open = hook->n_lanes;
    http_addresses_close(hook->addresses);
    for (size_t i = 0; i < hook->n_lanes; i++)
        lane_close(&hook->lanes[i], on_lane_closed);
}
