/* bus_get - reads a Kafka topic from its beginning, as a consumer group of its own, for tests that
 * play goim's job.
 *
 *   bus_get BROKERS TOPIC GROUP
 *
 * Writes each value as a line of hex. Runs until it is ended. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

enum { POLL_MS = 100, WHY_MAX = 256, ARGUMENTS = 4, EXIT_USAGE = 2 };

static int set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[WHY_MAX];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
        return 0;
    fprintf(stderr, "bus_get: %s\n", why);
    return -1;
}

static rd_kafka_t *open_consumer(char **argv)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[WHY_MAX];

    if (set(conf, "bootstrap.servers", argv[1]) != 0 || set(conf, "group.id", argv[3]) != 0 ||
        set(conf, "auto.offset.reset", "earliest") != 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (rk == NULL) {
        fprintf(stderr, "bus_get: %s\n", why);
        rd_kafka_conf_destroy(conf);
    }
    return rk;
}

static void show(const rd_kafka_message_t *message)
{
    const unsigned char *value = message->payload;

    for (size_t i = 0; i < message->len; i++)
        printf("%02x", value[i]);
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != ARGUMENTS)
        return EXIT_USAGE;
    rd_kafka_t *rk = open_consumer(argv);
    if (rk == NULL)
        return EXIT_FAILURE;
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, argv[2], RD_KAFKA_PARTITION_UA);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    while (err == RD_KAFKA_RESP_ERR_NO_ERROR && !ferror(stdout)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, POLL_MS);
        if (message == NULL)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            show(message);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_destroy(rk);
    return EXIT_FAILURE;
}
