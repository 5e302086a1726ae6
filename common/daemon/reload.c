/* What SIGHUP makes the daemon read anew. Each part reads for itself: one that cannot keeps what it
 * has, and the others go on.
 *
 *     SIGHUP ─► every struct daemon_reload ─► done: logged, counted
 *                                        └─► failed: logged with why, counted; the old one stays */
#include "common/base/log.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include <signal.h>

const struct metric_row daemon_reload_rows[DAEMON_RELOAD_ROWS] = {
    {"imc_reloads_total", "what=\"tls\",result=\"ok\"", METRIC_COUNTER,
     "What SIGHUP made the daemon read anew. failed: it could not, the log says why, and what was "
     "there before is still in use."},
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

static void run(struct daemon *daemon, struct daemon_reload *reload)
{
    char err[TLS_ERROR_MAX] = "";
    int rc = reload->run(daemon, reload->arg, err, sizeof(err));
    if (rc == 0) {
        reload->done++;
        log_info("reloaded", "what=%s", reload->what);
        return;
    }
    reload->failed++;
    log_error("cannot reload", "what=%s err=\"%s\"; what was loaded before stays in use",
              reload->what, err);
}

static void on_hang_up(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    struct daemon_reload *reload;
    (void)number;
    LIST_FOREACH(reload, &daemon->internal->reloads, link)
        run(daemon, reload);
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

void daemon_reload_render(struct daemon *daemon, FILE *out)
{
    const struct metric_row *row = &daemon_reload_rows[0];
    const struct daemon_reload *reload;
    fprintf(out, "# HELP %s %s\n# TYPE %s counter\n", row->name, row->help, row->name);
    LIST_FOREACH(reload, &daemon->internal->reloads, link)
        fprintf(out, "%s{what=\"%s\",result=\"ok\"} %lld\n%s{what=\"%s\",result=\"failed\"} %lld\n",
                row->name, reload->what, (long long)reload->done, row->name, reload->what,
                (long long)reload->failed);
}
