/* schema.h - what a value has to be. From the same tables calls are checked and /openapi.json is
 * written, where each is a JSON Schema. Pure; main loop only.
 *
 *   a body, a parameter ─► schema_check ─┬─► struct schema_value: a tree, as the schema has it
 *                                        └─► struct schema_errors: where, and what is wrong
 *
 * Fields that the schema does not name are refused, and so is a field that comes twice. */
#ifndef IMC_LOGIC_HTTP_V1_SCHEMA_H
#define IMC_LOGIC_HTTP_V1_SCHEMA_H

#include "common/base/mem.h"
#include "common/protocol/json_walk.h"

enum schema_type {
    SCHEMA_OBJECT,
    SCHEMA_ARRAY,
    SCHEMA_STRING,
    SCHEMA_BASE64, /* a string; the value is what it stands for */
    SCHEMA_INTEGER,
    SCHEMA_NUMBER, /* in answers only */
    SCHEMA_BOOLEAN,
    SCHEMA_ANY, /* any JSON value; it is not looked into */
};

struct schema_field;

struct schema {
    enum schema_type type;
    const char *name; /* under which /openapi.json has it once; NULL: where it is used */
    const char *doc;
    int64_t min, max; /* of an INTEGER; of a STRING's bytes; of an ARRAY's items. STRING, ARRAY: 0
                       * is no limit */
    size_t setting;   /* offset of an int64_t among the settings that is MAX in place of it; 0:
                       * none */
    const char *const *words;          /* STRING: one of these, up to NULL */
    const int64_t *except;             /* INTEGER: none of these, up to INT64_MIN */
    bool only_true;                    /* BOOLEAN */
    bool is_id;                        /* STRING: decimal digits of a number of 64 bits */
    bool each_alone;                   /* ARRAY: whoever takes the items checks each of them */
    bool unique;                       /* ARRAY of STRING: none comes twice */
    const struct schema *items;        /* ARRAY */
    const struct schema_field *fields; /* OBJECT; up to one without a name */
    const char *const *one_of;         /* OBJECT: exactly one of these fields, up to NULL */
};

struct schema_field {
    const char *name;
    const struct schema *schema;
    bool required;
    const char *doc;     /* beside the schema's */
    const char *example; /* JSON */
};

struct schema_value {
    const struct schema *schema; /* NULL: it is absent */
    struct json_span span;       /* as it stands in a body */
    int64_t number;              /* INTEGER; BOOLEAN: 0, 1 */
    const char *text;            /* STRING, BASE64; a NUL follows */
    size_t len;                  /* of TEXT */
    size_t n;                    /* ITEMS */
    struct schema_value *items;  /* ARRAY, not of INTEGER; OBJECT: one for each of its fields */
    int64_t *numbers;            /* ARRAY of INTEGER */
};

enum {
    SCHEMA_ERRORS_MAX = 8,
    SCHEMA_WHERE_MAX = 192,
    SCHEMA_FIELDS_MAX = 32, /* of one object */
};

enum schema_place { SCHEMA_IN_BODY, SCHEMA_IN_QUERY, SCHEMA_IN_HEADER };

/* The first errors that were found. */
struct schema_errors {
    size_t n;
    struct schema_error {
        enum schema_place place;
        char where[SCHEMA_WHERE_MAX]; /* a JSON pointer into the body, or the parameter's name */
        char what[200];
    } items[SCHEMA_ERRORS_MAX];
};

void schema_error_add(struct schema_errors *errors, enum schema_place place, const char *where,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The most that SCHEMA takes. SETTINGS is what its offset counts from. */
int64_t schema_max(const struct schema *schema, const void *settings);

/* Checks the JSON value SPAN. False: ERRORS has what is wrong. What VALUE leads to is in ARENA, or
 * in the text of SPAN. */
bool schema_check(const struct schema *schema, const void *settings, struct json_span span,
                  struct arena *arena, struct schema_value *value, struct schema_errors *errors);
struct schema_at {
    enum schema_place place;
    const char *name;
};
/* The same for TEXT, a parameter or header: STRING, INTEGER or BOOLEAN. */
bool schema_check_text(const struct schema *schema, const void *settings, const char *text,
                       struct schema_at at, struct schema_value *value,
                       struct schema_errors *errors);

/* Field NAME of OBJECT, which has one of that name in its schema; NULL: it is absent. OBJECT may be
 * NULL. */
const struct schema_value *schema_get(const struct schema_value *object, const char *name);

#endif
