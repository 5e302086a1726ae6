/* repartition.c - see repartition.h, and partition_count.h for what logics do meanwhile.
 *
 * Why the order is kept: the script switches to the new number only during a hold that has not
 * lapsed since its beginning. During the hold every logic that Redis knows has stopped producing,
 * and has no message under way. Then we wait until jobs have read and resolved all messages in the
 * old partitions. So messages by the new number are produced and read after all of those. */
#include "logic/push/repartition.h"
#include "common/base/log.h"
#include "common/base/time.h"
#include "common/kafka/kafka.h"
#include "common/kafka/shutdown.h"
#include "common/protocol/fence.h"
#include "common/redis/redis.h"
#include "logic/push/partition_count.h"
#include "logic/push/partitions_hold.lua.h"
#include "logic/push/partitions_switch.lua.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_MS = 5000,       /* how long to wait for an answer of Kafka */
    STEP_MS = 100,       /* pause between two looks */
    TRY_MS = 30000,      /* how long the whole hold may take */
    BEHIND_MOST = 20000, /* messages: if jobs have more left, we do not stop pushes to wait for
                          * them. Busy jobs commit a second's messages at a time */
};

struct repartition {
    const struct logic_config *config;
    struct loop loop;
    struct redis *redis;
    rd_kafka_t *rk;
    char key[PARTITION_COUNT_KEY_MAX];
    int target;
    /* What Redis said last. */
    bool answered, failed, napping;
    uv_timer_t timer;
    int64_t since, n, waiting, switched;
    char who[96]; /* one of the logics that we wait for */
};

/* --- Redis --- */

static struct redis_script hold_script = {.source = partitions_hold_lua};

static struct redis_script switch_script = {.source = partitions_switch_lua};

static int complained(void)
{
    fputc('\n', stderr);
    return -1;
}

#define complain(...) (fprintf(stderr, "imc-logic: " __VA_ARGS__), complained())

static void on_state(struct redis *redis, bool up, const char *why, void *arg)
{
    (void)redis;
    (void)arg;
    if (!up)
        complain("Redis: %s", why);
}

static void on_look(struct redis *redis, const redisReply *reply, void *arg)
{
    struct repartition *change = arg;

    change->answered = true;
    change->failed = reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements != 4;
    if (change->failed) {
        complain("%s", redis_said(redis));
        return;
    }
    change->since = reply->element[0]->integer;
    change->n = reply->element[1]->integer;
    change->waiting = reply->element[2]->integer;
    snprintf(change->who, sizeof change->who, "%s", reply->element[3]->str);
}

static void on_number(struct redis *redis, const redisReply *reply, void *arg)
{
    struct repartition *change = arg;

    change->answered = true;
    change->failed = reply == NULL || reply->type != REDIS_REPLY_INTEGER;
    if (change->failed)
        complain("%s", redis_said(redis));
    else
        change->switched = reply->integer;
}

static void on_nap_over(uv_timer_t *timer)
{
    struct repartition *change = container_of(timer, struct repartition, timer);

    change->napping = false;
}

/* Sleeps for MS, while the loop serves the connection to Redis. */
static void nap(struct repartition *change, int ms)
{
    change->napping = true;
    uv_update_time(&change->loop.uv);
    uv_timer_start(&change->timer, on_nap_over, (uint64_t)ms, 0);
    while (change->napping)
        uv_run(&change->loop.uv, UV_RUN_ONCE);
}

static int await_redis(struct repartition *change)
{
    for (int i = 0; !redis_is_up(change->redis); i++) {
        if (i * STEP_MS > ASK_MS)
            return complain("Redis does not answer: see redis.servers");
        nap(change, STEP_MS);
    }
    return 0;
}

/* Runs the loop until Redis has answered. There is an answer in any case, by the timeout of
 * redis.h. */
static int await(struct repartition *change)
{
    while (!change->answered)
        uv_run(&change->loop.uv, UV_RUN_ONCE);
    return change->failed ? -1 : 0;
}

static size_t shard(const struct repartition *change)
{
    return redis_shard_of(change->redis, change->key, strlen(change->key));
}

