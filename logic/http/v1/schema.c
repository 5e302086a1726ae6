#include "logic/http/v1/schema.h"
#include "common/base/base64.h"
#include "common/base/text.h"
#include "common/base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What all levels of one check share. */
struct check {
    const void *settings;
    struct arena *arena;
    struct schema_errors *errors;
    enum schema_place place;
    char where[SCHEMA_WHERE_MAX]; /* of the value that is checked; cut, if it is too long */
};

/* --- errors --- */

__attribute__((format(printf, 4, 0))) static void add_error(struct schema_errors *errors,
                                                            enum schema_place place,
                                                            const char *where, const char *format,
                                                            va_list args)
{
    if (errors->n == SCHEMA_ERRORS_MAX)
        return;
    struct schema_error *error = &errors->items[errors->n++];
    error->place = place;
    snprintf(error->where, sizeof error->where, "%s", where);
    vsnprintf(error->what, sizeof error->what, format, args);
}

void schema_error_add(struct schema_errors *errors, enum schema_place place, const char *where,
                      const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_error(errors, place, where, format, args);
    va_end(args);
}

/* Always false. */
__attribute__((format(printf, 2, 3))) static bool refuse(struct check *check, const char *format,
                                                         ...)
{
    va_list args;

    va_start(args, format);
    add_error(check->errors, check->place, check->where, format, args);
    va_end(args);
    return false;
}

/* Adds "/NAME" to where CHECK is. Returns the length before, for where_back(). */
static size_t where_into(struct check *check, const char *name)
{
    size_t before = strlen(check->where), at = before;
    char *where = check->where;

    if (at + 1 < sizeof check->where)
        where[at++] = '/';
    for (; *name != '\0' && at + 3 < sizeof check->where; name++) {
        if (*name == '~' || *name == '/') { /* RFC 6901 */
            where[at++] = '~';
            where[at++] = *name == '~' ? '0' : '1';
        } else {
            where[at++] = *name;
        }
    }
    where[at] = '\0';
    return before;
}

static void where_back(struct check *check, size_t before)
{
    check->where[before] = '\0';
}

/* --- single values --- */

int64_t schema_max(const struct schema *schema, const void *settings)
{
    int64_t max;

    if (schema->setting == 0)
        return schema->max;
    memcpy(&max, (const char *)settings + schema->setting, sizeof max);
    return max;
}

static bool check_number(struct check *check, const struct schema *schema, int64_t number)
{
    int64_t max = schema_max(schema, check->settings);

    if (number < schema->min || number > max)
        return refuse(check, "must be between %" PRId64 " and %" PRId64, schema->min, max);
    for (const int64_t *no = schema->except; no != NULL && *no != INT64_MIN; no++) {
        if (number == *no)
            return refuse(check, "must not be %" PRId64 ", which is the protocol's own", number);
    }
    return true;
}

/* The LEN bytes of TEXT have no NUL behind them. */
static bool is_digits(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((text[i] < '0' || text[i] > '9') && !(i == 0 && text[i] == '-'))
            return false;
    }
    return len > 0;
}

/* LEN bytes of TEXT: "-12". */
static bool read_number(struct check *check, const struct schema *schema, const char *text,
                        size_t len, int64_t *out)
{
    char digits[24];
    char *end;

    if (len >= sizeof digits || !is_digits(text, len))
        return refuse(check, "must be an integer between %" PRId64 " and %" PRId64, schema->min,
                      schema_max(schema, check->settings));
    memcpy(digits, text, len);
    digits[len] = '\0';
    errno = 0;
    *out = strtoll(digits, &end, 10);
    if (errno != 0 || *end != '\0')
        return refuse(check, "must be an integer between %" PRId64 " and %" PRId64, schema->min,
                      schema_max(schema, check->settings));
    return check_number(check, schema, *out);
}

static bool check_words(struct check *check, const struct schema *schema, const char *text)
{
    char list[120] = "";
    size_t at = 0;

    for (const char *const *word = schema->words; *word != NULL; word++) {
        if (strcmp(*word, text) == 0)
            return true;
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", at > 0 ? ", " : "", *word);
        assert(at < sizeof list);
    }
    return refuse(check, "must be one of: %s", list);
}

