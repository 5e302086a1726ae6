#include "logic/mailbox/gone_receivers.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "logic/mailbox/receivers.h"
#include "logic/router/routers.h"

#include <stdlib.h>
#include <string.h>

struct gone_receiver {
    struct logic *logic;
    STAILQ_ENTRY(gone_receiver) next; /* while waiting */
    uint64_t due_ms;
    bool second; /* look */
    struct mailbox_debts debts;
    struct receivers owed; /* to these, as far as is known */
    uint64_t ids[];        /* debts' */
};

/* Those that wait, the first due first. */
struct gone_receivers {
    struct logic *logic;
    STAILQ_HEAD(, gone_receiver) waiting;
    size_t n;
    uv_timer_t timer;
};

static void on_lookup(void *arg, const struct router_answer *answer);

static void gone_receiver_free(struct gone_receiver *heir)
{
    receivers_free(&heir->owed);
    free(heir);
}

static void gone_receiver_look(struct gone_receiver *heir)
{
    struct logic *logic = heir->logic;

    if (logic->routers == NULL) /* stopping */
        gone_receiver_free(heir);
    else
        router_lookup(logic->routers, heir->debts.uid, (uint64_t)logic->config->lookup_timeout_ms,
                      on_lookup, heir);
}

/* --- waiting --- */

static void on_timer(uv_timer_t *timer)
{
    struct gone_receivers *gone_receivers = container_of(timer, struct gone_receivers, timer);
    uint64_t now = loop_now_ms(gone_receivers->logic->loop);
    struct gone_receiver *heir;

    while ((heir = STAILQ_FIRST(&gone_receivers->waiting)) != NULL && heir->due_ms <= now) {
        STAILQ_REMOVE_HEAD(&gone_receivers->waiting, next);
        gone_receivers->n--;
        gone_receiver_look(heir);
    }
    if (heir != NULL)
        uv_timer_start(timer, on_timer, heir->due_ms - now, 0);
}

static void gone_receiver_wait(struct gone_receiver *heir)
{
    struct gone_receivers *gone_receivers = heir->logic->gone_receivers;
    uint64_t delay = 2 * (uint64_t)heir->logic->config->daemon.lease_ttl_ms;

    if (gone_receivers == NULL || gone_receivers->n == GONE_RECEIVERS_MAX || heir->second) {
        gone_receiver_free(heir);
        return;
    }
    heir->second = true;
    heir->due_ms = loop_now_ms(heir->logic->loop) + delay;
    STAILQ_INSERT_TAIL(&gone_receivers->waiting, heir, next);
    if (gone_receivers->n++ == 0)
        uv_timer_start(&gone_receivers->timer, on_timer, delay, 0);
}

/* --- looking --- */

/* Refused or not: what it should have removed comes to the next that connects. */
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

/* Those who are not among THERE are owed nothing any more. */
static void gone_receiver_waive(struct gone_receiver *heir, const struct receivers *there)
{
    struct receivers gone = {0}, rest = {0};
    struct mailbox_debts debts = heir->debts;
    const char *at = heir->owed.text, *end = at + heir->owed.len, *token;
    size_t len;

    while ((token = receivers_next(&at, end, &len)) != NULL)
        receivers_add(receivers_has(there->text, there->len, token, len) ? &rest : &gone, token,
                      len);
    debts.owed = gone.text;
    if (gone.len > 0)
        mailbox_waive(heir->logic, &debts, on_waived, NULL);
    receivers_free(&gone);
    receivers_free(&heir->owed);
    heir->owed = rest;
}

static void on_lookup(void *arg, const struct router_answer *answer)
{
    struct gone_receiver *heir = arg;

    if (answer->result == ROUTER_OK && answer->complete) {
        struct receivers there = tokens_of(answer);
        gone_receiver_waive(heir, &there);
        receivers_free(&there);
    }
    if (heir->owed.len > 0)
        gone_receiver_wait(heir);
    else
        gone_receiver_free(heir);
}

void gone_receivers_take(struct logic *logic, const struct mailbox_debts *left)
{
    loop_assert_owner(logic->loop);
    if (left->n == 0)
        return;
    struct gone_receiver *heir = mem_zalloc(sizeof *heir + left->n * sizeof *heir->ids);

    heir->logic = logic;
    memcpy(heir->ids, left->ids, left->n * sizeof *heir->ids);
    heir->debts = (struct mailbox_debts){.uid = left->uid, .n = left->n, .ids = heir->ids};
    receivers_add(&heir->owed, left->owed, strlen(left->owed));
    gone_receiver_look(heir);
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
