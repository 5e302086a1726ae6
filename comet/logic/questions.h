/* questions.h - a logic asks what only this loop knows: what sessions of a user are like, or who is
 * in a room. One struct questions per logic. Owner loop only.
 *
 *   logic ══ Question ══► questions_take ─► question_fn: session/asked_sessions.c, room_pages.c
 *         ◄═ Answer, in the next batch to this logic ◄─── finish() ◄────┘
 *
 * An answer is told once. If its batch is lost, logic does without: it has a time limit. */
#ifndef IMC_COMET_LOGIC_QUESTIONS_H
#define IMC_COMET_LOGIC_QUESTIONS_H

#include "common/base/list.h"
#include "common/base/mem.h"
#include "proto/session.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pipe;
struct questions;
struct worker;

enum {
    /* Of one logic, whose answer is not in a batch yet. Logic has no more under way; further ones
     * are dropped. */
    QUESTIONS_MAX = 500,
    /* Logic does not ask for more in one question. What it asks for beyond them is not answered. */
    QUESTION_HANDLES_MAX = 1000,
    QUESTION_MEMBERS_MAX = 1000,
    QUESTION_ROOMS_MAX = 2000, /* names of rooms in one answer; more are only counted */
    QUESTION_OPS_MAX = 20000,  /* likewise, numbers of operations that sessions chose */
};

struct question {
    struct questions *of;        /* NULL: its logic has gone, and nobody is told */
    LIST_ENTRY(question) link;   /* of all that belong to a logic */
    TAILQ_ENTRY(question) queue; /* of those that wait for session/room_pages.c, or for a batch */
    uint64_t number;
    int64_t uid;
    const char *room; /* its name; "": the question is about handles */
    size_t room_len;
    uint32_t after, limit; /* with a room: from this slot of the handle table on; so many at most */
    /* To be called once, when the answer is there. Takes the question. */
    void (*finish)(struct question *question);
    /* The answer. */
    struct arena arena;
    uint32_t taken; /* handles of this loop; with a room 1: it is for this loop; 0: no answer */
    size_t n_rooms; /* names that are in it */
    size_t n_ops;   /* operations that are in it */
    bool more;      /* with a room: from slot `after` on there may be more */
    size_t n, cap;
    Imc__V1__AskedSession **sessions;
    size_t n_handles;
    uint64_t handles[]; /* of the question; the name of the room is behind them */
};
TAILQ_HEAD(question_queue, question);

/* A session as it goes into an answer. Texts are copied. */
struct asked_session {
    uint64_t handle;
    int64_t uid;
    const char *key; /* NULL: it has none */
    /* With details: */
    uint64_t open_ms;
    bool websocket, tls, acked;
    const char *address;
    const char *platform; /* NULL: it says none */
    bool chooses;         /* it gets the operations of `ops`; false: all others */
    const int32_t *ops;
    size_t n_ops;
    uint64_t unsent; /* bytes */
};

/* Finds the answer to QUESTION, which is the callee's until it calls its finish(). */
typedef void (*question_fn)(struct worker *worker, struct question *question);

/* PIPE is that to the logic. */
struct questions *questions_open(struct worker *worker, struct pipe *pipe, question_fn fn);
/* Questions that are under way are finished without being told. */
void questions_close(struct questions *questions);
/* Hands the question on if it is for this comet, and with a room for this loop. */
void questions_take(struct questions *questions, const Imc__V1__Question *in);
/* True: a batch to this logic is due. */
bool questions_have_answers(const struct questions *questions);
/* Puts answers that wait into BATCH, which then points into ARENA and into the answers:
 * questions_packed() frees those. */
void questions_pack(struct questions *questions, Imc__V1__SessionBatch *batch, struct arena *arena);
void questions_packed(struct questions *questions);

/* --- for those who find answers --- */

void question_add(struct question *question, const struct asked_session *session);
/* Adds a room to the session that was added last. False: the answer has QUESTION_ROOMS_MAX. */
bool question_add_room(struct question *question, const char *name, size_t len);
/* The rooms of the last session that were not added. */
void question_more_rooms(struct question *question, uint32_t n);

#endif
