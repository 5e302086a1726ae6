#include "common/base/exposition.h"
#include "common/base/log.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include "common/tls/tls.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADMIN_MAX_BODY   4096
#define ADMIN_TIMEOUT_MS 10000
#define ADMIN_IDLE_MS    60000

static const char text_plain[] = "text/plain; charset=utf-8";

static struct daemon_condition *find_condition(struct daemon_internal *in, const char *name)
{
    for (size_t i = 0; i < in->n_conditions; i++) {
        if (strcmp(in->conditions[i].name, name) == 0)
            return &in->conditions[i];
    }
    if (in->n_conditions == DAEMON_CONDITIONS)
        return NULL;
    struct daemon_condition *condition = &in->conditions[in->n_conditions++];
    condition->name = name;
    condition->holds = false;
    condition->why[0] = '\0';
    return condition;
}

void daemon_ready(struct daemon *daemon, const char *name, bool holds, const char *why_not)
{
    struct daemon_internal *in = daemon->internal;
    const char *why = holds || why_not == NULL ? "" : why_not;
    pthread_mutex_lock(&in->lock);
    struct daemon_condition *condition = find_condition(in, name);
    bool held = condition != NULL && condition->holds;
    bool changed = condition != NULL && (held != holds || strcmp(condition->why, why) != 0);
    if (condition != NULL) {
        condition->holds = holds;
        snprintf(condition->why, sizeof(condition->why), "%s", why);
    }
    pthread_mutex_unlock(&in->lock);
    if (condition == NULL)
        log_error("too many readiness conditions", "name=%s limit=%d", name, DAEMON_CONDITIONS);
    else if (changed && held) /* it does no more */
        log_warn("not ready", "condition=%s why=\"%s\"", name, why);
    else if (changed && !holds) /* not yet, or for another reason */
        log_info("not ready", "condition=%s why=\"%s\"", name, why);
    else if (changed)
        log_info("ready", "condition=%s", name);
}

static const struct {
    const char *name;
    unsigned use;
} uses_named[] = {{"push", USE_PUSH}, {"connect", USE_CONNECT}, {"store", USE_STORE}};
#define USES (sizeof(uses_named) / sizeof(uses_named[0]))

static unsigned uses_of(const struct daemon *daemon, const char *condition)
{
    const struct daemon_need *need = daemon->spec->needs;
    for (; need != NULL && need->condition != NULL; need++) {
        if (strcmp(need->condition, condition) == 0)
            return need->uses;
    }
    return USE_ALL;
}

/* "push, store" */
static void print_uses(unsigned uses, FILE *out)
{
    const char *between = "";
    for (size_t i = 0; i < USES; i++) {
        if ((uses & uses_named[i].use) == 0)
            continue;
        fprintf(out, "%s%s", between, uses_named[i].name);
        between = ", ";
    }
}

static void print_condition(const struct daemon_condition *condition, unsigned uses, FILE *out)
{
    if (condition->holds) {
        fprintf(out, "%s: ok\n", condition->name);
        return;
    }
    fprintf(out, "%s: not ready: %s", condition->name, condition->why);
    if (uses == 0) {
        fputs(" (shown only)", out); /* as docs/operations.md says it */
    } else if (uses != USE_ALL) {
        fputs(" (needed for ", out);
        print_uses(uses, out);
        fputc(')', out);
    }
    fputc('\n', out);
}

/* The lease is looked at by whoever asks for the conditions. */
static void lease_look(struct daemon *daemon)
{
    const struct daemon_internal *in = daemon->internal;
    if (in->membership != NULL)
        daemon_ready(daemon, "lease", membership_ready(in->membership),
                     "the lease is not held or the list of daemons was not read yet");
}

bool daemon_render_ready(struct daemon *daemon, unsigned uses, FILE *out)
{
    struct daemon_internal *in = daemon->internal;
    bool all = true;
    lease_look(daemon);
    pthread_mutex_lock(&in->lock);
    for (size_t i = 0; i < in->n_conditions; i++) {
        const struct daemon_condition *condition = &in->conditions[i];
        unsigned needed = uses_of(daemon, condition->name);
        all = all && (condition->holds || (needed & uses) == 0);
        print_condition(condition, needed, out);
    }
    pthread_mutex_unlock(&in->lock);
    return all;
}

