#include "logic/http/v1/schema_print.h"
#include "logic/http/params.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Without control characters, as check_text() in schema.c wants it. */
static const char plain[] = "^[^\\u0000-\\u001f\\u007f]*$";
static const char base64[] =
    "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$";

void schema_names_add(struct schema_names *names, const struct schema *schema, bool is_taken)
{
    if (schema == NULL)
        return;
    for (size_t i = 0; schema->name != NULL && i < names->n; i++) {
        if (names->items[i].schema == schema)
            return;
    }
    if (schema->name != NULL) {
        assert(names->n < SCHEMA_NAMES_MAX);
        names->items[names->n++] = (struct schema_named){schema, is_taken};
    }
    schema_names_add(names, schema->items, is_taken);
    for (const struct schema_field *field = schema->fields; field != NULL && field->name != NULL;
         field++)
        schema_names_add(names, field->schema, is_taken);
}

static void print_text(FILE *out, const char *name, const char *text)
{
    if (text == NULL)
        return;
    fprintf(out, ",\"%s\":", name);
    params_write_string(out, text, strlen(text));
}

static void print_list(FILE *out, const char *name, const char *const *list)
{
    fprintf(out, ",\"%s\":[", name);
    for (size_t i = 0; list[i] != NULL; i++) {
        fputs(i > 0 ? "," : "", out);
        params_write_string(out, list[i], strlen(list[i]));
    }
    fputc(']', out);
}

static void print_string(FILE *out, const struct schema *schema, const void *settings)
{
    int64_t max = schema_max(schema, settings);

    fputs("\"type\":\"string\"", out);
    if (schema->words != NULL) {
        print_list(out, "enum", schema->words);
        return;
    }
    if (schema->min > 0)
        fprintf(out, ",\"minLength\":%" PRId64, schema->min);
    if (max > 0)
        fprintf(out, ",\"maxLength\":%" PRId64 ",\"x-max-bytes\":%" PRId64, max, max);
    if (schema->is_id)
        print_text(out, "pattern", "^[0-9]+$");
    else if (max > 0)
        print_text(out, "pattern", plain);
}

static void print_integer(FILE *out, const struct schema *schema, const void *settings)
{
    int64_t max = schema_max(schema, settings);
    bool is_short = schema->min >= INT32_MIN && max <= INT32_MAX;

    fprintf(out, "\"type\":\"integer\",\"format\":\"%s\"", is_short ? "int32" : "int64");
    fprintf(out, ",\"minimum\":%" PRId64 ",\"maximum\":%" PRId64, schema->min, max);
    if (schema->except == NULL)
        return;
    fputs(",\"not\":{\"enum\":[", out);
    for (size_t i = 0; schema->except[i] != INT64_MIN; i++)
        fprintf(out, "%s%" PRId64, i > 0 ? "," : "", schema->except[i]);
    fputs("]}", out);
}

static void print_array(FILE *out, const struct schema *schema, const void *settings, bool is_taken)
{
    int64_t max = schema_max(schema, settings);

    fputs("\"type\":\"array\"", out);
    if (schema->min > 0)
        fprintf(out, ",\"minItems\":%" PRId64, schema->min);
    if (max > 0)
        fprintf(out, ",\"maxItems\":%" PRId64, max);
    if (schema->unique)
        fputs(",\"uniqueItems\":true", out);
    fputs(",\"items\":", out);
    schema_print(out, schema->items, NULL, NULL, settings, is_taken);
}

static void print_one_of(FILE *out, const char *const *names)
{
    fputs(",\"oneOf\":[", out);
    for (size_t i = 0; names[i] != NULL; i++)
        fprintf(out, "%s{\"required\":[\"%s\"]}", i > 0 ? "," : "", names[i]);
    fputc(']', out);
}

static void print_object(FILE *out, const struct schema *schema, const void *settings,
                         bool is_taken)
{
    const char *required[SCHEMA_FIELDS_MAX + 1];
    size_t n = 0;

    fputs("\"type\":\"object\",\"properties\":{", out);
    for (const struct schema_field *field = schema->fields; field->name != NULL; field++) {
        fprintf(out, "%s\"%s\":", field == schema->fields ? "" : ",", field->name);
        schema_print(out, field->schema, field->doc, field->example, settings, is_taken);
        assert(n < SCHEMA_FIELDS_MAX);
        if (field->required)
            required[n++] = field->name;
    }
    fputc('}', out);
    required[n] = NULL;
    if (n > 0)
        print_list(out, "required", required);
    if (schema->one_of != NULL)
        print_one_of(out, schema->one_of);
    if (is_taken)
        fputs(",\"additionalProperties\":false", out);
}

