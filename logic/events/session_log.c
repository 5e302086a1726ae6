#include "logic/events/session_log.h"
#include "common/base/decimal.h"
#include "common/events/event_types.h"
#include "logic/base/bus.h"

#include <errno.h>
#include <stdlib.h>

enum { RECORD_HEAD_BYTES = 64 }; /* what Kafka counts besides key and value, and more */

static void on_ready(bool ready, const char *why, void *arg)
{
    struct logic *logic = arg;

    daemon_ready(logic->daemon, "events", ready, why);
}

static void on_count(enum ordered_count what, void *arg)
{
    static const enum logic_metric metrics[] = {
        [ORDERED_PRODUCED] = LOGIC_EVENTS_PRODUCED, [ORDERED_FAILED] = LOGIC_EVENTS_FAILED,
        [ORDERED_PUT_OFF] = LOGIC_EVENTS_PUT_OFF,   [ORDERED_LARGE] = LOGIC_EVENTS_LARGE,
        [ORDERED_RESTARTS] = LOGIC_EVENTS_RESTARTS,
    };

    logic_count(arg, metrics[what], 1);
}

int session_log_partitions(const struct logic *logic)
{
    return ordered_producer_partitions(logic->session_log);
}

static int record_send(struct logic *logic, struct kafka_message *message, int32_t partition,
                       struct ordered_ticket *ticket)
{
    int err = ordered_producer_send(logic->session_log, message,
                                    message->value_len + message->key_len + RECORD_HEAD_BYTES,
                                    partition, ticket);
    if (err != 0)
        free(message->value);
    return err;
}

int session_log_write_to(struct logic *logic, const struct session_name *name,
                         const Imc__V1__SessionRecord *record, int32_t partition,
                         struct ordered_ticket *ticket)
{
    struct kafka_message message;

    session_record_make(name, record, &message);
    return record_send(logic, &message, partition, ticket);
}

int session_log_write_with(struct logic *logic, const char *key, size_t key_len,
                           const Imc__V1__SessionRecord *record, struct ordered_ticket *ticket)
{
    struct kafka_message message;
    char uid[DECIMAL_MOST];
    size_t len = decimal_put(uid, record->uid);

    if (session_log_partitions(logic) == 0) {
        logic_count(logic, LOGIC_EVENTS_PUT_OFF, 1);
        return -EAGAIN;
    }
    session_record_make_with(key, key_len, record, &message);
    return record_send(logic, &message, ordered_producer_partition(logic->session_log, uid, len),
                       ticket);
}

int session_log_write(struct logic *logic, const struct session_name *name,
                      const Imc__V1__SessionRecord *record, struct ordered_ticket *ticket)
{
    char key[SESSION_NAME_MAX];

    return session_log_write_with(logic, key, session_name_write(name, key), record, ticket);
}

int session_log_open(struct logic *logic)
{
    const struct ordered_options options = {
        .bus = logic_producer_bus(logic),
        .name = "events",
        .topic = logic->config->events_log,
        .partitions = (int)logic->config->bus_partitions,
        .settings = SESSION_LOG_SETTINGS,
        .timeout_ms = logic->config->bus_timeout_ms,
        .max_waiting = (size_t)logic->config->events_max_waiting,
        .ready = on_ready,
        .count = on_count,
        .arg = logic,
    };

    char err[128];

    if (options.topic[0] == '\0')
        return 0;
    (void)event_types_read(logic->config->events_types, &logic->event_types, err, sizeof err);
    return ordered_producer_open(&options, &logic->session_log);
}
