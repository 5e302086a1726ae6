/* bus_member - a member of a consumer group that has a name of its own there, as jobs have, and is
 * killed at the worst moment.
 *
 *   bus_member BROKERS GROUP TOPIC NAME [die]
 *
 * Prints how many partitions it has whenever that changes, and goes on until it is killed. With
 * `die` it ends as soon as it is to give one up, and does not tell the group so. */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 100, EXIT_USAGE = 2 };

static bool dies;
static int partitions;

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    rd_kafka_error_t *error;

    (void)opaque;
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        error = rd_kafka_incremental_assign(rk, list);
        partitions += list->cnt;
    } else {
        if (dies)
            _exit(EXIT_SUCCESS);
        error = rd_kafka_incremental_unassign(rk, list);
        partitions -= list->cnt;
    }
    if (error != NULL)
        fprintf(stderr, "bus_member: %s\n", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    printf("%d\n", partitions);
    fflush(stdout);
}

static rd_kafka_t *connect_to(const char *brokers, const char *group, const char *name)
{
    const char *const settings[][2] = {{"bootstrap.servers", brokers},
                                       {"group.id", group},
                                       {"group.instance.id", name},
                                       {"enable.auto.commit", "false"},
                                       {"partition.assignment.strategy", "cooperative-sticky"}};
    char err[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], err, sizeof err) !=
            RD_KAFKA_CONF_OK)
            goto fail;
    }
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, err, sizeof err);
    if (rk != NULL)
        return rk;

fail:
    fprintf(stderr, "bus_member: %s\n", err);
    rd_kafka_conf_destroy(conf);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc > 6) {
        fputs("usage: bus_member BROKERS GROUP TOPIC NAME [die]\n", stderr);
        return EXIT_USAGE;
    }
    dies = argc == 6 && strcmp(argv[5], "die") == 0;
    rd_kafka_t *rk = connect_to(argv[1], argv[2], argv[4]);
    if (rk == NULL)
        return EXIT_FAILURE;
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, argv[3], RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    for (;;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_MS);
        if (message != NULL)
            rd_kafka_message_destroy(message);
    }
}
