/* logic_requests.h - a worker's requests to the logics: queued here, sent in batches over one pipe
 * per live logic. Owner loop only.
 *
 *   session, register ── request ──► queue ──fill()──► SessionBatch ══ pipe ══► logic:
 *                     ◄── done() ── answered() ◄────── SessionReply ◄═════ peers/session_requests.c
 *
 * Any logic will do for any request: all of them are idempotent, so what a broken stream left
 * unanswered goes back to the head of the queue and to another logic. A request is answered exactly
 * once, unanswered when its deadline has passed; but a Connect that may have been carried out waits
 * for its answer however long it takes, since only that tells what to undo. Nothing is sent before
 * our lease is held: sessions are put under its epoch. */
#ifndef IMC_COMET_PEERS_LOGIC_REQUESTS_H
#define IMC_COMET_PEERS_LOGIC_REQUESTS_H

#include "comet/base/worker.h"
#include "comet/wire/push.h"
#include "proto/session.pb-c.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum logic_request_kind {
    REQUEST_CONNECT,
    REQUEST_DISCONNECT,
    REQUEST_FETCH,
    REQUEST_CONFIRM,
    REQUEST_STORE,
    REQUEST_REGISTER,
    REQUEST_REGISTERED,
    REQUEST_KINDS,
};

struct logic_request;

struct logic_answer {
    bool answered;   /* false: no logic answered in time; nothing below is valid then */
    uint32_t status; /* LogicStatus; connect: close code */
    uint64_t ring;   /* under which logic put what it put */
    uint64_t epoch;  /* of ours, in whose name it was asked */
    const Imc__V1__ConnectResult *connect;
    const Imc__V1__FetchResult *fetch;
    struct backing *backing; /* keeps connect and fetch alive; borrowed */
};

struct logic_request {
    struct logic_request *next;
    enum logic_request_kind kind;
    bool sent;            /* the link's: some logic may have carried it out */
    bool cancelled;       /* REGISTERED: no longer true, must not be sent (again) */
    uint64_t deadline_ms; /* loop time; 0 = as long as it takes */
    uint64_t handle;      /* CONFIRM, STORE: of the session that is owed it */
    int64_t uid;
    /* Runs once; the link frees the request (and what `bytes`, `ids` point to) after it. May be
     * NULL. */
    void (*done)(struct worker *worker, struct logic_request *request,
                 const struct logic_answer *answer);
    char *bytes; /* CONNECT: token; REGISTER: room */
    size_t bytes_len;
    char peer[48];             /* CONNECT */
    uint32_t wire;             /* CONNECT */
    uint64_t after;            /* FETCH; REGISTER: reregister.c's */
    bool own;                  /* FETCH: leave out what is owed only to others */
    uint64_t *ids;             /* CONFIRM */
    size_t n_ids;              /* CONFIRM */
    Imc__V1__Confirm__How how; /* CONFIRM */
    struct push push;          /* STORE: holds a reference to its backing */
    struct ticket ticket;      /* STORE: for done() */
};

struct logic_requests *logic_requests_open(struct worker *worker);
/* Unanswered requests get their done() with answered == false before this returns. */
void logic_requests_close(struct logic_requests *link);
/* worker->view has changed: opens and closes pipes. */
void logic_requests_update(struct logic_requests *link);
/* A zeroed request, to be filled and sent. */
struct logic_request *logic_requests_new(struct logic_requests *link, enum logic_request_kind kind);
void logic_requests_send(struct logic_requests *link, struct logic_request *request);
struct logic_confirm {
    Imc__V1__Confirm__How how;
    int64_t uid;
    uint64_t handle; /* of the session */
};
/* Confirms one message; consecutive ones of a session share a request. */
void logic_requests_confirm(struct logic_requests *link, const struct logic_confirm *confirm,
                            uint64_t id);
/* Requests that wait or are unanswered. */
size_t logic_requests_pending(const struct logic_requests *link);

#endif
