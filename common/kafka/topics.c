#include "common/kafka/topics.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_MS = 1000,
    TIMEOUT_MS = 5000,
    MOCK_LOOK_MS = 50, /* how often we look whether we asked a mock cluster something that it never
                        * answers */
    LIMIT_EVERY = 10,  /* of so many looks, one asks for the limit */
};

/* One look. It may outlive its topics, because nothing can stop rd_kafka_metadata(). */
struct kafka_look {
    uv_work_t work;
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic;
    struct kafka_topics *topics; /* NULL: closed */
    uint64_t began_ms;
    rd_kafka_resp_err_t err; /* what rd_kafka_metadata() returned */
    rd_kafka_resp_err_t topic_err;
    int partitions;
    uv_sem_t done;
    _Atomic int refs; /* one of the loop; one of the topics, later of kafka_look_wait() */
};

struct kafka_topics {
    struct loop *loop;
    rd_kafka_t *rk;
    struct kafka_topic topic;
    kafka_topics_fn answered;
    void *arg;
    rd_kafka_queue_t *queue; /* answers to admin requests come here */
    struct kafka_queue *bus;
    uv_timer_t timer;
    struct kafka_look *look;          /* the look that is under way, or NULL */
    rd_kafka_event_type_t admin;      /* the admin answer that is awaited, or NONE */
    bool wanted;                      /* kafka_topics_ask() was called, and answered() was not
                                       * yet */
    bool there;                       /* what the last answer said */
    int partitions, looks_till_limit; /* LOOKS_TILL_LIMIT 0: the next look asks for the limit too */
    int64_t max_bytes;
    uint64_t seen_ms, look_ms;
};

/* --- answers --- */

static void topics_ok(struct kafka_topics *topics)
{
    topics->admin = RD_KAFKA_EVENT_NONE;
    topics->there = true;
    topics->wanted = false;
    topics->seen_ms = topics->look_ms;
    uv_timer_stop(&topics->timer);
    topics->answered(true, "", topics->arg);
}

static void on_again(uv_timer_t *timer);

static void topics_again(struct kafka_topics *topics, int after_ms)
{
    if (after_ms > 0)
        uv_timer_start(&topics->timer, on_again, (uint64_t)after_ms, 0);
}

static void topics_failed(struct kafka_topics *topics, const char *why)
{
    bool late = loop_now_ms(topics->loop) >= topics->seen_ms + TOPICS_LATE_MS;

    topics->admin = RD_KAFKA_EVENT_NONE;
    topics_again(topics, RETRY_MS);
    if (topics->there && !topics->wanted && !late)
        return;
    topics->there = false;
    topics->answered(false, why, topics->arg);
}

static void topics_failed_by(struct kafka_topics *topics, rd_kafka_resp_err_t code,
                             const char *text)
{
    char why[256];

    if (!kafka_refusal(code, topics->topic.name, topics->topic.rights, why, sizeof why))
        snprintf(why, sizeof why, "%s", text != NULL ? text : rd_kafka_err2str(code));
    topics_failed(topics, why);
}

/* librdkafka's mock cluster names a controller that does not exist. So it never answers an admin
 * request. */
static bool is_mock_cluster(rd_kafka_t *rk)
{
    static const char prefix[] = "mockCluster";
    char *id = rd_kafka_clusterid(rk, 0);
    bool mock = id != NULL && strncmp(id, prefix, sizeof prefix - 1) == 0;

    if (id != NULL)
        rd_kafka_mem_free(rk, id);
    return mock;
}

/* --- create and describe --- */

static rd_kafka_AdminOptions_t *admin_options(struct kafka_topics *topics, rd_kafka_admin_op_t op)
{
    char why[256];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(topics->rk, op);

    rd_kafka_AdminOptions_set_request_timeout(options, TIMEOUT_MS, why, sizeof why);
    return options;
}

/* SETTINGS are the program's own, so they have the form. */
static void topic_set(rd_kafka_NewTopic_t *topic, const char *settings)
{
    char name[64], value[64];
    int read = 0;

    while (settings != NULL && sscanf(settings, "%63[^=]=%63[^,]%n", name, value, &read) ==
                                   2) { /* NOLINT(cert-err34-c) */
        rd_kafka_NewTopic_set_config(topic, name, value);
        settings += read + (settings[read] == ',');
    }
}

