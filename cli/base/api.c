#include "cli/base/api.h"
#include "cli/base/arguments.h"
#include "common/base/log.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/client.h"
#include "common/net/address.h"
#include "common/tls/tls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WITHIN_S = 10 };

struct api {
    struct loop loop;
    struct addrinfo *addresses, *next; /* NEXT: the one to try */
    struct http_client *client;        /* NULL: not connected */
    struct tls *tls;
    struct tls_client *tls_client;
    char *header; /* what all calls carry */
    /* Of the call under way: */
    bool answered;
    int status; /* -E…: none came */
    struct api_answer *answer;
};

/* --- paths --- */

static void path_add(struct api_path *path, const char *text)
{
    size_t len = strlen(text);

    if (len < sizeof path->text - path->len)
        memcpy(path->text + path->len, text, len + 1);
    path->len = len < sizeof path->text - path->len ? path->len + len : sizeof path->text - 1;
}

void api_path(struct api_path *path, const char *base)
{
    path->len = 0;
    path_add(path, base);
}

void api_query(struct api_path *path, const char *name, const char *value)
{
    if (value == NULL)
        return;
    path_add(path, strchr(path->text, '?') == NULL ? "?" : "&");
    path_add(path, name);
    path_add(path, "=");
    size_t len = strlen(value);
    char *escaped = mem_alloc(3 * len + 1);
    text_to_uri(value, len, escaped, 3 * len + 1);
    path_add(path, escaped);
    free(escaped);
}

void api_query_number(struct api_path *path, const char *name, int64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRId64, value);
    api_query(path, name, text);
}

/* --- opening --- */

static int open_tls(const struct cli *cli, struct api *api)
{
    const struct tls_settings settings = {.ca = cli->context.ca};
    const struct tls_client_options options = {
        .name = "api", .alpn = "http/1.1", .insecure = cli->context.insecure};
    char err[TLS_ERROR_MAX];

    if (!cli->context.url.tls)
        return 0;
    if (tls_open(&settings, &api->tls, err, sizeof err) == 0 &&
        tls_client_open(api->tls, &options, &api->tls_client, err, sizeof err) == 0)
        return 0;
    return cli_fail(cli, EXIT_USAGE, "TLS: %s", err);
}

/* Opens cli->api. 0, or an exit code. */
static int api_open(struct cli *cli)
{
    const struct address *address = &cli->context.url.address;
    const char *key = cli->context.key;
    struct api *api = mem_zalloc(sizeof *api);

    log_open("imc");
    (void)log_set_level("error"); /* what fails is told by the call */
    cli->api = api;
    (void)loop_init(&api->loop, "imc", 0);
    if (asprintf(&api->header, "User-Agent: imc/" IMC_VERSION "\r\n%s%s%s",
                 key != NULL ? "Authorization: Bearer " : "", key != NULL ? key : "",
                 key != NULL ? "\r\n" : "") < 0)
        abort();
    int rc = open_tls(cli, api);
    if (rc != 0)
        return rc;
    int err = address_lookup(address->host, address->port_text, AF_UNSPEC, 0, &api->addresses);
    api->next = api->addresses;
    return err == 0 ? 0 : cli_fail(cli, EXIT_CONNECT, "%s: %s", address->host, gai_strerror(err));
}

void api_close(struct api *api)
{
    if (api == NULL)
        return;
    http_client_close(api->client);
    loop_close(&api->loop);
    tls_close(api->tls);
    if (api->addresses != NULL)
        freeaddrinfo(api->addresses);
    mem_wiped_free_text(api->header);
    free(api);
}

/* --- a call --- */

static void on_answer(int status, const char *body, size_t len, void *arg)
{
    struct api *api = arg;
    struct api_answer *answer = api->answer;

    api->status = status;
    if (status > 0) {
        answer->status = status;
        answer->text = mem_alloc(len + 1);
        memcpy(answer->text, body, len);
        answer->text[len] = '\0';
        answer->len = len;
    }
    api->answered = true;
}

/* Was nothing sent, so that another address may be tried? */
static bool is_unreached(int status)
{
    return status == -ECONNREFUSED || status == -EHOSTUNREACH || status == -ENETUNREACH ||
           status == -EADDRNOTAVAIL;
}

static void exchange(struct cli *cli, const struct api_call *call,
                     const struct http_client_body *body)
{
    const struct context *context = &cli->context;
    struct api *api = cli->api;

    do {
        if (api->client == NULL) {
            api->client = http_client_open(&api->loop, api->next->ai_addr, on_answer, api);
            http_client_limit(api->client, API_ANSWER_MAX);
            http_client_set_host(api->client, context->url.host);
            http_client_set_header(api->client, api->header);
            if (api->tls_client != NULL)
                http_client_set_tls(api->client, api->tls_client, context->url.address.host);
        }
        api->answered = false;
        http_client_send(api->client, call->method, call->path, body,
                         (uint64_t)option_number(cli, "within", WITHIN_S) * 1000);
        while (!api->answered)
            uv_run(&api->loop.uv, UV_RUN_ONCE);
        if (!is_unreached(api->status) || api->next->ai_next == NULL)
            return;
        http_client_close(api->client);
        api->client = NULL;
        api->next = api->next->ai_next;
    } while (true);
}

