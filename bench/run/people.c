#include "bench/run/people.h"

#include <inttypes.h>
#include <stdio.h>

static size_t numbers(const struct people *people, enum stream_kind kind)
{
    switch (kind) {
    case STREAM_UID:
        return (people->count - people->unpushed + people->group - 1) / people->group;
    case STREAM_ROOM:
        return people->rooms;
    default:
        return 1;
    }
}

size_t people_streams(const struct people *people, enum stream_kind kind)
{
    return numbers(people, kind) * people->lanes[kind];
}

size_t people_stream(const struct people *people, enum stream_kind kind, size_t number, size_t lane)
{
    return number * people->lanes[kind] + lane;
}

size_t people_number(const struct people *people, enum stream_kind kind, size_t i)
{
    switch (kind) {
    case STREAM_UID:
        return i < people->count - people->unpushed ? i / people->group : SIZE_MAX;
    case STREAM_ROOM:
        return people->rooms > 0 ? i % people->rooms : SIZE_MAX;
    default:
        return 0;
    }
}

size_t people_members(const struct people *people, enum stream_kind kind, size_t number)
{
    size_t first;

    switch (kind) {
    case STREAM_UID:
        first = number * people->group;
        return people->count - first < people->group ? people->count - first : people->group;
    case STREAM_ROOM:
        return (people->count + people->rooms - 1 - number) / people->rooms;
    default:
        return people->count;
    }
}

void people_token(const struct people *people, size_t i, char out[PEOPLE_NAME_MAX])
{
    snprintf(out, PEOPLE_NAME_MAX, "bench-%08" PRIx32 "-%zu", people->run, i);
}

void people_room(const struct people *people, size_t room, char out[PEOPLE_NAME_MAX])
{
    snprintf(out, PEOPLE_NAME_MAX, "bench-%08" PRIx32 "-%zu", people->run, room);
}

void people_room_of(const struct people *people, size_t i, char out[PEOPLE_NAME_MAX])
{
    size_t number = people_number(people, STREAM_ROOM, i);

    out[0] = '\0';
    if (number != SIZE_MAX)
        people_room(people, number, out);
}
