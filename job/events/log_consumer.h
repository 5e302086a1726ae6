/* log_consumer.h - librdkafka's consumer of the log of sessions, with its settings. Main loop
 * only. */
#ifndef IMC_JOB_EVENTS_LOG_CONSUMER_H
#define IMC_JOB_EVENTS_LOG_CONSUMER_H

#include "job/base/job.h"
#include <librdkafka/rdkafka.h>

/* Called within rd_kafka_consumer_poll(). */
struct log_consumer_events {
    void (*rebalance)(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                      rd_kafka_topic_partition_list_t *list, void *arg);
    void (*commit)(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                   rd_kafka_topic_partition_list_t *offsets, void *arg);
};

/* The caller destroys it. NULL after logging why. */
rd_kafka_t *log_consumer_new(const struct job *job, const struct log_consumer_events *on,
                             void *arg);
/* False: it failed. */
bool log_consumer_subscribe(const struct job *job, rd_kafka_t *rk);

#endif
