/* What the call about events takes and answers. */
#include "common/events/event_types.h"
#include "logic/http/v1/events.h"
#include "logic/http/v1/schemas.h"

static const struct schema place = {.type = SCHEMA_STRING,
                                    .name = "EventsPlace",
                                    .doc = "Up to where somebody has read.",
                                    .min = 3,
                                    .max = EVENTS_PLACE_MAX};
static const struct schema types = {.type = SCHEMA_STRING, .min = 1, .max = 200};
static const struct schema seconds = {.type = SCHEMA_INTEGER, .min = 0, .max = EVENTS_WAIT_MOST_S};
static const struct schema limit = {.type = SCHEMA_INTEGER, .min = 1, .max = EVENTS_LIMIT_MOST};
const struct schema_field query_events[] = {
    {"after", &place, false,
     "`next` of the answer before. recent, or not said: first the newest events that are there. "
     "new: only what comes from now on.",
     NULL},
    {"wait", &seconds, false,
     "If there is no event yet, wait so many seconds for one; 0 if it is not said. What is recent "
     "is "
     "answered as soon as it was read, be it nothing.",
     NULL},
    {"types", &types, false,
     "Only these, with commas between: " EVENT_TYPES_TEXT ". All if it is not said.", NULL},
    {"uid", &schema_uid, false, "Only those of this user.", NULL},
    {"limit", &limit, false, "At most so many; 100 if it is not said.", NULL},
    SCHEMA_END,
};
static const struct schema event = {.type = SCHEMA_ANY,
                                    .doc = "A CloudEvent: docs/events.md has its attributes."};
static const struct schema events = {.type = SCHEMA_ARRAY, .items = &event};
static const struct schema_field events_fields[] = {
    {"events", &events, true, "The oldest first.", NULL},
    {"next", &place, true, "Ask with it as `after` for those that come after these.", NULL},
    {"gap", &schema_flag, true,
     "true: events after `after` may be missing here. They have given way to newer ones, or "
     "`after` "
     "is of another logic, or nobody asked for a while.",
     NULL},
    {"why", &schema_text, false, "No events come now, because of that.", NULL},
    SCHEMA_END,
};
const struct schema schema_events = {
    .type = SCHEMA_OBJECT, .name = "Events", .fields = events_fields};
