#include "logic/http/v1/openapi.h"
#include "common/auth/keys.h"
#include "common/base/mem.h"
#include "logic/base/config.h"
#include "logic/http/idempotency.h"
#include "logic/http/params.h"
#include "logic/http/v1/call.h"
#include "logic/http/v1/gzip.h"
#include "logic/http/v1/problem.h"
#include "logic/http/v1/schema_print.h"
#include "logic/http/v1/schemas.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *doc;
} tags[] = {
    {"push", "Messages to users, devices, rooms and everybody."},
    {"sessions", "Connections of devices."},
    {"rooms", "Rooms, and who is in them."},
    {"mailbox", "What waits for users who are away."},
    {"tokens", "By which devices connect."},
    {"users", "Who may connect."},
    {"events", "What happens to sessions and messages."},
    {"cluster", "The daemons, and this document."},
};

static void print_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, ",\"%s\":", name);
    params_write_string(out, text, strlen(text));
}

/* --- parameters --- */

static void print_fields(FILE *out, const struct schema_field *field, const char *in,
                         const void *settings)
{
    for (; field != NULL && field->name != NULL; field++) {
        fprintf(out, ",{\"name\":\"%s\",\"in\":\"%s\",\"required\":%s", field->name, in,
                field->required ? "true" : "false");
        print_text(out, "description",
                   field->doc != NULL           ? field->doc
                   : field->schema->doc != NULL ? field->schema->doc
                                                : "");
        fputs(",\"schema\":", out);
        schema_print(out, field->schema, NULL, NULL, settings, true);
        fputc('}', out);
    }
}

static void print_parameters(FILE *out, const struct operation *operation, const void *settings)
{
    fputs(",\"parameters\":[{\"$ref\":\"#/components/parameters/RequestId\"}", out);
    if (operation->takes_key)
        fputs(",{\"$ref\":\"#/components/parameters/IdempotencyKey\"}", out);
    print_fields(out, operation->path, "path", settings);
    print_fields(out, operation->query, "query", settings);
    fputc(']', out);
}

static void print_shared_parameters(FILE *out)
{
    fprintf(
        out,
        "\"parameters\":{\"RequestId\":{\"name\":\"X-Request-Id\",\"in\":\"header\","
        "\"description\":\"Comes back in the answer if it has at most 128 letters, digits and "
        "-_.:/+=; otherwise logic makes one.\",\"schema\":{\"type\":\"string\"}},"
        "\"IdempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\","
        "\"description\":\"For 5 minutes the same push with the same key gets the same answer, and "
        "nothing is pushed again. Another push with the key is refused with 409. Each API key "
        "has its own.\","
        "\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":%d,"
        "\"pattern\":\"^[!-~]+$\"}}}",
        IDEM_KEY_MAX - 6);
}

/* --- answers --- */

/* What any call may be answered. */
static bool may_answer(const struct operation *operation, int status)
{
    switch (status) {
    case 401:
    case 403:
        return operation->route.scope != 0;
    case 404:
        return operation->not_found;
    case 409:
        return operation->takes_key;
    case 413:
    case 415:
        return operation->body != NULL;
    default:
        return true;
    }
}

static const int statuses[] = {400, 401, 403, 404, 409, 413, 415, 429, 503};

static void print_responses(FILE *out, const struct operation *operation, const void *settings)
{
    fprintf(out,
            ",\"responses\":{\"%d\":{\"description\":\"Done.\",\"headers\":{\"X-Request-Id\":"
            "{\"$ref\":\"#/components/headers/RequestId\"}},\"content\":{\"application/json\":"
            "{\"schema\":",
            operation->status);
    schema_print(out, operation->answer, NULL, NULL, settings, false);
    fputs("}}}", out);
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (may_answer(operation, statuses[i]))
            fprintf(out, ",\"%d\":{\"$ref\":\"#/components/responses/Problem%d\"}", statuses[i],
                    statuses[i]);
    }
    fputc('}', out);
}

static void print_shared_responses(FILE *out)
{
    fputs("\"responses\":{", out);
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        bool retry = statuses[i] == 429 || statuses[i] == 503;
        fprintf(out,
                "%s\"Problem%d\":{\"description\":\"%s\",\"headers\":{\"X-Request-Id\":"
                "{\"$ref\":\"#/components/headers/RequestId\"}%s},\"content\":"
                "{\"application/problem+json\":{\"schema\":{\"$ref\":"
                "\"#/components/schemas/Problem\"}}}}",
                i > 0 ? "," : "", statuses[i], problem_title(statuses[i]),
                retry ? ",\"Retry-After\":{\"$ref\":\"#/components/headers/RetryAfter\"}" : "");
    }
    fputs("},\"headers\":{\"RequestId\":{\"description\":\"That of the call, or one that logic has "
          "made.\",\"schema\":{\"type\":\"string\"}},\"RetryAfter\":{\"description\":\"Try again "
          "after so many seconds.\",\"schema\":{\"type\":\"integer\"}}}",
          out);
}

