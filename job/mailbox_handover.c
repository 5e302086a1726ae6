/* mailbox_handover.c - the drawing is in mailbox_handover.h. */
#include "job/mailbox_handover.h"
#include "common/base/mem.h"
#include "job/job.h"
#include "job/logic_peer.h"
#include "job/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tasks {
    struct task *first, **last;
};

enum { RETRY_LEVELS = 8, RETRY_TICK_MS = 25 };

struct settle {
    struct job *job;
    struct logic_peer **logics;
    size_t n_logics;
    struct tasks stranded;            /* no logic lives */
    struct tasks retry[RETRY_LEVELS]; /* one delay each, so in order of due_ms */
    size_t retries;
    uv_timer_t tick;      /* runs while something is in retry */
    uint64_t progress_ms; /* loop time when a message was stored last, or none waited for it */
    char why[128];        /* the last failure */
    bool closing;
};

static void tasks_init(struct tasks *tasks)
{
    tasks->first = NULL;
    tasks->last = &tasks->first;
}

static void tasks_append(struct tasks *tasks, struct task *task)
{
    task->next = NULL;
    *tasks->last = task;
    tasks->last = &task->next;
}

static struct task *tasks_take(struct tasks *tasks)
{
    struct task *task = tasks->first;

    if (task == NULL)
        return NULL;
    tasks->first = task->next;
    if (tasks->first == NULL)
        tasks->last = &tasks->first;
    task->next = NULL;
    return task;
}

/* --- which logic --- */

/* Those that answer; if none does, any may be tried. */
static struct logic_peer *settle_choose(const struct settle *settle, int64_t uid)
{
    size_t up = 0;

    if (settle->n_logics == 0)
        return NULL;
    for (size_t i = 0; i < settle->n_logics; i++)
        up += logic_is_up(settle->logics[i]);
    uint64_t spread = (uint64_t)uid * 0x9e3779b97f4a7c15U >> 32;
    size_t pick = spread % (up > 0 ? up : settle->n_logics);
    for (size_t i = 0;; i++) {
        if (up > 0 && !logic_is_up(settle->logics[i]))
            continue;
        if (pick-- == 0)
            return settle->logics[i];
    }
}

/* Takes the reference. */
static void settle_place(struct settle *settle, struct task *task)
{
    struct logic_peer *logic;

    if (task->partition == NULL) {
        task_unref(task);
        return;
    }
    logic = settle_choose(settle, task->uid);
    if (logic == NULL)
        tasks_append(&settle->stranded, task);
    else
        logic_push(logic, task);
}

void settle_add(struct settle *settle, struct task *task)
{
    task->settle_since_ms = loop_now_ms(settle->job->loop);
    task->attempts = 0;
    settle_place(settle, task_ref(task));
}

/* --- again --- */

static uint64_t retry_delay(const struct settle *settle, int level)
{
    uint64_t delay = (uint64_t)settle->job->config->retry_first_ms << level;
    uint64_t last = (uint64_t)settle->job->config->retry_last_ms;

    return delay < last ? delay : last;
}

static void settle_on_tick(uv_timer_t *timer)
{
    struct settle *settle = timer->data;
    uint64_t now = loop_now_ms(settle->job->loop);

    for (int level = 0; level < RETRY_LEVELS; level++) {
        while (settle->retry[level].first != NULL && settle->retry[level].first->due_ms <= now) {
            settle->retries--;
            settle_place(settle, tasks_take(&settle->retry[level]));
        }
    }
    if (settle->retries == 0)
        uv_timer_stop(timer);
}

static void settle_retry(struct settle *settle, struct task *task)
{
    int level = task->attempts < RETRY_LEVELS ? task->attempts : RETRY_LEVELS - 1;

    task->due_ms = loop_now_ms(settle->job->loop) + retry_delay(settle, level);
    if (task->attempts < UINT8_MAX)
        task->attempts++;
    tasks_append(&settle->retry[level], task);
    if (settle->retries++ == 0)
        uv_timer_start(&settle->tick, settle_on_tick, RETRY_TICK_MS, RETRY_TICK_MS);
}

void settle_answered(struct settle *settle, struct task *task, const Imc__V1__SettleResult *result)
{
    if (task->partition == NULL || settle->closing) {
        task_unref(task);
    } else if (answer_settled(settle->job, task, result) == ANSWER_AGAIN) {
        if (result != NULL && result->status == IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN)
            settle_why(settle, "the routers do not know yet who is online");
        settle_retry(settle, task);
    } else {
        settle->progress_ms = loop_now_ms(settle->job->loop);
        task_unref(task);
    }
}

/* --- how it goes --- */

void settle_why(struct settle *settle, const char *why)
{
    snprintf(settle->why, sizeof settle->why, "%s", why);
}

uint64_t settle_idle_since(struct settle *settle, const char **why)
{
    if (settle->job->storing.count == 0 && settle->job->parked == 0)
        settle->progress_ms = loop_now_ms(settle->job->loop);
    if (settle->n_logics == 0)
        *why = "no logic holds a lease";
    else
        *why = settle->job->storing.count > 0 ? settle->why : "Kafka does not give back what waits";
    return settle->progress_ms;
}

void settle_tell(struct settle *settle)
{
    for (size_t i = 0; i < settle->n_logics; i++)
        logic_tell(settle->logics[i]);
}

/* --- logics come and go --- */

static size_t member_find(const struct member_list *list, const struct logic_peer *logic)
{
    size_t i = 0;

    while (i < list->n && !logic_is(logic, &list->members[i]))
        i++;
    return i;
}

void settle_logics_changed(struct settle *settle, const struct member_list *list)
{
    struct logic_peer **before = settle->logics;
    size_t n_before = settle->n_logics;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    struct logic_peer **kept = mem_zalloc((list->n + 1) * sizeof *kept);

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
            kept[i] = logic_open(settle->job, settle, &list->members[i]);
        if (kept[i] != NULL)
            settle->logics[settle->n_logics++] = kept[i];
    }
    for (size_t i = 0; i < n_before; i++) {
        if (before[i] != NULL)
            logic_close(before[i]);
    }
    free(before);
    free(kept);
    struct task *stranded = settle->stranded.first;
    tasks_init(&settle->stranded);
    while (stranded != NULL) {
        struct task *next = stranded->next;
        settle_place(settle, stranded);
        stranded = next;
    }
}

size_t settle_logics(const struct settle *settle)
{
    return settle->n_logics;
}

/* --- life --- */

struct settle *settle_open(struct job *job)
{
    struct settle *settle = mem_zalloc(sizeof *settle);

    settle->job = job;
    settle->progress_ms = loop_now_ms(job->loop);
    tasks_init(&settle->stranded);
    for (int i = 0; i < RETRY_LEVELS; i++)
        tasks_init(&settle->retry[i]);
    uv_timer_init(&job->loop->uv, &settle->tick);
    settle->tick.data = settle;
    return settle;
}

static void settle_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void tasks_free(struct tasks *tasks)
{
    struct task *task;

    while ((task = tasks_take(tasks)) != NULL)
        task_unref(task);
}

void settle_close(struct settle *settle)
{
    settle->closing = true;
    for (size_t i = 0; i < settle->n_logics; i++)
        logic_close(settle->logics[i]);
    free(settle->logics);
    tasks_free(&settle->stranded);
    for (int i = 0; i < RETRY_LEVELS; i++)
        tasks_free(&settle->retry[i]);
    uv_close((uv_handle_t *)&settle->tick, settle_on_closed);
}
