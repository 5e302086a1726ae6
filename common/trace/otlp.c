#include "common/trace/otlp.h"
#include "common/base/array.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/http/addresses.h"
#include "common/http/client.h"
#include "common/http/retry_after.h"
#include "common/protocol/json_scan.h"
#include "common/tls/tls.h"
#include "common/trace/otlp_answer.h"
#include "common/trace/otlp_headers.h"
#include "common/trace/trace_span.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char default_path[] = "/v1/traces";

struct otlp {
    struct loop *loop;
    struct http_url url;
    char *resource; /* JSON: who tells */
    _Atomic int64_t *counters;
    size_t sent_metric, lost_metric;
    struct http_addresses *addresses;
    struct tls_client *tls;     /* NULL: plain HTTP */
    struct http_client *client; /* NULL: no address is known yet, or it failed */
    union endpoint address;     /* of CLIENT */
    uv_timer_t timer;
    char *headers; /* lines; wiped */
    char **spans;  /* waiting or under way, the oldest first */
    size_t n, cap;
    size_t under_way; /* the first ones, which the request has */
    unsigned tries;   /* how often the first ones were sent in vain */
    uint64_t pause_until_ms;
    bool failing;  /* the last request failed, which the log says once */
    bool refusing; /* some spans of the last request were refused, which the log says once */
};

int otlp_check(const char *url, const char *headers, char *err, size_t errlen)
{
    struct http_url parsed;
    const char *why;

    if (url[0] != '\0' && http_url_parse(url, &parsed, &why) != 0) {
        (void)snprintf(err, errlen, "trace.otlp_url: %s", why);
        return -EINVAL;
    }
    char *lines = otlp_headers_make(headers, err, errlen);
    if (lines == NULL)
        return -EINVAL;
    mem_wiped_free_text(lines);
    return 0;
}

static void lose(struct otlp *otlp, size_t n)
{
    metric_add(otlp->counters, otlp->lost_metric, (int64_t)n);
}

void otlp_add(struct otlp *otlp, char *span)
{
    loop_assert_owner(otlp->loop);
    if (otlp->n == OTLP_WAITING_MOST) {
        lose(otlp, 1);
        free(span);
        return;
    }
    ARRAY_ROOM(otlp->spans, otlp->n, otlp->cap, 64);
    otlp->spans[otlp->n++] = span;
}

/* --- what the collector answers --- */

static void drop_client(struct otlp *otlp)
{
    http_client_close(otlp->client);
    otlp->client = NULL;
}

/* The first N spans leave the list. */
static void take_out(struct otlp *otlp, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(otlp->spans[i]);
    otlp->n -= n;
    memmove(otlp->spans, otlp->spans + n, otlp->n * sizeof *otlp->spans);
    otlp->tries = 0;
}

static void taken(struct otlp *otlp, const char *body, size_t len)
{
    char why[OTLP_WHY_MAX];
    size_t refused = otlp_answer_refused(body, len, otlp->under_way, why);

    metric_add(otlp->counters, otlp->sent_metric, (int64_t)(otlp->under_way - refused));
    lose(otlp, refused);
    if (refused > 0 && !otlp->refusing)
        log_warn("collector refuses spans", "url=%s refused=%zu of=%zu why=\"%s\"", otlp->url.host,
                 refused, otlp->under_way, why);
    otlp->refusing = refused > 0;
    if (otlp->failing)
        log_info("collector takes spans again", "url=%s", otlp->url.host);
    otlp->failing = false;
    take_out(otlp, otlp->under_way);
}

/* The collector may want to be left alone for longer. */
static uint64_t pause_ms(const struct otlp *otlp, int status)
{
    const char *value = status > 0 ? http_client_answer_header(otlp->client, "retry-after") : NULL;
    int64_t now_s = (int64_t)(time_unix_ms() / 1000);
    uint64_t wanted = (uint64_t)retry_after_s(value, now_s, OTLP_RETRY_AFTER_MOST_S) * 1000;

    return wanted > OTLP_PAUSE_MS ? wanted : OTLP_PAUSE_MS;
}

static void tell_failure(struct otlp *otlp, int status)
{
    char why[64];

    if (status < 0)
        (void)snprintf(why, sizeof why, "%s", uv_strerror(status));
    else
        (void)snprintf(why, sizeof why, "status %d", status);
    if (!otlp->failing)
        log_warn("collector does not take spans",
                 "url=%s://%s%s why=\"%s\"; they are lost if it stays so",
                 otlp->url.tls ? "https" : "http", otlp->url.host, otlp->url.path, why);
    otlp->failing = true;
}

static void failed(struct otlp *otlp, int status)
{
    tell_failure(otlp, status);
    otlp->pause_until_ms = loop_now_ms(otlp->loop) + pause_ms(otlp, status);
    if (!otlp_answer_is_for_now(status) || ++otlp->tries == OTLP_TRIES) {
        lose(otlp, otlp->under_way);
        take_out(otlp, otlp->under_way);
    }
    if (status >= 0)
        return;
    http_addresses_failed(otlp->addresses, &otlp->address);
    drop_client(otlp);
}