void daemon_lacks(struct daemon *daemon, unsigned uses, char *why, size_t len)
{
    struct daemon_internal *in = daemon->internal;
    size_t used = 0;
    lease_look(daemon);
    why[0] = '\0';
    pthread_mutex_lock(&in->lock);
    for (size_t i = 0; i < in->n_conditions && used < len; i++) {
        const struct daemon_condition *condition = &in->conditions[i];
        if (condition->holds || (uses_of(daemon, condition->name) & uses) == 0)
            continue;
        int n = snprintf(why + used, len - used, "%s%s: %s", used > 0 ? "; " : "", condition->name,
                         condition->why);
        used += n > 0 ? (size_t)n : 0;
    }
    pthread_mutex_unlock(&in->lock);
}

/* --- readiness as metrics --- */

enum { ROW_READY, ROW_CONDITION };

const struct metric_row daemon_ready_rows[DAEMON_READY_ROWS] = {
    [ROW_READY] = {.name = "imc_ready",
                   .labels = "use=\"…\"",
                   .type = METRIC_GAUGE,
                   .help = "1: this daemon can serve that use (push, connect, store), as "
                           "/readyz?for= says it. 0: imc_condition and /readyz say what is "
                           "missing."},
    [ROW_CONDITION] = {.name = "imc_condition",
                       .labels = "condition=\"…\"",
                       .type = METRIC_GAUGE,
                       .help = "1: this condition of readiness holds. 0: /readyz and the log say "
                               "why not, docs/operations.md what needs it."},
};

static void render_flag(struct exposition *to, int row, const char *label, const char *value,
                        bool on)
{
    char labels[64];
    snprintf(labels, sizeof(labels), "%s=\"%s\"", label, value);
    exposition_int(to, &daemon_ready_rows[row], labels, on);
}

void daemon_ready_metrics(struct daemon *daemon, struct exposition *to)
{
    struct daemon_internal *in = daemon->internal;
    unsigned lacking = 0;
    lease_look(daemon);
    pthread_mutex_lock(&in->lock);
    for (size_t i = 0; i < in->n_conditions; i++) {
        if (!in->conditions[i].holds)
            lacking |= uses_of(daemon, in->conditions[i].name);
    }
    for (size_t i = 0; i < USES; i++)
        render_flag(to, ROW_READY, "use", uses_named[i].name, (lacking & uses_named[i].use) == 0);
    for (size_t i = 0; i < in->n_conditions; i++)
        render_flag(to, ROW_CONDITION, "condition", in->conditions[i].name,
                    in->conditions[i].holds);
    pthread_mutex_unlock(&in->lock);
}

static bool wants_openmetrics(const struct http_request *request)
{
    return exposition_wanted(http_header(request, "accept"));
}

static const char *metrics_type(const struct http_request *request)
{
    return exposition_type(wants_openmetrics(request));
}

void daemon_name_unready(struct daemon *daemon, char *names, size_t len)
{
    struct daemon_internal *in = daemon->internal;
    size_t used = 0;
    lease_look(daemon);
    names[0] = '\0';
    pthread_mutex_lock(&in->lock);
    for (size_t i = 0; i < in->n_conditions && used < len; i++) {
        const struct daemon_condition *condition = &in->conditions[i];
        if (!condition->holds && (uses_of(daemon, condition->name) & USE_ALL) != 0)
            used += (size_t)snprintf(names + used, len - used, "%s%s", used > 0 ? ", " : "",
                                     condition->name);
    }
    pthread_mutex_unlock(&in->lock);
}

static int page_metrics(struct daemon *daemon, struct http_request *request, FILE *out)
{
    struct exposition to = {.out = out, .openmetrics = wants_openmetrics(request)};
    if (daemon->spec->scrape != NULL)
        daemon->spec->scrape(daemon);
    metrics_render(daemon->metrics, &to);
    if (daemon->spec->render != NULL)
        daemon->spec->render(daemon, &to);
    daemon_render_process(daemon, &to);
    exposition_end(&to);
    return 200;
}

