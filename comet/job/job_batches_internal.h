/* job_batches_internal.h - a batch from job, as job_batches.c (rpc thread: read, checked, spread)
 * and job_batches_share.c (loops: delivered, answered) share it. */
#ifndef IMC_COMET_JOB_JOB_BATCHES_INTERNAL_H
#define IMC_COMET_JOB_JOB_BATCHES_INTERNAL_H

#include "comet/job/job_batches.h"
#include "comet/wire/push.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "proto/push.pb-c.h"

struct replay_windows;

struct job_batches {
    struct comet *comet;
    job_missed_fn missed;
    struct replay_windows *applied;
    int64_t *counters; /* the rpc thread's block */
};

/* An item's way: OPEN ─► a result, told in the answer; or OPEN ─► LATE when the answer leaves first
 * ─► a result, told late. Whoever comes second, the answer or the result, sees the other: both
 * exchange the state. (Not while the loop's share is being delivered: the answer waits for that.)
 */
enum item_state { ITEM_OPEN, ITEM_LATE, ITEM_TAKEN, ITEM_GONE, ITEM_REFUSED };

struct push_item {
    uint32_t left; /* atomic: handles or loops that have not told yet */
    uint8_t taken; /* atomic: some session took it */
    uint8_t state; /* atomic, enum item_state */
};

struct push_share {
    struct inbox_item item;
    struct loop_task end; /* of the turn, when walks have begun */
    struct push_batch *batch;
};

struct push_batch {
    struct backing backing;
    struct arena arena;
    Imc__V1__PushBatch *proto;
    struct job_batches *service;
    struct rpc_stream *stream;
    struct push_item *items;
    struct push_share *shares; /* one per loop */
    uint64_t fence;            /* the highest of those that refused items came too late for */
    uint32_t loops_left;       /* atomic: shares that are not done */
    uint8_t answered;          /* atomic: the answer has left, late results may follow */
    size_t held;               /* bytes of the arena that are counted for the peer */
};

/* What tells this message from others at its offset. goim's pushes to rooms and all have no id. */
uint64_t push_item_id(const Imc__V1__PushItem *proto);

/* Any thread: all shares are done, so the answer leaves. */
void push_batch_answer(struct push_batch *batch);
/* SHARE of BATCH, to be posted to its loop; the caller gives it a reference. */
void push_share_init(struct push_share *share, struct push_batch *batch);
/* Any thread: it will not be delivered. Takes the reference. */
void push_share_done(struct push_batch *batch);

#endif
