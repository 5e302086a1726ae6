#include "router/interned_strings.h"
#include "common/base/array.h"
#include "common/base/mem.h"
#include "common/containers/map.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct interned_string {
    uint32_t number, refs;
    char text[];
};

/* A place holds a name or, with its lowest bit set, the number of the next vacant place. */
union place {
    struct interned_string *name;
    uintptr_t vacant;
};

struct interned_strings {
    union place *places;
    uint32_t n, capacity;
    uint32_t vacant; /* the first vacant place; 0: none */
    size_t count;
    size_t text_bytes;
    struct strmap *shared; /* NULL: every reference has a name of its own */
};

enum { PLACES_FIRST = 64, MAP_SLOT_BYTES = 32, MALLOC_OVERHEAD = 16 };

struct interned_strings *interned_new(bool shared)
{
    struct interned_strings *names = mem_zalloc(sizeof *names);

    names->capacity = PLACES_FIRST;
    names->places = mem_zalloc(names->capacity * sizeof *names->places);
    names->places[0].vacant = 1;
    names->n = 1;
    names->shared = shared ? strmap_new() : NULL;
    return names;
}

void interned_free(struct interned_strings *names)
{
    if (names == NULL)
        return;
    for (uint32_t number = interned_next(names, 0); number != 0;
         number = interned_next(names, number))
        free(names->places[number].name);
    if (names->shared != NULL)
        strmap_free(names->shared);
    free(names->places);
    free(names);
}

static uint32_t place_take(struct interned_strings *names)
{
    uint32_t number = names->vacant;

    if (number != 0) {
        names->vacant = (uint32_t)(names->places[number].vacant >> 1);
        return number;
    }
    ARRAY_ROOM(names->places, names->n, names->capacity, PLACES_FIRST);
    return names->n++;
}

static size_t name_bytes(size_t len)
{
    return sizeof(struct interned_string) + len + 1 + MALLOC_OVERHEAD;
}

static struct interned_string *name_add(struct interned_strings *names, const char *text,
                                        size_t len)
{
    struct interned_string *name = mem_alloc(sizeof *name + len + 1);

    memcpy(name->text, text, len + 1);
    name->refs = 0;
    name->number = place_take(names);
    names->places[name->number].name = name;
    names->count++;
    names->text_bytes += name_bytes(len);
    if (names->shared != NULL)
        strmap_set(names->shared, name->text, len, name);
    return name;
}

uint32_t interned_ref(struct interned_strings *names, const char *text)
{
    size_t len = strlen(text);
    struct interned_string *name = NULL;

    if (len == 0)
        return 0;
    if (names->shared != NULL)
        name = strmap_get(names->shared, text, len);
    if (name == NULL)
        name = name_add(names, text, len);
    name->refs++;
    return name->number;
}

void interned_unref(struct interned_strings *names, uint32_t number)
{
    if (number == 0)
        return;
    struct interned_string *name = names->places[number].name;
    assert(name->number == number && name->refs > 0);
    if (--name->refs > 0)
        return;
    size_t len = strlen(name->text);
    if (names->shared != NULL)
        strmap_del(names->shared, name->text, len);
    names->places[number].vacant = (uintptr_t)names->vacant << 1 | 1;
    names->vacant = number;
    names->count--;
    names->text_bytes -= name_bytes(len);
    free(name);
}

char *interned_text(const struct interned_strings *names, uint32_t number)
{
    static char empty[1];

    return number == 0 ? empty : names->places[number].name->text;
}

uint32_t interned_refs(const struct interned_strings *names, uint32_t number)
{
    return names->places[number].name->refs;
}

size_t interned_count(const struct interned_strings *names)
{
    return names->count;
}

uint32_t interned_next(const struct interned_strings *names, uint32_t number)
{
    while (++number < names->n)
        if ((names->places[number].vacant & 1) == 0)
            return number;
    return 0;
}

size_t interned_bytes(const struct interned_strings *names)
{
    size_t bytes = sizeof *names + names->capacity * sizeof *names->places + names->text_bytes;

    return names->shared == NULL ? bytes : bytes + names->count * MAP_SLOT_BYTES;
}
