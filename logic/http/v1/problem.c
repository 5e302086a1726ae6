#include "logic/http/v1/problem.h"
#include "common/protocol/json_scan.h"
#include "logic/http/params.h"

#include <string.h>

const char problem_type[] = "application/problem+json";

const int problem_statuses[API_ERRORS] = {
    [API_PARAMETER] = 400, [API_TOKEN] = 404,     [API_NO_SERVER] = 404, [API_KEY] = 401,
    [API_SCOPE] = 403,     [API_RATE] = 429,      [API_NOT_FOUND] = 404, [API_METHOD] = 405,
    [API_CONFLICT] = 409,  [API_TOO_LARGE] = 413, [API_ENCODING] = 415,  [API_UNAVAILABLE] = 503,
};

static const struct {
    int status;
    const char *title, *code;
} kinds[] = {
    {400, "Bad Request", "invalid"},
    {401, "Unauthorized", "unauthorized"},
    {403, "Forbidden", "forbidden"},
    {404, "Not Found", "not_found"},
    {405, "Method Not Allowed", "method_not_allowed"},
    {408, "Request Timeout", "timeout"},
    {409, "Conflict", "conflict"},
    {413, "Content Too Large", "too_large"},
    {415, "Unsupported Media Type", "unsupported_media_type"},
    {429, "Too Many Requests", "too_many_requests"},
    {431, "Request Header Fields Too Large", "too_large"},
    {501, "Not Implemented", "not_implemented"},
    {503, "Service Unavailable", "unavailable"},
    {505, "HTTP Version Not Supported", "not_implemented"},
};

/* KINDS has it, or its first row stands for it. */
static size_t kind_of(int status)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].status == status)
            return i;
    }
    return 0;
}

const char *problem_title(int status)
{
    return kinds[kind_of(status)].title;
}

static const char *code_of(enum api_error error, int status)
{
    return error == API_NOT_FOUND ? "no_such_path" : kinds[kind_of(status)].code;
}

static void print_error(FILE *out, const struct schema_error *error)
{
    static const char *const names[] = {
        [SCHEMA_IN_BODY] = "pointer",
        [SCHEMA_IN_QUERY] = "parameter",
        [SCHEMA_IN_HEADER] = "header",
    };

    fprintf(out, "{\"%s\":", names[error->place]);
    params_write_string(out, error->where, strlen(error->where));
    fputs(",\"detail\":", out);
    params_write_string(out, error->what, strlen(error->what));
    fputc('}', out);
}

void problem_print(FILE *out, enum api_error error, int status, const char *text,
                   const struct schema_errors *errors)
{
    fprintf(out,
            "\"title\":\"%s\",\"status\":%d,\"code\":\"%s\",\"detail\":", problem_title(status),
            status, code_of(error, status));
    params_write_string(out, text, strlen(text));
    for (size_t i = 0; errors != NULL && i < errors->n; i++) {
        fputs(i == 0 ? ",\"errors\":[" : ",", out);
        print_error(out, &errors->items[i]);
    }
    if (errors != NULL && errors->n > 0)
        fputc(']', out);
}

size_t problem_write(enum api_error error, int status, const char *text, char *out, size_t outlen)
{
    int at = snprintf(out, outlen, "{\"title\":\"%s\",\"status\":%d,\"code\":\"%s\",\"detail\":",
                      problem_title(status), status, code_of(error, status));

    return params_end_in_text(text, out, (size_t)at, outlen);
}
