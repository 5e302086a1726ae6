/* message.h - one message of the bus on its way through job. Main loop only.
 *
 * References: the partition has one until the message is resolved or forgotten, each item in a
 * comet's queue or batch has one, and the handover has one while the message is in a queue or batch
 * of its. */
#ifndef IMC_JOB_BASE_MESSAGE_H
#define IMC_JOB_BASE_MESSAGE_H

#include "common/base/list.h"
#include "common/events/event_types.h"
#include "common/trace/trace_mark.h"
#include "job/base/user_order.h"
#include "proto/bus.pb-c.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct partition;

enum message_kind { MESSAGE_UID, MESSAGE_ROOM, MESSAGE_ALL };

/* A session as logic saw it when it accepted the message. */
struct hint {
    const char *comet; /* lease id */
    uint64_t epoch, handle;
    bool acked; /* it acknowledges its messages */
};

/* Of a traced message. */
struct message_trace {
    struct trace_mark mark;
    uint8_t bytes[TRACE_MARK_LEN]; /* the same, as comets and logics get it */
    uint64_t read_us;              /* Unix time */
};
/* What job tells the business of a message (docs/events.md): an enum event_type, or nothing. */
enum message_fact {
    FACT_NONE = 0, /* a type of sessions */
    FACT_DELIVERED = EVENT_DELIVERED,
    FACT_ACKNOWLEDGED = EVENT_ACKNOWLEDGED,
    FACT_EXPIRED = EVENT_EXPIRED,
};

STAILQ_HEAD(messages, message);

struct message {
    struct user_order_entry entry; /* MESSAGE_UID */
    struct partition
        *partition; /* NULL: resolved or forgotten; whatever is still answered is ignored */
    STAILQ_ENTRY(message) next; /* in the one queue of the handover it stands in */
    uint64_t ticket;            /* offset_tracker.h */
    int64_t offset;
    uint64_t fence;       /* of the partition, for when that is none of ours any more */
    int32_t partition_id; /* likewise */
    uint64_t id, expires_ms;
    int64_t uid;
    uint64_t settle_since_ms; /* loop time of the first settle */
    uint64_t due_ms;          /* loop time of the next settle */
    size_t size;              /* bytes it is charged with */
    uint32_t refs;
    uint32_t waiting; /* answers of comets */
    int32_t op, speed;
    uint8_t kind; /* enum message_kind */
    uint8_t attempts;
    bool taken;       /* some comet took it */
    bool written;     /* and wrote it to a session */
    uint8_t fact;     /* enum message_fact: of a message that is over */
    bool stored;      /* in the mailbox; waiting counts pokes */
    bool storing;     /* charged to the window of what is stored */
    bool any;         /* PushMsg.any */
    bool store_first; /* it goes by the mailbox, although there are hints */
    bool away;        /* nobody was there when logic accepted it, as routers said */
    bool urgent;      /* is settled before those who are away */
    bool sharded;     /* .shard is known */
    uint8_t shard;    /* of Redis, on which its mailbox is */
    uint32_t body_len, n_hints;
    uint32_t n_keys, keys_len; /* KEYS_LEN: bytes that KEYS, DEVICES and COLLAPSE take in a message
                                * to logic */
    const char **keys;         /* only sessions with one of these are meant; none: all. Ascending */
    uint32_t n_devices;
    const char **devices; /* keys of acknowledged sessions among the hints; none with ANY */
    const char *collapse; /* PushMsg.collapse; "": none */
    uint8_t *body;
    struct message_trace *trace; /* NULL: it is not traced */
    char *room;
    struct hint *hints;   /* sorted by comet, epoch, handle */
    struct hint *found;   /* what .hints is since the message was diverted; NULL before that */
    uint64_t diverted_ms; /* loop time; 0: never */
};

/* Copies all of ENVELOPE into one allocation; one reference. */
struct message *message_new(enum message_kind kind, const Imc__V1__PushMsg *envelope);
/* The message goes to the N sessions HINTS from now on. They are sorted, and copied. No comet may
 * have an item of the message. */
void message_aim(struct message *message, const struct hint *hints, size_t n);
static inline struct message *message_ref(struct message *message)
{
    message->refs++;
    return message;
}
void message_unref(struct message *message);

/* For protobuf: the mark of MESSAGE, or nothing. */
static inline ProtobufCBinaryData message_mark(const struct message *message)
{
    if (message->trace == NULL)
        return (ProtobufCBinaryData){0};
    return (ProtobufCBinaryData){TRACE_MARK_LEN, message->trace->bytes};
}

/* For qsort(): by comet, epoch, handle. */
int hint_compare(const void *a, const void *b);
bool hint_same_comet(const struct hint *a, const struct hint *b);

static inline struct message *message_of(struct user_order_entry *entry)
{
    return (struct message *)(void *)entry;
}

static inline const struct message *message_of_const(const struct user_order_entry *entry)
{
    return (const struct message *)(const void *)entry;
}

#endif
