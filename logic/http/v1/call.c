#include "logic/http/v1/call.h"
#include "common/http/path.h"
#include "common/protocol/json_scan.h"
#include "logic/http/idempotency.h"
#include "logic/http/refusals.h"
#include "logic/http/v1/gzip.h"
#include "logic/http/v1/problem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    /* A smaller answer fits into one packet, compressed or not. */
    COMPRESS_FROM = 1400,
};

static const char type_json[] = "application/json";

/* --- the face --- */

const struct face v1_face = {
    .problem = problem_type,
    .statuses = problem_statuses,
    .write = problem_write,
};

/* --- the end --- */

static void call_free(struct v1_call *call)
{
    if (call->out != NULL)
        fclose(call->out);
    mem_wiped_free(call->text, call->len);
    arena_wipe(&call->arena);
    free(call);
}

FILE *v1_begin(struct v1_call *call)
{
    if (call->out == NULL)
        call->out = open_memstream(&call->text, &call->len);
    return call->out;
}

static bool takes_gzip(const struct v1_call *call)
{
    return gzip_is_accepted(http_header(call->request, "accept-encoding"));
}

static bool may_compress(const struct v1_call *call)
{
    return !call->operation->is_secret && call->len >= COMPRESS_FROM && takes_gzip(call);
}

/* Answers DOCUMENT in gzip's form, if it has that. */
static void respond(struct v1_call *call, int status, const struct v1_document *document,
                    const char *extra)
{
    bool packed = document->packed != NULL;
    char lines[400];

    snprintf(lines, sizeof lines, "%s%s%s", packed ? "Content-Encoding: gzip\r\n" : "",
             call->operation->is_secret ? "Cache-Control: no-store\r\n"
                                        : "Vary: Accept-Encoding\r\n",
             extra != NULL ? extra : "");
    api_respond(call->logic, call->request,
                &(struct api_answer){status, status < 400 ? type_json : problem_type,
                                     packed ? (const void *)document->packed : document->text,
                                     packed ? document->packed_len : document->len, lines});
}

void v1_end(struct v1_call *call, int status, const char *extra)
{
    (void)fclose(v1_begin(call));
    call->out = NULL;
    struct v1_document document = {.text = call->text, .len = call->len};
    if (may_compress(call))
        document.packed = gzip_new(call->text, call->len, &document.packed_len);
    respond(call, status, &document, extra);
    free(document.packed);
    call_free(call);
}

void v1_end_document(struct v1_call *call, const struct v1_document *document)
{
    struct v1_document chosen = *document;

    if (!takes_gzip(call))
        chosen.packed = NULL;
    respond(call, 200, &chosen, NULL);
    call_free(call);
}

void v1_refuse(struct v1_call *call, const struct api_refusal *refusal)
{
    api_refuse(call->logic, call->request, refusal);
    call_free(call);
}

void v1_nothing_found(struct v1_call *call, const char *text)
{
    FILE *out = v1_begin(call);

    fputc('{', out);
    problem_print(out, API_NO_SERVER, 404, text, NULL);
    fputc('}', out);
    v1_end(call, 404, NULL);
}

void v1_unavailable(struct v1_call *call, enum logic_metric cause, const char *text)
{
    v1_refuse(call, &(struct api_refusal){API_UNAVAILABLE, cause, 1, text});
}

void v1_no_redis(struct v1_call *call)
{
    v1_unavailable(call, LOGIC_REFUSED_REDIS, redis_said(call->logic->redis));
}

void v1_too_many_orders(struct v1_call *call)
{
    v1_refuse(call, &(struct api_refusal){API_UNAVAILABLE, LOGIC_REFUSED_ORDERS, 5,
                                          "too many calls that change sessions are under way"});
}

void v1_detail(const struct schema_errors *errors, char *out, size_t outlen)
{
    const struct schema_error *error = &errors->items[0];

    snprintf(out, outlen, "%s: %s", error->where[0] != '\0' ? error->where : "body", error->what);
}

void v1_refuse_errors(struct v1_call *call, const struct schema_errors *errors)
{
    FILE *out = v1_begin(call);
    char detail[V1_DETAIL_MAX];

    v1_detail(errors, detail, sizeof detail);
    fputc('{', out);
    problem_print(out, API_PARAMETER, 400, detail, errors);
    fputc('}', out);
    refusal_note(call->logic, call->request, LOGIC_REFUSED_PARAMETER, 400, detail);
    v1_end(call, 400, NULL);
}

/* --- parameters --- */

static size_t count_fields(const struct schema_field *fields)
{
    size_t n = 0;

    while (fields != NULL && fields[n].name != NULL)
        n++;
    return n;
}

/* Where field NAME is among FIELDS; their number: nowhere. */
static size_t field_index(const struct schema_field *fields, const char *name)
{
    size_t n = count_fields(fields), i = 0;

    while (i < n && strcmp(fields[i].name, name) != 0)
        i++;
    return i;
}

