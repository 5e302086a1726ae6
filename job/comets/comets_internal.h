/* comets_internal.h - what comets.c (the list), comet_stream.c (what goes to each) and
 * comets_lost.c (those taken for dead) share. Main loop only. */
#ifndef IMC_JOB_COMETS_COMETS_INTERNAL_H
#define IMC_JOB_COMETS_COMETS_INTERNAL_H

#include "common/membership/membership.h"
#include "job/base/job.h"
#include "job/base/message.h"
#include "job/comets/comet_rooms.h"
#include "proto/push.pb-c.h"

/* What one comet is to do with a message. */
struct comet_item {
    STAILQ_ENTRY(comet_item) next; /* in the one queue of its comet it stands in */
    struct message *message;       /* a reference */
    Imc__V1__PushItem__Kind kind;
    bool kept; /* comets.h: its message waits for no answer */
    uint32_t n_handles;
    uint64_t handles[];
};

/* About the bytes it takes in a batch. */
static inline size_t comet_item_size(const struct comet_item *item)
{
    enum { OVERHEAD = 96 };
    size_t size = OVERHEAD + item->n_handles * sizeof item->handles[0];

    return item->kind == IMC__V1__PUSH_ITEM__KIND__POKE ? size : size + item->message->body_len;
}

/* Items of one PushBatch; items[i] is NULL once it is answered. */
struct comet_batch {
    TAILQ_ENTRY(comet_batch) link; /* among the pending ones, by seq */
    uint64_t seq;
    uint32_t n, open;
    bool standing; /* it carries one, with: */
    bool missed_rooms, missed_all;
    struct comet_item *items[];
};

STAILQ_HEAD(comet_items, comet_item);
TAILQ_HEAD(comet_batches, comet_batch);

struct comet_peer {
    struct comet_peers *comets;
    struct job *job;
    char id[sizeof((struct member *)0)->id];
    char address[sizeof((struct member *)0)->rpc];
    uint64_t epoch, life, process;
    struct pipe *pipe; /* NULL: lost for longer than comet.hold */
    struct comet_items queue, returned;
    size_t n_returned;
    struct comet_batches pending; /* answered, but for some items */
    struct map64 *by_seq;         /* the same: seq → struct comet_batch */
    bool listed;                  /* mark of comets_changed() */
    bool lost;                    /* in comets->lost, not in ->list */
    bool standing_due;
    bool missed_rooms, missed_all; /* items were dropped, and it does not know yet */
    uint64_t lost_ms;              /* loop time */
    uint64_t link;                 /* Standing.link */
    struct comet_rooms rooms;
    size_t n_kept; /* kept items, queued or in a batch */
};

struct comet_peers {
    struct job *job;
    /* comet_answered_fn, comets.h */
    void (*answered)(struct job *job, struct message *message, Imc__V1__PushItem__Kind kind,
                     Imc__V1__PushResult result);
    struct strmap *by_id;     /* of list */
    struct comet_peer *found; /* of list, the last that was asked for: a message asks twice */
    struct comet_peer **list, **lost;
    size_t n, n_lost;
    uint64_t lives, links;
    size_t kept_bytes;
    uv_timer_t expiry; /* runs while some are lost */
    uv_timer_t ask;    /* runs while there are messages to rooms */
    uint64_t room_ms;  /* loop time of the last one */
    int open_timers;
};

/* Answers that are given once every comet is in its list: what follows from an answer may push. */
struct answers {
    struct {
        struct message *message;
        Imc__V1__PushItem__Kind kind;
    } * at;
    size_t n, cap;
};

/* --- comet_stream.c --- */
/* Without an answer. */
void comet_item_free(struct comet_peer *comet, struct comet_item *item);
void comet_connect(struct comet_peer *comet);
/* What the stream owed is at the head of the queue afterwards. */
void comet_disconnect(struct comet_peer *comet);

/* --- comets.c --- */
/* For Standing.link. The new link vouches for nothing that was before it. */
uint64_t comets_new_link(struct comet_peers *comets);
/* Nothing is answered. */
void comet_free(struct comet_peer *comet);

/* --- comets_lost.c --- */
/* COMET has just left the list of the living. Adds to ANSWERS what has to be answered for it. Keeps
 * its items for rooms and all, and sends them if the process listens, or does so again. */
void comet_lose(struct comet_peer *comet, struct answers *answers);
/* The lost comet that MEMBER is, taken out of the list; NULL: it was not lost. A lost comet with
 * MEMBER's id but another process is forgotten. */
struct comet_peer *comets_find_lost(struct comet_peers *comets, const struct member *member);
/* An item for a lost comet. */
void comet_keep(struct comet_peer *comet, struct message *message, Imc__V1__PushItem__Kind kind);
void answers_add(struct answers *answers, struct message *message, Imc__V1__PushItem__Kind kind);
/* Answers GONE. */
void answers_tell(struct comet_peers *comets, struct answers *answers);
void comets_lost_close(struct comet_peers *comets);

#endif
