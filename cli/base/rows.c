#include "cli/base/rows.h"
#include "common/base/base64.h"
#include "common/base/mem.h"
#include "common/base/time.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MOST = 15, TITLE_MAX = 32, BODY_SHOWN = 60 };

const char *const rows_daemons[] = {
    "kind",     "id",     "since",  "sessions", "addresses", "takes_clients",
    "draining", "weight", "region", "zone",     NULL};
const char *const rows_rooms[] = {"room", "sessions", NULL};

/* A column, and the first object's value of it: numbers stand to the right. */
struct column {
    const char *key;
    char title[TITLE_MAX];
};

static const json_t *first_value(const json_t *array, const char *key)
{
    size_t index;
    const json_t *object;

    json_array_foreach(array, index, object) {
        const json_t *value = json_object_get(object, key);
        if (value != NULL)
            return value;
    }
    return NULL;
}

static bool is_age(const char *key)
{
    return strcmp(key, "since") == 0 || strcmp(key, "connected") == 0;
}

static bool is_date(const char *key)
{
    return strcmp(key, "expires") == 0 || strcmp(key, "deliver_at") == 0;
}

static bool has_column(const struct column *columns, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(columns[i].key, key) == 0)
            return true;
    }
    return false;
}

static char title_letter(char letter)
{
    if (letter == '_')
        return ' ';
    return (char)toupper((unsigned char)letter);
}

/* RIGHT: numbers stand below it. */
static void column_title(struct column *column, bool right)
{
    const char *shown = column->key;

    if (strcmp(shown, "body_base64") == 0)
        shown = "body";
    else if (is_age(shown))
        shown = "for";
    (void)snprintf(column->title, sizeof column->title, "%s%s", right ? ">" : "", shown);
    for (char *at = column->title; *at != '\0'; at++)
        *at = title_letter(*at);
}

static void column_add(struct column *columns, size_t *n, const json_t *array, const char *key)
{
    const json_t *value = first_value(array, key);

    if (has_column(columns, *n, key) || value == NULL || *n == COLUMNS_MOST)
        return;
    struct column *column = &columns[(*n)++];
    column->key = key;
    column_title(column, json_is_number(value) && !is_date(key));
}

/* What waits in a mailbox: its first characters. */
static void add_body(struct table *table, const char *base64)
{
    size_t len = strlen(base64);
    char *body = mem_alloc(len + 1), *shown = NULL;
    ssize_t n = base64_decode(base64, len, body);

    if (n < 0 || memchr(body, '\0', (size_t)n) != NULL) {
        table_text(table, n < 0 ? NULL : "(binary)");
    } else {
        body[n] = '\0';
        if (n > BODY_SHOWN) {
            n = BODY_SHOWN; /* between two characters */
            while (n > 0 && ((unsigned char)body[n] & 0xc0) == 0x80)
                n--;
        }
        if (asprintf(&shown, "%.*s%s", (int)n, body, body[n] != '\0' ? "…" : "") < 0)
            abort();
        table_text(table, shown);
    }
    free(shown);
    free(body);
}

static void add_value(struct table *table, const char *key, const json_t *value)
{
    char age[PRINT_DURATION_MAX], date[PRINT_TIME_MAX];

    if (json_is_string(value) && strcmp(key, "body_base64") == 0)
        add_body(table, json_string_value(value));
    else if (json_is_integer(value) && is_age(key))
        table_text(table, print_duration(
                              (int64_t)(time_unix_ms() / 1000) - json_integer_value(value), age));
    else if (json_is_integer(value) && is_date(key))
        table_text(table, print_time(json_integer_value(value), date));
    else if (json_is_boolean(value))
        table_text(table, json_is_true(value) ? "yes" : "no");
    else
        table_json(table, value);
}

struct table *rows_table(const json_t *array, const char *const *order)
{
    struct column columns[COLUMNS_MOST];
    const char *titles[COLUMNS_MOST + 1] = {NULL}, *key;
    size_t n = 0, index;
    json_t *object, *value;

    for (; *order != NULL; order++)
        column_add(columns, &n, array, *order);
    json_array_foreach(array, index, object) {
        void *at = json_object_iter(object);
        for (; at != NULL; at = json_object_iter_next(object, at)) {
            key = json_object_iter_key(at);
            column_add(columns, &n, array, key);
        }
    }
    if (n == 0)
        return NULL;
    for (size_t i = 0; i < n; i++)
        titles[i] = columns[i].title;
    struct table *table = table_new(titles);
    json_array_foreach(array, index, object) {
        for (size_t i = 0; i < n; i++) {
            value = json_object_get(object, columns[i].key);
            add_value(table, columns[i].key, value);
        }
    }
    return table;
}

void rows_print(const json_t *array, const char *const *order, const char *nothing)
{
    struct table *table = rows_table(array, order);

    if (table == NULL)
        printf("%s\n", nothing);
    else
        table_print(table, stdout, 0);
}

void rows_print_gone(FILE *out, const json_t *gone)
{
    int64_t now = (int64_t)(time_unix_ms() / 1000);
    const json_t *daemon;
    size_t index;

    json_array_foreach(gone, index, daemon) {
        char age[PRINT_DURATION_MAX];
        int64_t since = json_integer_value(json_object_get(daemon, "gone"));
        (void)fputs(index == 0 ? "gone: " : ", ", out);
        print_json_value(out, json_object_get(daemon, "kind"));
        (void)fputc(' ', out);
        print_json_value(out, json_object_get(daemon, "id"));
        fprintf(out, " (%s ago)", print_duration(now > since ? now - since : 0, age));
    }
    if (json_array_size(gone) > 0)
        (void)fputc('\n', out);
}
