/* event_json.h - a session event as the business gets it: a CloudEvent 1.0 in structured mode,
 * JSON. Source of the form: CloudEvents 1.0, its JSON format, and its extension "sequence". Pure;
 * any thread. docs/events.md shows one. */
#ifndef IMC_JOB_EVENTS_EVENT_JSON_H
#define IMC_JOB_EVENTS_EVENT_JSON_H

#include "common/events/event_types.h"
#include "common/events/session_record.h"
#include <stddef.h>
#include <stdint.h>

struct session_event {
    enum event_type type;
    const struct session_name *name; /* NULL: it is of a message */
    const Imc__V1__SessionRecord *record;
    /* Of a connected: sessions of the uid whose ends are not told, because it came in time. */
    const struct session_name *replaces;
    size_t n_replaces;
    const char *id;      /* NULL: session and type */
    int64_t offset;      /* of the record in its partition of the log */
    unsigned number;     /* of the event among those of that record */
    uint64_t written_ms; /* Unix time of the record */
};

/* The CloudEvent, *LEN bytes, for free(). */
char *event_json(const struct session_event *event, size_t *len);

#endif
