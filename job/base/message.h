/* message.h - one message of the bus on its way through job. Main loop only.
 *
 * References: the partition has one until the message is resolved or forgotten, each item in a
 * comet's queue or batch has one, and the handover has one while the message is in a queue or batch
 * of its. */
#ifndef IMC_JOB_BASE_MESSAGE_H
#define IMC_JOB_BASE_MESSAGE_H

#include "common/base/list.h"
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
    bool stored;      /* in the mailbox; waiting counts pokes */
    bool storing;     /* charged to the window of what is stored */
    bool any;         /* PushMsg.any */
    bool store_first; /* it goes by the mailbox, although there are hints */
    bool away;        /* nobody was there when logic accepted it, as routers said */
    bool urgent;      /* is settled before those who are away */
    bool sharded;     /* .shard is known */
    uint8_t shard;    /* of Redis, on which its mailbox is */
    uint32_t body_len, n_hints;
    uint32_t n_keys, keys_len; /* KEYS_LEN: bytes that the keys take in a message to logic */
    const char **keys;         /* only sessions with one of these are meant; none: all. Ascending */
    uint8_t *body;
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
