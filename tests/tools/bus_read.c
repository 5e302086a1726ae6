/* bus_read - prints what is on a Kafka topic, headers too, for tests of what logic produces.
 *
 *   bus_read BROKERS TOPIC
 *
 * Reads every partition from its beginning to the end that it has now. A line of JSON per message:
 *
 *   {"partition":0,"offset":3,"key":"…","value":"…","headers":{"ce_id":"…"}}
 *
 * Key and value are hex, null for none; a header's value is text. Exit code 1 if the brokers do not
 * answer. */
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 20000, EXIT_USAGE = 2 };

static json_t *hex(const void *data, size_t len)
{
    const unsigned char *bytes = data;
    char *text = malloc(2 * len + 1);

    if (data == NULL || text == NULL) {
        free(text);
        return json_null();
    }
    text[0] = '\0';
    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    json_t *value = json_string(text);
    free(text);
    return value;
}

static json_t *headers_of(const rd_kafka_message_t *message)
{
    json_t *object = json_object();
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t len;

    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return object;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &len) == 0; i++)
        json_object_set_new(object, name, json_stringn(value, len));
    return object;
}

static void print(const rd_kafka_message_t *message)
{
    json_t *line =
        json_pack("{s:i,s:I,s:o,s:o,s:o}", "partition", (int)message->partition, "offset",
                  (json_int_t)message->offset, "key", hex(message->key, message->key_len), "value",
                  hex(message->payload, message->len), "headers", headers_of(message));

    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(line);
}

/* To be told of the end of PARTITION once. Somebody may go on producing to it, and then it ends
 * again, while others have not been read. */
static bool ends_first(bool *ended, int partition)
{
    bool first = !ended[partition];

    ended[partition] = true;
    return first;
}

/* How many partitions TOPIC has; -1: the brokers do not answer. */
static int partitions_of(rd_kafka_t *rk, const char *topic)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    int n = -1;

    if (rd_kafka_metadata(rk, 0, handle, &metadata, WAIT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        n = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(handle);
    return n;
}

static int read_all(rd_kafka_t *rk, const char *topic, int partitions)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    bool *ended = calloc((size_t)partitions + 1, sizeof *ended);
    int result = ended != NULL ? EXIT_SUCCESS : EXIT_FAILURE;

    for (int i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    while (partitions > 0 && result == EXIT_SUCCESS) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_MS);
        if (message == NULL || (message->err != RD_KAFKA_RESP_ERR_NO_ERROR &&
                                message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)) {
            fprintf(stderr, "bus_read: %s\n",
                    message != NULL ? rd_kafka_message_errstr(message) : "no answer");
            result = EXIT_FAILURE;
        } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            partitions -= ends_first(ended, message->partition);
        } else {
            print(message);
        }
        if (message != NULL)
            rd_kafka_message_destroy(message);
    }
    free(ended);
    return result;
}

static rd_kafka_t *connect_to(const char *brokers)
{
    char err[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, err, sizeof err) !=
            RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "group.id", "bus_read", err, sizeof err) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "fetch.wait.max.ms", "10", err, sizeof err) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "enable.partition.eof", "true", err, sizeof err) !=
            RD_KAFKA_CONF_OK)
        goto fail;
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, err, sizeof err);
    if (rk != NULL)
        return rk;

fail:
    fprintf(stderr, "bus_read: %s\n", err);
    rd_kafka_conf_destroy(conf);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: bus_read BROKERS TOPIC\n", stderr);
        return EXIT_USAGE;
    }
    rd_kafka_t *rk = connect_to(argv[1]);
    if (rk == NULL)
        return EXIT_FAILURE;
    int partitions = partitions_of(rk, argv[2]);
    int result = partitions < 0 ? EXIT_FAILURE : read_all(rk, argv[2], partitions);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return result;
}
