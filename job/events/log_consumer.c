#include "job/events/log_consumer.h"
#include "common/base/log.h"
#include "common/kafka/kafka.h"
#include "job/kafka/kafka_consumer.h"

#include <errno.h>

enum { SESSION_LEAST_MS = 6000 }; /* what all brokers allow */

static int settings(const struct job *job, rd_kafka_conf_t *conf, char *err, size_t errlen)
{
    const struct job_config *config = job->config;
    const struct kafka_group group = {
        .name = config->events_group,
        .session_ms = config->session_ms > SESSION_LEAST_MS ? config->session_ms : SESSION_LEAST_MS,
        .queued_kib = 4096,
        .tells_end = true};

    if (kafka_consumer_settings(job, &group, conf, err, errlen) != 0)
        return -EINVAL;
    return kafka_conf_options(conf, config->bus_options, err, errlen);
}

rd_kafka_t *log_consumer_new(const struct job *job, const struct log_consumer_events *on, void *arg)
{
    char err[512];
    rd_kafka_t *rk = NULL;
    rd_kafka_conf_t *conf = kafka_conf_new(job->config->bus_brokers, job->id, err, sizeof err);

    if (conf != NULL && settings(job, conf, err, sizeof err) == 0) {
        rd_kafka_conf_set_rebalance_cb(conf, on->rebalance);
        rd_kafka_conf_set_offset_commit_cb(conf, on->commit);
        rd_kafka_conf_set_opaque(conf, arg);
        rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, err, sizeof err);
    }
    if (rk != NULL) {
        rd_kafka_poll_set_consumer(rk);
        return rk;
    }
    log_error("events: cannot read the log", "err=\"%s\"; see bus.brokers and bus.options", err);
    if (conf != NULL)
        rd_kafka_conf_destroy(conf);
    return NULL;
}

bool log_consumer_subscribe(const struct job *job, rd_kafka_t *rk)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, job->config->events_log, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}
