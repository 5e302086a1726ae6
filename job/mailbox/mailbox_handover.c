/* mailbox_handover.c - the drawing is in mailbox_handover.h. */
#include "job/mailbox/mailbox_handover.h"
#include "common/base/mem.h"
#include "job/base/job.h"
#include "job/mailbox/logic_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_LEVELS = 8, RETRY_TICK_MS = 25 };

/* How it goes on one shard of Redis. */
struct progress {
    uint64_t ms;   /* loop time when a message was stored last, or none waited for it */
    char why[160]; /* the last failure */
};

struct handover {
    struct job *job;
    handover_settled_fn settled;
    struct logic_peer **logics;
    size_t n_logics;
    struct messages stranded;            /* no logic lives */
    struct messages retry[RETRY_LEVELS]; /* one delay each, so in order of due_ms */
    size_t retries;
    uv_timer_t tick; /* runs while something is in retry */
    struct progress shards[SHARDS_MOST];
    bool closing;
};

/* --- which logic --- */

/* One of the logics that can be reached; if none can, any may be tried. */
static struct logic_peer *handover_choose(const struct handover *handover, int64_t uid)
{
    size_t up = 0;

    if (handover->n_logics == 0)
        return NULL;
    for (size_t i = 0; i < handover->n_logics; i++)
        up += logic_peer_is_up(handover->logics[i]);
    uint64_t spread = (uint64_t)uid * 0x9e3779b97f4a7c15U >> 32;
    size_t pick = spread % (up > 0 ? up : handover->n_logics);
    for (size_t i = 0;; i++) {
        if (up > 0 && !logic_peer_is_up(handover->logics[i]))
            continue;
        if (pick-- == 0)
            return handover->logics[i];
    }
}

/* Takes the reference. */
static void handover_place(struct handover *handover, struct message *message)
{
    struct logic_peer *logic;

    if (message->partition == NULL) {
        message_unref(message);
        return;
    }
    logic = handover_choose(handover, message->uid);
    if (logic == NULL)
        STAILQ_INSERT_TAIL(&handover->stranded, message, next);
    else
        logic_peer_push(logic, message);
}

void handover_add(struct handover *handover, struct message *message)
{
    loop_assert_owner(handover->job->loop);
    message->settle_since_ms = loop_now_ms(handover->job->loop);
    message->attempts = 0;
    handover_place(handover, message_ref(message));
}

/* --- again --- */

static uint64_t retry_delay(const struct handover *handover, int level)
{
    uint64_t delay = (uint64_t)handover->job->config->retry_first_ms << level;
    uint64_t last = (uint64_t)handover->job->config->retry_last_ms;

    return delay < last ? delay : last;
}

static void handover_retry_due(struct handover *handover, struct messages *retry, uint64_t now_ms)
{
    while (!STAILQ_EMPTY(retry) && STAILQ_FIRST(retry)->due_ms <= now_ms) {
        handover->retries--;
        handover_place(handover, STAILQ_TAKE(retry, next));
    }
}

static void handover_on_tick(uv_timer_t *timer)
{
    struct handover *handover = timer->data;
    uint64_t now_ms = loop_now_ms(handover->job->loop);

    for (int level = 0; level < RETRY_LEVELS; level++)
        handover_retry_due(handover, &handover->retry[level], now_ms);
    if (handover->retries == 0)
        uv_timer_stop(timer);
}

static void handover_retry(struct handover *handover, struct message *message)
{
    int level = message->attempts < RETRY_LEVELS ? message->attempts : RETRY_LEVELS - 1;

    message->due_ms = loop_now_ms(handover->job->loop) + retry_delay(handover, level);
    if (message->attempts < UINT8_MAX)
        message->attempts++;
    STAILQ_INSERT_TAIL(&handover->retry[level], message, next);
    if (handover->retries++ == 0)
        uv_timer_start(&handover->tick, handover_on_tick, RETRY_TICK_MS, RETRY_TICK_MS);
}

static void handover_failed(size_t shard, const char *why, void *arg)
{
    struct handover *handover = arg;
    struct progress *progress = &handover->shards[shard];

    snprintf(progress->why, sizeof progress->why, "%s", why);
}

static void handover_answered(struct message *message, const Imc__V1__SettleResult *result,
                              void *arg)
{
    struct handover *handover = arg;

    if (message->partition == NULL || handover->closing) {
        message_unref(message);
        return;
    }
    enum handover_verdict answer = handover->settled(handover->job, message, result);
    if (answer == HANDOVER_AGAIN) {
        if (result != NULL && result->status == IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN)
            handover_failed(message->shard, "the routers do not know yet who is online", handover);
        handover_retry(handover, message);
    } else {
        if (answer == HANDOVER_DONE)
            handover->shards[message->shard].ms = loop_now_ms(handover->job->loop);
        message_unref(message);
    }
}