static void topics_create(struct kafka_topics *topics)
{
    char why[320];

    if (topics->topic.partitions == 0) {
        snprintf(why, sizeof why, "topic %s is missing: create it", topics->topic.name);
        topics_failed(topics, why);
        return;
    }
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(topics->topic.name, topics->topic.partitions,
                                                       topics->topic.replication, why, sizeof why);
    if (topic == NULL) { /* the values are impossible, but the settings' ranges exclude that */
        topics_failed(topics, why);
        return;
    }
    topic_set(topic, topics->topic.settings);
    rd_kafka_AdminOptions_t *options = admin_options(topics, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_operation_timeout(options, TIMEOUT_MS / 2, why, sizeof why);
    topics->admin = RD_KAFKA_EVENT_CREATETOPICS_RESULT;
    rd_kafka_CreateTopics(topics->rk, &topic, 1, options, topics->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(topic);
}

static void topics_created(struct kafka_topics *topics, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const char *text = rd_kafka_event_error_string(event);
    char why[256];
    size_t n = 0;

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
        code = n > 0 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__FAIL;
        text = n > 0 ? rd_kafka_topic_result_error_string(results[0]) : "empty answer";
    }
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED) {
        snprintf(why, sizeof why,
                 "topic %s is missing and Kafka refuses to create it (%s): create it, or grant "
                 "Create on it",
                 topics->topic.name, rd_kafka_err2name(code));
        topics_failed(topics, why);
    } else if (code == RD_KAFKA_RESP_ERR_NO_ERROR ||
               code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        topics->admin = RD_KAFKA_EVENT_NONE;
        topics_again(topics, MOCK_LOOK_MS); /* this broker may not know the topic yet */
    } else {
        topics_failed_by(topics, code, text);
    }
}

static void topics_describe(struct kafka_topics *topics)
{
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics->topic.name);
    rd_kafka_AdminOptions_t *options = admin_options(topics, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);

    topics->admin = RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT;
    rd_kafka_DescribeConfigs(topics->rk, &resource, 1, options, topics->queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
}

/* max.message.bytes in an answer. If the topic has none, the answer has the broker's own limit. */
static int64_t limit_in(const rd_kafka_ConfigResource_t *resource)
{
    size_t n = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &n);

    for (size_t i = 0; i < n; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value != NULL &&
            strcmp(rd_kafka_ConfigEntry_name(entries[i]), "max.message.bytes") == 0)
            return strtoll(value, NULL, 10);
    }
    return 0;
}

static void topics_described(struct kafka_topics *topics, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    size_t n = 0;

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &n);
        code = n > 0 ? rd_kafka_ConfigResource_error(resources[0]) : RD_KAFKA_RESP_ERR__FAIL;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            topics->max_bytes = limit_in(resources[0]);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && topics->max_bytes == 0 && !topics->there)
        log_warn("the topic's limit is not known",
                 "topic=%s err=%s hint=\"grant DescribeConfigs on the topic, or it is learned from "
                 "messages that are refused\"",
                 topics->topic.name, rd_kafka_err2name(code));
    topics->looks_till_limit = LIMIT_EVERY;
    topics_ok(topics);
    topics_again(topics, topics->topic.again_ms);
}

static bool topics_drain(rd_kafka_queue_t *queue, void *arg)
{
    struct kafka_topics *topics = arg;
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 0);

    if (event == NULL)
        return false;
    if (rd_kafka_event_type(event) == topics->admin) {
        if (topics->admin == RD_KAFKA_EVENT_CREATETOPICS_RESULT)
            topics_created(topics, event);
        else
            topics_described(topics, event);
    }
    rd_kafka_event_destroy(event);
    return true;
}

/* --- look --- */

static void look_unref(struct kafka_look *look, int refs)
{
    if (atomic_fetch_sub_explicit(&look->refs, refs, memory_order_acq_rel) != refs)
        return;
    uv_sem_destroy(&look->done);
    free(look);
}

void kafka_look_wait(struct kafka_look *look)
{
    if (look == NULL)
        return;
    uv_sem_wait(&look->done);
    look_unref(look, 1);
}

/* Runs on a thread of libuv's pool. */
static void on_work(uv_work_t *work)
{
    struct kafka_look *look = container_of(work, struct kafka_look, work);
    const struct rd_kafka_metadata *metadata = NULL;

    look->err = rd_kafka_metadata(look->rk, 0, look->topic, &metadata, LOOK_MS);
    if (look->err == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
        look->topic_err = metadata->topics[0].err;
        look->partitions = metadata->topics[0].partition_cnt;
    } else if (look->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        look->topic_err = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    }
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(look->topic);
    uv_sem_post(&look->done);
}