static bool check_text(struct check *check, const struct schema *schema, const char *text,
                       size_t len)
{
    int64_t max = schema_max(schema, check->settings);

    if ((int64_t)len < schema->min)
        return len == 0 ? refuse(check, "must not be empty")
                        : refuse(check, "must have at least %" PRId64 " bytes", schema->min);
    if (max > 0 && (int64_t)len > max)
        return refuse(check, "must have at most %" PRId64 " bytes, has %zu", max, len);
    if (text_has_control(text, len))
        return refuse(check, "must not have control characters");
    if (!utf8_is_valid((const uint8_t *)text, len))
        return refuse(check, "must be UTF-8");
    if (schema->is_id && strspn(text, "0123456789") < len)
        return refuse(check, "must have digits only");
    return schema->words == NULL || check_words(check, schema, text);
}

bool schema_check_text(const struct schema *schema, const void *settings, const char *text,
                       struct schema_at at, struct schema_value *value,
                       struct schema_errors *errors)
{
    struct check check = {.settings = settings, .errors = errors, .place = at.place};
    size_t len = strlen(text);

    snprintf(check.where, sizeof check.where, "%s", at.name);
    *value = (struct schema_value){.schema = schema, .text = text, .len = len};
    if (schema->type == SCHEMA_INTEGER)
        return read_number(&check, schema, text, len, &value->number);
    if (schema->type == SCHEMA_STRING)
        return check_text(&check, schema, text, len);
    assert(schema->type == SCHEMA_BOOLEAN);
    value->number = strcmp(text, "true") == 0;
    return value->number != 0 || strcmp(text, "false") == 0 ||
           refuse(&check, "must be true or false");
}

/* --- JSON --- */

static bool check_value(struct check *check, const struct schema *schema, struct json_span span,
                        struct schema_value *value);

static const char *decode(struct check *check, struct json_span span, size_t *len)
{
    char *text = arena_alloc(check->arena, span.len);

    *len = json_string_decode(span, text);
    return text;
}

static bool check_base64(struct check *check, struct schema_value *value)
{
    char *out = arena_alloc(check->arena, value->len / 4 * 3 + 1);
    ssize_t len = base64_decode(value->text, value->len, out);

    if (len < 0)
        return refuse(check, "must be base64 (RFC 4648), with its padding");
    value->text = out;
    value->len = (size_t)len;
    out[value->len] = '\0';
    return true;
}

static bool check_string(struct check *check, const struct schema *schema, struct json_span span,
                         struct schema_value *value)
{
    if (*span.at != '"')
        return refuse(check, "must be a string");
    value->text = decode(check, span, &value->len);
    return schema->type == SCHEMA_BASE64 ? check_base64(check, value)
                                         : check_text(check, schema, value->text, value->len);
}

/* Refuses the first text of ARRAY that comes twice. */
static bool check_unique(struct check *check, const struct schema_value *array)
{
    const char **texts = arena_alloc(check->arena, (array->n + 1) * sizeof *texts);

    for (size_t i = 0; i < array->n; i++)
        texts[i] = array->items[i].text;
    qsort(texts, array->n, sizeof *texts, text_compare);
    for (size_t i = 1; i < array->n; i++) {
        if (strcmp(texts[i - 1], texts[i]) == 0)
            return refuse(check, "must not have an item twice");
    }
    return true;
}

/* Makes room for N items of ARRAY. */
static void alloc_items(struct check *check, struct schema_value *array, size_t n)
{
    if (array->schema->items->type == SCHEMA_INTEGER)
        array->numbers = arena_alloc(check->arena, (n + 1) * sizeof *array->numbers);
    else
        array->items = arena_alloc(check->arena, (n + 1) * sizeof *array->items);
}

static void check_item(struct check *check, const struct schema *schema, struct json_span span,
                       struct schema_value *array)
{
    struct schema_value number;

    if (schema->each_alone) {
        array->items[array->n] = (struct schema_value){.schema = schema->items, .span = span};
    } else if (schema->items->type == SCHEMA_INTEGER) {
        check_value(check, schema->items, span, &number);
        array->numbers[array->n] = number.number;
    } else {
        check_value(check, schema->items, span, &array->items[array->n]);
    }
}

static bool check_array(struct check *check, const struct schema *schema, struct json_span span,
                        struct schema_value *value)
{
    int64_t max = schema_max(schema, check->settings);
    size_t room = 0, errors = check->errors->n;
    struct json_walk walk;
    struct json_span item;
    char index[24];

    if (*span.at != '[')
        return refuse(check, "must be an array");
    for (walk = json_walk_begin(span); json_walk_item(&walk, &item);)
        room++;
    if (max > 0 && room > (size_t)max)
        return refuse(check, "must have at most %" PRId64 " items, has %zu", max, room);
    if (room < (size_t)schema->min)
        return refuse(check, "must have at least %" PRId64 " item%s", schema->min,
                      schema->min == 1 ? "" : "s");
    alloc_items(check, value, room);
    for (walk = json_walk_begin(span); json_walk_item(&walk, &item); value->n++) {
        snprintf(index, sizeof index, "%zu", value->n);
        size_t before = where_into(check, index);
        check_item(check, schema, item, value);
        where_back(check, before);
        if (check->errors->n == SCHEMA_ERRORS_MAX)
            break;
    }
    if (check->errors->n > errors)
        return false;
    return !schema->unique || check_unique(check, value);
}

