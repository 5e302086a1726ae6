/* webhook.h - posts events to a URL of the business, at least once, in order per user. Owner loop
 * only.
 *
 *   webhook_send ─► lane of the uid: queue ─► batch ══ http_client ══► business
 *                        ▲                      │
 *                        │                      ├─ 2xx: done(0) for each, the next batch goes
 *                        │                      └─ anything else: a pause
 *                        └─────── kept ◄──────────────┴─► or, without `keeps`, done(-EAGAIN)
 *
 * A lane has one post under way. So what it has of a user arrives in order. A batch that fails goes
 * again before anything else of its lane, with at most half as many events if the business
 * answered: so one event that the business cannot take holds up few others. Batches grow while a
 * post is under way, and nothing waits for one to be full.
 *
 * A post is a batch of CloudEvents in JSON with a signature (signature.h). No redirect is followed:
 * the key signs for whoever is configured, and an answer must not lead us elsewhere. Private
 * addresses are used only if the URL or a setting says so, and it is the address of the connection
 * that is looked at, whatever DNS said before. 410 stops everything until webhook_reload(). */
#ifndef IMC_COMMON_WEBHOOK_WEBHOOK_H
#define IMC_COMMON_WEBHOOK_WEBHOOK_H

#include "common/base/list.h"
#include "common/base/loop.h"
#include "common/webhook/settings.h"

struct tls;
struct webhook;
struct webhook_lane;

/* Embedded in what waits for an event. done() is called exactly once, unless it is cancelled, and
 * never within webhook_send(). ERR 0: the business answered 2xx. -EAGAIN: it may have it; send it
 * again. Without `keeps`, of an event that was alone in its post: -EMSGSIZE: it answered 413,
 * -EBADMSG: 400 or 422. */
struct webhook_ticket {
    TAILQ_ENTRY(webhook_ticket) link; /* this and the next two: webhook.c */
    struct webhook_lane *lane;
    bool sent;
    const char *event; /* a CloudEvent in JSON; borrowed until the ticket is done or cancelled */
    size_t len;
    void (*done)(struct webhook_ticket *ticket, int err);
};

enum webhook_count {
    WEBHOOK_POSTED,         /* a post that was answered 2xx */
    WEBHOOK_FAILED_CONNECT, /* no address that may be used, no connection, TLS */
    WEBHOOK_FAILED_TIMEOUT,
    WEBHOOK_FAILED_STATUS, /* another status */
    WEBHOOK_FAILED_ANSWER, /* not HTTP */
    WEBHOOK_EVENTS,        /* events that the business has */
    WEBHOOK_US,            /* microseconds of posts that were answered */
    WEBHOOK_COUNTS
};

struct webhook_options {
    struct loop *loop;
    const struct webhook_settings *settings; /* webhook_check() took them; outlives the webhook */
    struct tls *tls;                         /* of the daemon */
    const char *name;                        /* of the settings' section; not copied */
    /* What fails is kept, and posted again until it succeeds. Otherwise it fails, with all that its
     * lane has, and webhook_send() says -EAGAIN during the pause. */
    bool keeps;
    size_t max_waiting; /* bytes of events that are not done; more are put off; 0: no limit */
    size_t max_answer;  /* bytes of an answer that answered() gets; the rest is dropped */
    /* Of a 2xx answer, before done() of the batch's events; BODY is valid until the last of these
     * has returned. May be NULL. */
    void (*answered)(const char *body, size_t len, void *arg);
    /* Did the business take what was posted last? WHY not. Never within a call but
     * webhook_reload() and webhook_cancel(). */
    void (*ready)(bool ready, const char *why, void *ready_arg);
    void *ready_arg;
    void (*count)(enum webhook_count what, int64_t by, void *arg);
    void *arg; /* of answered() and count() */
};

/* Reads the key file, and blocks for it. 0, or -E… after logging. */
int webhook_open(const struct webhook_options *options, struct webhook **out);
/* Takes TICKET and the event in it, of the user UID. -EAGAIN: not now, send it again later; never
 * with `keeps` and without a limit. */
int webhook_send(struct webhook *hook, int64_t uid, struct webhook_ticket *ticket);
/* TICKET, which is not done, is forgotten: done() is not called. The business may get it. */
void webhook_cancel(struct webhook_ticket *ticket);
/* SIGHUP: reads key and CA anew, and begins again after 410, and without a pause. 0; or -E…, ERR
 * says why, and nothing changes. Blocks for the files. */
int webhook_reload(struct webhook *hook, char *err, size_t errlen);
/* Bytes of events that are not done. */
size_t webhook_waiting(const struct webhook *hook);
/* Did the business answer 410? */
bool webhook_is_disabled(const struct webhook *hook);
/* Tickets that wait are done, -EAGAIN. NULL is fine. */
void webhook_close(struct webhook *hook);

#endif