static void topics_looked(struct kafka_topics *topics, const struct kafka_look *look)
{
    bool mock = is_mock_cluster(topics->rk);

    topics->look_ms = look->began_ms;
    if (look->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        char why[256];
        kafka_why_silent(why, sizeof why);
        topics_failed_by(topics, look->err, why);
    } else if (look->partitions > 0) {
        topics->partitions = look->partitions;
        if (topics->topic.limit && !mock && topics->looks_till_limit-- == 0) {
            topics_describe(topics);
            return;
        }
        topics_ok(topics);
        topics_again(topics, topics->topic.again_ms);
    } else if (look->topic_err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && !mock) {
        topics_create(topics);
    } else if (look->topic_err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
               look->topic_err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
        topics_again(topics, MOCK_LOOK_MS); /* the topic was just created */
    } else {
        topics_failed_by(topics, look->topic_err, NULL);
    }
}

static void on_worked(uv_work_t *work, int status)
{
    struct kafka_look *look = container_of(work, struct kafka_look, work);
    struct kafka_topics *topics = look->topics;

    (void)status;
    if (topics != NULL) {
        topics->look = NULL;
        topics_looked(topics, look);
    }
    look_unref(look, topics != NULL ? 2 : 1);
}

static void topics_look(struct kafka_topics *topics)
{
    struct kafka_look *look = mem_zalloc(sizeof *look);

    uv_timer_stop(&topics->timer);
    *look = (struct kafka_look){.rk = topics->rk, .topics = topics, .refs = 2};
    look->began_ms = loop_now_ms(topics->loop);
    look->topic = rd_kafka_topic_new(topics->rk, topics->topic.name, NULL);
    if (look->topic == NULL) { /* the name is not one that Kafka allows */
        free(look);
        topics_failed(topics, rd_kafka_err2str(rd_kafka_last_error()));
        return;
    }
    uv_sem_init(&look->done, 0);
    topics->look = look;
    int err = uv_queue_work(&topics->loop->uv, &look->work, on_work, on_worked);
    assert(err == 0); /* fails only without a work function */
}

static void on_again(uv_timer_t *timer)
{
    topics_look(container_of(timer, struct kafka_topics, timer));
}

/* --- life --- */

int kafka_topics_open(struct loop *loop, rd_kafka_t *rk, const struct kafka_topic *topic,
                      kafka_topics_fn answered, void *arg, struct kafka_topics **topics)
{
    struct kafka_topics *t = mem_zalloc(sizeof *t);

    loop_assert_owner(loop);
    *t = (struct kafka_topics){
        .loop = loop, .rk = rk, .topic = *topic, .answered = answered, .arg = arg};
    t->queue = rd_kafka_queue_new(rk);
    int err = kafka_queue_open(loop, t->queue, topics_drain, t, &t->bus);
    if (err != 0) {
        rd_kafka_queue_destroy(t->queue);
        free(t);
        return err;
    }
    uv_timer_init(&loop->uv, &t->timer);
    kafka_topics_ask(t);
    *topics = t;
    return 0;
}

void kafka_topics_ask(struct kafka_topics *topics)
{
    bool under_way = topics->look != NULL || topics->admin != RD_KAFKA_EVENT_NONE;

    loop_assert_owner(topics->loop);
    if (topics->wanted)
        return;
    topics->wanted = true;
    topics->looks_till_limit = 0;
    if (!under_way)
        topics_look(topics);
}

int kafka_topics_partitions(const struct kafka_topics *topics)
{
    return topics->partitions;
}

uint64_t kafka_topics_seen_ms(const struct kafka_topics *topics)
{
    return topics->seen_ms;
}

int64_t kafka_topics_max_bytes(const struct kafka_topics *topics)
{
    return topics->max_bytes;
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct kafka_topics, timer));
}

struct kafka_look *kafka_topics_close(struct kafka_topics *topics)
{
    if (topics == NULL)
        return NULL;
    loop_assert_owner(topics->loop);
    struct kafka_look *look = topics->look;
    if (look != NULL)
        look->topics = NULL;
    kafka_queue_close(topics->bus);
    rd_kafka_queue_destroy(topics->queue);
    uv_close((uv_handle_t *)&topics->timer, on_closed);
    return look;
}
