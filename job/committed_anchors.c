#include "job/committed_anchors.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "job/job.h"

#include <stdlib.h>
#include <string.h>

enum { ASK_TIMEOUT_MS = 5000, ASK_AGAIN_MS = 500 };

struct committed_anchors {
    struct job *job;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    struct kafka_queue *bus;
    committed_anchors_fn fn;
    void *arg;
    bool asked;
    uint64_t again_ms; /* not asked again before */
};

static void committed_anchors_failed(struct committed_anchors *committed, const char *why)
{
    committed->again_ms = loop_now_ms(committed->job->loop) + ASK_AGAIN_MS;
    job_count(committed->job, JOB_BUS_ERRORS);
    log_warn("commits not known", "group=%s err=\"%s\"; partitions wait for it, asked again",
             committed->job->config->bus_group, why);
}

static void committed_anchors_tell(struct committed_anchors *committed,
                                   const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &list->elems[i];
        if (at->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            committed_anchors_failed(committed, rd_kafka_err2str(at->err));
        else
            committed->fn(at->partition, log_anchor_read(at->metadata, at->metadata_size),
                          committed->arg);
    }
}

static void committed_anchors_answered(struct committed_anchors *committed, rd_kafka_event_t *event)
{
    const rd_kafka_group_result_t **groups;
    const rd_kafka_error_t *error;
    size_t n = 0;

    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        committed_anchors_failed(committed, rd_kafka_event_error_string(event));
        return;
    }
    groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &n);
    error = n > 0 ? rd_kafka_group_result_error(groups[0]) : NULL;
    if (n == 0 || error != NULL)
        committed_anchors_failed(committed, n == 0 ? "empty answer" : rd_kafka_error_string(error));
    else
        committed_anchors_tell(committed, rd_kafka_group_result_partitions(groups[0]));
}

static bool committed_anchors_drain(rd_kafka_queue_t *queue, void *arg)
{
    struct committed_anchors *committed = arg;
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 0);

    if (event == NULL)
        return false;
    committed->asked = false;
    committed_anchors_answered(committed, event);
    rd_kafka_event_destroy(event);
    return true;
}

bool committed_anchors_may_ask(const struct committed_anchors *committed)
{
    return !committed->asked && loop_now_ms(committed->job->loop) >= committed->again_ms;
}

void committed_anchors_ask(struct committed_anchors *committed,
                           const rd_kafka_topic_partition_list_t *list)
{
    char why[256];
    rd_kafka_ListConsumerGroupOffsets_t *question =
        rd_kafka_ListConsumerGroupOffsets_new(committed->job->config->bus_group, list);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(committed->rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);

    rd_kafka_AdminOptions_set_request_timeout(options, ASK_TIMEOUT_MS, why, sizeof why);
    committed->asked = true;
    rd_kafka_ListConsumerGroupOffsets(committed->rk, &question, 1, options, committed->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
}

void committed_anchors_add(rd_kafka_topic_partition_list_t *list, const char *topic, int32_t id,
                           int64_t offset, struct log_anchor anchor)
{
    rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(list, topic, id);
    char text[ANCHOR_TEXT_MAX];
    size_t len = log_anchor_write(anchor, text);

    at->offset = offset;
    if (len == 0)
        return;
    at->metadata = mem_alloc(len); /* the list's, which frees it */
    memcpy(at->metadata, text, len);
    at->metadata_size = len;
}

struct committed_anchors *committed_anchors_open(struct job *job, rd_kafka_t *rk,
                                                 committed_anchors_fn fn, void *arg)
{
    struct committed_anchors *committed = mem_zalloc(sizeof *committed);

    *committed = (struct committed_anchors){.job = job, .rk = rk, .fn = fn, .arg = arg};
    committed->queue = rd_kafka_queue_new(rk);
    int err = kafka_queue_open(job->loop, committed->queue, committed_anchors_drain, committed,
                               &committed->bus);
    if (err != 0) {
        log_error("cannot ask for commits", "err=\"%s\"; raise the limit of open files",
                  uv_strerror(err));
        abort(); /* restarted, it tries again; going on would leave the partitions to nobody */
    }
    return committed;
}

void committed_anchors_close(struct committed_anchors *committed)
{
    kafka_queue_close(committed->bus);
    rd_kafka_queue_destroy(committed->queue);
    free(committed);
}
