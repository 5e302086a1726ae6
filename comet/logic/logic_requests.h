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
#ifndef IMC_COMET_LOGIC_LOGIC_REQUESTS_H
#define IMC_COMET_LOGIC_LOGIC_REQUESTS_H

#include "comet/base/worker.h"
#include "comet/wire/push.h"
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

/* LogicStatus of session.proto. */
enum logic_status { LOGIC_OK, LOGIC_UNAVAILABLE, LOGIC_RING_MISMATCH };

/* Confirm.How of session.proto. */
enum confirm_how {
    CONFIRM_WRITTEN, /* the session's socket has it */
    CONFIRM_WAIVED,  /* the session is no more and has not seen it */
};

/* Messages of a user's mailbox, oldest first. */
struct mailbox_page {
    struct push *waiting; /* they live as long as their backing */
    size_t n_waiting;
    bool more;     /* the mailbox holds more, behind the last one or behind `last` */
    uint64_t last; /* up to this id messages were left out behind the last one; 0: none were */
};

/* What logic says to a Connect. */
struct admission {
    int64_t uid;
    const char *room;   /* "": none */
    const char *reason; /* why not */
    struct mailbox_page page;
};

struct logic_request;

struct logic_answer {
    bool answered;   /* false: no logic answered in time; nothing below is valid then */
    uint32_t status; /* enum logic_status; CONNECT: a close code, 0 = admitted */
    uint64_t ring;   /* under which logic put what it put */
    uint64_t epoch;  /* of ours, in whose name it was asked */
    const struct admission *connect;  /* CONNECT */
    const struct mailbox_page *fetch; /* FETCH */
    struct backing *backing;          /* keeps connect and fetch alive; borrowed */
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
    char peer[48];        /* CONNECT */
    uint32_t wire;        /* CONNECT */
    uint64_t after;       /* FETCH; REGISTER: reregister.c's */
    bool own;             /* FETCH: leave out what is owed only to others */
    uint64_t *ids;        /* CONFIRM */
    size_t n_ids;         /* CONFIRM */
    enum confirm_how how; /* CONFIRM */
    uint64_t behind;      /* STORE: not without this one; 0 = none */
    struct push push;     /* STORE: holds a reference to its backing */
    struct ticket ticket; /* STORE: for done() */
};

/* GIVE_WAY: a user with the most sessions he may have wants another one. Of those with HANDLES the
 * most silent is to give way, if it may be dead (session.proto). */
typedef void (*logic_give_way_fn)(struct worker *worker, int64_t uid, const uint64_t *handles,
                                  size_t n_handles);

struct logic_requests *logic_requests_open(struct worker *worker, logic_give_way_fn give_way);
/* Unanswered requests get their done() with answered == false before this returns. */
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
};
/* Confirms one message; consecutive ones of a session share a request. */
void logic_requests_confirm(struct logic_requests *link, const struct logic_confirm *confirm,
                            uint64_t id);
/* Requests that wait or are unanswered. */
size_t logic_requests_pending(const struct logic_requests *link);

#endif