static size_t field_index(const struct schema *schema, const char *name)
{
    size_t i = 0;

    while (schema->fields[i].name != NULL && strcmp(schema->fields[i].name, name) != 0)
        i++;
    return i;
}

static void check_member(struct check *check, struct json_span name, struct json_span member,
                         struct schema_value *object)
{
    const struct schema *schema = object->schema;
    size_t len;
    const char *text = decode(check, name, &len);
    size_t i = strlen(text) == len ? field_index(schema, text) : object->n;
    size_t before = where_into(check, text);

    if (i == object->n)
        refuse(check, "unknown field");
    else if (object->items[i].schema != NULL)
        refuse(check, "given twice");
    else
        check_value(check, schema->fields[i].schema, member, &object->items[i]);
    where_back(check, before);
}

static void check_required(struct check *check, const struct schema_value *object)
{
    for (size_t i = 0; i < object->n; i++) {
        const struct schema_field *field = &object->schema->fields[i];
        if (!field->required || object->items[i].schema != NULL)
            continue;
        size_t before = where_into(check, field->name);
        refuse(check, "missing");
        where_back(check, before);
    }
}

static void check_one_of(struct check *check, const struct schema_value *object)
{
    char list[120] = "";
    size_t at = 0, n = 0;

    for (const char *const *name = object->schema->one_of; *name != NULL; name++) {
        n += object->items[field_index(object->schema, *name)].schema != NULL;
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", at > 0 ? ", " : "", *name);
        assert(at < sizeof list);
    }
    if (n != 1)
        refuse(check, "must have exactly one of: %s", list);
}

static bool check_object(struct check *check, const struct schema *schema, struct json_span span,
                         struct schema_value *value)
{
    size_t errors = check->errors->n;
    struct json_span name, member;

    if (*span.at != '{')
        return refuse(check, "must be an object");
    while (schema->fields[value->n].name != NULL)
        value->n++;
    value->items = arena_alloc(check->arena, (value->n + 1) * sizeof *value->items);
    memset(value->items, 0, (value->n + 1) * sizeof *value->items);
    for (struct json_walk walk = json_walk_begin(span);
         check->errors->n < SCHEMA_ERRORS_MAX && json_walk_member(&walk, &name, &member);)
        check_member(check, name, member, value);
    check_required(check, value);
    if (schema->one_of != NULL)
        check_one_of(check, value);
    return check->errors->n == errors;
}

static bool check_boolean(struct check *check, const struct schema *schema, struct json_span span,
                          struct schema_value *value)
{
    if (*span.at != 't' && *span.at != 'f')
        return refuse(check, schema->only_true ? "must be true" : "must be true or false");
    value->number = *span.at == 't';
    return value->number != 0 || !schema->only_true || refuse(check, "must be true");
}

static bool check_value(struct check *check, const struct schema *schema, struct json_span span,
                        struct schema_value *value)
{
    *value = (struct schema_value){.schema = schema, .span = span};
    switch (schema->type) {
    case SCHEMA_OBJECT:
        return check_object(check, schema, span, value);
    case SCHEMA_ARRAY:
        return check_array(check, schema, span, value);
    case SCHEMA_STRING:
    case SCHEMA_BASE64:
        return check_string(check, schema, span, value);
    case SCHEMA_INTEGER:
        return read_number(check, schema, (const char *)span.at, span.len, &value->number);
    case SCHEMA_BOOLEAN:
        return check_boolean(check, schema, span, value);
    case SCHEMA_NUMBER:
    case SCHEMA_ANY:
        break;
    }
    return true;
}

bool schema_check(const struct schema *schema, const void *settings, struct json_span span,
                  struct arena *arena, struct schema_value *value, struct schema_errors *errors)
{
    struct check check = {
        .settings = settings, .arena = arena, .errors = errors, .place = SCHEMA_IN_BODY};

    return check_value(&check, schema, span, value);
}

const struct schema_value *schema_get(const struct schema_value *object, const char *name)
{
    if (object == NULL)
        return NULL;
    size_t i = field_index(object->schema, name);
    assert(object->schema->fields[i].name != NULL);
    return object->items[i].schema != NULL ? &object->items[i] : NULL;
}
