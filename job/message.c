#include "job/message.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(offsetof(struct task, hold) == 0, "task_of() casts");

int hint_compare(const void *a, const void *b)
{
    const struct hint *x = a, *y = b;
    int order = strcmp(x->comet, y->comet);

    if (order != 0)
        return order;
    if (x->epoch != y->epoch)
        return x->epoch < y->epoch ? -1 : 1;
    return x->handle < y->handle ? -1 : x->handle > y->handle;
}

bool hint_same_comet(const struct hint *a, const struct hint *b)
{
    return a->epoch == b->epoch && strcmp(a->comet, b->comet) == 0;
}

static size_t envelope_tail(const Imc__V1__PushMsg *envelope)
{
    size_t size =
        envelope->n_hints * sizeof(struct hint) + envelope->msg.len + strlen(envelope->room) + 1;

    for (size_t i = 0; i < envelope->n_hints; i++)
        size += strlen(envelope->hints[i]->comet) + 1;
    return size;
}

static char *put_string(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);

    *at += size;
    return copy;
}

struct task *task_new(enum task_kind kind, const Imc__V1__PushMsg *envelope)
{
    size_t size = sizeof(struct task) + envelope_tail(envelope);
    struct task *task = mem_alloc(size);

    memset(task, 0, sizeof *task);
    task->refs = 1;
    task->kind = (uint8_t)kind;
    task->size = size;
    task->id = envelope->id;
    task->expires_ms = envelope->expires_ms;
    task->uid = envelope->uid;
    task->op = envelope->operation;
    task->speed = envelope->speed;
    task->hints = (struct hint *)(task + 1);
    task->n_hints = (uint32_t)envelope->n_hints;
    task->away = envelope->away && envelope->n_hints == 0;
    char *at = (char *)(task->hints + task->n_hints);
    for (uint32_t i = 0; i < task->n_hints; i++) {
        const Imc__V1__Session *session = envelope->hints[i];
        task->hints[i] =
            (struct hint){put_string(&at, session->comet), session->epoch, session->handle};
    }
    if (task->n_hints > 1)
        qsort(task->hints, task->n_hints, sizeof *task->hints, hint_compare);
    task->room = put_string(&at, envelope->room);
    task->body_len = (uint32_t)envelope->msg.len;
    task->body = (uint8_t *)at;
    if (task->body_len > 0)
        memcpy(at, envelope->msg.data, task->body_len);
    return task;
}

struct task *task_ref(struct task *task)
{
    task->refs++;
    return task;
}

void task_unref(struct task *task)
{
    assert(task->refs > 0);
    if (--task->refs == 0)
        free(task);
}
