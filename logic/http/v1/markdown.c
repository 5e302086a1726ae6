#include "logic/http/v1/markdown.h"
#include "common/auth/keys.h"
#include "logic/base/config.h"
#include "logic/http/v1/operations.h"
#include "logic/http/v1/schema_print.h"
#include "logic/http/v1/schemas.h"

#include <string.h>

enum { WIDTH = 120 }; /* of a line, as scripts/lint wants it */

/* Writes TEXT as a paragraph, in lines. */
static void print_prose(FILE *out, const char *text)
{
    size_t column = 0;

    fputc('\n', out);
    for (const char *word = text; *word != '\0'; word += strspn(word, " ")) {
        size_t len = strcspn(word, " ");
        if (column > 0 && column + 1 + len > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        fprintf(out, "%s%.*s", column > 0 ? " " : "", (int)len, word);
        column += len + (column > 0);
        word += len;
    }
    fputc('\n', out);
}

static void print_fields(FILE *out, const char *title, const struct schema_field *fields,
                         const void *settings)
{
    fprintf(out, "\n| %s | is | |\n| --- | --- | --- |\n", title);
    for (const struct schema_field *field = fields; field->name != NULL; field++) {
        const char *doc = field->doc != NULL ? field->doc : field->schema->doc;
        fprintf(out, "| %s%s | ", field->name, field->required ? ", needed" : "");
        schema_print_words(out, field->schema, settings);
        fprintf(out, " | %s |\n", doc != NULL ? doc : "");
    }
}

static void print_value(FILE *out, const char *title, const struct schema *schema,
                        const void *settings)
{
    if (schema->type == SCHEMA_OBJECT) {
        print_fields(out, title, schema->fields, settings);
        return;
    }
    fprintf(out, "\nThe %s is: ", title);
    schema_print_words(out, schema, settings);
    fputs(".\n", out);
}

static void print_call(FILE *out, const struct operation *operation, const void *settings)
{
    char text[1600];
    const char *scope = operation->route.scope != 0
                            ? key_scope_name((enum key_scope)operation->route.scope)
                            : "none";

    fprintf(out, "\n## %s %s\n", route_method(&operation->route), operation->route.path);
    snprintf(text, sizeof text, "%s. Scope: %s. Good answers have status %d.%s%s",
             operation->summary, scope, operation->status, operation->doc != NULL ? " " : "",
             operation->doc != NULL ? operation->doc : "");
    print_prose(out, text);
    if (operation->path != NULL)
        print_fields(out, "in the path", operation->path, settings);
    if (operation->query != NULL)
        print_fields(out, "parameter", operation->query, settings);
    if (operation->body != NULL)
        print_value(out, "body", operation->body, settings);
    print_value(out, "answer", operation->answer, settings);
}

static bool is_of_a_call(const struct schema *schema)
{
    for (size_t i = 0; i < operations_n; i++) {
        if (operations[i].body == schema || operations[i].answer == schema)
            return true;
    }
    return false;
}

void markdown_print(FILE *out, const struct logic_config *config)
{
    struct schema_names names = {0};

    for (size_t i = 0; i < operations_n; i++)
        print_call(out, &operations[i], config);
    fputs("\n## Objects\n", out);
    for (size_t i = 0; i < operations_n; i++) {
        schema_names_add(&names, operations[i].body, true);
        schema_names_add(&names, operations[i].answer, false);
    }
    schema_names_add(&names, &schema_problem, false);
    for (size_t i = 0; i < names.n; i++) {
        const struct schema *schema = names.items[i].schema;
        if (schema->type == SCHEMA_OBJECT && !is_of_a_call(schema))
            print_fields(out, schema->name, schema->fields, config);
    }
}