const struct schema_value *v1_query(const struct v1_call *call, const char *name)
{
    const struct operation *operation = call->operation;
    size_t i = field_index(operation->path, name), n = count_fields(operation->path);

    if (i == n)
        i += field_index(operation->query, name);
    assert(i < n + count_fields(operation->query));
    return call->query[i].schema != NULL ? &call->query[i] : NULL;
}

/* The names in the path, each decoded for itself. */
static void check_path(struct v1_call *call, struct schema_errors *errors)
{
    const char *path = http_path(call->request), *segment;
    size_t at = 0, len;

    while ((segment = operation_segment(call->operation, path, &at, &len)) != NULL) {
        const struct schema_field *field = &call->operation->path[at - 1];
        char *text = arena_alloc(&call->arena, len + 1);
        (void)http_segment_decode(segment, len, text);
        (void)schema_check_text(field->schema, call->logic->config, text,
                                (struct schema_at){SCHEMA_IN_QUERY, field->name},
                                &call->query[at - 1], errors);
    }
}

static void check_query(struct v1_call *call, struct schema_errors *errors)
{
    const struct schema_field *fields = call->operation->query;
    size_t n_fields = count_fields(fields);
    struct schema_value *values = &call->query[count_fields(call->operation->path)];
    const char *name, *value;

    for (size_t n = 0; (value = http_query_at(call->request, n, &name)) != NULL; n++) {
        size_t i = field_index(fields, name);
        if (i == n_fields)
            schema_error_add(errors, SCHEMA_IN_QUERY, name, "unknown parameter");
        else if (values[i].schema != NULL)
            schema_error_add(errors, SCHEMA_IN_QUERY, name, "given twice");
        else
            (void)schema_check_text(fields[i].schema, call->logic->config, value,
                                    (struct schema_at){SCHEMA_IN_QUERY, name}, &values[i], errors);
    }
    for (size_t i = 0; i < n_fields; i++) {
        if (fields[i].required && values[i].schema == NULL)
            schema_error_add(errors, SCHEMA_IN_QUERY, fields[i].name, "missing");
    }
}

static bool is_visible(const char *text)
{
    while (*text > ' ' && *text <= '~')
        text++;
    return *text == '\0';
}

static void check_key(struct v1_call *call, struct schema_errors *errors)
{
    static const struct schema schema = {.type = SCHEMA_STRING, .min = 1, .max = IDEM_KEY_MAX};
    struct schema_value value;

    call->key = call->operation->takes_key ? http_header(call->request, "idempotency-key") : NULL;
    if (call->key == NULL)
        return;
    (void)schema_check_text(&schema, NULL, call->key,
                            (struct schema_at){SCHEMA_IN_HEADER, "Idempotency-Key"}, &value,
                            errors);
    if (!is_visible(call->key))
        schema_error_add(errors, SCHEMA_IN_HEADER, "Idempotency-Key",
                         "must be ASCII without blanks");
    if (http_header_line(call->request, "idempotency-key", 1) != NULL)
        schema_error_add(errors, SCHEMA_IN_HEADER, "Idempotency-Key", "given twice");
}

/* --- the body --- */

static bool is_json(const struct http_request *request)
{
    const char *type = http_header(request, "content-type");
    size_t len = sizeof type_json - 1;

    return type != NULL && strncasecmp(type, type_json, len) == 0 &&
           (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

static void check_body(struct v1_call *call, struct schema_errors *errors)
{
    size_t len;
    const uint8_t *body = http_body(call->request, &len);
    size_t mark = json_mark(body, len);

    if (call->operation->body == NULL) {
        if (len > 0)
            schema_error_add(errors, SCHEMA_IN_BODY, "", "this call takes none");
        return;
    }
    if (len == mark)
        schema_error_add(errors, SCHEMA_IN_BODY, "", "missing: send a JSON value");
    else if (!json_is_value(body + mark, len - mark))
        schema_error_add(errors, SCHEMA_IN_BODY, "",
                         "must be one JSON value (RFC 8259) in UTF-8, nested at most 512 deep");
    else
        (void)schema_check(call->operation->body, call->logic->config,
                           json_span_of(body + mark, len - mark), &call->arena, &call->body,
                           errors);
}

/* --- the beginning --- */

void v1_handle(struct logic *logic, struct http_request *request)
{
    struct v1_call *call = mem_zalloc(sizeof *call);
    struct schema_errors errors = {0};

    call->logic = logic;
    call->request = request;
    call->operation = operation_of(route_of(logic, request));
    arena_init(&call->arena);
    if (call->operation->body != NULL && !is_json(request)) {
        v1_refuse(call, &(struct api_refusal){API_ENCODING, LOGIC_REFUSED_ENCODING, 0,
                                              "content-type: must be application/json"});
        return;
    }
    check_path(call, &errors);
    check_query(call, &errors);
    check_key(call, &errors);
    check_body(call, &errors);
    if (errors.n > 0)
        v1_refuse_errors(call, &errors);
    else
        call->operation->start(call);
}
