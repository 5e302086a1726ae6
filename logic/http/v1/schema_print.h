/* schema_print.h - schemas as JSON Schema, and in words. Pure. */
#ifndef IMC_LOGIC_HTTP_V1_SCHEMA_PRINT_H
#define IMC_LOGIC_HTTP_V1_SCHEMA_PRINT_H

#include "logic/http/v1/schema.h"

#include <stdio.h>

enum { SCHEMA_NAMES_MAX = 64 };

/* Schemas that have a name, each once. */
struct schema_names {
    size_t n;
    struct schema_named {
        const struct schema *schema;
        bool is_taken; /* callers send it: it has no other fields than those that it names. Of what
                        * we answer callers have to expect more */
    } items[SCHEMA_NAMES_MAX];
};

/* Adds SCHEMA and what it consists of; NULL is nothing. */
void schema_names_add(struct schema_names *names, const struct schema *schema, bool is_taken);
/* Writes SCHEMA: a reference, if it has a name. DOC, which may be NULL, goes with it. */
void schema_print(FILE *out, const struct schema *schema, const char *doc, const char *example,
                  const void *settings, bool is_taken);
/* The same, but never a reference. */
void schema_print_whole(FILE *out, const struct schema_named *named, const void *settings);
/* "integer, 0 to 7", for a table in Markdown. */
void schema_print_words(FILE *out, const struct schema *schema, const void *settings);

#endif
