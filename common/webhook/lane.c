#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/http/client.h"
#include "common/http/retry_after.h"
#include "common/webhook/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAUSE_FIRST_MS = 250,
    DOUBLINGS_MOST = 20,
    RETRY_AFTER_MOST_S = 3600,
    BATCH_BYTES = 256 * 1024,
    REFUSED_MOST = 3, /* events in a row that are refused without a pause */
};

static uint64_t now_ms(const struct webhook_lane *lane)
{
    return loop_now_ms(lane->hook->options.loop);
}

/* --- the end of events --- */

static void ticket_done(struct webhook_lane *lane, struct webhook_queue *queue, int err)
{
    struct webhook_ticket *ticket = TAILQ_FIRST(queue);

    TAILQ_REMOVE(queue, ticket, link);
    lane->hook->bytes -= ticket->len;
    ticket->lane = NULL;
    ticket->done(ticket, err);
}

void lane_fail_all(struct webhook_lane *lane, int err)
{
    while (!TAILQ_EMPTY(&lane->batch))
        ticket_done(lane, &lane->batch, err);
    while (!TAILQ_EMPTY(&lane->queue))
        ticket_done(lane, &lane->queue, err);
}

/* What was posted goes first in the next batch. */
static void lane_take_back(struct webhook_lane *lane)
{
    struct webhook_ticket *ticket;

    TAILQ_FOREACH(ticket, &lane->batch, link)
        ticket->sent = false;
    TAILQ_CONCAT(&lane->batch, &lane->queue, link);
    TAILQ_CONCAT(&lane->queue, &lane->batch, link);
}

/* --- pauses --- */

bool lane_is_paused(const struct webhook_lane *lane)
{
    return uv_is_active((const uv_handle_t *)&lane->pause) || now_ms(lane) < lane->hook->until_ms;
}

static void on_pause_over(uv_timer_t *timer)
{
    lane_go(container_of(timer, struct webhook_lane, pause));
}

/* Cut by up to half at random, so that lanes and daemons do not come together. */
static void lane_pause(struct webhook_lane *lane)
{
    uint64_t most = (uint64_t)lane->hook->options.settings->retry_ms, pause = PAUSE_FIRST_MS;

    for (unsigned i = 1; i < lane->failures && i < DOUBLINGS_MOST && pause < most; i++)
        pause *= 2;
    if (pause > most)
        pause = most;
    pause -= random_number() % (pause / 2 + 1);
    uv_timer_start(&lane->pause, on_pause_over, pause, 0);
}

void lane_forgive(struct webhook_lane *lane)
{
    uv_timer_stop(&lane->pause);
    lane->hook->n_failing -= lane->failures > 0;
    lane->failures = 0;
}

static void lane_failed(struct webhook_lane *lane, const char *why)
{
    struct webhook *hook = lane->hook;

    if (TAILQ_EMPTY(&lane->batch) && TAILQ_EMPTY(&lane->queue)) /* all were cancelled */
        return;
    hook->n_failing += lane->failures++ == 0;
    lane_pause(lane);
    webhook_tell(hook, why);
    if (hook->options.keeps)
        lane_take_back(lane);
    else
        lane_fail_all(lane, -EAGAIN);
}

void lane_unreachable(struct webhook_lane *lane, const char *why)
{
    webhook_count(lane->hook, WEBHOOK_FAILED_CONNECT, 1);
    lane_failed(lane, why);
}

/* --- answers --- */

static void lane_drop_client(struct webhook_lane *lane)
{
    http_client_close(lane->client);
    lane->client = NULL;
}

static void lane_succeeded(struct webhook_lane *lane, const char *body, size_t len)
{
    struct webhook *hook = lane->hook;
    size_t most = (size_t)hook->options.settings->batch;

    webhook_count(hook, WEBHOOK_POSTED, 1);
    webhook_count(hook, WEBHOOK_EVENTS, (int64_t)lane->n_posted);
    lane_forgive(lane);
    lane->refused = 0;
    lane->most = lane->most * 2 < most ? lane->most * 2 : most;
    webhook_tell(hook, NULL);
    if (hook->options.answered != NULL)
        hook->options.answered(body, len, hook->options.arg);
    while (!TAILQ_EMPTY(&lane->batch))
        ticket_done(lane, &lane->batch, 0);
}

