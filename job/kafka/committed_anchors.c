#include "job/kafka/committed_anchors.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "job/base/job.h"

#include <stdlib.h>
#include <string.h>

enum { ASK_TIMEOUT_MS = 2000, ASK_AGAIN_MS = 500 };

struct committed_anchors {
    struct job *job;
    rd_kafka_t *rk;
    committed_anchors_fn fn;
    void *arg;
    uint64_t again_ms; /* not asked again before */
    /* The question under way: LIST and ERR are its thread's until that is joined. */
    bool asked;
    uv_thread_t thread;
    uv_async_t answered;
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t err;
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

/* --- a question --- */

/* A thread of its own, because rd_kafka_committed() waits for the answer. librdkafka has a call
 * that does not wait, ListConsumerGroupOffsets(), but that one fails an assertion, which ends the
 * process, when the connection to the group's coordinator breaks meanwhile (librdkafka's pull
 * request 5397). */
static void question_thread(void *arg)
{
    struct committed_anchors *committed = arg;

    committed->err = rd_kafka_committed(committed->rk, committed->list, ASK_TIMEOUT_MS);
    uv_async_send(&committed->answered);
}

/* Takes the answer from the thread, and waits for it if need be. The list is the caller's. */
static rd_kafka_topic_partition_list_t *question_end(struct committed_anchors *committed)
{
    rd_kafka_topic_partition_list_t *list = committed->list;

    uv_thread_join(&committed->thread);
    committed->asked = false;
    committed->list = NULL;
    return list;
}

static void on_answered(uv_async_t *async)
{
    struct committed_anchors *committed = async->data;

    if (!committed->asked)
        return;
    rd_kafka_topic_partition_list_t *list = question_end(committed);
    if (committed->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        committed_anchors_tell(committed, list);
    else
        committed_anchors_failed(committed, rd_kafka_err2str(committed->err));
    rd_kafka_topic_partition_list_destroy(list);
}

bool committed_anchors_may_ask(const struct committed_anchors *committed)
{
    return !committed->asked && loop_now_ms(committed->job->loop) >= committed->again_ms;
}

void committed_anchors_ask(struct committed_anchors *committed,
                           const rd_kafka_topic_partition_list_t *list)
{
    committed->list = rd_kafka_topic_partition_list_copy(list);
    int err = uv_thread_create(&committed->thread, question_thread, committed);
    committed->asked = err == 0;
    if (committed->asked)
        return;
    rd_kafka_topic_partition_list_destroy(committed->list);
    committed_anchors_failed(committed, uv_strerror(err));
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
    uv_async_init(&job->loop->uv, &committed->answered, on_answered);
    committed->answered.data = committed;
    return committed;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void committed_anchors_close(struct committed_anchors *committed)
{
    if (committed->asked) /* RK is still needed: at most ASK_TIMEOUT_MS */
        rd_kafka_topic_partition_list_destroy(question_end(committed));
    uv_close((uv_handle_t *)&committed->answered, on_closed);
}
