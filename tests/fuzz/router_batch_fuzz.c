/* Batches on a shard that lives: what a logic, or somebody who says he is one, may send. The shard
 * stays from one input to the next, so that sessions, comets and rooms of many are in it. */
#include "common/protocol/unpack.h"
#include "router/map_batch.h"

#include <stdlib.h>
#include <string.h>

enum { ITEMS_MAX = 16384, REPLY_MAX = 4 << 20, LIVES = 20000, TOPS_MAX = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct map_shard shard;
static _Atomic int64_t counters[ROUTER_METRIC_COUNT];

static void show(enum member_kind kind, const char *id, uint64_t epoch)
{
    struct member member = {.epoch = epoch, .weight = 1};
    struct member_list list = {.n = 1, .members = &member};

    memcpy(member.id, id, strlen(id) + 1);
    if (kind == MEMBER_COMET)
        map_shard_comets(&shard, &list);
    else
        map_shard_routers(&shard, &list, id);
}

static void live(void)
{
    static const struct map_shard_limits limits = {
        .comet_grace_ms = 7000, .sweep_slice = 64, .max_counted = 3};

    map_shard_init(&shard, &limits, counters);
    shard.now_ms = 1000;
    shard.completeness.ready = true;
    show(MEMBER_ROUTER, "r1", 1);
    show(MEMBER_COMET, "c1", 5);
}

/* The fuzzer does not guess a hash of 64 bits: half of the batches get it. */
static void agree(Imc__V1__MapBatch *batch)
{
    if ((batch->ring & 1) != 0)
        batch->ring = shard.completeness.hash;
}

static void check(int holds)
{
    if (!holds)
        abort();
}

static void carry_out(const uint8_t *data, size_t size)
{
    struct unpack_input in = {data, size, ITEMS_MAX};
    struct arena arena;
    const char *why;

    arena_init(&arena);
    Imc__V1__MapBatch *batch =
        (Imc__V1__MapBatch *)unpack(&imc__v1__map_batch__descriptor, &arena, &in, &why);
    if (batch != NULL) {
        agree(batch);
        struct msg *msg = map_batch_apply(&shard, batch, &arena);
        check(msg->len <= REPLY_MAX);
        Imc__V1__MapReply *reply = imc__v1__map_reply__unpack(NULL, msg->len, msg->data);
        check(reply != NULL && reply->seq == batch->seq);
        check(reply->n_lookups == batch->n_lookups);
        check(reply->n_totals == batch->n_totals);
        check(reply->n_top == (batch->n_top < TOPS_MAX ? batch->n_top : TOPS_MAX));
        check(reply->ring_mismatch || reply->n_puts == batch->n_puts);
        imc__v1__map_reply__free_unpacked(reply, NULL);
        msg_unref(msg);
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int lives;

    if (lives++ % LIVES == 0) {
        if (lives > 1)
            map_shard_close(&shard);
        live();
    }
    shard.now_ms += 10;
    carry_out(data, size);
    if (lives % 64 == 0) { /* time goes by, comets come back in another life */
        show(MEMBER_COMET, "c1", 5 + (uint64_t)lives / 64);
        map_shard_tick(&shard, shard.now_ms, true);
    }
    map_shard_sweep(&shard);
    return 0;
}
