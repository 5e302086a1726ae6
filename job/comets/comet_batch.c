#include "job/comets/comet_batch.h"
#include "common/base/mem.h"
#include "job/base/job.h"
#include "job/partition/partition.h"

#include <stdlib.h>

enum { ITEM_OVERHEAD = 96 };

size_t comet_batch_size(const struct comet_item *item)
{
    const struct message *message = item->message;
    size_t size = ITEM_OVERHEAD + item->n_handles * sizeof item->handles[0];

    return item->kind == IMC__V1__PUSH_ITEM__KIND__POKE ? size : size + message->body_len;
}

struct packed_item {
    Imc__V1__PushItem item;
    Imc__V1__Waiting message;
};

/* The fence that MESSAGE travels with: that of its partition now, if the partition is ours. A kept
 * item may be older than our last fence, or its partition may be another job's by now. */
static uint64_t message_fence(const struct job *job, const struct message *message)
{
    const struct partition *ours = message->partition != NULL
                                       ? message->partition
                                       : partition_find(job, message->partition_id);

    return ours != NULL && partition_is_ours(ours) ? ours->fence : message->fence;
}

static void item_describe(struct packed_item *packed, struct comet_item *item,
                          const struct job *job, uint64_t epoch)
{
    struct message *message = item->message;
    Imc__V1__PushItem *out = &packed->item;

    imc__v1__push_item__init(out);
    out->kind = item->kind;
    out->partition = (uint32_t)message->partition_id;
    out->fence = message_fence(job, message);
    out->epoch = epoch;
    out->uid = message->uid;
    out->n_handles = item->n_handles;
    out->handles = item->handles;
    if (item->kind == IMC__V1__PUSH_ITEM__KIND__POKE) {
        out->n_ids = 1;
        out->ids = &message->id;
        return;
    }
    out->offset = message->offset;
    out->speed = message->speed;
    if (message->kind == MESSAGE_ROOM)
        out->room = message->room;
    imc__v1__waiting__init(&packed->message);
    packed->message.id = message->id;
    packed->message.op = message->op;
    packed->message.expires_ms = message->expires_ms;
    packed->message.body.len = message->body_len;
    packed->message.body.data = message->body;
    out->message = &packed->message;
}

static void standing_describe(Imc__V1__Standing *out, const struct comet_envelope *envelope)
{
    const struct partition *p;
    size_t n = 0;

    imc__v1__standing__init(out);
    out->epoch = envelope->epoch;
    out->link = envelope->link;
    out->missed_rooms = envelope->missed_rooms;
    out->missed_all = envelope->missed_all;
    LIST_FOREACH(p, &envelope->job->partitions, link)
        n += partition_is_ours(p);
    out->partitions = mem_alloc((n + 1) * sizeof *out->partitions);
    out->fences = mem_alloc((n + 1) * sizeof *out->fences);
    LIST_FOREACH(p, &envelope->job->partitions, link) {
        if (!partition_is_ours(p))
            continue;
        out->partitions[out->n_partitions++] = (uint32_t)p->id;
        out->fences[out->n_fences++] = p->fence;
    }
}

struct msg *comet_batch_pack(const struct comet_envelope *envelope, struct comet_item *const *items,
                             size_t n)
{
    Imc__V1__PushBatch batch;
    Imc__V1__Standing standing = {0};
    struct packed_item *packed = mem_alloc((n + 1) * sizeof *packed);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    Imc__V1__PushItem **list = mem_alloc((n + 1) * sizeof *list);

    for (size_t i = 0; i < n; i++) {
        item_describe(&packed[i], items[i], envelope->job, envelope->epoch);
        list[i] = &packed[i].item;
    }
    imc__v1__push_batch__init(&batch);
    batch.seq = envelope->seq;
    batch.job = envelope->job->id;
    batch.process = envelope->process;
    batch.n_items = n;
    batch.items = list;
    if (envelope->link != 0) {
        standing_describe(&standing, envelope);
        batch.standing = &standing;
    }
    struct msg *msg = msg_pack(&batch.base);
    free(standing.partitions);
    free(standing.fences);
    free(list);
    free(packed);
    return msg;
}
