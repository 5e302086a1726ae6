#include "common/base/log.h"
#include "logic/upstream/internal.h"

#include <errno.h>
#include <stdlib.h>

enum { LOG_MS = 10000 };

/* --- answers --- */

static void warn(struct upstream *upstream, const char *why)
{
    static uint64_t logged_ms;
    uint64_t now = loop_now_ms(upstream->logic->loop);

    logic_count(upstream->logic, LOGIC_UPSTREAM_REPLIES_BAD, 1);
    if (logged_ms != 0 && now - logged_ms < LOG_MS)
        return;
    log_warn("the answer of upstream.url is not what it has to be",
             "why=\"%s\"; clients are answered without a reply", why);
    logged_ms = now;
}

static void on_answered(const char *body, size_t len, void *arg)
{
    struct upstream *upstream = arg;
    char why[REPLIES_WHY_MAX];

    replies_free(&upstream->replies);
    if (replies_read(body, len, &upstream->replies, why) != 0)
        warn(upstream, why);
}

/* The reply to the event of TICKET, if a client may get it; NULL: none. */
static const struct reply *reply_of(struct upstream *upstream, const struct upstream_ticket *ticket)
{
    const struct reply *reply = replies_find(&upstream->replies, ticket->by.post.id);

    if (reply == NULL)
        return NULL;
    if (reply->len > (size_t)upstream->logic->config->upstream_max_reply) {
        warn(upstream, "a reply is longer than upstream.max_reply");
        return NULL;
    }
    logic_count(upstream->logic, LOGIC_UPSTREAM_REPLIES, 1);
    return reply;
}

static void on_posted(struct webhook_ticket *posted, int err)
{
    struct upstream_ticket *ticket = container_of(posted, struct upstream_ticket, by.post.ticket);
    struct upstream *upstream = ticket->by.post.upstream;
    const struct reply *reply = err == 0 ? reply_of(upstream, ticket) : NULL;

    logic_count(upstream->logic,
                err == 0           ? LOGIC_UPSTREAM_PRODUCED
                : err == -EMSGSIZE ? LOGIC_UPSTREAM_LARGE
                : err == -EBADMSG  ? LOGIC_UPSTREAM_REFUSED
                                   : LOGIC_UPSTREAM_FAILED,
                1);
    free(ticket->by.post.json);
    ticket->done(ticket, err, reply != NULL ? reply->body : NULL, reply != NULL ? reply->len : 0);
}

static void on_count(enum webhook_count what, int64_t by, void *arg)
{
    static const enum logic_metric metrics[WEBHOOK_COUNTS] = {
        [WEBHOOK_POSTED] = LOGIC_WEBHOOK_POSTED,
        [WEBHOOK_FAILED_CONNECT] = LOGIC_WEBHOOK_FAILED_CONNECT,
        [WEBHOOK_FAILED_TIMEOUT] = LOGIC_WEBHOOK_FAILED_TIMEOUT,
        [WEBHOOK_FAILED_STATUS] = LOGIC_WEBHOOK_FAILED_STATUS,
        [WEBHOOK_FAILED_ANSWER] = LOGIC_WEBHOOK_FAILED_ANSWER,
        [WEBHOOK_EVENTS] = LOGIC_WEBHOOK_EVENTS,
        [WEBHOOK_US] = LOGIC_WEBHOOK_US,
    };
    struct upstream *upstream = arg;

    logic_count(upstream->logic, metrics[what], by);
}

/* --- sending --- */

int upstream_url_send(struct upstream *upstream, const struct upstream_event *event,
                      struct upstream_ticket *ticket)
{
    struct webhook_ticket *post = &ticket->by.post.ticket;

    cloud_event_id(event, ticket->by.post.id);
    ticket->by.post.upstream = upstream;
    ticket->by.post.json = cloud_event_json(event, ticket->by.post.id, &post->len);
    post->event = ticket->by.post.json;
    post->done = on_posted;
    int err = webhook_send(upstream->hook, event->uid, post);
    if (err != 0) {
        logic_count(upstream->logic, LOGIC_UPSTREAM_PUT_OFF, 1);
        free(ticket->by.post.json);
    }
    return err;
}

/* --- life --- */

static int on_reload(struct daemon *daemon, void *arg, char *err, size_t errlen)
{
    struct upstream *upstream = arg;

    (void)daemon;
    return webhook_reload(upstream->hook, err, errlen);
}

int upstream_url_open(struct upstream *upstream)
{
    struct logic *logic = upstream->logic;
    const struct webhook_options options = {
        .loop = logic->loop,
        .settings = &logic->config->upstream_hook,
        .tls = logic->daemon->tls,
        .name = "upstream",
        .max_waiting = (size_t)logic->config->upstream_max_waiting,
        .max_answer = (size_t)logic->config->upstream_max_answer,
        .answered = on_answered,
        .ready = upstream_on_ready,
        .ready_arg = logic,
        .count = on_count,
        .arg = upstream,
    };

    int err = webhook_open(&options, &upstream->hook);
    if (err != 0)
        return err;
    upstream_on_ready(true, NULL, logic);
    upstream->reload =
        (struct daemon_reload){.what = "upstream", .run = on_reload, .arg = upstream};
    daemon_on_reload(logic->daemon, &upstream->reload);
    return 0;
}