static enum webhook_count failure_of(int status)
{
    if (status > 0)
        return WEBHOOK_FAILED_STATUS;
    if (status == -ETIMEDOUT)
        return WEBHOOK_FAILED_TIMEOUT;
    return status == -EBADMSG ? WEBHOOK_FAILED_ANSWER : WEBHOOK_FAILED_CONNECT;
}

static void why_of(const struct webhook_lane *lane, int status, char why[WEBHOOK_WHY_MAX])
{
    if (status >= 300 && status < 400)
        (void)snprintf(why, WEBHOOK_WHY_MAX,
                       "it answered with HTTP status %d; no redirect is followed", status);
    else if (status > 0)
        (void)snprintf(why, WEBHOOK_WHY_MAX,
                       "it answered with HTTP status %d to a post of %zu events", status,
                       lane->n_posted);
    else if (status == -ETIMEDOUT)
        (void)snprintf(why, WEBHOOK_WHY_MAX, "no answer within %s.url_timeout",
                       lane->hook->options.name);
    else if (status == -EBADMSG)
        (void)snprintf(why, WEBHOOK_WHY_MAX, "its answer is not HTTP");
    else if (status == -EPROTO)
        (void)snprintf(why, WEBHOOK_WHY_MAX, "no connection: TLS failed, the log says why");
    else
        (void)snprintf(why, WEBHOOK_WHY_MAX, "no connection: %s", uv_strerror(status));
}

/* The business may want to be left alone, all of us. */
static void lane_hear_pause(struct webhook_lane *lane)
{
    const char *value = http_client_answer_header(lane->client, "retry-after");
    int64_t wait_s = retry_after_s(value, (int64_t)(time_unix_ms() / 1000), RETRY_AFTER_MOST_S);
    uint64_t until = now_ms(lane) + (uint64_t)wait_s * 1000;

    if (wait_s > 0 && until > lane->hook->until_ms)
        lane->hook->until_ms = until;
}

/* A status that blames what was posted: one event of a batch is enough for it. A smaller batch goes
 * at once. An event that is refused alone is done, unless it has to be kept. True: that was all. If
 * several are refused in a row, the business is what is wrong, and there is a pause. */
static bool lane_narrows(struct webhook_lane *lane, int status)
{
    if (status != 400 && status != 413 && status != 422)
        return false;
    if (lane->n_posted > 1) {
        lane->most = lane->n_posted / 2;
        lane_take_back(lane);
        return true;
    }
    if (lane->hook->options.keeps || lane->refused++ >= REFUSED_MOST)
        return false;
    if (!TAILQ_EMPTY(&lane->batch))
        ticket_done(lane, &lane->batch, status == 413 ? -EMSGSIZE : -EBADMSG);
    return true;
}

static void lane_answered_no(struct webhook_lane *lane, int status)
{
    char why[WEBHOOK_WHY_MAX];

    webhook_count(lane->hook, failure_of(status), 1);
    if (lane_narrows(lane, status))
        return;
    why_of(lane, status, why);
    if (status > 0)
        lane_hear_pause(lane);
    if (status < 0) {
        http_addresses_failed(lane->hook->addresses, &lane->address);
        lane_drop_client(lane); /* the next post is to another address, perhaps */
    }
    if (status > 0 || status == -ETIMEDOUT)
        lane->most = lane->n_posted > 1 ? lane->n_posted / 2 : 1;
    lane_failed(lane, why);
}

static void on_answer(int status, const char *body, size_t len, void *arg)
{
    struct webhook_lane *lane = arg;

    lane->posting = false;
    if (status > 0)
        webhook_count(lane->hook, WEBHOOK_US, (int64_t)((uv_hrtime() - lane->posted_ns) / 1000));
    if (status >= 200 && status < 300) {
        lane_succeeded(lane, body, len);
    } else if (status == 410) {
        webhook_count(lane->hook, WEBHOOK_FAILED_STATUS, 1);
        lane_take_back(lane);
        webhook_disable(lane->hook);
        if (!lane->hook->options.keeps)
            lane_fail_all(lane, -EAGAIN);
    } else {
        lane_answered_no(lane, status);
    }
    lane_go(lane);
}

/* --- posting --- */

