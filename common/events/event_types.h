/* event_types.h - the types of events: all that has to be known of one is a row of the table. Pure;
 * any thread. */
#ifndef IMC_COMMON_EVENTS_EVENT_TYPES_H
#define IMC_COMMON_EVENTS_EVENT_TYPES_H

#include <stddef.h>

enum event_type {
    EVENT_CONNECTED,
    EVENT_DISCONNECTED,
    EVENT_JOINED,
    EVENT_LEFT,
    EVENT_STORED,
    EVENT_DELIVERED,
    EVENT_ACKNOWLEDGED,
    EVENT_EXPIRED,
    EVENT_TYPES
};

/* A set of types that are of rooms, or of messages. */
enum {
    EVENTS_OF_ROOMS = 1U << EVENT_JOINED | 1U << EVENT_LEFT,
    EVENTS_OF_MESSAGES =
        1U << EVENT_STORED | 1U << EVENT_DELIVERED | 1U << EVENT_ACKNOWLEDGED | 1U << EVENT_EXPIRED,
};

struct event_type_name {
    const char *thing; /* session, room, message: io.imc.THING.WHAT.v1 */
    const char *what;  /* in events.types, too */
    int record;        /* SessionRecord.What, in the log of sessions */
};
extern const struct event_type_name event_type_names[EVENT_TYPES];
/* The type that a record with WHAT tells. EVENT_TYPES: it is none. */
enum event_type event_type_of_record(int what);

/* All names, as events.types has them. */
#define EVENT_TYPES_TEXT \
    "connected, disconnected, joined, left, stored, delivered, acknowledged, expired"

/* The types named in LIST, "connected, disconnected", a bit each; spaces around names do not count.
 * -EINVAL: ERR says which name is unknown. */
int event_types_read(const char *list, unsigned *types, char *err, size_t errlen);

#endif
