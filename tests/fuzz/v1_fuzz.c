/* Bodies of /v1: taken as the schema has it, or refused with a place and a reason. */
#include "common/base/utf8.h"
#include "common/protocol/json_scan.h"
#include "logic/base/config.h"
#include "logic/http/v1/problem.h"
#include "logic/http/v1/schemas.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct logic_config limits = {
    .push_max_uids = 50, .push_max_keys = 50, .push_max_rooms = 50, .push_max_batch = 10};

static void check(int holds)
{
    if (!holds)
        abort();
}

/* What was taken is a tree as the schema says. */
static void look(const struct schema_value *value)
{
    const struct schema *schema = value->schema;

    switch (schema->type) {
    case SCHEMA_OBJECT:
        for (size_t i = 0; i < value->n; i++) {
            check(value->items[i].schema != NULL || !schema->fields[i].required);
            if (value->items[i].schema != NULL)
                look(&value->items[i]);
        }
        break;
    case SCHEMA_ARRAY:
        check((int64_t)value->n >= schema->min && (int64_t)value->n <= schema_max(schema, &limits));
        for (size_t i = 0; i < value->n && !schema->each_alone; i++) {
            if (schema->items->type != SCHEMA_INTEGER)
                look(&value->items[i]);
            else
                check(value->numbers[i] >= schema->items->min &&
                      value->numbers[i] <= schema_max(schema->items, &limits));
        }
        break;
    case SCHEMA_STRING:
        check((int64_t)value->len >= schema->min && (int64_t)value->len <= schema->max);
        check(strlen(value->text) == value->len);
        check(utf8_is_valid((const uint8_t *)value->text, value->len));
        break;
    case SCHEMA_BASE64:
        check(value->text[value->len] == '\0');
        break;
    case SCHEMA_INTEGER:
        check(value->number >= schema->min && value->number <= schema->max);
        break;
    case SCHEMA_BOOLEAN:
        check(value->number == 1 || !schema->only_true);
        break;
    case SCHEMA_NUMBER:
    case SCHEMA_ANY:
        check(json_is_value(value->span.at, value->span.len));
        break;
    }
}

static void body(const struct schema *schema, struct json_span span)
{
    struct schema_errors errors = {0};
    struct schema_value value;
    struct arena arena;
    char *text = NULL;
    size_t len = 0;

    arena_init(&arena);
    bool taken = schema_check(schema, &limits, span, &arena, &value, &errors);
    check(taken == (errors.n == 0));
    if (taken) {
        look(&value);
        for (size_t i = 0; schema->each_alone && i < value.n; i++)
            body(schema->items, value.items[i].span);
    }
    FILE *out = open_memstream(&text, &len);
    check(out != NULL);
    fputc('{', out);
    problem_print(out, API_PARAMETER, 400, "detail", &errors);
    fputc('}', out);
    fclose(out);
    check(json_is_value((const uint8_t *)text, len));
    free(text);
    arena_free(&arena);
}

static void parameter(const uint8_t *data, size_t size)
{
    static const struct schema number = {.type = SCHEMA_INTEGER, .min = -3, .max = 12};
    static const struct schema flag = {.type = SCHEMA_BOOLEAN};
    static const char *const words[] = {"tcp", "ws", NULL};
    static const struct schema word = {.type = SCHEMA_STRING, .words = words};
    static const struct schema id = {.type = SCHEMA_STRING, .min = 1, .max = 20, .is_id = true};
    static const struct schema *const all[] = {&number, &flag, &word, &id};
    struct schema_value value;
    char *text = malloc(size + 1);

    check(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < 4; i++) {
        struct schema_errors errors = {0};
        check(schema_check_text(all[i], NULL, text, (struct schema_at){SCHEMA_IN_QUERY, "p"},
                                &value, &errors) == (errors.n == 0));
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy without a NUL behind it: reading on is found out. */
    uint8_t *copy = malloc(size + (size == 0));

    check(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    if (json_is_value(copy, size)) {
        struct json_span span = json_span_of(copy, size);
        body(&schema_push, span);
        body(&schema_batch, span);
        body(&schema_room_change, span);
        body(&schema_token_new, span);
        body(&schema_token_revoke, span);
        body(&schema_user_block, span);
    }
    if (size < 100 && size > 0)
        parameter(copy, size);
    free(copy);
    return 0;
}