static int look(struct repartition *change, int hold_ms)
{
    char hold[16], forget[16];
    const char *argv[] = {change->key, hold, forget};

    snprintf(hold, sizeof hold, "%d", hold_ms);
    snprintf(forget, sizeof forget, "%d", PARTITION_COUNT_FORGET_MS);
    change->answered = false;
    redis_eval(
        change->redis,
        &(struct redis_eval){
            .script = &hold_script, .shard = shard(change), .keys = 1, .argc = 3, .argv = argv},
        on_look, change);
    return await(change);
}

/* Switches to the new number. 0: done. */
static int switch_over(struct repartition *change, int64_t since)
{
    char from[24], n[16], forget[16];
    const char *argv[] = {change->key, from, n, forget};

    snprintf(from, sizeof from, "%" PRId64, since);
    snprintf(n, sizeof n, "%d", change->target);
    snprintf(forget, sizeof forget, "%d", PARTITION_COUNT_FORGET_MS);
    change->answered = false;
    change->switched = 0;
    redis_eval(
        change->redis,
        &(struct redis_eval){
            .script = &switch_script, .shard = shard(change), .keys = 1, .argc = 4, .argv = argv},
        on_number, change);
    return await(change) == 0 && change->switched == 1 ? 0 : -1;
}

static void let_go(struct repartition *change)
{
    const char *argv[] = {"HDEL", change->key, "hold", "since"};

    change->answered = false;
    redis_command(change->redis, shard(change), 4, argv, NULL, on_number, change);
    if (await(change) == 0)
        puts("the hold is over, nothing has changed");
}

/* --- Kafka --- */

/* The topic's number of partitions, or -1. */
static int count_partitions(struct repartition *change)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(change->rk, change->config->bus_topic, NULL);
    int count = -1;

    if (topic == NULL)
        return -1;
    rd_kafka_resp_err_t err = rd_kafka_metadata(change->rk, 0, topic, &metadata, ASK_MS);
    rd_kafka_topic_destroy(topic);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
        err = metadata->topics[0].err;
        count = metadata->topics[0].partition_cnt;
    }
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    if (count <= 0)
        return complain("topic %s: %s", change->config->bus_topic, rd_kafka_err2str(err));
    return count;
}

static int check_added(rd_kafka_event_t *event)
{
    size_t n = 0;

    if (event == NULL)
        return complain("Kafka does not answer");
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return complain("partitions not made: %s", rd_kafka_event_error_string(event));
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &n);
    rd_kafka_resp_err_t code =
        n == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__FAIL;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    return complain("partitions not made: %s%s", rd_kafka_err2str(code),
                    code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
                        ? ": grant Alter on the topic, or make them by Kafka's own tools"
                        : "");
}

