/* What SIGHUP, or POST /reload, makes the daemon read anew. First the settings: those that are live
 * take effect, the others are named. Then each part reads its files for itself: one that cannot
 * keeps what it has, and the others go on.
 *
 *     SIGHUP ────┬─► settings ─► every struct daemon_reload ─► done: logged, counted
 *     POST /reload                                        └─► failed: logged with why, counted; the
 *                                                             old one stays */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { RELOAD_ERROR_MAX = 2048 };
_Static_assert((int)RELOAD_ERROR_MAX >= (int)TLS_ERROR_MAX &&
                   (int)RELOAD_ERROR_MAX >= (int)DAEMON_REFUSAL_MAX,
               "room for what any part may say");

const struct metric_row daemon_reload_rows[DAEMON_RELOAD_ROWS] = {
    {.name = "imc_reloads_total",
     .labels = "what=\"tls\",result=\"ok\"",
     .type = METRIC_COUNTER,
     .help = "What SIGHUP or POST /reload made the daemon read anew. failed: it could not, the log "
             "says why, and what was there before is still in use."},
};

void daemon_tls_settings(const struct daemon_config *config, struct tls_settings *out)
{
    *out = (struct tls_settings){
        .certificates = config->tls_certificate,
        .keys = config->tls_key,
        .ca = config->tls_ca,
        .min_version = config->tls_min_version,
        .ticket_keys = config->tls_ticket_keys,
    };
}

static int reload_tls(struct daemon *daemon, void *arg, char *err, size_t errlen)
{
    (void)arg;
    return tls_reload(daemon->tls, err, errlen);
}

/* --- settings --- */

struct report {
    FILE *out; /* NULL: nobody reads it */
    bool does; /* it happens now; else it is only told */
};

static void report_change(const struct config_change *change, void *arg)
{
    const struct report *report = arg;
    const struct config_row *row = change->row;

    if (report->does && row->live)
        log_info("setting changed", "name=%s.%s before=\"%s\" now=\"%s\"", row->section, row->key,
                 change->before, change->after);
    else if (report->does)
        log_warn("setting needs a restart", "name=%s.%s now=\"%s\" wanted=\"%s\"", row->section,
                 row->key, change->before, change->after);
    if (report->out != NULL)
        daemon_print_change(change, report->does, report->out);
}

void daemon_print_change(const struct config_change *change, bool done, FILE *out)
{
    const struct config_row *row = change->row;
    const char *when = !row->live ? "needs a restart" : done ? "changed" : "a reload changes it";

    fprintf(out, "%s.%s: \"%s\" to \"%s\": %s\n", row->section, row->key, change->before,
            change->after, when);
}

/* Reads file and environment. DOES: what is live takes effect. 0, or -E… with ERR. */
static int read_settings(struct daemon *daemon, struct report *report, char *err, size_t errlen)
{
    struct daemon_internal *in = daemon->internal;
    struct daemon_config *next = mem_zalloc(daemon->spec->config_size), *config = daemon->config;
    int rc = daemon_read_settings(daemon, in->path, next, err, errlen);

    if (rc == 0) {
        config_compare(in->tables, config, next, report_change, report);
        if (report->does) {
            config_take_live(in->tables, config, next);
            daemon_set_log(config);
        }
    }
    config_free(in->tables, next);
    free(next);
    return rc;
}

static int reload_settings(struct daemon *daemon, void *arg, char *err, size_t errlen)
{
    struct report report = {arg, true};

    return read_settings(daemon, &report, err, errlen);
}

bool daemon_reload_pending(struct daemon *daemon, FILE *out)
{
    struct report report = {out, false};
    char err[DAEMON_REFUSAL_MAX];

    if (read_settings(daemon, &report, err, sizeof(err)) == 0)
        return true;
    fprintf(out, "%s\n", err);
    return false;
}

/* --- all of it --- */

static bool run(struct daemon *daemon, struct daemon_reload *reload, FILE *out)
{
    char err[RELOAD_ERROR_MAX] = "";
    int rc = reload->run(daemon, reload->arg, err, sizeof(err));

    if (rc == 0) {
        reload->done++;
        log_info("reloaded", "what=%s", reload->what);
    } else {
        reload->failed++;
        log_error("cannot reload", "what=%s err=\"%s\"; what was loaded before stays in use",
                  reload->what, err);
    }
    if (out != NULL)
        fprintf(out, "%s: %s%s\n", reload->what,
                rc == 0 ? "ok" : "failed, what was loaded before stays in use: ", err);
    return rc == 0;
}

uint64_t daemon_settings_version(const struct daemon *daemon)
{
    return (uint64_t)daemon->internal->reload_settings.done + 1;
}

bool daemon_reload_now(struct daemon *daemon, FILE *out)
{
    struct daemon_internal *in = daemon->internal;
    struct daemon_reload *reload;

    in->reload_settings.arg = out;
    bool all = run(daemon, &in->reload_settings, out);
    LIST_FOREACH(reload, &in->reloads, link) {
        if (reload != &in->reload_settings)
            all = run(daemon, reload, out) && all;
    }
    return all;
}

static void on_hang_up(uv_signal_t *handle, int number)
{
    (void)number;
    (void)daemon_reload_now(handle->data, NULL);
}

void daemon_on_reload(struct daemon *daemon, struct daemon_reload *reload)
{
    loop_assert_owner(&daemon->loop);
    LIST_INSERT_HEAD(&daemon->internal->reloads, reload, link);
}

int daemon_reload_open(struct daemon *daemon)
{
    struct daemon_internal *in = daemon->internal;
    struct tls_settings settings;
    char err[TLS_ERROR_MAX] = "";
    daemon_tls_settings(daemon->config, &settings);
    int rc = tls_open(&settings, &daemon->tls, err, sizeof(err));
    if (rc != 0) {
        log_error("cannot load what TLS needs", "%s", err);
        return rc;
    }
    in->reload_settings = (struct daemon_reload){.what = "settings", .run = reload_settings};
    daemon_on_reload(daemon, &in->reload_settings);
    in->reload_tls = (struct daemon_reload){.what = "tls", .run = reload_tls};
    daemon_on_reload(daemon, &in->reload_tls);
    in->hang_up.data = daemon;
    uv_signal_init(&daemon->loop.uv, &in->hang_up);
    uv_signal_start(&in->hang_up, on_hang_up, SIGHUP);
    return 0;
}

void daemon_reload_close(struct daemon *daemon)
{
    tls_close(daemon->tls);
    daemon->tls = NULL;
}

static void render_count(struct exposition *to, const char *what, const char *result, int64_t count)
{
    char labels[96];
    snprintf(labels, sizeof(labels), "what=\"%s\",result=\"%s\"", what, result);
    exposition_int(to, &daemon_reload_rows[0], labels, count);
}

void daemon_reload_render(struct daemon *daemon, struct exposition *to)
{
    const struct daemon_reload *reload;
    LIST_FOREACH(reload, &daemon->internal->reloads, link) {
        render_count(to, reload->what, "ok", reload->done);
        render_count(to, reload->what, "failed", reload->failed);
    }
}
