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

struct names;
/* SHARED: equal strings get one number. */
struct names *names_new(bool shared);
void names_free(struct names *names);
/* Takes a reference to TEXT; 0 if it is empty. */
uint32_t names_ref(struct names *names, const char *text);
/* 0 is fine. */
void names_unref(struct names *names, uint32_t number);
/* Valid while it is referenced. Read only; not const because protobuf-c's strings are not. */
char *names_text(const struct names *names, uint32_t number);
uint32_t names_refs(const struct names *names, uint32_t number);
size_t names_count(const struct names *names);
/* The numbers in use, ascending: starts with 0, returns the next one, 0 at the end. */
uint32_t names_next(const struct names *names, uint32_t number);
/* Memory, about: malloc's own overhead is estimated. */
size_t names_bytes(const struct names *names);

#endif
