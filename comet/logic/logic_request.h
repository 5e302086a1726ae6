/* logic_request.h - one request to a logic, and its answer. logic_requests.h sends it, and
 * logic_batch.h packs it. Owner loop only. */
#ifndef IMC_COMET_LOGIC_LOGIC_REQUEST_H
#define IMC_COMET_LOGIC_LOGIC_REQUEST_H

#include "comet/wire/push.h"
#include "common/base/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;

enum logic_request_kind {
    REQUEST_CONNECT,
    REQUEST_DISCONNECT,
    REQUEST_FETCH,
    REQUEST_CONFIRM,
    REQUEST_STORE,
    REQUEST_REGISTER,
    REQUEST_REGISTERED,
    REQUEST_ROOM,
    REQUEST_UPSTREAM,
    REQUEST_RELOCATE,
    REQUEST_RENEW,
    REQUEST_SESSION_EVENT,
    REQUEST_KINDS,
};

/* LogicStatus of session.proto. */
enum logic_status {
    LOGIC_OK,
    LOGIC_UNAVAILABLE,
    LOGIC_RING_MISMATCH,
    LOGIC_TOO_LARGE,
    LOGIC_NOT_CONFIGURED,
    LOGIC_REFUSED,
};

/* Confirm.How of session.proto. */
enum confirm_how {
    CONFIRM_WRITTEN,      /* the kernel has it for the session */
    CONFIRM_WAIVED,       /* the session is gone and has not seen it */
    CONFIRM_ACKNOWLEDGED, /* its client has acknowledged it */
};

/* What a client sends to the business. */
struct upstream_frame {
    STAILQ_ENTRY(upstream_frame) link;
    uint64_t time_ms; /* Unix time */
    int32_t op, seq;
    int32_t reply_op;
    uint16_t version;
    bool json;        /* the body is a JSON value */
    uint8_t room_len; /* at most ROOM_NAME_MAX */
    uint32_t body_len;
    char data[]; /* the main room's name, a NUL, the body */
};
STAILQ_HEAD(upstream_frames, upstream_frame);

/* The frames of one session that go to logic together. */
struct upstream_group {
    struct upstream_frames frames; /* oldest first */
    size_t n, bytes;
    uint64_t epoch; /* ours when the session sent its first frame */
    uint64_t first; /* number of the first frame in its session, from 1 */
    char *key;      /* of the device; NULL: none */
    char peer[48];
};

/* Which JSON Web Token let a session in, as logic says it; 0: none, or it has no id. */
struct token_marks {
    uint64_t token, id;
    int64_t issued_s; /* Unix time; 0: it does not say */
};

/* Messages of a user's mailbox, oldest first. */
struct mailbox_page {
    struct push *waiting; /* valid as long as their backing */
    size_t n_waiting;
    bool more;     /* the mailbox holds more, after the last one or after `last` */
    uint64_t last; /* the last id that was left out after the last one; 0: none was */
};

enum session_change { EVENT_NO_CHANGE, EVENT_ENTERED, EVENT_EXITED };

/* SessionEvent of session.proto. */
struct session_event {
    int64_t uid;
    uint64_t epoch, before; /* before: the epoch in which the log had it first; of the owner */
    bool ended, anybody, refused;
    uint8_t code;
    enum session_change change;         /* of `room`, at ended_at_ms */
    uint64_t number;                    /* of the change */
    uint64_t opened_at_ms, ended_at_ms; /* loop time */
    const char *address, *key, *room;
};

/* Logic's answer to a Connect. */
struct admission {
    int64_t uid;
    const char *room;     /* the main one; "": none */
    const char *rooms;    /* those beside it, separated by commas; "": none */
    const char *key;      /* goim: of the device */
    const char *platform; /* goim: as the client says; "" or NULL: it does not */
    bool accepts_all;     /* goim: every operation; false: those of `accepts` */
    const int32_t *accepts;
    size_t n_accepts;
    bool hello;  /* goim: the auth reply has a body */
    bool acked;  /* goim: the client acknowledges its messages */
    bool logged; /* the log of sessions has it, or may have it if it was refused */
    bool put;    /* it was refused, and a router may have it */
    struct token_marks token;
    uint64_t lifetime_ms; /* of its token; 0: it does not expire */
    const char *reason;   /* why it was refused */
    struct mailbox_page page;
};

