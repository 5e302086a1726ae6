/* interned_strings.h - strings by 32-bit number: rooms, shared by all sessions in them, and keys,
 * one each. Main loop only.
 *
 * A shared name's references are the sessions that have it: for rooms, their count. Number 0 is the
 * empty string. */
#ifndef IMC_ROUTER_INTERNED_STRINGS_H
#define IMC_ROUTER_INTERNED_STRINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interned_strings;
/* SHARED: equal strings get one number. */
struct interned_strings *interned_new(bool shared);
void interned_free(struct interned_strings *names);
/* Takes a reference to TEXT; 0 if it is empty. */
uint32_t interned_ref(struct interned_strings *names, const char *text);
/* 0 is fine. */
void interned_unref(struct interned_strings *names, uint32_t number);
/* Valid while it is referenced. Read only; not const because protobuf-c's strings are not. */
char *interned_text(const struct interned_strings *names, uint32_t number);
uint32_t interned_refs(const struct interned_strings *names, uint32_t number);
size_t interned_count(const struct interned_strings *names);
/* The numbers in use, ascending: starts with 0, returns the next one, 0 at the end. */
uint32_t interned_next(const struct interned_strings *names, uint32_t number);
/* Memory, about: malloc's own overhead is estimated. */
size_t interned_bytes(const struct interned_strings *names);

#endif