static void print_kind(FILE *out, const struct schema *schema, const void *settings, bool is_taken)
{
    switch (schema->type) {
    case SCHEMA_OBJECT:
        print_object(out, schema, settings, is_taken);
        break;
    case SCHEMA_ARRAY:
        print_array(out, schema, settings, is_taken);
        break;
    case SCHEMA_STRING:
        print_string(out, schema, settings);
        break;
    case SCHEMA_BASE64:
        fputs("\"type\":\"string\",\"contentEncoding\":\"base64\"", out);
        print_text(out, "pattern", base64);
        break;
    case SCHEMA_INTEGER:
        print_integer(out, schema, settings);
        break;
    case SCHEMA_NUMBER:
        fputs("\"type\":\"number\"", out);
        break;
    case SCHEMA_BOOLEAN:
        fputs(schema->only_true ? "\"type\":\"boolean\",\"enum\":[true]" : "\"type\":\"boolean\"",
              out);
        break;
    case SCHEMA_ANY:
        fputs("\"title\":\"Any JSON value\"", out);
        break;
    }
}

void schema_print(FILE *out, const struct schema *schema, const char *doc, const char *example,
                  const void *settings, bool is_taken)
{
    fputc('{', out);
    if (schema->name != NULL)
        fprintf(out, "\"$ref\":\"#/components/schemas/%s\"", schema->name);
    else
        print_kind(out, schema, settings, is_taken);
    if (schema->name == NULL && doc == NULL)
        doc = schema->doc;
    print_text(out, "description", doc);
    if (example != NULL)
        fprintf(out, ",\"examples\":[%s]", example);
    fputc('}', out);
}

void schema_print_whole(FILE *out, const struct schema_named *named, const void *settings)
{
    fputc('{', out);
    print_kind(out, named->schema, settings, named->is_taken);
    print_text(out, "description", named->schema->doc);
    fputc('}', out);
}

/* --- in words --- */

static void print_words_of_words(FILE *out, const struct schema *schema)
{
    for (size_t i = 0; schema->words[i] != NULL; i++)
        fprintf(out, "%s`%s`", i > 0 ? ", " : "", schema->words[i]);
}

static void print_limit(FILE *out, const struct schema *schema, const void *settings,
                        const char *unit)
{
    int64_t max = schema_max(schema, settings);

    if (max > 0 && schema->min > 0)
        fprintf(out, ", %" PRId64 " to %" PRId64 " %s", schema->min, max, unit);
    else if (max > 0)
        fprintf(out, ", at most %" PRId64 " %s", max, unit);
}

static void print_integer_words(FILE *out, const struct schema *schema, const void *settings)
{
    int64_t max = schema_max(schema, settings);

    if (max == INT64_MAX)
        fputs("integer", out);
    else
        fprintf(out, "integer, %" PRId64 " to %" PRId64, schema->min, max);
    for (size_t i = 0; schema->except != NULL && schema->except[i] != INT64_MIN; i++)
        fprintf(out, "%s%" PRId64, i > 0 ? ", " : ", but not ", schema->except[i]);
}

void schema_print_words(FILE *out, const struct schema *schema, const void *settings)
{
    switch (schema->type) {
    case SCHEMA_OBJECT:
        fprintf(out, "object%s%s", schema->name != NULL ? " " : "",
                schema->name != NULL ? schema->name : "");
        break;
    case SCHEMA_ARRAY:
        fputs("array of ", out);
        schema_print_words(out, schema->items, settings);
        print_limit(out, schema, settings, "items");
        break;
    case SCHEMA_STRING:
        if (schema->words != NULL) {
            print_words_of_words(out, schema);
            break;
        }
        fputs(schema->is_id ? "number as text" : "text", out);
        if (!schema->is_id)
            print_limit(out, schema, settings, "bytes");
        break;
    case SCHEMA_BASE64:
        fputs("base64", out);
        break;
    case SCHEMA_INTEGER:
        print_integer_words(out, schema, settings);
        break;
    case SCHEMA_NUMBER:
        fputs("number", out);
        break;
    case SCHEMA_BOOLEAN:
        fputs(schema->only_true ? "`true`" : "`true` or `false`", out);
        break;
    case SCHEMA_ANY:
        fputs("any JSON value", out);
        break;
    }
}