static int page_health(struct daemon *daemon, struct http_request *request, FILE *out)
{
    (void)request;
    (void)daemon;
    fputs("ok\n", out);
    return 200;
}

/* /readyz. A request may name several uses: ?for=push&for=connect. */
static int page_ready(struct daemon *daemon, struct http_request *request, FILE *out)
{
    const char *wanted;
    unsigned uses = 0;
    for (size_t n = 0; (wanted = http_query(request, "for", n)) != NULL; n++) {
        size_t i = 0;
        while (i < USES && strcmp(uses_named[i].name, wanted) != 0)
            i++;
        if (i == USES || n == USES) { /* too many: each http_query() starts over at the first
                                       * parameter */
            fputs("for: push, connect or store, each once\n", out);
            return 400;
        }
        uses |= uses_named[i].use;
    }
    if (uses == 0)
        uses = USE_ALL;
    if (daemon_access_is_known(daemon, request))
        return daemon_render_ready(daemon, uses, out) ? 200 : 503;
    char why[DAEMON_WHY_MAX];
    daemon_lacks(daemon, uses, why, sizeof(why));
    fputs(why[0] == '\0' ? "ready\n" : "not ready\n", out); /* why, only an operator is told */
    return why[0] == '\0' ? 200 : 503;
}

static int page_config(struct daemon *daemon, struct http_request *request, FILE *out)
{
    (void)request;
    config_dump(daemon->internal->tables, daemon->config, out);
    return 200;
}

static int page_changes(struct daemon *daemon, struct http_request *request, FILE *out)
{
    (void)request;
    return daemon_reload_pending(daemon, out) ? 200 : 422;
}

static int page_version(struct daemon *daemon, struct http_request *request, FILE *out)
{
    (void)request;
    fprintf(out, "{\"name\":\"imc-%s\",\"version\":\"%s\"}\n", daemon->spec->name, IMC_VERSION);
    return 200;
}

static int page_index(struct daemon *daemon, struct http_request *request, FILE *out);

static const struct page {
    const char *path, *type; /* TYPE NULL: metrics_type() says it */
    unsigned scope;          /* that a key needs (enum key_scope); 0: it is open to all */
    /* Writes the page to OUT and returns the status. NULL: membership_serve() answers. */
    int (*render)(struct daemon *daemon, struct http_request *request, FILE *out);
} pages[] = {
    {"/metrics", NULL, KEY_READ, page_metrics},
    {"/healthz", text_plain, 0, page_health},
    {"/readyz", text_plain, 0, page_ready},
    {"/config", text_plain, KEY_READ, page_config},
    {"/changes", text_plain, KEY_READ, page_changes},
    {"/version", "application/json", KEY_READ, page_version},
    {"/member", "application/json", KEY_READ, NULL}, /* a POST: KEY_ADMIN */
    {"/", text_plain, KEY_READ, page_index},
};
#define PAGES (sizeof(pages) / sizeof(pages[0]))

static void print_actions(const struct daemon_action *action, FILE *out)
{
    for (; action != NULL && action->path != NULL; action++)
        fprintf(out, "POST %s\n", action->path);
}

static int page_index(struct daemon *daemon, struct http_request *request, FILE *out)
{
    (void)request;
    fprintf(out, "imc-%s %s\n", daemon->spec->name, IMC_VERSION);
    for (size_t i = 0; i + 1 < PAGES; i++)
        fprintf(out, "%s\n", pages[i].path);
    print_actions(daemon_actions, out);
    print_actions(daemon->spec->actions, out);
    return 200;
}

