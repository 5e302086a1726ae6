#include "job/events/event_json.h"
#include "common/base/mem.h"
#include "common/events/cloud_attributes.h"
#include "common/protocol/json_scan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    FIXED_BYTES = 4096
}; /* all that is not text of the client's; a name's bytes may be six each */

struct text {
    char *data;
    size_t len, size;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text->len += (size_t)vsnprintf(text->data + text->len, text->size - text->len, format, args);
    va_end(args);
}

static void put_string(struct text *text, const char *value)
{
    text->len += json_write_string((const uint8_t *)value, strlen(value),
                                   (uint8_t *)text->data + text->len, text->size - text->len);
}

/* ,"NAME":"VALUE", unless VALUE is empty. */
static void put_text(struct text *text, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    put(text, ",\"%s\":", name);
    put_string(text, value);
}

/* Why a session ended, in a word. */
static const char *reason_of(const Imc__V1__SessionRecord *record)
{
    static const char *const closed[] = {
        "unknown",        "bad_token",         "handshake_timeout", "malformed",
        "body_too_large", "replaced",          "too_many_sessions", "kicked",
        "too_slow",       "going_away",        "rate_limited",      "heartbeat_missed",
        "unavailable",    "unknown_operation",
    };

    switch (record->how) {
    case IMC__V1__SESSION_RECORD__HOW__CLIENT:
        return "client";
    case IMC__V1__SESSION_RECORD__HOW__REFUSED:
        return "refused";
    case IMC__V1__SESSION_RECORD__HOW__LOST:
        return "comet_lost";
    default:
        return closed[record->code < sizeof closed / sizeof closed[0] ? record->code : 0];
    }
}

static void put_data(struct text *text, const struct session_event *event, const char *session)
{
    const Imc__V1__SessionRecord *record = event->record;

    put(text, "{\"session\":");
    put_string(text, session);
    put_text(text, "comet", event->name->comet);
    put_text(text, "address", record->address);
    put_text(text, "devicekey", record->key);
    put_text(text, "room", record->room);
    if (event->type == EVENT_CONNECTED && record->again)
        put(text, ",\"again\":true");
    if (event->type == EVENT_DISCONNECTED) {
        uint64_t open_ms =
            record->ended_ms > record->opened_ms ? record->ended_ms - record->opened_ms : 0;
        put(text, ",\"reason\":\"%s\"", reason_of(record));
        if (record->code != 0)
            put(text, ",\"code\":%" PRIu32, record->code);
        put(text, ",\"durationms\":%" PRIu64, open_ms);
    }
    put(text, "}");
}

static uint64_t time_of(const struct session_event *event)
{
    const Imc__V1__SessionRecord *record = event->record;

    if (event->type == EVENT_DISCONNECTED)
        return record->ended_ms;
    return record->again ? event->written_ms : record->opened_ms;
}

char *event_json(const struct session_event *event, size_t *len)
{
    const Imc__V1__SessionRecord *record = event->record;
    const char *type = event_type_names[event->type];
    /* A byte becomes six at most: \u0001. */
    size_t size =
        FIXED_BYTES + 6 * (strlen(record->address) + strlen(record->key) + strlen(record->room));
    struct text text = {.data = mem_alloc(size), .size = size};
    char session[SESSION_NAME_MAX], source[CLOUD_SOURCE_MAX], when[CLOUD_TIME_MAX],
        id[SESSION_NAME_MAX + 16];

    session_name_write(event->name, session);
    cloud_source(event->name->comet, source);
    cloud_time(time_of(event), when);
    (void)snprintf(id, sizeof id, "%s.%s", session, type);
    put(&text, "{\"specversion\":\"1.0\",\"type\":\"io.imc.session.%s.v1\",\"source\":\"%s\"", type,
        source);
    put_text(&text, "id", id);
    put(&text, ",\"subject\":\"%" PRId64 "\",\"time\":\"%s\",\"sequence\":\"%020" PRId64 ".%u\"",
        record->uid, when, event->offset, event->number);
    put(&text, ",\"datacontenttype\":\"application/json\",\"data\":");
    put_data(&text, event, session);
    put(&text, "}");
    *len = text.len;
    return text.data;
}
