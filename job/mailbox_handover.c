/* mailbox_handover.c - the drawing is in mailbox_handover.h. */
#include "job/mailbox_handover.h"
#include "common/base/mem.h"
#include "job/job.h"
#include "job/logic_peer.h"
#include "job/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_LEVELS = 8, RETRY_TICK_MS = 25 };

struct handover {
    struct job *job;
    struct logic_peer **logics;
    size_t n_logics;
    struct messages stranded;            /* no logic lives */
    struct messages retry[RETRY_LEVELS]; /* one delay each, so in order of due_ms */
    size_t retries;
    uv_timer_t tick;      /* runs while something is in retry */
    uint64_t progress_ms; /* loop time when a message was stored last, or none waited for it */
    char why[128];        /* the last failure */
    bool closing;
};

/* --- which logic --- */

/* Those that answer; if none does, any may be tried. */
static struct logic_peer *handover_choose(const struct handover *settle, int64_t uid)
{
    size_t up = 0;

    if (settle->n_logics == 0)
        return NULL;
    for (size_t i = 0; i < settle->n_logics; i++)
        up += logic_peer_is_up(settle->logics[i]);
    uint64_t spread = (uint64_t)uid * 0x9e3779b97f4a7c15U >> 32;
    size_t pick = spread % (up > 0 ? up : settle->n_logics);
    for (size_t i = 0;; i++) {
        if (up > 0 && !logic_peer_is_up(settle->logics[i]))
            continue;
        if (pick-- == 0)
            return settle->logics[i];
    }
}

/* Takes the reference. */
static void handover_place(struct handover *settle, struct message *message)
{
    struct logic_peer *logic;

    if (message->partition == NULL) {
        message_unref(message);
        return;
    }
    logic = handover_choose(settle, message->uid);
    if (logic == NULL)
        STAILQ_INSERT_TAIL(&settle->stranded, message, next);
    else
        logic_peer_push(logic, message);
}

void handover_add(struct handover *settle, struct message *message)
{
    loop_assert_owner(settle->job->loop);
    message->settle_since_ms = loop_now_ms(settle->job->loop);
    message->attempts = 0;
    handover_place(settle, message_ref(message));
}

/* --- again --- */

static uint64_t retry_delay(const struct handover *settle, int level)
{
    uint64_t delay = (uint64_t)settle->job->config->retry_first_ms << level;
    uint64_t last = (uint64_t)settle->job->config->retry_last_ms;

    return delay < last ? delay : last;
}

static void handover_retry_due(struct handover *settle, struct messages *retry, uint64_t now_ms)
{
    while (!STAILQ_EMPTY(retry) && STAILQ_FIRST(retry)->due_ms <= now_ms) {
        settle->retries--;
        handover_place(settle, STAILQ_TAKE(retry, next));
    }
}

static void handover_on_tick(uv_timer_t *timer)
{
    struct handover *settle = timer->data;
    uint64_t now_ms = loop_now_ms(settle->job->loop);

    for (int level = 0; level < RETRY_LEVELS; level++)
        handover_retry_due(settle, &settle->retry[level], now_ms);
    if (settle->retries == 0)
        uv_timer_stop(timer);
}

static void handover_retry(struct handover *settle, struct message *message)
{
    int level = message->attempts < RETRY_LEVELS ? message->attempts : RETRY_LEVELS - 1;

    message->due_ms = loop_now_ms(settle->job->loop) + retry_delay(settle, level);
    if (message->attempts < UINT8_MAX)
        message->attempts++;
    STAILQ_INSERT_TAIL(&settle->retry[level], message, next);
    if (settle->retries++ == 0)
        uv_timer_start(&settle->tick, handover_on_tick, RETRY_TICK_MS, RETRY_TICK_MS);
}

void handover_answered(struct handover *settle, struct message *message,
                       const Imc__V1__SettleResult *result)
{
    if (message->partition == NULL || settle->closing) {
        message_unref(message);
        return;
    }
    enum outcome_settle answer = outcome_settled(settle->job, message, result);
    if (answer == OUTCOME_AGAIN) {
        if (result != NULL && result->status == IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN)
            handover_why(settle, "the routers do not know yet who is online");
        handover_retry(settle, message);
    } else {
        if (answer == OUTCOME_DONE)
            settle->progress_ms = loop_now_ms(settle->job->loop);
        message_unref(message);
    }
}

