#include "logic/push/foreign_push.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "logic/base/pb.h"
#include "logic/foreign/foreign.h"
#include "logic/push/envelope.h"
#include "logic/push/kafka_producer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_MAX = 160 };

/* An envelope on its way. */
struct foreign_send {
    struct kafka_ticket ticket;
    struct foreign_push *push;
};

struct foreign_push {
    struct logic *logic;
    int64_t uid;
    struct arena arena;
    size_t n;
    bool lives;                       /* one of the sessions' comets */
    struct foreign_session *sessions; /* those of one server stand together */
    /* foreign_push_send(): */
    struct loop_task task; /* says how it ended, if no report is to come */
    foreign_sent_fn fn;
    void *arg;
    size_t pending; /* reports, and one more while envelopes are produced */
    int err;
    char why[WHY_MAX];
};

/* --- finding --- */

struct search {
    struct logic *logic;
    const struct push_keys *keys;
    foreign_found_fn fn;
    void *arg;
};

static bool session_is_meant(const struct search *search, const struct foreign_session *session)
{
    return search->keys == NULL || text_is_among(session->key, search->keys->list, search->keys->n);
}

static void on_found(void *arg, int err, const struct foreign_session *sessions, size_t n)
{
    struct search *search = arg;
    struct foreign_push *push = mem_zalloc(sizeof *push);

    (void)err; /* nobody is found then */
    push->logic = search->logic;
    arena_init(&push->arena);
    push->sessions = arena_alloc(&push->arena, (n + 1) * sizeof *push->sessions);
    for (size_t i = 0; i < n; i++) {
        if (!session_is_meant(search, &sessions[i]))
            continue;
        push->uid = sessions[i].uid;
        push->lives |= sessions[i].lives;
        push->sessions[push->n++] =
            (struct foreign_session){.uid = sessions[i].uid,
                                     .key = arena_strdup(&push->arena, sessions[i].key),
                                     .server = arena_strdup(&push->arena, sessions[i].server)};
    }
    if (push->n == 0)
        foreign_push_drop(&push);
    search->fn(search->arg, push);
    free(search);
}

void foreign_push_find(struct logic *logic, int64_t uid, const struct push_keys *keys,
                       foreign_found_fn fn, void *arg)
{
    struct search *search = mem_alloc(sizeof *search);

    *search = (struct search){logic, keys, fn, arg};
    foreign_find(logic, uid, on_found, search);
}

bool foreign_push_lives(const struct foreign_push *push)
{
    return push->lives;
}

void foreign_push_drop(struct foreign_push **push)
{
    if (*push != NULL)
        arena_free(&(*push)->arena);
    free(*push);
    *push = NULL;
}

/* --- sending --- */

static void push_end(struct foreign_push *push)
{
    push->fn(push->arg, push->err, push->why);
    foreign_push_drop(&push);
}

static void on_end(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    push_end(container_of(task, struct foreign_push, task));
}

static void push_failed(struct foreign_push *push, int err, const char *why)
{
    push->err = err;
    (void)snprintf(push->why, sizeof push->why, "%s", why);
}

static void on_report(struct kafka_ticket *ticket, int err, const char *why)
{
    struct foreign_push *push = container_of(ticket, struct foreign_send, ticket)->push;

    if (err != 0)
        push_failed(push, err, why);
    if (--push->pending == 0)
        push_end(push);
}

/* How many sessions from FIRST on are at its server, and have keys that fit into one envelope. The
 * first always does. */
static size_t same_envelope(const struct foreign_push *push, size_t first, Imc__V1__PushMsg *out)
{
    size_t most = kafka_producer_most(push->logic->bus), n = 0;

    while (first + n < push->n &&
           strcmp(push->sessions[first + n].server, push->sessions[first].server) == 0) {
        out->keys[n] = pb_text(push->sessions[first + n].key);
        out->n_keys = ++n;
        if (n > 1 && envelope_size(out) > most) {
            n--;
            break;
        }
    }
    return n;
}

static void envelope_send(struct foreign_push *push, const Imc__V1__PushMsg *envelope)
{
    struct foreign_send *send = arena_alloc(&push->arena, sizeof *send);
    struct kafka_message message = envelope_pack(envelope);
    const char *why = "";

    *send = (struct foreign_send){.ticket.done = on_report, .push = push};
    int err = kafka_produce(push->logic->bus, &message, &send->ticket, &why);
    if (err == 0) {
        push->pending++;
        logic_count(push->logic, LOGIC_GOIM_SENT, 1);
        return;
    }
    kafka_message_drop(&message);
    push_failed(push, err, why);
}

void foreign_push_send(struct foreign_push **from, const struct push_message *message,
                       foreign_sent_fn fn, void *arg)
{
    struct foreign_push *push = *from;
    Imc__V1__PushMsg envelope;

    imc__v1__push_msg__init(&envelope);
    *from = NULL;
    push->fn = fn;
    push->arg = arg;
    push->task.run = on_end;
    push->pending = 1;
    envelope.type = IMC__V1__PUSH_MSG__TYPE__PUSH;
    envelope.operation = message->op;
    envelope.uid = push->uid; /* without has_uid: decides the partition, so that the order stays */
    envelope.msg = pb_bytes(message->body, message->len);
    envelope.keys = arena_alloc(&push->arena, push->n * sizeof(char *));
    for (size_t i = 0; i < push->n; i += envelope.n_keys) {
        envelope.server = pb_text(push->sessions[i].server);
        envelope.n_keys = same_envelope(push, i, &envelope);
        envelope_send(push, &envelope);
    }
    if (--push->pending == 0)
        loop_defer(push->logic->loop, &push->task);
}
