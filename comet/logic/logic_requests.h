/* logic_requests.h - a worker's requests to the logics: queues them, and sends them in batches over
 * one pipe per live logic. Owner loop only.
 *
 *   session, register ── request ──► queue ──fill()──► SessionBatch ══ pipe ══► logic:
 *                     ◄── done() ── answered() ◄────── SessionReply ◄═════ peers/session_requests.c
 *
 * Any logic can answer any request, and all requests are idempotent. So requests that a broken
 * stream left unanswered go back to the head of the queue, and to another logic. Every request ends
 * exactly once: with an answer, or without one when its deadline has passed. A Connect that a logic
 * may have carried out has no deadline, because only its answer tells what to undo. Nothing is sent
 * before we hold our lease, because sessions are put under its epoch. */
#ifndef IMC_COMET_LOGIC_LOGIC_REQUESTS_H
#define IMC_COMET_LOGIC_LOGIC_REQUESTS_H

#include "comet/base/worker.h"
#include "comet/logic/logic_request.h"
#include "comet/logic/questions.h"
#include "comet/logic/room_orders.h"
#include "common/rpc/pipe.h"

/* GiveWay.Why of session.proto. */
enum give_way_why { GIVE_WAY_SILENT, GIVE_WAY_OLDEST, GIVE_WAY_SAME_KEY };

/* GIVE_WAY: a newer session of UID needs the place of those with HANDLES; with GIVE_WAY_SILENT of
 * one of them, if it may be dead (session.proto). */
typedef void (*logic_give_way_fn)(struct worker *worker, int64_t uid, const uint64_t *handles,
                                  size_t n_handles, enum give_way_why why);

/* A logic has said that it asks the business who connects, or Kafka whether it has the session.
 * ROOMS: it wants to know who enters and leaves rooms, too. */
typedef void (*logic_hook_fn)(struct worker *worker, bool rooms);

/* A logic has said that it takes what clients send to the business, or no logic does any more. */
typedef void (*logic_upstream_fn)(struct worker *worker, bool on);

/* What logics ask of the worker, or tell it. */
struct logic_asks {
    logic_give_way_fn give_way;
    room_order_fn room_order; /* room_orders.h */
    question_fn question;     /* questions.h */
    drain_order_fn drain;     /* likewise; may be NULL */
    logic_upstream_fn upstream;
    logic_hook_fn hook; /* may be NULL */
};

/* So much longer than a request may take a batch waits for logic's answer: logic itself says before
 * that what it could not do in time. */
enum { LOGIC_SLACK_MS = 2000 };

/* A link is one stream to each live logic. */
struct logic_link {
    /* This link carries nothing but REQUEST_UPSTREAM, whose answers wait for Kafka. It uses only
     * logics that take them, and leaves to the other link what they ask. */
    bool slow;
    /* This link carries nothing but REQUEST_CONNECT and REQUEST_RENEW, for logics that ask the
     * business, which may take its time. It leaves to the other link what they ask, too. */
    bool connects;
    struct logic_asks asks; /* of neither of these */
    int window;             /* batches in flight to one logic */
    int admissions;         /* Connects in flight to all logics; the others wait, in order; 0: any
                             * number */
    enum pipe_call call;    /* what a batch's time counts as */
    int timeout_ms;         /* a batch that is unanswered for so long goes to another logic */
};

struct logic_requests *logic_requests_open(struct worker *worker, const struct logic_link *options);
/* Before this returns, unanswered requests get their done() with answered == false. */
void logic_requests_close(struct logic_requests *link);
/* worker->view has changed: opens and closes pipes. */
void logic_requests_update(struct logic_requests *link);
/* A zeroed request, to be filled and sent. */
struct logic_request *logic_requests_new(struct logic_requests *link, enum logic_request_kind kind);
void logic_requests_send(struct logic_requests *link, struct logic_request *request);
struct logic_confirm {
    enum confirm_how how;
    int64_t uid;
    uint64_t handle; /* of the session */
    const char *key; /* of its device; NULL: it has none, or is gone */
};
/* Confirms one message. Consecutive ones of a session share a request. */
void logic_requests_confirm(struct logic_requests *link, const struct logic_confirm *confirm,
                            uint64_t id);
/* The number of requests that are queued or unanswered. */
size_t logic_requests_pending(const struct logic_requests *link);

#endif