/* --- how it goes --- */

void handover_why(struct handover *settle, const char *why)
{
    snprintf(settle->why, sizeof settle->why, "%s", why);
}

uint64_t handover_idle_since(struct handover *settle, const char **why)
{
    if (settle->job->storing.count == 0 && settle->job->parked == 0)
        settle->progress_ms = loop_now_ms(settle->job->loop);
    if (settle->n_logics == 0)
        *why = "no logic holds a lease";
    else
        *why = settle->job->storing.count > 0 ? settle->why : "Kafka does not give back what waits";
    return settle->progress_ms;
}

void handover_tell(struct handover *settle)
{
    for (size_t i = 0; i < settle->n_logics; i++)
        logic_peer_tell(settle->logics[i]);
}

/* --- logics come and go --- */

static size_t member_find(const struct member_list *list, const struct logic_peer *logic)
{
    size_t i = 0;

    while (i < list->n && !logic_peer_is(logic, &list->members[i]))
        i++;
    return i;
}

void handover_logics_changed(struct handover *settle, const struct member_list *list)
{
    struct logic_peer **before = settle->logics;
    size_t n_before = settle->n_logics;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    struct logic_peer **kept = mem_zalloc((list->n + 1) * sizeof *kept);

    loop_assert_owner(settle->job->loop);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression) */
    settle->logics = mem_alloc((list->n + 1) * sizeof *settle->logics);
    settle->n_logics = 0;
    for (size_t i = 0; i < n_before; i++) {
        size_t at = member_find(list, before[i]);
        if (at == list->n)
            continue;
        kept[at] = before[i];
        before[i] = NULL;
    }
    for (size_t i = 0; i < list->n; i++) {
        if (kept[i] == NULL && list->members[i].rpc[0] != '\0')
            kept[i] = logic_peer_open(settle->job, settle, &list->members[i]);
        if (kept[i] != NULL)
            settle->logics[settle->n_logics++] = kept[i];
    }
    for (size_t i = 0; i < n_before; i++) {
        if (before[i] != NULL)
            logic_peer_close(before[i]);
    }
    free(before);
    free(kept);
    /* Only what is stranded now: it may strand again. */
    struct messages stranded = STAILQ_HEAD_INITIALIZER(stranded);
    STAILQ_CONCAT(&stranded, &settle->stranded);
    while (!STAILQ_EMPTY(&stranded))
        handover_place(settle, STAILQ_TAKE(&stranded, next));
}

size_t handover_logics(const struct handover *settle)
{
    return settle->n_logics;
}

size_t handover_logics_answering(const struct handover *settle)
{
    size_t n = 0;

    for (size_t i = 0; i < settle->n_logics; i++)
        n += logic_peer_answers(settle->logics[i]);
    return n;
}

void handover_logic_answers(struct handover *settle)
{
    struct job *job = settle->job;

    if (job->logics_told != NULL)
        job->logics_told(job->daemon_arg);
}

/* --- life --- */

struct handover *handover_open(struct job *job)
{
    struct handover *settle = mem_zalloc(sizeof *settle);

    settle->job = job;
    settle->progress_ms = loop_now_ms(job->loop);
    STAILQ_INIT(&settle->stranded);
    for (int i = 0; i < RETRY_LEVELS; i++)
        STAILQ_INIT(&settle->retry[i]);
    uv_timer_init(&job->loop->uv, &settle->tick);
    settle->tick.data = settle;
    return settle;
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

void handover_close(struct handover *settle)
{
    loop_assert_owner(settle->job->loop);
    settle->closing = true;
    for (size_t i = 0; i < settle->n_logics; i++)
        logic_peer_close(settle->logics[i]);
    free(settle->logics);
    messages_free(&settle->stranded);
    for (int i = 0; i < RETRY_LEVELS; i++)
        messages_free(&settle->retry[i]);
    uv_close((uv_handle_t *)&settle->tick, handover_on_closed);
}
