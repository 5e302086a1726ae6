/* kafka_consumer_leave.c - the way out of the group.
 *
 *   RUNNING ──kafka_consumer_drain──► DRAINING ──consumer_leave──► LEAVING ──consumer_close──┐
 *                                        all is resolved,             partitions are         │
 *                                        or the wait is over          given back             │
 *                                                                                            ▼
 *                                    drained() ◄── CLOSED ◄──consumer_finish_closing── CLOSING
 *
 *   Every step has its time: whether brokers answer or not, CLOSED comes. */
#include "common/base/log.h"
#include "common/kafka/kafka.h"
#include "job/base/job.h"
#include "job/kafka/kafka_consumer.h"
#include "job/kafka/kafka_consumer_internal.h"
#include "job/kafka/partition_reader.h"

#include <assert.h>

enum {
    REVOKE_MS = 2000, /* for giving the partitions back */
    CLOSE_MS = 2000,  /* for the last commit; beyond that the next owner reads again */
    CLOSING_POLL_MS = 20,
};

static void consumer_finish_closing(struct kafka_consumer *consumer)
{
    const char *group = consumer->job->config->bus_group;

    if (consumer->state != CONSUMER_CLOSING)
        return;
    if (rd_kafka_consumer_closed(consumer->rk) != 0)
        log_info("left the group", "group=%s", group);
    else if (loop_now_ms(consumer->job->loop) >= consumer->closing_ms + CLOSE_MS)
        log_warn("group not left",
                 "group=%s waited=%dms hint=\"brokers do not answer; it ends with our session\"",
                 group, (int)CLOSE_MS);
    else
        return;
    consumer->state = CONSUMER_CLOSED;
    uv_timer_stop(&consumer->limit);
    consumer->drained(consumer->drained_arg);
}

static bool closing_drain(rd_kafka_queue_t *queue, void *arg)
{
    rd_kafka_queue_poll_callback(queue, 0);
    consumer_finish_closing(arg);
    return false;
}

/* The end of closing comes as no event, so it is polled for. */
static void consumer_on_closing(uv_timer_t *timer)
{
    struct kafka_consumer *consumer = container_of(timer, struct kafka_consumer, limit);

    rd_kafka_queue_poll_callback(consumer->queue, 0);
    consumer_finish_closing(consumer);
}

static void consumer_close(struct kafka_consumer *consumer)
{
    consumer->state = CONSUMER_CLOSING;
    consumer->closing_ms = loop_now_ms(consumer->job->loop);
    uv_timer_stop(&consumer->tick);
    partition_reader_commit(consumer->partitions);
    kafka_queue_close(consumer->bus);
    rd_kafka_queue_destroy(consumer->queue);
    consumer->bus = NULL;
    consumer->queue = rd_kafka_queue_new(consumer->rk);
    consumer_complain(consumer, "close failed",
                      rd_kafka_consumer_close_queue(consumer->rk, consumer->queue));
    if (kafka_queue_open(consumer->job->loop, consumer->queue, closing_drain, consumer,
                         &consumer->bus) != 0)
        log_warn("closing is polled", "every=%dms", (int)CLOSING_POLL_MS);
    uv_timer_start(&consumer->limit, consumer_on_closing, CLOSING_POLL_MS, CLOSING_POLL_MS);
}

void consumer_on_left(uv_timer_t *timer)
{
    consumer_close(container_of(timer, struct kafka_consumer, limit));
}

/* Brokers expect a member that has a name of its own and only closes to come back: the others get
 * its partitions when its session is over. A member that ends its subscription leaves. */
static void consumer_leave(struct kafka_consumer *consumer)
{
    if (consumer->state != CONSUMER_DRAINING)
        return;
    consumer->state = CONSUMER_LEAVING;
    partition_reader_commit(consumer->partitions);
    rd_kafka_unsubscribe(consumer->rk);
    bool none = kafka_consumer_partitions(consumer) == 0;
    uv_timer_start(&consumer->limit, consumer_on_left, none ? GOODBYE_MS : REVOKE_MS, 0);
}

void consumer_on_finish(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    consumer_leave(container_of(task, struct kafka_consumer, finish));
}

void consumer_on_idle(void *arg)
{
    struct kafka_consumer *consumer = arg;

    if (consumer->state == CONSUMER_DRAINING)
        loop_defer(consumer->job->loop, &consumer->finish);
}

static void consumer_on_limit(uv_timer_t *timer)
{
    struct kafka_consumer *consumer = container_of(timer, struct kafka_consumer, limit);

    log_warn("drained in part", "unresolved=%zu; the next owner of the partitions takes them up",
             windows_unresolved(&consumer->job->windows));
    consumer_leave(consumer);
}

void kafka_consumer_drain(struct kafka_consumer *consumer, int64_t wait_ms, void (*done)(void *arg),
                          void *arg)
{
    loop_assert_owner(consumer->job->loop);
    assert(consumer->state == CONSUMER_RUNNING);
    consumer->state = CONSUMER_DRAINING;
    consumer->drained = done;
    consumer->drained_arg = arg;
    consumer->job->windows.closing = true;
    uv_timer_start(&consumer->limit, consumer_on_limit, (uint64_t)wait_ms, 0);
    if (windows_unresolved(&consumer->job->windows) == 0)
        consumer_on_idle(consumer);
}