/* --- what came --- */

static int code_of_status(int status)
{
    switch (status) {
    case 401:
    case 403:
        return EXIT_NO_KEY;
    case 404:
        return EXIT_NOT_FOUND;
    case 429:
    case 503:
        return EXIT_UNAVAILABLE;
    default:
        return status < 300 ? EXIT_DONE : EXIT_REFUSED;
    }
}

/* A problem (RFC 9457) in words. */
static int tell_problem(const struct api_answer *answer, char why[API_WHY_MAX])
{
    const char *detail = json_string_value(json_object_get(answer->json, "detail"));
    const char *code = json_string_value(json_object_get(answer->json, "code"));

    if (detail == NULL || code == NULL) {
        (void)snprintf(why, API_WHY_MAX, "HTTP status %d, by something else than a logic: %.200s",
                       answer->status, answer->text);
        return answer->status == 404 ? EXIT_REFUSED : code_of_status(answer->status);
    }
    if (strcmp(code, "no_such_path") == 0) {
        (void)snprintf(why, API_WHY_MAX, "this logic does not know the call: it is older than imc");
        return EXIT_REFUSED;
    }
    (void)snprintf(why, API_WHY_MAX, "%d %s: %s", answer->status, code, detail);
    return code_of_status(answer->status);
}

static int tell_failure(const struct cli *cli, char why[API_WHY_MAX])
{
    int status = cli->api->status;
    const char *address = cli->context.address;

    switch (status) {
    case -ETIMEDOUT:
        (void)snprintf(why, API_WHY_MAX, "%s: no answer in time (--within)", address);
        return EXIT_LOST;
    case -EPROTO:
        (void)snprintf(why, API_WHY_MAX, "%s: TLS failed: %s", address,
                       http_client_why(cli->api->client));
        return EXIT_CONNECT;
    case -ECONNRESET:
    case -EPIPE:
        (void)snprintf(why, API_WHY_MAX, "%s: the connection was lost%s", address,
                       cli->context.url.tls ? "" : "; does it want https?");
        return EXIT_LOST;
    case -EBADMSG:
    case -EMSGSIZE:
        (void)snprintf(why, API_WHY_MAX, "%s: what answers there is no logic: %s", address,
                       status == -EBADMSG ? "it is not HTTP" : "the answer is too long");
        return EXIT_REFUSED;
    default:
        (void)snprintf(why, API_WHY_MAX, "cannot connect to %s: %s", address, uv_strerror(status));
        return EXIT_CONNECT;
    }
}

int api_try(struct cli *cli, const struct api_call *call, struct api_answer *answer,
            char why[API_WHY_MAX])
{
    const struct http_client_body body = {"application/json", call->text, call->len};
    int rc;

    *answer = (struct api_answer){0};
    why[0] = '\0';
    if (cli->api == NULL && (rc = api_open(cli)) != 0)
        return rc;
    if (cli->api->addresses == NULL)
        return EXIT_CONNECT;
    cli->api->answer = answer;
    exchange(cli, call, call->text != NULL ? &body : NULL);
    if (cli->api->status < 0)
        return tell_failure(cli, why);
    answer->json = json_loadb(answer->text, answer->len, 0, NULL);
    if (answer->status >= 300)
        return tell_problem(answer, why);
    if (json_is_object(answer->json))
        return EXIT_DONE;
    (void)snprintf(why, API_WHY_MAX, "%s: what answers there is no logic: no JSON",
                   cli->context.address);
    return EXIT_REFUSED;
}

int api_send(struct cli *cli, const struct api_call *call, struct api_answer *answer)
{
    char why[API_WHY_MAX];

    if (strlen(call->path) >= API_PATH_MAX - 1)
        return cli_usage(cli, "that is too long");
    int rc = api_try(cli, call, answer, why);
    if (rc == EXIT_DONE)
        return rc;
    if (cli->json && answer->json != NULL)
        fprintf(stderr, "%s\n", answer->text);
    else if (why[0] != '\0')
        (void)cli_fail(cli, rc, "%s", why);
    api_answer_free(answer);
    return rc;
}

int api_get(struct cli *cli, const struct api_path *path, struct api_answer *answer)
{
    const struct api_call call = {"GET", path->text, NULL, 0};

    return api_send(cli, &call, answer);
}

int api_delete(struct cli *cli, const struct api_path *path, struct api_answer *answer)
{
    const struct api_call call = {"DELETE", path->text, NULL, 0};

    return api_send(cli, &call, answer);
}

int api_post(struct cli *cli, const char *path, json_t *body, struct api_answer *answer)
{
    char *text = json_dumps(body, JSON_COMPACT);

    json_decref(body);
    if (text == NULL)
        return cli_usage(cli, "what is sent has to be UTF-8");
    const struct api_call call = {"POST", path, text, strlen(text)};
    int rc = api_send(cli, &call, answer);
    mem_wiped_free_text(text); /* it may be a token */
    return rc;
}

void api_answer_free(struct api_answer *answer)
{
    json_decref(answer->json);
    mem_wiped_free_text(answer->text);
    *answer = (struct api_answer){0};
}