/* --- how it goes --- */

uint64_t handover_idle_since(struct handover *handover, size_t *shard, const char **why)
{
    const struct windows *windows = &handover->job->windows;

    *shard = 0;
    for (size_t i = 0; i < windows->n_shards; i++) {
        const struct shard_window *at = &windows->shards[i];
        if (at->storing.count == 0 && at->parked == 0)
            handover->shards[i].ms = loop_now_ms(handover->job->loop);
        if (handover->shards[i].ms < handover->shards[*shard].ms)
            *shard = i;
    }
    if (handover->n_logics == 0)
        *why = "no logic holds a lease";
    else
        *why = windows->shards[*shard].storing.count > 0 ? handover->shards[*shard].why
                                                         : "Kafka does not give back what waits";
    return handover->shards[*shard].ms;
}

void handover_tell(struct handover *handover)
{
    for (size_t i = 0; i < handover->n_logics; i++)
        logic_peer_tell(handover->logics[i]);
}

/* --- logics come and go --- */

static void handover_logics_told(void *arg)
{
    const struct handover *handover = arg;
    const struct job *job = handover->job;

    if (job->logics_told != NULL)
        job->logics_told(job->daemon_arg);
}

static const struct logic_peer_events logic_peer_events = {
    .answered = handover_answered, .failed = handover_failed, .changed = handover_logics_told};

static size_t member_find(const struct member_list *list, const struct logic_peer *logic)
{
    size_t i = 0;

    while (i < list->n && !logic_peer_is(logic, &list->members[i]))
        i++;
    return i;
}

static void handover_place_stranded(struct handover *handover)
{
    struct messages stranded = STAILQ_HEAD_INITIALIZER(stranded);

    /* Only what is stranded now, because it may strand again. */
    STAILQ_CONCAT(&stranded, &handover->stranded);
    while (!STAILQ_EMPTY(&stranded))
        handover_place(handover, STAILQ_TAKE(&stranded, next));
}

void handover_logics_changed(struct handover *handover, const struct member_list *list)
{
    struct logic_peer **before = handover->logics;
    size_t n_before = handover->n_logics;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    struct logic_peer **kept = mem_zalloc((list->n + 1) * sizeof *kept);

    loop_assert_owner(handover->job->loop);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression) */
    handover->logics = mem_alloc((list->n + 1) * sizeof *handover->logics);
    handover->n_logics = 0;
    for (size_t i = 0; i < n_before; i++) {
        size_t at = member_find(list, before[i]);
        if (at == list->n)
            continue;
        kept[at] = before[i];
        before[i] = NULL;
    }
    for (size_t i = 0; i < list->n; i++) {
        if (kept[i] == NULL && list->members[i].rpc[0] != '\0')
            kept[i] =
                logic_peer_open(handover->job, &list->members[i], &logic_peer_events, handover);
        if (kept[i] != NULL)
            handover->logics[handover->n_logics++] = kept[i];
    }
    for (size_t i = 0; i < n_before; i++) {
        if (before[i] != NULL)
            logic_peer_close(before[i]);
    }
    free(before);
    free(kept);
    handover_place_stranded(handover);
}

size_t handover_logics(const struct handover *handover)
{
    return handover->n_logics;
}

size_t handover_logics_answering(const struct handover *handover)
{
    size_t n = 0;

    for (size_t i = 0; i < handover->n_logics; i++)
        n += logic_peer_answers(handover->logics[i]);
    return n;
}

/* --- life --- */

struct handover *handover_open(struct job *job, handover_settled_fn settled)
{
    struct handover *handover = mem_zalloc(sizeof *handover);

    handover->job = job;
    handover->settled = settled;
    for (size_t i = 0; i < SHARDS_MOST; i++)
        handover->shards[i].ms = loop_now_ms(job->loop);
    STAILQ_INIT(&handover->stranded);
    for (int i = 0; i < RETRY_LEVELS; i++)
        STAILQ_INIT(&handover->retry[i]);
    uv_timer_init(&job->loop->uv, &handover->tick);
    handover->tick.data = handover;
    return handover;
}

static void handover_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void messages_free(struct messages *messages)
{
    while (!STAILQ_EMPTY(messages))
        message_unref(STAILQ_TAKE(messages, next));
}

void handover_close(struct handover *handover)
{
    loop_assert_owner(handover->job->loop);
    handover->closing = true;
    for (size_t i = 0; i < handover->n_logics; i++)
        logic_peer_close(handover->logics[i]);
    free(handover->logics);
    messages_free(&handover->stranded);
    for (int i = 0; i < RETRY_LEVELS; i++)
        messages_free(&handover->retry[i]);
    uv_close((uv_handle_t *)&handover->tick, handover_on_closed);
}
