#include "job/comet_wire.h"
#include "common/mem.h"
#include "common/pb.h"
#include "job/partition.h"

#include <stdlib.h>

enum { ITEM_OVERHEAD = 96 };

size_t comet_wire_size(const struct item *item)
{
    const struct task *task = item->task;
    size_t size = ITEM_OVERHEAD + item->n_handles * sizeof item->handles[0];

    return item->kind == IMC__V1__PUSH_ITEM__KIND__POKE ? size : size + task->body_len;
}

struct packed_item {
    Imc__V1__PushItem item;
    Imc__V1__Waiting message;
};

static void item_describe(struct packed_item *packed, struct item *item, uint64_t epoch)
{
    struct task *task = item->task;
    Imc__V1__PushItem *out = &packed->item;

    imc__v1__push_item__init(out);
    out->kind = item->kind;
    out->partition = (uint32_t)task->partition->id;
    out->fence = task->partition->fence;
    out->epoch = epoch;
    out->uid = task->uid;
    out->n_handles = item->n_handles;
    out->handles = item->handles;
    if (item->kind == IMC__V1__PUSH_ITEM__KIND__POKE) {
        out->n_ids = 1;
        out->ids = &task->id;
        return;
    }
    out->offset = task->offset;
    out->speed = task->speed;
    if (task->kind == TASK_ROOM)
        out->room = task->room;
    imc__v1__waiting__init(&packed->message);
    packed->message.id = task->id;
    packed->message.op = task->op;
    packed->message.expires_ms = task->expires_ms;
    packed->message.body.len = task->body_len;
    packed->message.body.data = task->body;
    out->message = &packed->message;
}

struct msg *comet_wire_pack(uint64_t seq, char *job, uint64_t epoch, struct item *const *items,
                            size_t n)
{
    Imc__V1__PushBatch batch;
    struct packed_item *packed = mem_alloc(n * sizeof *packed);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    Imc__V1__PushItem **list = mem_alloc(n * sizeof *list);

    for (size_t i = 0; i < n; i++) {
        item_describe(&packed[i], items[i], epoch);
        list[i] = &packed[i].item;
    }
    imc__v1__push_batch__init(&batch);
    batch.seq = seq;
    batch.job = job;
    batch.n_items = n;
    batch.items = list;
    struct msg *msg = msg_new(imc__v1__push_batch__get_packed_size(&batch));
    imc__v1__push_batch__pack(&batch, msg->data);
    free(list);
    free(packed);
    return msg;
}

struct decoded_reply {
    struct arena arena;
    Imc__V1__PushReply *reply;
};

void *comet_wire_decode(struct msg *msg)
{
    struct decoded_reply *decoded = mem_alloc(sizeof *decoded);

    arena_init(&decoded->arena);
    ProtobufCAllocator allocator = arena_allocator(&decoded->arena);
    decoded->reply = pb_unpack(&imc__v1__push_reply__descriptor, &allocator, msg->len, msg->data);
    msg_unref(msg);
    if (decoded->reply != NULL)
        return decoded;
    comet_wire_drop(decoded);
    return NULL;
}

void comet_wire_drop(void *reply)
{
    struct decoded_reply *decoded = reply;

    arena_free(&decoded->arena);
    free(decoded);
}

const Imc__V1__PushReply *comet_wire_reply(const void *reply)
{
    return ((const struct decoded_reply *)reply)->reply;
}
