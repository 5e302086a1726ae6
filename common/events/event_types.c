#include "common/events/event_types.h"
#include "proto/events.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RECORD(what) IMC__V1__SESSION_RECORD__WHAT__##what

const struct event_type_name event_type_names[EVENT_TYPES] = {
    [EVENT_CONNECTED] = {"session", "connected", RECORD(OPENED)},
    [EVENT_DISCONNECTED] = {"session", "disconnected", RECORD(ENDED)},
    [EVENT_JOINED] = {"room", "joined", RECORD(JOINED)},
    [EVENT_LEFT] = {"room", "left", RECORD(LEFT)},
    [EVENT_STORED] = {"message", "stored", RECORD(STORED)},
    [EVENT_DELIVERED] = {"message", "delivered", RECORD(DELIVERED)},
    [EVENT_ACKNOWLEDGED] = {"message", "acknowledged", RECORD(ACKNOWLEDGED)},
    [EVENT_EXPIRED] = {"message", "expired", RECORD(EXPIRED)},
};

enum event_type event_type_of_record(int what)
{
    int type = 0;

    while (type < EVENT_TYPES && event_type_names[type].record != what)
        type++;
    return (enum event_type)type;
}

/* EVENT_TYPES: none has the name. */
static int type_of(const char *name, size_t len)
{
    int type = 0;

    while (type < EVENT_TYPES && (strlen(event_type_names[type].what) != len ||
                                  strncmp(event_type_names[type].what, name, len) != 0))
        type++;
    return type;
}

int event_types_read(const char *list, unsigned *types, char *err, size_t errlen)
{
    static const char space[] = " \t";
    unsigned found = 0;

    list += strspn(list, space);
    while (*list != '\0') {
        size_t all = strcspn(list, ","), len = all;
        while (len > 0 && strchr(space, list[len - 1]) != NULL)
            len--;
        int type = type_of(list, len);
        if (type == EVENT_TYPES) {
            (void)snprintf(err, errlen,
                           "events.types: \"%.*s\" is no type of event: " EVENT_TYPES_TEXT,
                           (int)len, list);
            return -EINVAL;
        }
        found |= 1U << type;
        list += all + (list[all] == ',');
        list += strspn(list, space);
    }
    *types = found;
    return 0;
}