static void respond_page(struct daemon *daemon, struct http_request *request,
                         const struct page *page)
{
    char *text = NULL;
    size_t len = 0;
    if (page->render == NULL) {
        membership_serve(daemon->internal->membership, request);
        return;
    }
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        http_respond(request, 500, text_plain, "out of memory\n", 14, NULL);
        return;
    }
    int status = page->render(daemon, request, out);
    fclose(out);
    const char *type = page->type != NULL ? page->type : metrics_type(request);
    http_respond(request, status, type, text, len, "Cache-Control: no-store\r\n");
    free(text);
}

static const struct page *page_of(const char *path)
{
    for (size_t i = 0; i < PAGES; i++) {
        if (strcmp(path, pages[i].path) == 0)
            return &pages[i];
    }
    return NULL;
}

/* POST /member is the only request that changes something. */
static bool is_told_of_members(const struct http_request *request, const struct page *page)
{
    return page->render == NULL && http_method(request) == HTTP_POST;
}

/* A request's head has come: who may not see the page is refused before a body is kept. */
static void head(struct http_request *request, void *arg)
{
    const struct page *page = page_of(http_path(request));
    const struct daemon_action *action = daemon_action_at(arg, http_path(request));
    unsigned scope = page != NULL ? page->scope : KEY_READ;
    if (action != NULL) {
        (void)daemon_access_admit(arg, request, action->path, KEY_ADMIN);
        return;
    }
    if (page != NULL && is_told_of_members(request, page))
        scope = KEY_ADMIN;
    if (scope != 0)
        (void)daemon_access_admit(arg, request, page != NULL ? page->path : NULL,
                                  (enum key_scope)scope);
}

static void handle(struct http_request *request, void *arg)
{
    static const char missing[] = "no such page; / lists them\n",
                      method[] = "only GET and HEAD here\n";
    const struct page *page = page_of(http_path(request));
    const struct daemon_action *action = daemon_action_at(arg, http_path(request));
    if (action != NULL) {
        daemon_act(arg, request, action);
        return;
    }
    if (page == NULL) {
        http_respond(request, 404, text_plain, missing, sizeof(missing) - 1, NULL);
        return;
    }
    if (is_told_of_members(request, page) || http_method(request) == HTTP_GET ||
        http_method(request) == HTTP_HEAD)
        respond_page(arg, request, page);
    else
        http_respond(request, 405, text_plain, method, sizeof(method) - 1, "Allow: GET, HEAD\r\n");
}

static int open_tls(struct daemon *daemon, struct tls_server **tls)
{
    const struct tls_server_options options = {.name = "admin", .alpn = "http/1.1"};
    char err[TLS_ERROR_MAX];
    int rc = tls_server_open(daemon->tls, &options, tls, err, sizeof(err));
    if (rc != 0)
        log_error("cannot serve admin pages over TLS", "%s; set tls.certificate and tls.key", err);
    return rc;
}

int daemon_admin_open(struct daemon *daemon)
{
    const struct daemon_config *config = daemon->config;
    struct http_options options = {
        .address = config->admin_listen,
        .max_conns = daemon_descriptors(daemon)->admin,
        .max_body = ADMIN_MAX_BODY,
        .header_timeout_ms = ADMIN_TIMEOUT_MS,
        .body_timeout_ms = ADMIN_TIMEOUT_MS,
        .idle_timeout_ms = ADMIN_IDLE_MS,
        .head = head,
        .handle = handle,
        .arg = daemon,
    };
    if (daemon_access_open(daemon) != 0)
        return -EINVAL;
    if (config->admin_tls && open_tls(daemon, &options.tls) != 0)
        return -EINVAL;
    if (config->admin_listen[0] == '\0') /* the admin listener is switched off */
        return 0;
    int err = http_server_open(&daemon->loop, &options, &daemon->internal->admin);
    if (err != 0)
        daemon_listen_failed(daemon, config->admin_listen, "admin", "listen", err);
    else
        log_info("admin pages", "address=%s port=%d", config->admin_listen,
                 http_server_port(daemon->internal->admin));
    return err;
}

void daemon_admin_close(struct daemon *daemon)
{
    if (daemon->internal->admin != NULL)
        http_server_close(daemon->internal->admin);
    daemon->internal->admin = NULL;
    daemon_access_close(daemon);
}
