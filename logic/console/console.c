#include "logic/console/console.h"
#include "common/base/log.h"
#include "common/base/time.h"
#include "logic/console/internal.h"
#include "logic/feed/feed.h"
#include "logic/http/v1/operations.h"
#include "logic/peers/streams.h"

#include <stdlib.h>
#include <string.h>

static const char type_json[] = "application/json; charset=utf-8";

void console_answer(struct logic *logic, struct http_request *request, const char *text, size_t len,
                    const char *more_headers)
{
    char headers[512];

    snprintf(headers, sizeof headers,
             "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
             "Cross-Origin-Resource-Policy: same-origin\r\n%s",
             more_headers != NULL ? more_headers : "");
    api_respond(logic, request, &(struct api_answer){200, type_json, text, len, headers});
}

/* --- reports --- */

/* Where events are, JOB knows. */
static void tell_feed(const struct logic *logic, const struct reported *job)
{
    for (size_t i = 0; i < job->n_settings; i++) {
        const struct reported_setting *setting = &job->settings[i];
        if (strcmp(setting->name, "events.topic") == 0 && setting->value[0] != '\0')
            feed_told(logic->feed, setting->value);
    }
}

/* Takes what BATCH reports. False: it is from nobody who is known to live. */
static bool take(struct stream_batch *batch, const Imc__V1__ReportBatch *report)
{
    struct logic *logic = batch->logic;
    struct console *console = logic->console;
    enum member_kind kind = member_kind_of(report->kind);
    const struct member *member =
        kind != MEMBER_KINDS ? membership_find(logic->membership, kind, report->id) : NULL;

    if (member == NULL || member->epoch != report->epoch) {
        logic_count(logic, LOGIC_CONSOLE_STRANGERS, 1);
        return false;
    }
    const struct reported *taken = reported_take(
        &console->reported, kind, report, loop_now_ms(logic->loop), series_slot(time_unix_ms()));
    if (taken != NULL && kind == MEMBER_JOB)
        tell_feed(logic, taken);
    logic_count(logic, taken != NULL ? LOGIC_CONSOLE_REPORTS : LOGIC_CONSOLE_FULL, 1);
    metric_set(logic->counters, LOGIC_CONSOLE_DAEMONS, (int64_t)console->reported.n);
    return true;
}

void console_report(struct stream_batch *batch)
{
    const Imc__V1__ReportBatch *report = (const Imc__V1__ReportBatch *)batch->message;
    Imc__V1__ReportReply reply;

    imc__v1__report_reply__init(&reply);
    reply.seq = report->seq;
    reply.unwanted = !batch->logic->config->console_enabled;
    if (batch->logic->console != NULL && batch->logic->membership != NULL)
        reply.anew = !take(batch, report);
    stream_reply(batch, &reply.base);
}

/* --- routes --- */

static const struct route routes[] = {
    {HTTP_POST, "/console/login", console_login, 0, false},
    {HTTP_POST, "/console/logout", console_logout, 0, false},
    {HTTP_GET, "/console/session", console_session, 0, false},
    {HTTP_GET, "/console/state", console_state, KEY_READ, false},
};

static bool owns(const char *path)
{
    return strncmp(path, "/console/", 9) == 0 || strcmp(path, "/console") == 0;
}

static const struct route *find(enum http_method method, const char *path)
{
    (void)method;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    }
    return console_file_route(path);
}

static void allow(const char *path, char *out, size_t outlen)
{
    snprintf(out, outlen, "%s", find(HTTP_OTHER, path)->method == HTTP_POST ? "POST" : "GET");
}

static const struct route_set console_routes = {&v1_face, owns, find, allow};

void console_open(struct logic *logic)
{
    struct console *console;

    if (!logic->config->console_enabled)
        return;
    console = mem_zalloc(sizeof *console);
    console->logic = logic;
    console->logins = logins_new((uint64_t)logic->config->console_session_ms);
    reported_init(&console->reported);
    logic->console = console;
    logic->logged_in = console_logged_in;
    logic->console_routes = &console_routes;
    log_info("console", "url=http%s://%s/console/", logic->config->api_tls ? "s" : "",
             logic->config->api_listen);
}

void console_close(struct console *console)
{
    if (console == NULL)
        return;
    console->logic->logged_in = NULL;
    console->logic->console_routes = NULL;
    console->logic->console = NULL;
    reported_end(&console->reported);
    logins_free(console->logins);
    free(console);
}
