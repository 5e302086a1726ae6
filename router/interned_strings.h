/* interned_strings.h - strings named by 32-bit numbers. Sessions in the same room share its name;
 * each session has its own key. Main loop only.
 * Number 0 is the empty string. */
#ifndef IMC_ROUTER_INTERNED_STRINGS_H
#define IMC_ROUTER_INTERNED_STRINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* SHARED: equal strings get the same number. */
struct interned_strings *interned_new(bool shared);
void interned_free(struct interned_strings *strings);
/* Takes a reference to TEXT and returns its number; 0 if TEXT is empty. */
uint32_t interned_ref(struct interned_strings *strings, const char *text);
/* NUMBER may be 0. */
void interned_unref(struct interned_strings *strings, uint32_t number);
/* The text is valid while it is referenced. It is read only; not const, because strings of
 * protobuf-c are not. */
static inline char *interned_text(const struct interned_strings *strings, uint32_t number)
{
    static char empty[1];

    return number == 0 ? empty : strings->places[number].name->text;
}
uint32_t interned_refs(const struct interned_strings *strings, uint32_t number);
size_t interned_count(const struct interned_strings *strings);
/* Walks over the numbers in use, ascending: begin with NUMBER 0; returns the next one, 0 at the
 * end. */
uint32_t interned_next(const struct interned_strings *strings, uint32_t number);
/* Bytes of memory, with an estimate of malloc's own overhead. */
size_t interned_bytes(const struct interned_strings *strings);

#endif
