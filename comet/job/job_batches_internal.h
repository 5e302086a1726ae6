/* job_batches_internal.h - a batch from job, for job_batches.c (rpc thread: reads, checks, spreads
 * it) and job_batches_share.c (loops: deliver it, answer). */
#ifndef IMC_COMET_JOB_JOB_BATCHES_INTERNAL_H
#define IMC_COMET_JOB_JOB_BATCHES_INTERNAL_H

#include "comet/wire/push.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "proto/push.pb-c.h"

struct comet;
struct replay_windows;
struct rpc_stream;

struct job_batches {
    struct comet *comet;
    void (*missed)(struct comet *comet, unsigned missed, const char *why); /* job_missed_fn */
    struct replay_windows *applied;
    _Atomic int64_t *counters; /* the rpc thread's block */
};

/* An item goes from OPEN to a result, which the answer carries. If the answer leaves first, the
 * item goes from OPEN to LATE, and its result follows in a message of its own. Answer and result
 * both change the state by an atomic exchange, so the second one sees the first. A result during
 * the loop's own share needs no exchange, because the answer waits for that. */
enum item_state { ITEM_OPEN, ITEM_LATE, ITEM_TAKEN, ITEM_GONE, ITEM_REFUSED };

struct push_item {
    _Atomic uint32_t left;   /* handles or loops without a result yet */
    _Atomic uint8_t taken;   /* a session took it */
    _Atomic uint8_t written; /* it was written to one */
    _Atomic uint8_t state;   /* enum item_state */
};

struct push_share {
    struct inbox_item item;
    struct loop_task end; /* runs at the end of the turn, when walks have begun */
    struct push_batch *batch;
};

struct push_batch {
    struct backing backing;
    struct arena arena;
    Imc__V1__PushBatch *proto;
    struct job_batches *service;
    struct rpc_stream *stream;
    struct push_item *items;
    struct push_share *shares;   /* one per loop */
    uint64_t fence;              /* the highest fence seen for the partitions of refused items */
    _Atomic uint32_t loops_left; /* shares that are not done */
    _Atomic uint8_t answered;    /* the answer has left, late results may follow */
    size_t held;                 /* bytes of the arena, as counted for the peer */
};

/* What distinguishes this message from others at its offset: its id, or a hash of its body, since
 * goim's pushes to rooms and to all have no id. */
uint64_t push_item_id(const Imc__V1__PushItem *proto);

/* Any thread: all shares are done; sends the answer. */
void push_batch_answer(struct push_batch *batch);
/* Makes SHARE a share of BATCH, to be posted to its loop. The caller takes a reference to BATCH for
 * it. */
void push_share_init(struct push_share *share, struct push_batch *batch);
/* Any thread: a share is done, or will not be delivered. Drops its reference. */
void push_share_done(struct push_batch *batch);

#endif
