/* comet_batch.h - what job sends to one comet: items become a PushBatch. comet_stream.c sends it
 * and takes the answer apart. Main loop only. */
#ifndef IMC_JOB_COMETS_COMET_BATCH_H
#define IMC_JOB_COMETS_COMET_BATCH_H

#include "common/base/list.h"
#include "common/base/msg.h"
#include "job/base/message.h"
#include "proto/push.pb-c.h"

struct job;

/* What one comet is to do with a message. */
struct comet_item {
    STAILQ_ENTRY(comet_item) next; /* in the one queue of its comet it stands in */
    struct message *message;       /* a reference */
    Imc__V1__PushItem__Kind kind;
    bool kept; /* comets.h: its message waits for no answer */
    uint32_t n_handles;
    uint64_t handles[];
};

/* One comet answered its item of MESSAGE, or its lease lapsed (GONE). */
typedef void (*comet_answered_fn)(struct job *job, struct message *message,
                                  Imc__V1__PushItem__Kind kind, Imc__V1__PushResult result);

/* About the bytes it takes in a batch. */
size_t comet_batch_size(const struct comet_item *item);
/* What stands on a batch. */
struct comet_envelope {
    struct job *job;
    uint64_t seq, epoch, process;
    /* A Standing; 0: none. */
    uint64_t link;
    bool missed_rooms, missed_all;
};
struct msg *comet_batch_pack(const struct comet_envelope *envelope, struct comet_item *const *items,
                             size_t n);

#endif