static int add_partitions(struct repartition *change)
{
    char why[256];
    rd_kafka_NewPartitions_t *more = rd_kafka_NewPartitions_new(
        change->config->bus_topic, (size_t)change->target, why, sizeof why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(change->rk);

    if (more == NULL) {
        rd_kafka_queue_destroy(queue);
        return complain("%s", why);
    }
    rd_kafka_CreatePartitions(change->rk, &more, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 4 * ASK_MS);
    int err = check_added(event);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewPartitions_destroy(more);
    return err;
}

static int have_partitions(struct repartition *change)
{
    int count = count_partitions(change);

    if (count < 0)
        return -1;
    if (count > change->target)
        return complain("topic %s has %d partitions already: their number cannot fall, say %d",
                        change->config->bus_topic, count, count);
    if (count < change->target && add_partitions(change) != 0)
        return -1;
    for (int i = 0; count_partitions(change) != change->target; i++) {
        if (i * STEP_MS > ASK_MS)
            return complain("Kafka does not show the new partitions");
        nap(change, STEP_MS);
    }
    printf("topic %s has %d partitions\n", change->config->bus_topic, change->target);
    return 0;
}

/* The number of messages in the first N partitions that jobs have not resolved, or -1. */
static int64_t jobs_behind(struct repartition *change, int n)
{
    const char *topic = change->config->bus_topic;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    int64_t behind = 0;

    for (int i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, topic, i);
    rd_kafka_resp_err_t err = rd_kafka_committed(change->rk, list, ASK_MS);
    for (int i = 0; i < n && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        int64_t low, high, at = list->elems[i].offset;
        err = list->elems[i].err;
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
            err = rd_kafka_query_watermark_offsets(change->rk, topic, i, &low, &high, ASK_MS);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
            behind += high - (at > low ? at : low);
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return behind;
    complain("how far group %s is: %s", change->config->bus_group, rd_kafka_err2str(err));
    return -1;
}

/* --- the change --- */

static int open_kafka(struct repartition *change)
{
    const struct logic_config *config = change->config;
    char err[512];
    rd_kafka_conf_t *conf = kafka_conf_new(config->bus_brokers, "imc-logic", err, sizeof err);

    if (conf != NULL && kafka_conf_options(conf, config->bus_options, err, sizeof err) == 0 &&
        kafka_conf_set(conf, "group.id", config->bus_group, err, sizeof err) == 0)
        change->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, err, sizeof err);
    if (change->rk != NULL)
        return 0;
    if (conf != NULL)
        rd_kafka_conf_destroy(conf);
    return complain("%s", err);
}

/* Waits for logics, then for jobs, while producing is stopped. 0: switched. */
static int change_under_hold(struct repartition *change, int64_t n)
{
    int64_t began = time_mono_ms();
    int64_t behind = -1;

    while (time_mono_ms() - began < TRY_MS) {
        if (look(change, PARTITION_COUNT_HOLD_MS) != 0)
            return -1;
        int64_t since = change->since;
        if (change->waiting == 0) {
            behind = jobs_behind(change, (int)n);
            if (behind == 0 && switch_over(change, since) == 0)
                return 0;
        }
        nap(change, STEP_MS);
    }
    if (behind > 0)
        return complain("jobs have %" PRId64 " messages left: is one of them stuck?", behind);
    return complain("%" PRId64
                    " logics do not hold, %s: restart it, or wait until it was not heard "
                    "of for %d minutes",
                    change->waiting, change->who, PARTITION_COUNT_FORGET_MS / 60000);
}

static int carry_out(struct repartition *change)
{
    if (have_partitions(change) != 0 || look(change, 0) != 0)
        return -1;
    if (change->n == change->target) {
        printf("%d partitions are agreed already\n", change->target);
        return 0;
    }
    if (change->n == 0)
        return complain("no logic has ever asked Redis (%s): start one first", change->key);
    int64_t n = change->n, behind = jobs_behind(change, (int)n);
    if (behind < 0)
        return -1;
    if (behind > BEHIND_MOST)
        return complain("jobs (bus.group = %s) are %" PRId64 " messages behind: try again when "
                        "they have caught up",
                        change->config->bus_group, behind);
    printf("waiting %d s, until logics that cannot reach Redis have seen the new partitions\n",
           PARTITION_COUNT_FRESH_MS / 1000 + 1);
    fflush(stdout);
    nap(change, PARTITION_COUNT_FRESH_MS + 1000);
    puts("pushes wait now");
    fflush(stdout);
    int64_t began = time_mono_ms();
    if (change_under_hold(change, n) != 0) {
        let_go(change);
        return -1;
    }
    printf("pushes are spread over %d partitions instead of %" PRId64 ", and waited %" PRId64
           " ms\n",
           change->target, n, time_mono_ms() - began);
    return 0;
}

int repartition(struct daemon *daemon, const char *argument)
{
    struct repartition change = {.config = daemon->config};
    struct redis_options options;
    struct tls *tls;
    char *end;
    long n = strtol(argument, &end, 10);
    int err = -1;

    if (*argument == '\0' || *end != '\0' || n < 1 || n > PARTITIONS_MAX) {
        complain("--set-partitions takes 1 to %d, not \"%s\"", PARTITIONS_MAX, argument);
        return 1;
    }
    (void)log_set_level("warn"); /* this command says on stdout what it does */
    change.target = (int)n;
    partition_count_key(change.config->bus_topic, change.key, sizeof change.key);
    if (loop_init(&change.loop, "change", 0) != 0)
        return 1;
    uv_timer_init(&change.loop.uv, &change.timer);
    if (daemon_redis_options(daemon->config, &options, &tls) != 0)
        complain("no TLS with Redis: see above");
    else if (redis_open(&change.loop, &options, on_state, NULL, &change.redis) != 0)
        complain("bad redis.servers: see --check");
    else if (await_redis(&change) == 0 && open_kafka(&change) == 0)
        err = carry_out(&change);
    if (change.rk != NULL)
        kafka_shutdown_forget(kafka_shutdown(change.rk, NULL));
    (void)kafka_shutdowns_wait(); /* what does not end is logged */
    redis_close(change.redis);
    tls_close(tls);
    loop_close(&change.loop);
    return err == 0 ? 0 : 1;
}
