#include "logic/feed/feed_ring.h"
#include "common/base/mem.h"
#include "common/events/event_types.h"
#include "common/protocol/json_scan.h"
#include "common/protocol/json_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 64 };

/* --- an event --- */

/* Decodes VALUE, a short string. False: it is something else. */
static bool text_of(struct json_span value, char out[NAME_MAX_LEN])
{
    if (value.len < 2 || value.len > NAME_MAX_LEN || value.at[0] != '"')
        return false;
    size_t len = json_string_decode(value, out);
    return strlen(out) == len;
}

/* "io.imc.session.connected.v1": its bit. */
static unsigned type_of(const char *text)
{
    for (int i = 0; i < EVENT_TYPES; i++) {
        const struct event_type_name *name = &event_type_names[i];
        size_t thing = strlen(name->thing), what = strlen(name->what);
        if (strncmp(text, "io.imc.", 7) == 0 && strncmp(text + 7, name->thing, thing) == 0 &&
            text[7 + thing] == '.' && strncmp(text + 8 + thing, name->what, what) == 0 &&
            strcmp(text + 8 + thing + what, ".v1") == 0)
            return 1U << i;
    }
    return 0;
}

static bool uid_of(const char *text, int64_t *uid)
{
    char *end;

    errno = 0;
    *uid = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
}

static bool is_named(struct json_span name, const char *text)
{
    size_t len = strlen(text);

    return name.len == len + 2 && memcmp(name.at + 1, text, len) == 0;
}

bool feed_event_read(const void *text, size_t len, struct feed_event *out)
{
    char value_text[NAME_MAX_LEN];
    struct json_span name, value;

    if (len > FEED_EVENT_MAX || !json_is_value(text, len))
        return false;
    struct json_span whole = json_span_of(text, len);
    if (whole.at[0] != '{')
        return false;
    *out = (struct feed_event){.len = whole.len};
    for (struct json_walk walk = json_walk_begin(whole); json_walk_member(&walk, &name, &value);) {
        if (is_named(name, "type") && text_of(value, value_text))
            out->type = type_of(value_text);
        else if (is_named(name, "subject") && text_of(value, value_text))
            out->has_uid = uid_of(value_text, &out->uid);
    }
    out->text = mem_alloc(whole.len + 1);
    memcpy(out->text, whole.at, whole.len);
    out->text[whole.len] = '\0';
    return true;
}

/* --- the ring --- */

static void drop_oldest(struct feed_ring *ring)
{
    struct feed_event *event = &ring->events[(ring->last - ring->kept + 1) % FEED_EVENTS];

    ring->bytes -= event->len;
    ring->kept--;
    free(event->text);
    event->text = NULL;
}

void feed_ring_put(struct feed_ring *ring, const struct feed_event *event)
{
    while (ring->kept == FEED_EVENTS || (ring->kept > 0 && ring->bytes + event->len > FEED_BYTES))
        drop_oldest(ring);
    ring->events[++ring->last % FEED_EVENTS] = *event;
    ring->kept++;
    ring->bytes += event->len;
}

static bool fits(const struct feed_filter *filter, const struct feed_event *event)
{
    return (filter->types == 0 || (filter->types & event->type) != 0) &&
           (!filter->has_uid || (event->has_uid && event->uid == filter->uid));
}

const struct feed_event *feed_ring_next(const struct feed_ring *ring,
                                        const struct feed_filter *filter, uint64_t *at)
{
    uint64_t before = ring->last - ring->kept; /* the number in front of the oldest one */

    for (uint64_t n = (*at > before ? *at : before) + 1; n <= ring->last; n++) {
        const struct feed_event *event = &ring->events[n % FEED_EVENTS];
        if (!fits(filter, event))
            continue;
        *at = n;
        return event;
    }
    *at = ring->last;
    return NULL;
}

uint64_t feed_ring_newest(const struct feed_ring *ring, const struct feed_filter *filter, size_t n)
{
    uint64_t at = ring->last, before = ring->last - ring->kept;

    for (; at > before && n > 0; at--)
        n -= fits(filter, &ring->events[at % FEED_EVENTS]);
    return at;
}

uint64_t feed_ring_later(const struct feed_ring *ring, int64_t ms)
{
    uint64_t at = ring->last, before = ring->last - ring->kept;

    while (at > before && ring->events[at % FEED_EVENTS].ms > ms)
        at--;
    return at;
}

int64_t feed_ring_ms(const struct feed_ring *ring)
{
    return ring->kept > 0 ? ring->events[ring->last % FEED_EVENTS].ms : 0;
}

bool feed_ring_has_lost(const struct feed_ring *ring, uint64_t at)
{
    return at < ring->last - ring->kept;
}

void feed_ring_clear(struct feed_ring *ring)
{
    while (ring->kept > 0)
        drop_oldest(ring);
    ring->last = 0;
}