static void lane_fill(struct webhook_lane *lane)
{
    struct webhook_ticket *ticket;
    size_t bytes = 0;

    lane->n_posted = 0;
    while ((ticket = TAILQ_FIRST(&lane->queue)) != NULL && lane->n_posted < lane->most &&
           (lane->n_posted == 0 || bytes + ticket->len <= BATCH_BYTES)) {
        TAILQ_REMOVE(&lane->queue, ticket, link);
        TAILQ_INSERT_TAIL(&lane->batch, ticket, link);
        ticket->sent = true;
        bytes += ticket->len;
        lane->n_posted++;
    }
}

/* The batch as a JSON array; to be freed. */
static char *lane_body(const struct webhook_lane *lane, size_t *len)
{
    const struct webhook_ticket *ticket;
    size_t size = 2;

    TAILQ_FOREACH(ticket, &lane->batch, link)
        size += ticket->len + 1;
    char *body = mem_alloc(size), *at = body;
    TAILQ_FOREACH(ticket, &lane->batch, link) {
        *at = at == body ? '[' : ',';
        at++;
        memcpy(at, ticket->event, ticket->len);
        at += ticket->len;
    }
    *at++ = ']';
    *len = (size_t)(at - body);
    return body;
}

static void lane_open_client(struct webhook_lane *lane, const union endpoint *address)
{
    struct webhook *hook = lane->hook;

    if (lane->client != NULL && endpoint_same(&lane->address, address))
        return;
    lane_drop_client(lane);
    lane->address = *address;
    lane->client = http_client_open(hook->options.loop, &lane->address.any, on_answer, lane);
    if (hook->tls != NULL)
        http_client_set_tls(lane->client, hook->tls, hook->url.address.host);
    http_client_set_host(lane->client, hook->url.host);
    http_client_cut(lane->client, hook->options.max_answer);
}

static void lane_post(struct webhook_lane *lane, const union endpoint *address)
{
    struct webhook *hook = lane->hook;
    char headers[256], id[WEBHOOK_ID_MAX], signature[WEBHOOK_SIGNATURE_MAX];
    int64_t unix_s = (int64_t)(time_unix_ms() / 1000);
    struct http_client_body body = {.type = "application/cloudevents-batch+json; charset=UTF-8"};

    lane_fill(lane);
    char *text = lane_body(lane, &body.len);
    webhook_id(text, body.len, id);
    if (webhook_sign(hook->keys, id, unix_s, text, body.len, signature) != 0) {
        free(text);
        lane_unreachable(lane, "OpenSSL did not sign the post");
        return;
    }
    (void)snprintf(headers, sizeof headers,
                   "webhook-id: %s\r\nwebhook-timestamp: %" PRId64 "\r\nwebhook-signature: %s\r\n",
                   id, unix_s, signature);
    lane_open_client(lane, address);
    body.data = text;
    lane->posting = true;
    lane->posted_ns = uv_hrtime();
    http_client_set_header(lane->client, headers);
    http_client_post_body(lane->client, hook->url.path, &body,
                          (uint64_t)hook->options.settings->timeout_ms);
    http_client_set_header(lane->client, NULL); /* the request has a copy */
    free(text);
}

void lane_go(struct webhook_lane *lane)
{
    struct webhook *hook = lane->hook;
    char why[WEBHOOK_WHY_MAX];

    if (hook->closed || hook->disabled || lane->posting || TAILQ_EMPTY(&lane->queue) ||
        uv_is_active((uv_handle_t *)&lane->pause))
        return;
    if (now_ms(lane) < hook->until_ms) {
        uint64_t wait = hook->until_ms - now_ms(lane);
        uv_timer_start(&lane->pause, on_pause_over, wait + random_number() % PAUSE_FIRST_MS, 0);
        return;
    }
    const union endpoint *address = webhook_address(hook, why);
    if (address != NULL)
        lane_post(lane, address);
    else if (why[0] != '\0')
        lane_unreachable(lane, why);
}

/* --- life --- */

void lane_open(struct webhook *hook, struct webhook_lane *lane)
{
    *lane = (struct webhook_lane){.hook = hook, .most = (size_t)hook->options.settings->batch};
    TAILQ_INIT(&lane->queue);
    TAILQ_INIT(&lane->batch);
    uv_timer_init(&hook->options.loop->uv, &lane->pause);
    lane->pause.data = hook;
}

void lane_close(struct webhook_lane *lane, uv_close_cb closed)
{
    lane_drop_client(lane);
    lane_fail_all(lane, -EAGAIN);
    uv_close((uv_handle_t *)&lane->pause, closed);
}
