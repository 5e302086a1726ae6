#include "logic/mailbox/gone_receivers.h"
#include "common/base/mem.h"
#include "logic/mailbox/receivers.h"
#include "logic/router/routers.h"

#include <stdlib.h>
#include <string.h>

struct heir {
    struct logic *logic;
    struct heir *next; /* while waiting */
    uint64_t due_ms;
    bool second; /* look */
    struct mailbox_debts debts;
    struct receivers owed; /* to these, as far as is known */
    uint64_t ids[];        /* debts' */
};

/* Those that wait, the first due first. */
struct heirs {
    struct logic *logic;
    struct heir *head, **tail;
    size_t n;
    uv_timer_t timer;
};

static void on_lookup(void *arg, const struct router_answer *answer);

static void heir_free(struct heir *heir)
{
    owed_free(&heir->owed);
    free(heir);
}

static void heir_look(struct heir *heir)
{
    struct logic *logic = heir->logic;

    if (logic->routers == NULL) /* stopping */
        heir_free(heir);
    else
        router_lookup(logic->routers, heir->debts.uid, (uint64_t)logic->config->lookup_timeout_ms,
                      on_lookup, heir);
}

/* --- waiting --- */

static void on_timer(uv_timer_t *timer)
{
    struct heirs *heirs = container_of(timer, struct heirs, timer);
    uint64_t now = loop_now_ms(heirs->logic->loop);

    while (heirs->head != NULL && heirs->head->due_ms <= now) {
        struct heir *heir = heirs->head;
        heirs->head = heir->next;
        if (heirs->head == NULL)
            heirs->tail = &heirs->head;
        heirs->n--;
        heir_look(heir);
    }
    if (heirs->head != NULL)
        uv_timer_start(timer, on_timer, heirs->head->due_ms - now, 0);
}

static void heir_wait(struct heir *heir)
{
    struct heirs *heirs = heir->logic->heirs;
    uint64_t delay = 2 * (uint64_t)heir->logic->config->daemon.lease_ttl_ms;

    if (heirs == NULL || heirs->n == HEIRS_MAX || heir->second) {
        heir_free(heir);
        return;
    }
    heir->second = true;
    heir->next = NULL;
    heir->due_ms = loop_now_ms(heir->logic->loop) + delay;
    *heirs->tail = heir;
    heirs->tail = &heir->next;
    if (heirs->n++ == 0)
        uv_timer_start(&heirs->timer, on_timer, delay, 0);
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
    char token[OWED_TOKEN_MAX];

    owed_add(&there, "", 0);
    for (size_t i = 0; i < answer->n_sessions; i++) {
        const Imc__V1__Session *session = answer->sessions[i];
        owed_add(&there, token, owed_token(session->comet, session->handle, token));
    }
    return there;
}

/* Those who are not among THERE are owed nothing any more. */
static void heir_waive(struct heir *heir, const struct receivers *there)
{
    struct receivers gone = {0}, rest = {0};
    struct mailbox_debts debts = heir->debts;
    const char *at = heir->owed.text, *end = at + heir->owed.len, *token;
    size_t len;

    while ((token = owed_next(&at, end, &len)) != NULL)
        owed_add(owed_has(there->text, there->len, token, len) ? &rest : &gone, token, len);
    debts.owed = gone.text;
    if (gone.len > 0)
        mailbox_waive(heir->logic, &debts, on_waived, NULL);
    owed_free(&gone);
    owed_free(&heir->owed);
    heir->owed = rest;
}

static void on_lookup(void *arg, const struct router_answer *answer)
{
    struct heir *heir = arg;

    if (answer->result == ROUTER_OK && answer->complete) {
        struct receivers there = tokens_of(answer);
        heir_waive(heir, &there);
        owed_free(&there);
    }
    if (heir->owed.len > 0)
        heir_wait(heir);
    else
        heir_free(heir);
}

void heir_take(struct logic *logic, const struct mailbox_debts *left)
{
    if (left->n == 0)
        return;
    struct heir *heir = mem_zalloc(sizeof *heir + left->n * sizeof *heir->ids);

    heir->logic = logic;
    memcpy(heir->ids, left->ids, left->n * sizeof *heir->ids);
    heir->debts = (struct mailbox_debts){.uid = left->uid, .n = left->n, .ids = heir->ids};
    owed_add(&heir->owed, left->owed, strlen(left->owed));
    heir_look(heir);
}

/* --- life --- */

struct heirs *heirs_open(struct logic *logic)
{
    struct heirs *heirs = mem_zalloc(sizeof *heirs);

    heirs->logic = logic;
    heirs->tail = &heirs->head;
    uv_timer_init(&logic->loop->uv, &heirs->timer);
    return heirs;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct heirs, timer));
}

void heirs_close(struct heirs *heirs)
{
    if (heirs == NULL)
        return;
    while (heirs->head != NULL) {
        struct heir *heir = heirs->head;
        heirs->head = heir->next;
        heir_free(heir);
    }
    uv_close((uv_handle_t *)&heirs->timer, on_timer_closed);
}
