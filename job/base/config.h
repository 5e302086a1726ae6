/* config.h - job's settings; read-only once it runs. */
#ifndef IMC_JOB_BASE_CONFIG_H
#define IMC_JOB_BASE_CONFIG_H

#include "common/daemon/daemon.h"
#include "common/trace/tracer.h"
#include "common/webhook/settings.h"

struct job_config {
    struct daemon_config daemon; /* first */
    char *bus_brokers, *bus_topic, *bus_group, *bus_options;
    int64_t bus_partitions, bus_replication;
    int64_t fetch_wait_ms, session_ms;
    int64_t window, window_bytes;
    int64_t max_message; /* job.max_message: bytes of a body */
    int64_t comet_window, comet_items, comet_bytes, comet_timeout_ms;
    int64_t hold_ms, hold_bytes; /* comet.hold, comet.hold_bytes */
    int64_t comet_rooms;         /* comet.rooms: 0 = all items go to all comets */
    int64_t logic_window, logic_items, logic_bytes, logic_timeout_ms;
    int64_t retry_first_ms, retry_last_ms;
    int64_t patience_ms; /* settle.patience */
    int64_t settle_window, settle_window_bytes, settle_parked;
    char *events_log, *events_topic, *events_group, *events_types;
    struct webhook_settings events_hook;
    int64_t events_timeout_ms, events_window, events_window_bytes, events_remember;
    int64_t events_debounce_ms;
    struct tracer_config tracer; /* [trace] */
};

extern const struct config_row job_config_rows[];
int job_config_check(const void *arg, char *err, size_t errlen);

#endif
