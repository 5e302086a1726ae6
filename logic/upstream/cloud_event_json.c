#include "common/events/cloud_attributes.h"
#include "common/protocol/json_scan.h"
#include "common/protocol/json_text.h"
#include "logic/upstream/cloud_event.h"

#include <inttypes.h>

static void put_body(struct json_text *text, const struct upstream_event *event)
{
    /* A comet says what is JSON. If it is wrong, no other event of the post suffers. */
    bool json = event->json && json_is_value(event->body, event->len);

    json_text_put(text, ",\"datacontenttype\":\"application/%s\",\"data",
                  json ? "json" : "octet-stream");
    if (json) {
        json_text_put(text, "\":");
        json_text_raw(text, event->body, event->len);
    } else {
        json_text_put(text, "_base64\":\"");
        json_text_base64(text, event->body, event->len);
        json_text_put(text, "\"");
    }
}

char *cloud_event_json(const struct upstream_event *event, const char *id, size_t *len)
{
    char source[CLOUD_SOURCE_MAX], when[CLOUD_TIME_MAX];
    struct json_text text = {0};

    cloud_source(event->comet, source);
    cloud_time(event->time_ms, when);
    json_text_put(&text,
                  "{\"specversion\":\"1.0\",\"type\":\"io.imc.upstream.v1\",\"source\":\"%s\"",
                  source);
    json_text_member(&text, "id", id);
    json_text_put(&text, ",\"subject\":\"%" PRId64 "\",\"time\":\"%s\",\"operation\":%" PRId32,
                  event->uid, when, event->op);
    json_text_member(&text, "devicekey", event->key);
    json_text_member(&text, "room", event->room);
    json_text_member(&text, "address", event->address);
    put_body(&text, event);
    json_text_put(&text, "}");
    *len = text.len;
    return text.data;
}
