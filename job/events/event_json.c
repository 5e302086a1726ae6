#include "job/events/event_json.h"
#include "common/events/cloud_attributes.h"
#include "common/protocol/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

static void put_replaces(struct json_text *text, const struct session_event *event)
{
    char session[SESSION_NAME_MAX];

    for (size_t i = 0; i < event->n_replaces; i++) {
        json_text_put(text, i == 0 ? ",\"replaces\":[" : ",");
        session_name_write(&event->replaces[i], session);
        json_text_string(text, session, strlen(session));
    }
    if (event->n_replaces > 0)
        json_text_put(text, "]");
}

static void put_data(struct json_text *text, const struct session_event *event, const char *session)
{
    const Imc__V1__SessionRecord *record = event->record;

    json_text_put(text, "{\"session\":");
    json_text_string(text, session, strlen(session));
    json_text_member(text, "comet", event->name->comet);
    if (event->type == EVENT_CONNECTED || event->type == EVENT_DISCONNECTED) {
        json_text_member(text, "address", record->address);
        json_text_member(text, "devicekey", record->key);
    }
    json_text_member(text, "room", record->room);
    if (event->type == EVENT_CONNECTED && record->again)
        json_text_put(text, ",\"again\":true");
    put_replaces(text, event);
    if (event->type == EVENT_DISCONNECTED) {
        uint64_t open_ms =
            record->ended_ms > record->opened_ms ? record->ended_ms - record->opened_ms : 0;
        json_text_put(text, ",\"reason\":\"%s\"", reason_of(record));
        if (record->code != 0)
            json_text_put(text, ",\"code\":%" PRIu32, record->code);
        json_text_put(text, ",\"durationms\":%" PRIu64, open_ms);
    }
    json_text_put(text, "}");
}

static void put_message(struct json_text *text, const Imc__V1__SessionRecord *record)
{
    json_text_put(text, "{\"message\":\"%" PRIu64 "\"", record->message);
    json_text_member(text, "session", record->session);
    json_text_member(text, "reason", record->why);
    json_text_put(text, "}");
}

static uint64_t time_of(const struct session_event *event)
{
    const Imc__V1__SessionRecord *record = event->record;

    if (event->type == EVENT_DISCONNECTED)
        return record->ended_ms;
    if (event->type != EVENT_CONNECTED)
        return record->at_ms;
    return record->again ? event->written_ms : record->opened_ms;
}

char *event_json(const struct session_event *event, size_t *len)
{
    const Imc__V1__SessionRecord *record = event->record;
    const struct event_type_name *type = &event_type_names[event->type];
    struct json_text text = {0};
    char session[SESSION_NAME_MAX] = "", source[CLOUD_SOURCE_MAX] = "/imc/message",
         when[CLOUD_TIME_MAX], id[SESSION_NAME_MAX + 16];
    const char *own = event->id;

    if (event->name != NULL) {
        session_name_write(event->name, session);
        cloud_source(event->name->comet, source);
    }
    cloud_time(time_of(event), when);
    (void)snprintf(id, sizeof id, "%s.%s", session, type->what);
    json_text_put(&text, "{\"specversion\":\"1.0\",\"type\":\"io.imc.%s.%s.v1\",\"source\":\"%s\"",
                  type->thing, type->what, source);
    json_text_member(&text, "id", own != NULL ? own : id);
    json_text_put(
        &text, ",\"subject\":\"%" PRId64 "\",\"time\":\"%s\",\"sequence\":\"%020" PRId64 ".%02u\"",
        record->uid, when, event->offset, event->number);
    json_text_put(&text, ",\"datacontenttype\":\"application/json\",\"data\":");
    if (event->name != NULL)
        put_data(&text, event, session);
    else
        put_message(&text, record);
    json_text_put(&text, "}");
    *len = text.len;
    return text.data;
}