/* What the business answers to a frame. */
struct upstream_reply {
    uint32_t frame; /* of those taken, from 0 */
    const uint8_t *body;
    size_t len;
};

/* Logic's answer to a Relocate: public addresses of other comets, the best one first. */
struct relocation {
    char *const *nodes, *const *tcps, *const *wss; /* tcps, wss: with TLS */
    size_t n_nodes, n_tcps, n_wss;
    uint32_t max_delay_s, base_delay_s; /* of the client's tries; factor 0: logic said nothing */
    double factor, jitter;
};

struct logic_answer {
    bool answered;   /* false: no logic answered in time; nothing below is valid then */
    uint32_t status; /* enum logic_status; CONNECT, RENEW: a close code, 0 = admitted */
    uint64_t ring;   /* the ring under which logic has put sessions */
    uint64_t epoch;  /* our epoch when the request was sent */
    const struct admission *connect;     /* CONNECT; RENEW: its token, lifetime_ms, hello, reason */
    const struct mailbox_page *fetch;    /* FETCH */
    const struct relocation *relocation; /* RELOCATE */
    uint64_t room_total;                 /* ROOM: sessions on all comets */
    uint32_t revoked;                    /* REGISTER: a close code: it has to end; 0: it may stay */
    const char *revoked_why;             /* with revoked */
    uint32_t taken; /* UPSTREAM: the business has so many of the first frames, or Kafka for it */
    const struct upstream_reply *replies; /* UPSTREAM: by frame, rising */
    size_t n_replies;
    struct backing *backing; /* keeps connect, fetch and replies alive; borrowed */
};

struct logic_request {
    STAILQ_ENTRY(logic_request) link;
    enum logic_request_kind kind;
    bool sent;            /* set by logic_requests.c: a logic may have carried it out */
    bool again;           /* CONNECT: it was sent to a logic that did not answer */
    bool cancelled;       /* REGISTERED: it is no longer true, and must not be sent (again) */
    uint64_t deadline_ms; /* loop time; 0 = as long as it takes */
    int64_t asked_us;     /* CONNECT: time_mono_us() */
    uint64_t handle; /* CONFIRM, STORE: the session that the message is owed to; ROOM: the one that
                        waits for the answer, 0: none */
    int64_t uid;
    /* Called once; may be NULL. The request, with `bytes`, `headers`, `key` and `ids`, is freed
     * after the call. */
    void (*done)(struct worker *worker, struct logic_request *request,
                 const struct logic_answer *answer);
    char *bytes; /* CONNECT, RENEW: token, or goim's auth; REGISTER, ROOM: room */
    size_t bytes_len;
    struct msg *headers; /* CONNECT: of the WebSocket handshake, ws.pass_headers; NULL: none */
    char *key;           /* REGISTER, RENEW, FETCH, CONFIRM: of the device; NULL: it has none */
    bool goim;           /* CONNECT, RENEW: bytes are goim's auth */
    bool acked;          /* REGISTER: an acknowledged session */
    bool judge;          /* REGISTER: may it stay? */
    struct token_marks token;        /* REGISTER, with judge */
    char peer[48];                   /* CONNECT, RENEW, RELOCATE */
    bool websocket, tls;             /* RELOCATE: how the client came */
    uint32_t wire;                   /* CONNECT, RENEW */
    uint32_t members;                /* ROOM: sessions on this loop */
    uint64_t number;                 /* ROOM: rises with every word of this loop */
    uint64_t after;                  /* FETCH; REGISTER: reregister.c's; ROOM: room_reports.c's */
    bool own;                        /* FETCH: leave out messages owed only to other sessions */
    uint64_t *ids;                   /* CONFIRM */
    size_t n_ids;                    /* CONFIRM */
    enum confirm_how how;            /* CONFIRM */
    uint64_t behind;                 /* STORE: only if this message is in the mailbox; 0 = none */
    struct push push;                /* STORE: holds a reference to its backing */
    struct ticket ticket;            /* STORE: for done() */
    struct upstream_group *upstream; /* UPSTREAM: borrowed until done() */
    struct session_event *event;     /* SESSION_EVENT: likewise */
};
STAILQ_HEAD(logic_request_queue, logic_request);

#endif
