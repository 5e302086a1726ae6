#include "job/base/message.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/time.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_OVERHEAD = 3 }; /* bytes that a key takes besides itself, as protobuf packs it */

static_assert(offsetof(struct message, entry) == 0, "message_of() casts");

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

/* The key of the device that is owed the message because of hint I; NULL: none is. */
static const char *hint_device(const Imc__V1__PushMsg *envelope, size_t i)
{
    const Imc__V1__Session *session = envelope->hints[i];

    return session->acked && session->key[0] != '\0' && !envelope->any ? session->key : NULL;
}

static size_t envelope_tail(const Imc__V1__PushMsg *envelope)
{
    size_t size =
        envelope->n_hints * sizeof(struct hint) + envelope->msg.len + strlen(envelope->room) + 1;

    for (size_t i = 0; i < envelope->n_hints; i++)
        size += strlen(envelope->hints[i]->comet) + 1;
    for (size_t i = 0; i < envelope->n_keys; i++)
        size += sizeof(char *) + strlen(envelope->keys[i]) + 1;
    if (envelope->trace.len > 0)
        size += sizeof(struct message_trace);
    for (size_t i = 0; i < envelope->n_hints; i++)
        size += hint_device(envelope, i) != NULL
                    ? sizeof(char *) + strlen(hint_device(envelope, i)) + 1
                    : 0;
    return size + strlen(envelope->collapse) + 1;
}

static char *put_string(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);

    *at += size;
    return copy;
}

static const char *put_key(struct message *message, char **at, const char *key)
{
    message->keys_len += (uint32_t)strlen(key) + KEY_OVERHEAD;
    return put_string(at, key);
}

/* Copies keys, devices and collapse key to *AT, which is aligned for pointers. */
static void put_keys(struct message *message, const Imc__V1__PushMsg *envelope, char **at)
{
    message->keys = (const char **)(void *)*at;
    message->n_keys = (uint32_t)envelope->n_keys;
    *at += envelope->n_keys * sizeof *message->keys;
    message->devices = (const char **)(void *)*at;
    for (size_t i = 0; i < envelope->n_hints; i++)
        *at += hint_device(envelope, i) != NULL ? sizeof *message->devices : 0;
    for (size_t i = 0; i < envelope->n_keys; i++)
        message->keys[i] = put_key(message, at, envelope->keys[i]);
    for (size_t i = 0; i < envelope->n_hints; i++) {
        if (hint_device(envelope, i) != NULL)
            message->devices[message->n_devices++] = put_key(message, at, hint_device(envelope, i));
    }
    message->collapse =
        envelope->collapse[0] != '\0' ? put_key(message, at, envelope->collapse) : "";
    /* Logic sorts them. But anybody may write to the bus. */
    qsort(message->keys, message->n_keys, sizeof *message->keys, text_compare);
}

/* Copies the mark to *AT, which is aligned for it. A mark of another version is left out. */
static void put_trace(struct message *message, const Imc__V1__PushMsg *envelope, char **at)
{
    struct message_trace *trace = (struct message_trace *)(void *)*at;

    if (!trace_mark_read(envelope->trace.data, envelope->trace.len, &trace->mark))
        return;
    memcpy(trace->bytes, envelope->trace.data, TRACE_MARK_LEN);
    trace->read_us = time_unix_us();
    message->trace = trace;
    *at += sizeof *trace;
}

struct message *message_new(enum message_kind kind, const Imc__V1__PushMsg *envelope)
{
    size_t size = sizeof(struct message) + envelope_tail(envelope);
    struct message *message = mem_alloc(size);

    memset(message, 0, sizeof *message);
    message->refs = 1;
    message->kind = (uint8_t)kind;
    message->size = size;
    message->id = envelope->id;
    message->expires_ms = envelope->expires_ms;
    message->uid = envelope->uid;
    message->op = envelope->operation;
    message->store_first = envelope->store_first;
    message->any = envelope->any;
    message->speed = envelope->speed;
    message->hints = (struct hint *)(message + 1);
    message->n_hints = (uint32_t)envelope->n_hints;
    message->away = envelope->away && envelope->n_hints == 0;
    char *at = (char *)(message->hints + message->n_hints);
    if (envelope->trace.len > 0)
        put_trace(message, envelope, &at);
    put_keys(message, envelope, &at);
    for (uint32_t i = 0; i < message->n_hints; i++) {
        const Imc__V1__Session *session = envelope->hints[i];
        message->hints[i] = (struct hint){put_string(&at, session->comet), session->epoch,
                                          session->handle, session->acked};
    }
    if (message->n_hints > 1)
        qsort(message->hints, message->n_hints, sizeof *message->hints, hint_compare);
    message->room = put_string(&at, envelope->room);
    message->body_len = (uint32_t)envelope->msg.len;
    message->body = (uint8_t *)at;
    if (message->body_len > 0)
        memcpy(at, envelope->msg.data, message->body_len);
    return message;
}

void message_aim(struct message *message, const struct hint *hints, size_t n)
{
    size_t size = n * sizeof *hints;

    for (size_t i = 0; i < n; i++)
        size += strlen(hints[i].comet) + 1;
    struct hint *found = mem_alloc(size);
    char *at = (char *)(found + n);
    for (size_t i = 0; i < n; i++)
        found[i] = (struct hint){put_string(&at, hints[i].comet), hints[i].epoch, hints[i].handle,
                                 hints[i].acked};
    free(message->found);
    message->hints = message->found = found;
    message->n_hints = (uint32_t)n;
}

void message_unref(struct message *message)
{
    assert(message->refs > 0);
    if (--message->refs > 0)
        return;
    free(message->found);
    free(message);
}
