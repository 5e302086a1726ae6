/* bus_put - puts bytes of the caller's choice on a Kafka topic, for tests of what job does with
 * them.
 *
 *   bus_put BROKERS TOPIC < lines of "PARTITION KEY VALUE"
 *
 * KEY and VALUE are hex, "-" for none (a tombstone), or "=" for empty. Waits until the brokers have
 * all of it; exit code 1 if they refused something. */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLUSH_MS = 20000, EXIT_USAGE = 2 };

struct bytes {
    uint8_t *data; /* NULL: none */
    size_t len;
};

static int failures;

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    failures++;
    fprintf(stderr, "bus_put: not taken: %s\n", rd_kafka_err2str(message->err));
}

static bool parse_bytes(const char *text, struct bytes *out)
{
    char digits[3] = "", *end;

    *out = (struct bytes){NULL, 0};
    if (strcmp(text, "-") == 0)
        return true;
    size_t len = strcmp(text, "=") == 0 ? 0 : strlen(text);
    out->data = malloc(len / 2 + 1);
    if (out->data == NULL)
        return false;
    for (; out->len < len / 2; out->len++) {
        memcpy(digits, text + 2 * out->len, 2);
        out->data[out->len] = (uint8_t)strtoul(digits, &end, 16);
        if (end != digits + 2)
            return false;
    }
    return len % 2 == 0;
}

static int put(rd_kafka_t *rk, const char *topic, char *line)
{
    char *rest = line, *words[3];
    struct bytes key = {NULL, 0}, value = {NULL, 0};
    int result = EXIT_USAGE;

    for (int i = 0; i < 3; i++) {
        words[i] = strsep(&rest, " \n");
        if (words[i] == NULL)
            return EXIT_USAGE;
    }
    if (!parse_bytes(words[1], &key) || !parse_bytes(words[2], &value))
        goto done;
    rd_kafka_resp_err_t err = rd_kafka_producev(
        rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION((int32_t)strtol(words[0], NULL, 10)),
        RD_KAFKA_V_KEY(key.data, key.len), RD_KAFKA_V_VALUE(value.data, value.len),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    result = err == RD_KAFKA_RESP_ERR_NO_ERROR ? EXIT_SUCCESS : EXIT_FAILURE;
    if (result != EXIT_SUCCESS)
        fprintf(stderr, "bus_put: %s\n", rd_kafka_err2str(err));

done:
    free(key.data);
    free(value.data);
    return result;
}

static int put_lines(rd_kafka_t *rk, const char *topic)
{
    char *line = NULL;
    size_t size = 0;
    int result = EXIT_SUCCESS;

    while (result == EXIT_SUCCESS && getline(&line, &size, stdin) >= 0)
        result = put(rk, topic, line);
    free(line);
    if (rd_kafka_flush(rk, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fputs("bus_put: the brokers do not answer\n", stderr);
        return EXIT_FAILURE;
    }
    return failures > 0 ? EXIT_FAILURE : result;
}

static rd_kafka_t *connect_to(const char *brokers)
{
    char err[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, err, sizeof err) !=
            RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "message.max.bytes", "8000000", err, sizeof err) !=
            RD_KAFKA_CONF_OK)
        goto fail;
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof err);
    if (rk != NULL)
        return rk;

fail:
    fprintf(stderr, "bus_put: %s\n", err);
    rd_kafka_conf_destroy(conf);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: bus_put BROKERS TOPIC < lines of \"PARTITION KEY VALUE\" in hex\n", stderr);
        return EXIT_USAGE;
    }
    rd_kafka_t *rk = connect_to(argv[1]);
    if (rk == NULL)
        return EXIT_FAILURE;
    int result = put_lines(rk, argv[2]);
    rd_kafka_destroy(rk);
    return result;
}
