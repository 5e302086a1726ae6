#include "router/interned_strings.h"
#include "common/base/array.h"
#include "common/base/mem.h"
#include "common/containers/map.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES_FIRST = 64, MAP_SLOT_BYTES = 32, MALLOC_OVERHEAD = 16 };

struct interned_strings *interned_new(bool shared)
{
    struct interned_strings *strings = mem_zalloc(sizeof *strings);

    strings->capacity = PLACES_FIRST;
    strings->places = mem_zalloc(strings->capacity * sizeof *strings->places);
    strings->places[0].vacant = 1;
    strings->n = 1;
    strings->shared = shared ? strmap_new() : NULL;
    return strings;
}

void interned_free(struct interned_strings *strings)
{
    if (strings == NULL)
        return;
    for (uint32_t number = interned_next(strings, 0); number != 0;
         number = interned_next(strings, number))
        free(strings->places[number].name);
    if (strings->shared != NULL)
        strmap_free(strings->shared);
    free(strings->places);
    free(strings);
}

static uint32_t place_take(struct interned_strings *strings)
{
    uint32_t number = strings->vacant;

    if (number != 0) {
        strings->vacant = (uint32_t)(strings->places[number].vacant >> 1);
        return number;
    }
    ARRAY_ROOM(strings->places, strings->n, strings->capacity, PLACES_FIRST);
    return strings->n++;
}

static size_t name_bytes(size_t len)
{
    return sizeof(struct interned_string) + len + 1 + MALLOC_OVERHEAD;
}

static struct interned_string *name_add(struct interned_strings *strings, const char *text,
                                        size_t len)
{
    struct interned_string *name = mem_alloc(sizeof *name + len + 1);

    memcpy(name->text, text, len + 1);
    name->refs = 0;
    name->number = place_take(strings);
    strings->places[name->number].name = name;
    strings->count++;
    strings->text_bytes += name_bytes(len);
    if (strings->shared != NULL)
        strmap_set(strings->shared, name->text, len, name);
    return name;
}

uint32_t interned_ref(struct interned_strings *strings, const char *text)
{
    size_t len = strlen(text);
    struct interned_string *name = NULL;

    if (len == 0)
        return 0;
    if (strings->shared != NULL)
        name = strmap_get(strings->shared, text, len);
    if (name == NULL)
        name = name_add(strings, text, len);
    name->refs++;
    return name->number;
}

void interned_unref(struct interned_strings *strings, uint32_t number)
{
    if (number == 0)
        return;
    struct interned_string *name = strings->places[number].name;
    assert(name->number == number && name->refs > 0);
    if (--name->refs > 0)
        return;
    size_t len = strlen(name->text);
    if (strings->shared != NULL)
        strmap_del(strings->shared, name->text, len);
    strings->places[number].vacant = (uintptr_t)strings->vacant << 1 | 1;
    strings->vacant = number;
    strings->count--;
    strings->text_bytes -= name_bytes(len);
    free(name);
}

uint32_t interned_refs(const struct interned_strings *strings, uint32_t number)
{
    return strings->places[number].name->refs;
}

size_t interned_count(const struct interned_strings *strings)
{
    return strings->count;
}

uint32_t interned_next(const struct interned_strings *strings, uint32_t number)
{
    while (++number < strings->n)
        if ((strings->places[number].vacant & 1) == 0)
            return number;
    return 0;
}

size_t interned_bytes(const struct interned_strings *strings)
{
    size_t bytes =
        sizeof *strings + strings->capacity * sizeof *strings->places + strings->text_bytes;

    return strings->shared == NULL ? bytes : bytes + strings->count * MAP_SLOT_BYTES;
}
