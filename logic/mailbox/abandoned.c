#include "logic/mailbox/abandoned.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/containers/map.h"
#include "logic/mailbox/mailbox.h"
#include "logic/router/routers.h"

#include <stdlib.h>

struct abandoned_mailbox {
    struct logic *logic;
    STAILQ_ENTRY(abandoned_mailbox) next; /* set while it waits */
    uint64_t due_ms;
    int64_t uid;
    uint64_t upto; /* set when it does not wait any more */
};

/* Those that wait, in the order in which they are due. */
struct abandoned {
    struct logic *logic;
    STAILQ_HEAD(, abandoned_mailbox) waiting;
    struct map64 *upto; /* by uid: the newest message that counts */
    uv_timer_t timer;
};

/* An error does not matter: the next message for the user brings the mailbox here again. */
static void on_trimmed(void *arg, int err)
{
    (void)arg;
    (void)err;
}

static void on_forgotten(void *arg, int err)
{
    struct abandoned_mailbox *mailbox = arg;

    if (err == 0 && mailbox->logic->redis != NULL)
        mailbox_trim(mailbox->logic, mailbox->uid, mailbox->upto, on_trimmed, NULL);
    free(mailbox);
}

static void on_lookup(void *arg, const struct router_answer *answer)
{
    struct abandoned_mailbox *mailbox = arg;
    struct logic *logic = mailbox->logic;

    if (answer->result != ROUTER_OK || !answer->complete) {
        abandoned_take(logic, mailbox->uid, mailbox->upto);
    } else if (answer->n_sessions == 0) {
        mailbox_forget(logic, mailbox->uid, mailbox->upto, on_forgotten, mailbox);
        return;
    }
    free(mailbox);
}

static void look(struct abandoned_mailbox *mailbox)
{
    struct logic *logic = mailbox->logic;

    if (logic->routers == NULL) /* logic is stopping */
        free(mailbox);
    else
        router_lookup(logic->routers, mailbox->uid, (uint64_t)logic->config->lookup_timeout_ms,
                      on_lookup, mailbox);
}

static void on_timer(uv_timer_t *timer)
{
    struct abandoned *abandoned = container_of(timer, struct abandoned, timer);
    uint64_t now = loop_now_ms(abandoned->logic->loop);
    struct abandoned_mailbox *mailbox;

    while ((mailbox = STAILQ_FIRST(&abandoned->waiting)) != NULL && mailbox->due_ms <= now) {
        STAILQ_REMOVE_HEAD(&abandoned->waiting, next);
        mailbox->upto = *map64_get(abandoned->upto, (uint64_t)mailbox->uid);
        map64_del(abandoned->upto, (uint64_t)mailbox->uid);
        look(mailbox);
    }
    if (mailbox != NULL)
        uv_timer_start(timer, on_timer, mailbox->due_ms - now, 0);
}

void abandoned_take(struct logic *logic, int64_t uid, uint64_t upto)
{
    struct abandoned *abandoned = logic->abandoned;
    uint64_t delay = 2 * (uint64_t)logic->config->daemon.lease_ttl_ms, *known;

    loop_assert_owner(logic->loop);
    if (abandoned == NULL)
        return;
    if ((known = map64_get(abandoned->upto, (uint64_t)uid)) != NULL) {
        *known = upto > *known ? upto : *known;
        return;
    }
    if (map64_count(abandoned->upto) == ABANDONED_MAX)
        return;
    struct abandoned_mailbox *mailbox = mem_zalloc(sizeof *mailbox);
    mailbox->logic = logic;
    mailbox->uid = uid;
    mailbox->due_ms = loop_now_ms(logic->loop) + delay;
    map64_set(abandoned->upto, (uint64_t)uid, upto);
    if (STAILQ_EMPTY(&abandoned->waiting))
        uv_timer_start(&abandoned->timer, on_timer, delay, 0);
    STAILQ_INSERT_TAIL(&abandoned->waiting, mailbox, next);
}

struct abandoned *abandoned_open(struct logic *logic)
{
    struct abandoned *abandoned = mem_zalloc(sizeof *abandoned);

    abandoned->logic = logic;
    abandoned->upto = map64_new();
    STAILQ_INIT(&abandoned->waiting);
    uv_timer_init(&logic->loop->uv, &abandoned->timer);
    return abandoned;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct abandoned, timer));
}

void abandoned_close(struct abandoned *abandoned)
{
    if (abandoned == NULL)
        return;
    while (!STAILQ_EMPTY(&abandoned->waiting))
        free(STAILQ_TAKE(&abandoned->waiting, next));
    map64_free(abandoned->upto);
    uv_close((uv_handle_t *)&abandoned->timer, on_timer_closed);
}
