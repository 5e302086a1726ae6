/* row.h - a row of a configuration's tables: one setting. */
#ifndef IMC_COMMON_CONFIG_ROW_H
#define IMC_COMMON_CONFIG_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_type {
    CONFIG_STRING,   /* char *, owned by the struct */
    CONFIG_INT,      /* int64_t */
    CONFIG_BOOL,     /* bool: true/false, yes/no, on/off, 1/0 */
    CONFIG_DURATION, /* int64_t milliseconds; "250ms" "5s" "10m" "24h", a bare number is
                        milliseconds */
    CONFIG_BYTES,    /* int64_t; "4096" "64k" "1m" "2g" */
    CONFIG_ADDRESS,  /* char *, "host:port"; empty (= off) where the default is, or max is
                        CONFIG_MAY_BE_OFF */
    CONFIG_LIST,     /* char *, comma-separated, spaces around commas allowed */
    CONFIG_SECRET,   /* char *; nothing of it is ever shown (mask.h) */
    CONFIG_SECRETS,  /* char *, a list like CONFIG_LIST, of which nothing is ever shown */
    CONFIG_OPTIONS,  /* char *, "name=value,name=value" of librdkafka; values that may be secret are
                        not shown */
};

enum { CONFIG_MAY_BE_OFF = 1 };

struct config_row {
    const char *section, *key;
    enum config_type type;
    size_t offset;    /* of the field in the daemon's struct */
    const char *init; /* default, as it would be written in the file */
    int64_t min, max; /* range of a number; both 0: any that is not negative */
    const char *doc;  /* one or two sentences for docs/configuration.md */
    bool live;        /* a reload changes it. A number is _Atomic, and read anew at each use */
};

/* The offset of a number that may be live: refuses a FIELD that is not _Atomic. */
#define CONFIG_LIVE(type, field) \
    _Generic(&((type *)0)->field, _Atomic int64_t * : offsetof(type, field))

/* Is the field of TYPE a char *, owned by the struct? */
static inline bool config_type_is_text(enum config_type type)
{
    return type == CONFIG_STRING || type == CONFIG_ADDRESS || type == CONFIG_LIST ||
           type == CONFIG_SECRET || type == CONFIG_SECRETS || type == CONFIG_OPTIONS;
}

/* NULL-terminated list of tables, each ended by a row with key == NULL. */
typedef const struct config_row *const *config_tables;

#endif
