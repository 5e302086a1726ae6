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
#include "comet/wire/push.h"
#include "common/base/list.h"
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
    REQUEST_ROOM,
    REQUEST_KINDS,
};

/* LogicStatus of session.proto. */
enum logic_status { LOGIC_OK, LOGIC_UNAVAILABLE, LOGIC_RING_MISMATCH };

/* Confirm.How of session.proto. */
enum confirm_how {
    CONFIRM_WRITTEN, /* the kernel has it for the session */
    CONFIRM_WAIVED,  /* the session is gone and has not seen it */
};

/* Messages of a user's mailbox, oldest first. */
struct mailbox_page {
    struct push *waiting; /* valid as long as their backing */
    size_t n_waiting;
    bool more;     /* the mailbox holds more, after the last one or after `last` */
    uint64_t last; /* the last id that was left out after the last one; 0: none was */
};

/* Logic's answer to a Connect. */
struct admission {
    int64_t uid;
    const char *room; /* "": none */
    const char *key;  /* goim: of the device */
    bool accepts_all; /* goim: every operation; false: those of `accepts` */
    const int32_t *accepts;
    size_t n_accepts;
    bool hello;         /* goim: the auth reply has a body */
    const char *reason; /* why it was refused */
    struct mailbox_page page;
};

struct logic_request;

struct logic_answer {
    bool answered;   /* false: no logic answered in time; nothing below is valid then */
    uint32_t status; /* enum logic_status; CONNECT: a close code, 0 = admitted */
    uint64_t ring;   /* the ring under which logic has put sessions */
    uint64_t epoch;  /* our epoch when the request was sent */
    const struct admission *connect;  /* CONNECT */
    const struct mailbox_page *fetch; /* FETCH */
    uint64_t room_total;              /* ROOM: sessions on all comets */
    struct backing *backing;          /* keeps connect and fetch alive; borrowed */
};

struct logic_request {
    STAILQ_ENTRY(logic_request) link;
    enum logic_request_kind kind;
    bool sent;            /* set by logic_requests.c: a logic may have carried it out */
    bool cancelled;       /* REGISTERED: it is no longer true, and must not be sent (again) */
    uint64_t deadline_ms; /* loop time; 0 = as long as it takes */
    uint64_t handle; /* CONFIRM, STORE: the session that the message is owed to; ROOM: the one that
                        waits for the answer, 0: none */
    int64_t uid;
    /* Called once; may be NULL. The request, with `bytes`, `key` and `ids`, is freed after the
     * call. */
    void (*done)(struct worker *worker, struct logic_request *request,
                 const struct logic_answer *answer);
    char *bytes; /* CONNECT: token, or goim's auth; REGISTER, ROOM: room */
    size_t bytes_len;
    char *key;            /* REGISTER: of the device; NULL: it has none */
    bool goim;            /* CONNECT: bytes are goim's auth */
    char peer[48];        /* CONNECT */
    uint32_t wire;        /* CONNECT */
    uint32_t members;     /* ROOM: sessions on this loop */
    uint64_t number;      /* ROOM: rises with every word of this loop */
    uint64_t after;       /* FETCH; REGISTER: reregister.c's; ROOM: room_reports.c's */
    bool own;             /* FETCH: leave out messages owed only to other sessions */
    uint64_t *ids;        /* CONFIRM */
    size_t n_ids;         /* CONFIRM */
    enum confirm_how how; /* CONFIRM */
    uint64_t behind;      /* STORE: only if this message is in the mailbox; 0 = none */
    struct push push;     /* STORE: holds a reference to its backing */
    struct ticket ticket; /* STORE: for done() */
};
STAILQ_HEAD(logic_request_queue, logic_request);

/* GIVE_WAY: a user has as many sessions as he may have, and wants another one. Of the sessions with
 * HANDLES the one that has been silent for longest is to end, if it may be dead (session.proto). */
typedef void (*logic_give_way_fn)(struct worker *worker, int64_t uid, const uint64_t *handles,
                                  size_t n_handles);

struct logic_requests *logic_requests_open(struct worker *worker, logic_give_way_fn give_way);
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
};
/* Confirms one message. Consecutive ones of a session share a request. */
void logic_requests_confirm(struct logic_requests *link, const struct logic_confirm *confirm,
                            uint64_t id);
/* The number of requests that are queued or unanswered. */
size_t logic_requests_pending(const struct logic_requests *link);

#endif
