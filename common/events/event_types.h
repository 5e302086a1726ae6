/* event_types.h - the types of session events. Pure; any thread. */
#ifndef IMC_COMMON_EVENTS_EVENT_TYPES_H
#define IMC_COMMON_EVENTS_EVENT_TYPES_H

#include <stddef.h>

enum event_type { EVENT_CONNECTED, EVENT_DISCONNECTED, EVENT_TYPES };

/* In events.types, and in the middle of the CloudEvent's type. */
extern const char *const event_type_names[EVENT_TYPES];
/* The types named in LIST, "connected,disconnected", a bit each; -EINVAL: ERR says which name is
 * unknown. */
int event_types_read(const char *list, unsigned *types, char *err, size_t errlen);

#endif
