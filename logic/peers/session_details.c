#include "logic/peers/session_details.h"
#include "common/base/mem.h"
#include "logic/peers/questions.h"

#include <stdlib.h>
#include <string.h>

struct session_details {
    struct logic *logic;
    session_details_fn fn;
    void *arg;
    struct router_reply *reply; /* owns the sessions */
    Imc__V1__Session **sessions;
    size_t n;
    struct session_detail *of; /* of each session */
    size_t pending;            /* questions, and one more while they are asked */
    struct arena arena;
};

/* What one comet was asked: sessions of it, at most QUESTION_HANDLES_MAX. */
struct asked {
    struct session_details *details;
    size_t n;
    uint64_t *handles;
    size_t *index; /* of each handle's session */
};

static void details_drop(struct session_details *details)
{
    if (--details->pending == 0)
        details->fn(details->arg, details);
}

void session_details_free(struct session_details *details)
{
    router_reply_unref(details->reply);
    arena_free(&details->arena);
    free(details);
}

size_t session_details_count(const struct session_details *details)
{
    return details->n;
}

const Imc__V1__Session *session_details_session(const struct session_details *details, size_t i)
{
    return details->sessions[i];
}

const struct session_detail *session_details_at(const struct session_details *details, size_t i)
{
    return &details->of[i];
}

/* --- answers --- */

static void take_detail(struct session_details *details, struct session_detail *out,
                        const Imc__V1__AskedSession *in)
{
    struct arena *arena = &details->arena;

    *out = (struct session_detail){.state = DETAIL_KNOWN,
                                   .open_ms = in->open_ms,
                                   .websocket = in->websocket,
                                   .tls = in->tls,
                                   .acked = in->acked,
                                   .address = arena_strdup(arena, in->address),
                                   .platform = arena_strdup(arena, in->platform),
                                   .n_rooms = in->n_rooms,
                                   .rooms = arena_alloc(arena, in->n_rooms * sizeof(char *)),
                                   .more_rooms = in->more_rooms,
                                   .chooses = in->chooses,
                                   .more_ops = in->more_operations,
                                   .unsent = in->unsent};
    for (size_t i = 0; i < in->n_rooms; i++)
        out->rooms[i] = arena_strdup(arena, in->rooms[i]);
    out->n_ops = in->chooses ? in->n_accepts : in->n_declines;
    if (out->n_ops > 0)
        out->ops = memcpy(arena_alloc(arena, out->n_ops * sizeof *out->ops),
                          in->chooses ? in->accepts : in->declines, out->n_ops * sizeof *out->ops);
}

static void take_session(struct asked *asked, const Imc__V1__AskedSession *in)
{
    for (size_t i = 0; i < asked->n; i++) {
        if (asked->handles[i] == in->handle)
            take_detail(asked->details, &asked->details->of[asked->index[i]], in);
    }
}

/* A loop has said what it has of the handles that are its own. */
static void take_answer(struct asked *asked, const Imc__V1__Answer *answer)
{
    for (size_t i = 0; i < answer->n_sessions; i++)
        take_session(asked, answer->sessions[i]);
}

/* Every loop has answered: whoever none knows is gone. */
static void take_gone(struct asked *asked)
{
    for (size_t i = 0; i < asked->n; i++) {
        struct session_detail *detail = &asked->details->of[asked->index[i]];
        if (detail->state == DETAIL_AWAY)
            detail->state = DETAIL_GONE;
    }
}

static void on_answer(void *arg, const Imc__V1__Answer *answer, bool done)
{
    struct asked *asked = arg;

    if (answer != NULL)
        take_answer(asked, answer);
    if (answer != NULL && done)
        take_gone(asked);
    if (done)
        details_drop(asked->details);
}

/* --- asking --- */

/* Asks about the sessions from FROM on that are on its comet, as many as one question takes. */
static void ask(struct session_details *details, int64_t uid, size_t from, bool *taken)
{
    const char *comet = details->sessions[from]->comet;
    struct asked *asked = arena_alloc(&details->arena, sizeof *asked);
    Imc__V1__Question question;
    size_t left = details->n - from,
           most = left < QUESTION_HANDLES_MAX ? left : QUESTION_HANDLES_MAX;

    *asked = (struct asked){.details = details,
                            .handles = arena_alloc(&details->arena, most * sizeof(uint64_t)),
                            .index = arena_alloc(&details->arena, most * sizeof(size_t))};
    for (size_t i = from; i < details->n && asked->n < most; i++) {
        const Imc__V1__Session *session = details->sessions[i];
        if (taken[i] || strcmp(session->comet, comet) != 0)
            continue;
        taken[i] = true;
        asked->handles[asked->n] = session->handle;
        asked->index[asked->n++] = i;
    }
    imc__v1__question__init(&question);
    question.comet = mem_unconst(comet);
    question.uid = uid;
    question.handles = asked->handles;
    question.n_handles = asked->n;
    if (questions_have_room(details->logic->questions) &&
        question_ask(details->logic->questions, &question, on_answer, asked))
        details->pending++;
}

void session_details_ask(struct logic *logic, int64_t uid, const struct router_answer *answer,
                         session_details_fn fn, void *arg)
{
    struct session_details *details = mem_zalloc(sizeof *details);
    bool *taken = mem_zalloc(answer->n_sessions + 1);

    details->logic = logic;
    details->fn = fn;
    details->arg = arg;
    details->n = answer->n_sessions;
    details->sessions = answer->sessions;
    details->reply = answer->reply != NULL ? router_reply_ref(answer->reply) : NULL;
    details->pending = 1;
    arena_init(&details->arena);
    details->of = arena_alloc(&details->arena, details->n * sizeof *details->of);
    memset(details->of, 0, details->n * sizeof *details->of);
    for (size_t i = 0; i < details->n; i++) {
        if (!taken[i])
            ask(details, uid, i, taken);
    }
    free(taken);
    details_drop(details);
}
