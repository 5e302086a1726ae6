#include "common/events/event_types.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *const event_type_names[EVENT_TYPES] = {
    [EVENT_CONNECTED] = "connected", [EVENT_DISCONNECTED] = "disconnected"};

int event_types_read(const char *list, unsigned *types, char *err, size_t errlen)
{
    unsigned found = 0;

    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        int type = 0;
        while (type < EVENT_TYPES && (strlen(event_type_names[type]) != len ||
                                      strncmp(event_type_names[type], list, len) != 0))
            type++;
        if (type == EVENT_TYPES) {
            (void)snprintf(err, errlen,
                           "events.types: \"%.*s\" is no type of event: connected, "
                           "disconnected",
                           (int)len, list);
            return -EINVAL;
        }
        found |= 1U << type;
        list += len + (list[len] == ',');
    }
    *types = found;
    return 0;
}
