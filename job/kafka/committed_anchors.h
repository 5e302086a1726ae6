/* committed_anchors.h - what our commits carry besides offsets: of which log they are. Owner loop
 * only; a question waits for Kafka in a thread of its own.
 *
 *   committed_anchors_add ─► offset + anchor (its text is the commit's metadata) ══► Kafka's group
 *   committed_anchors_ask ◄── anchor of each partition ◄────────────────────────────────┘
 *
 * The anchor is a message just below the offset. Whoever begins at the offset looks first whether
 * the log still has that message (log_identity.h). Kafka keeps both together, so they fit each
 * other whatever becomes of jobs, Redis or clusters. What is committed by other means (Kafka's own
 * tools, an older job) has no anchor, and is believed. */
#ifndef IMC_JOB_KAFKA_COMMITTED_ANCHORS_H
#define IMC_JOB_KAFKA_COMMITTED_ANCHORS_H

#include "job/partition/log_anchors.h"
#include <librdkafka/rdkafka.h>
#include <stdbool.h>

struct job;
struct committed_anchors;

/* ANCHOR of the partition ID: .offset is -1 if its commit has none, or nothing was committed. */
typedef void (*committed_anchors_fn)(int32_t id, struct log_anchor anchor, void *arg);

/* RK stays the caller's and must outlive this. */
struct committed_anchors *committed_anchors_open(struct job *job, rd_kafka_t *rk,
                                                 committed_anchors_fn fn, void *arg);
/* Nothing is told any more. Waits up to two seconds for a question that is under way. */
void committed_anchors_close(struct committed_anchors *committed);
/* No question is under way. One that fails is over, too; the log has it. */
bool committed_anchors_may_ask(const struct committed_anchors *committed);
/* Asks for the partitions in LIST, which stays the caller's. */
void committed_anchors_ask(struct committed_anchors *committed,
                           const rd_kafka_topic_partition_list_t *list);

/* An element of a list that is to be committed. */
void committed_anchors_add(rd_kafka_topic_partition_list_t *list, const char *topic, int32_t id,
                           int64_t offset, struct log_anchor anchor);

#endif