/* --- operations --- */

static void print_operation(FILE *out, const struct operation *operation, const void *settings)
{
    fputc('"', out);
    for (const char *at = route_method(&operation->route); *at != '\0'; at++)
        fputc(tolower((unsigned char)*at), out);
    fprintf(out, "\":{\"operationId\":\"%s\",\"tags\":[\"%s\"]", operation->id, operation->tag);
    print_text(out, "summary", operation->summary);
    if (operation->doc != NULL)
        print_text(out, "description", operation->doc);
    if (operation->route.scope == 0)
        fputs(",\"security\":[]", out);
    else
        fprintf(out, ",\"x-scope\":\"%s\"", key_scope_name((enum key_scope)operation->route.scope));
    print_parameters(out, operation, settings);
    if (operation->body != NULL) {
        fputs(",\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":",
              out);
        schema_print(out, operation->body, NULL, NULL, settings, true);
        fputs("}}}", out);
    }
    print_responses(out, operation, settings);
    fputc('}', out);
}

static void print_paths(FILE *out, const void *settings)
{
    fputs("\"paths\":{", out);
    for (size_t i = 0; i < operations_n; i++) { /* those of one path stand together */
        const char *path = operations[i].route.path;
        bool same = i > 0 && strcmp(path, operations[i - 1].route.path) == 0;
        if (!same)
            fprintf(out, "%s\"%s\":{", i > 0 ? "}," : "", path);
        else
            fputc(',', out);
        print_operation(out, &operations[i], settings);
    }
    fputs("}}", out);
}

static void add_names(struct schema_names *names, const struct schema_field *field)
{
    for (; field != NULL && field->name != NULL; field++)
        schema_names_add(names, field->schema, true);
}

static void print_schemas(FILE *out, const void *settings)
{
    struct schema_names names = {0};

    for (size_t i = 0; i < operations_n; i++)
        schema_names_add(&names, operations[i].body, true);
    for (size_t i = 0; i < operations_n; i++)
        schema_names_add(&names, operations[i].answer, false);
    schema_names_add(&names, &schema_problem, false);
    for (size_t i = 0; i < operations_n; i++) {
        add_names(&names, operations[i].path);
        add_names(&names, operations[i].query);
    }
    fputs("\"schemas\":{", out);
    for (size_t i = 0; i < names.n; i++) {
        fprintf(out, "%s\"%s\":", i > 0 ? "," : "", names.items[i].schema->name);
        schema_print_whole(out, &names.items[i], settings);
    }
    fputc('}', out);
}

void openapi_print(FILE *out, const struct logic_config *config)
{
    fputs("{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"imc\",\"version\":\"" IMC_VERSION
          "\",\"description\":\"The HTTP API /v1 of imc's logic. A push is answered when Kafka has "
          "it.\",\"license\":{\"name\":\"MIT\",\"identifier\":\"MIT\"}},"
          "\"servers\":[{\"url\":\"/\"}],\"security\":[{\"bearer\":[]},{\"apiKey\":[]}],\"tags\":[",
          out);
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        fprintf(out, "%s{\"name\":\"%s\",\"description\":\"%s\"}", i > 0 ? "," : "", tags[i].name,
                tags[i].doc);
    fputs("],", out);
    print_paths(out, config);
    fputs(
        ",\"components\":{\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":"
        "\"bearer\",\"description\":\"A key of api.keys_file or api.keys.\"},\"apiKey\":{\"type\":"
        "\"apiKey\",\"in\":\"header\",\"name\":\"X-API-Key\",\"description\":\"The same.\"}},",
        out);
    print_shared_parameters(out);
    fputc(',', out);
    print_shared_responses(out);
    fputc(',', out);
    print_schemas(out, config);
    fputs("}}\n", out);
}

struct openapi {
    struct v1_document document;
};

static struct openapi *openapi_new(const struct logic_config *config)
{
    struct openapi *openapi = mem_zalloc(sizeof *openapi);
    struct v1_document *document = &openapi->document;
    FILE *out = open_memstream(&document->text, &document->len);

    openapi_print(out, config);
    (void)fclose(out);
    document->packed = gzip_new(document->text, document->len, &document->packed_len);
    return openapi;
}

void openapi_free(struct openapi *openapi)
{
    if (openapi == NULL)
        return;
    free(openapi->document.text);
    free(openapi->document.packed);
    free(openapi);
}

void v1_openapi(struct v1_call *call)
{
    struct logic *logic = call->logic;

    if (logic->openapi == NULL)
        logic->openapi = openapi_new(logic->config);
    v1_end_document(call, &logic->openapi->document);
}
