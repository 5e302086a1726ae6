/* bus_topic - makes or deletes a Kafka topic, for tests of how the daemons take that.
 *
 *   bus_topic BROKERS create TOPIC PARTITIONS
 *   bus_topic BROKERS delete TOPIC
 *
 * Exit code 0 when the brokers have done it, 1 if not, 2 usage. */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 15000, EXIT_USAGE = 2 };

static rd_kafka_t *connect_to(const char *brokers)
{
    char err[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, err, sizeof err) ==
        RD_KAFKA_CONF_OK) {
        rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof err);
        if (rk != NULL)
            return rk;
    }
    fprintf(stderr, "bus_topic: %s\n", err);
    rd_kafka_conf_destroy(conf);
    return NULL;
}

/* False: NAME or PARTITIONS is not valid for a topic. */
static bool ask_create(rd_kafka_t *rk, const char *name, int partitions, rd_kafka_queue_t *queue)
{
    char err[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, err, sizeof err);

    if (topic == NULL) {
        fprintf(stderr, "bus_topic: %s\n", err);
        return false;
    }
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_NewTopic_destroy(topic);
    return true;
}

static void ask_delete(rd_kafka_t *rk, const char *name, rd_kafka_queue_t *queue)
{
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);

    rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_DeleteTopic_destroy(topic);
}

static rd_kafka_resp_err_t result_of(rd_kafka_event_t *event)
{
    const rd_kafka_topic_result_t **topics;
    size_t n;

    if (event == NULL)
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return rd_kafka_event_error(event);
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT)
        topics = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    else
        topics = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
    return n == 1 ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR__FAIL;
}

int main(int argc, char **argv)
{
    int create = argc == 5 && strcmp(argv[2], "create") == 0;

    if (!create && (argc != 4 || strcmp(argv[2], "delete") != 0)) {
        fputs("usage: bus_topic BROKERS create TOPIC PARTITIONS | bus_topic BROKERS delete TOPIC\n",
              stderr);
        return EXIT_USAGE;
    }
    rd_kafka_t *rk = connect_to(argv[1]);
    if (rk == NULL)
        return EXIT_FAILURE;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    bool asked = true;
    if (create)
        asked = ask_create(rk, argv[3], (int)strtol(argv[4], NULL, 10), queue);
    else
        ask_delete(rk, argv[3], queue);
    rd_kafka_event_t *event = asked ? rd_kafka_queue_poll(queue, TIMEOUT_MS) : NULL;
    rd_kafka_resp_err_t err = result_of(event);
    if (create && err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        err = RD_KAFKA_RESP_ERR_NO_ERROR; /* a daemon that needs the topic may have made it first */
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fprintf(stderr, "bus_topic: %s\n", rd_kafka_err2str(err));
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
    return err == RD_KAFKA_RESP_ERR_NO_ERROR ? EXIT_SUCCESS : EXIT_FAILURE;
}