static void on_answer(int status, const char *body, size_t len, void *arg)
{
    struct otlp *otlp = arg;

    if (status >= 200 && status < 300)
        taken(otlp, body, len);
    else
        failed(otlp, status);
    otlp->under_way = 0;
}

/* --- a request --- */

/* The first N spans as a request's body. */
static char *make_body(const struct otlp *otlp, size_t n, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    fprintf(out,
            "{\"resourceSpans\":[{\"resource\":%s,\"scopeSpans\":[{\"schemaUrl\":"
            "\"" TRACE_SPAN_SCHEMA_URL "\",\"scope\":{\"name\":\"imc\"},\"spans\":[",
            otlp->resource);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%s", i > 0 ? "," : "", otlp->spans[i]);
    fputs("]}]}]}", out);
    fclose(out);
    return text;
}

static void post(struct otlp *otlp)
{
    size_t n = otlp->n < OTLP_BATCH ? otlp->n : OTLP_BATCH, len = 0;
    char *body = make_body(otlp, n, &len);
    const struct http_client_body json = {"application/json", body, len};

    otlp->under_way = n;
    http_client_post_body(otlp->client, otlp->url.path, &json, OTLP_TIMEOUT_MS);
    free(body);
}

/* False: no address is known. */
static bool has_client(struct otlp *otlp)
{
    http_addresses_refresh(otlp->addresses);
    const union endpoint *address = http_addresses_current(otlp->addresses);
    if (address == NULL)
        return false;
    if (otlp->client != NULL && endpoint_same(address, &otlp->address))
        return true;
    drop_client(otlp);
    otlp->address = *address;
    otlp->client = http_client_open(otlp->loop, &address->any, on_answer, otlp);
    http_client_set_host(otlp->client, otlp->url.host);
    http_client_set_header(otlp->client, otlp->headers);
    http_client_cut(otlp->client, HTTP_CLIENT_MAX);
    if (otlp->tls != NULL)
        http_client_set_tls(otlp->client, otlp->tls, otlp->url.address.host);
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    struct otlp *otlp = timer->data;

    if (otlp->n == 0 || otlp->under_way > 0 || loop_now_ms(otlp->loop) < otlp->pause_until_ms)
        return;
    if (has_client(otlp))
        post(otlp);
}

/* --- open, close --- */

static void on_known(void *arg, int err)
{
    (void)arg;
    (void)err; /* without an address spans wait, and are lost if they are too many */
}

static char *make_resource(const struct otlp_options *options)
{
    uint8_t member[512];
    size_t len = json_write_string((const uint8_t *)options->member, strnlen(options->member, 80),
                                   member, sizeof member);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    fprintf(out,
            "{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"%s\"}},"
            "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":%.*s}}]}",
            options->service, (int)len, (const char *)member);
    fclose(out);
    return text;
}

int otlp_open(struct loop *loop, const struct otlp_options *options, struct otlp **out, char *err,
              size_t errlen)
{
    const struct tls_client_options tls = {.name = "otlp", .alpn = "http/1.1"};
    struct otlp *otlp = mem_zalloc(sizeof *otlp);
    const char *why;

    loop_assert_owner(loop);
    int rc = http_url_parse(options->url, &otlp->url, &why);
    if (rc != 0)
        (void)snprintf(err, errlen, "trace.otlp_url: %s", why);
    else if (otlp->url.tls)
        rc = tls_client_open(options->tls, &tls, &otlp->tls, err, errlen);
    otlp->headers = rc == 0 ? otlp_headers_make(options->headers, err, errlen) : NULL;
    if (rc == 0 && otlp->headers == NULL)
        rc = -EINVAL;
    if (rc != 0) {
        free(otlp);
        return rc;
    }
    if (strcmp(otlp->url.path, "/") == 0)
        (void)snprintf(otlp->url.path, sizeof otlp->url.path, "%s", default_path);
    otlp->loop = loop;
    otlp->resource = make_resource(options);
    otlp->counters = options->counters;
    otlp->sent_metric = options->sent_metric;
    otlp->lost_metric = options->lost_metric;
    otlp->addresses = http_addresses_open(loop, &otlp->url, on_known, otlp);
    uv_timer_init(&loop->uv, &otlp->timer);
    otlp->timer.data = otlp;
    uv_timer_start(&otlp->timer, on_timer, OTLP_EVERY_MS, OTLP_EVERY_MS);
    *out = otlp;
    return 0;
}

static void on_closed(uv_handle_t *timer)
{
    free(timer->data);
}

void otlp_close(struct otlp *otlp)
{
    if (otlp == NULL)
        return;
    drop_client(otlp);
    http_addresses_close(otlp->addresses);
    take_out(otlp, otlp->n);
    free(otlp->spans);
    free(otlp->resource);
    mem_wiped_free_text(otlp->headers);
    uv_close((uv_handle_t *)&otlp->timer, on_closed);
}
