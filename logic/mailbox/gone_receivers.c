#include "logic/mailbox/gone_receivers.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "logic/mailbox/receivers.h"
#include "logic/router/routers.h"

#include <stdlib.h>
#include <string.h>

struct gone_receiver {
    struct logic *logic;
    STAILQ_ENTRY(gone_receiver) next; /* set while it waits */
    uint64_t due_ms;
    bool second; /* this is the second look */
    struct mailbox_debts debts;
    struct receivers owed; /* to these sessions, as far as we know */
    uint64_t ids[];        /* of debts */
};

/* Those that wait for their second look, in the order in which they are due. */
struct gone_receivers {
    struct logic *logic;
    STAILQ_HEAD(, gone_receiver) waiting;
    size_t n;
    uv_timer_t timer;
};

static void on_lookup(void *arg, const struct router_answer *answer);

static void gone_receiver_free(struct gone_receiver *receiver)
{
    receivers_free(&receiver->owed);
    free(receiver);
}

static void gone_receiver_look(struct gone_receiver *receiver)
{
    struct logic *logic = receiver->logic;

    if (logic->routers == NULL) /* logic is stopping */
        gone_receiver_free(receiver);
    else
        router_lookup(logic->routers, receiver->debts.uid,
                      (uint64_t)logic->config->lookup_timeout_ms, on_lookup, receiver);
}

/* --- waiting --- */

static void on_timer(uv_timer_t *timer)
{
    struct gone_receivers *gone_receivers = container_of(timer, struct gone_receivers, timer);
    uint64_t now = loop_now_ms(gone_receivers->logic->loop);
    struct gone_receiver *receiver;

    while ((receiver = STAILQ_FIRST(&gone_receivers->waiting)) != NULL && receiver->due_ms <= now) {
        STAILQ_REMOVE_HEAD(&gone_receivers->waiting, next);
        gone_receivers->n--;
        gone_receiver_look(receiver);
    }
    if (receiver != NULL)
        uv_timer_start(timer, on_timer, receiver->due_ms - now, 0);
}

static void gone_receiver_wait(struct gone_receiver *receiver)
{
    struct gone_receivers *gone_receivers = receiver->logic->gone_receivers;
    uint64_t delay = 2 * (uint64_t)receiver->logic->config->daemon.lease_ttl_ms;

    if (gone_receivers == NULL || gone_receivers->n == GONE_RECEIVERS_MAX || receiver->second) {
        gone_receiver_free(receiver);
        return;
    }
    receiver->second = true;
    receiver->due_ms = loop_now_ms(receiver->logic->loop) + delay;
    STAILQ_INSERT_TAIL(&gone_receivers->waiting, receiver, next);
    if (gone_receivers->n++ == 0)
        uv_timer_start(&gone_receivers->timer, on_timer, delay, 0);
}

/* --- looking --- */

/* An error does not matter: the next session that connects gets the message again. */
static void on_waived(void *arg, int err)
{
    (void)arg;
    (void)err;
}

static struct receivers tokens_of(const struct router_answer *answer)
{
    struct receivers there = {0};
    char token[RECEIVERS_TOKEN_MAX];

    receivers_add(&there, "", 0);
    for (size_t i = 0; i < answer->n_sessions; i++) {
        const Imc__V1__Session *session = answer->sessions[i];
        receivers_add(&there, token, receivers_token(session->comet, session->handle, token));
    }
    return there;
}

/* Cancels what is owed to sessions that are not in THERE. */
static void gone_receiver_waive(struct gone_receiver *receiver, const struct receivers *there)
{
    struct receivers gone = {0}, rest = {0};
    struct mailbox_debts debts = receiver->debts;
    const char *at = receiver->owed.text, *end = at + receiver->owed.len, *token;
    size_t len;

    while ((token = receivers_next(&at, end, &len)) != NULL)
        receivers_add(receivers_has(there->text, there->len, token, len) ? &rest : &gone, token,
                      len);
    debts.owed = gone.text;
    if (gone.len > 0)
        mailbox_waive(receiver->logic, &debts, on_waived, NULL);
    receivers_free(&gone);
    receivers_free(&receiver->owed);
    receiver->owed = rest;
}

static void on_lookup(void *arg, const struct router_answer *answer)
{
    struct gone_receiver *receiver = arg;

    if (answer->result == ROUTER_OK && answer->complete) {
        struct receivers there = tokens_of(answer);
        gone_receiver_waive(receiver, &there);
        receivers_free(&there);
    }
    if (receiver->owed.len > 0)
        gone_receiver_wait(receiver);
    else
        gone_receiver_free(receiver);
}

void gone_receivers_take(struct logic *logic, const struct mailbox_debts *left)
{
    loop_assert_owner(logic->loop);
    if (left->n == 0)
        return;
    struct gone_receiver *receiver = mem_zalloc(sizeof *receiver + left->n * sizeof *receiver->ids);

    receiver->logic = logic;
    memcpy(receiver->ids, left->ids, left->n * sizeof *receiver->ids);
    receiver->debts = (struct mailbox_debts){.uid = left->uid, .n = left->n, .ids = receiver->ids};
    receivers_add(&receiver->owed, left->owed, strlen(left->owed));
    gone_receiver_look(receiver);
}

/* --- life --- */

struct gone_receivers *gone_receivers_open(struct logic *logic)
{
    struct gone_receivers *gone_receivers = mem_zalloc(sizeof *gone_receivers);

    gone_receivers->logic = logic;
    STAILQ_INIT(&gone_receivers->waiting);
    uv_timer_init(&logic->loop->uv, &gone_receivers->timer);
    return gone_receivers;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct gone_receivers, timer));
}

void gone_receivers_close(struct gone_receivers *gone_receivers)
{
    if (gone_receivers == NULL)
        return;
    while (!STAILQ_EMPTY(&gone_receivers->waiting))
        gone_receiver_free(STAILQ_TAKE(&gone_receivers->waiting, next));
    uv_close((uv_handle_t *)&gone_receivers->timer, on_timer_closed);
}
