/*   daemon.c           lifecycle: open everything, run the main loop, drain, close in reverse
 *   cli.c              command line, --health
 *   settings.c         settings that every daemon has; loads and checks a configuration
 *   admin.c            admin listener, readiness
 *   admin_access.c     who may see the admin pages
 *   actions.c          what POSTs at the admin listener ask for
 *   housekeeping.c     lost log lines, memory, the clock of report.c
 *   report.c           tells logics of this daemon, for the console; metering.c, series.c: the
 * numbers
 *   clock_offset.c     this machine's clock beside Redis's
 *   process_metrics.c  what the kernel and membership know of this process, for /metrics
 *   join.c             membership, advertised address
 *   redis.c            Redis
 *   reload.c           SIGHUP: certificates, and what else is read anew
 *   descriptors.c      descriptors, and the share of each listener
 *   rpc_security.c     TLS and the key of gRPC
 *   self_probe.c       readiness: does the own gRPC port answer?
 *   listen_messages.c  warnings and errors about addresses to listen on
 *
 *        SIGTERM            daemon_drained()        lease given back, or 1 s
 *   run ─────────► draining ───────────────► leaving ───────────────────────► stop, exit 0
 *                     └── second signal, or daemon.drain passed ────────────► stop, exit 1 */
#include "common/daemon/daemon.h"
#include "common/auth/new_key.h"
#include "common/base/log.h"
#include "common/base/log_sink.h"
#include "common/base/loop_metrics.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/daemon/internal.h"
#include "common/daemon/report.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* The largest message between daemons. It is a page of a mailbox (logic's mailbox.page_bytes, at
 * most 2 MiB) or a batch of job (comet.bytes or logic.bytes, 1 MiB), and one push more (2 MiB). */
#define RPC_MAX_MESSAGE (4u << 20)
#define LEAVE_MS        1000

static struct daemon_config *common_config(struct daemon *daemon)
{
    return daemon->config;
}

static void on_left(void *arg)
{
    struct daemon *daemon = arg;
    daemon->internal->left = true;
    if (daemon->internal->drained)
        loop_stop(&daemon->loop);
}

void daemon_leave(struct daemon *daemon)
{
    loop_assert_owner(&daemon->loop);
    struct daemon_internal *in = daemon->internal;
    if (in->membership == NULL || in->leaving)
        return;
    in->leaving = true;
    membership_leave(in->membership, on_left, daemon);
}

static void on_leave_deadline(uv_timer_t *timer)
{
    loop_stop(loop_of((uv_handle_t *)timer));
}

void daemon_drained(struct daemon *daemon)
{
    loop_assert_owner(&daemon->loop);
    struct daemon_internal *in = daemon->internal;
    if (in->drained)
        return;
    in->drained = true;
    daemon_leave(daemon);
    if (in->left || in->membership == NULL)
        loop_stop(&daemon->loop);
    else
        uv_timer_start(&in->deadline, on_leave_deadline, LEAVE_MS, 0);
}

void daemon_fail(struct daemon *daemon)
{
    loop_assert_owner(&daemon->loop);
    daemon->internal->overdue = true;
    loop_stop(&daemon->loop);
}

void daemon_abandon(struct daemon *daemon)
{
    daemon->internal->abandon = true;
}

static void on_drain_deadline(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    log_warn("drain took too long", "drain=%lldms; what was left is given up, see daemon.drain",
             (long long)common_config(daemon)->drain_ms);
    daemon->internal->overdue = true;
    loop_stop(&daemon->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    struct daemon_internal *in = daemon->internal;
    if (in->draining) {
        log_warn("second signal", "signal=%d; exiting without draining", number);
        in->overdue = !in->drained;
        loop_stop(&daemon->loop);
        return;
    }
    in->draining = true;
    log_info("draining", "signal=%d limit=%lldms", number,
             (long long)common_config(daemon)->drain_ms);
    daemon_ready(daemon, "running", false, "draining");
    if (in->reports != NULL)
        reports_tell(in->reports);
    uv_timer_start(&in->deadline, on_drain_deadline, (uint64_t)common_config(daemon)->drain_ms, 0);
    if (daemon->spec->drain != NULL)
        daemon->spec->drain(daemon);
    else
        daemon_drained(daemon);
}

static void open_handles(struct daemon *daemon)
{
    struct daemon_internal *in = daemon->internal;
    in->terminate.data = in->interrupt.data = in->deadline.data = daemon;
    uv_timer_init(&daemon->loop.uv, &in->deadline);
    uv_signal_init(&daemon->loop.uv, &in->terminate);
    uv_signal_init(&daemon->loop.uv, &in->interrupt);
    uv_signal_start(&in->terminate, on_signal, SIGTERM);
    uv_signal_start(&in->interrupt, on_signal, SIGINT);
}

static int open_rpc(struct daemon *daemon)
{
    enum { FEWEST = 8, DESCRIPTORS = 3 }; /* of a connection with TLS */
    const struct daemon_descriptors *files = daemon_descriptors(daemon);
    int64_t connections = files->rpc, most = files->limit / 8 / DESCRIPTORS;
    if (daemon_rpc_tls(common_config(daemon)) != RPC_TLS_OFF && connections > most)
        connections = most > FEWEST ? most : FEWEST;
    struct rpc_limits limits = {.connections = (int)connections,
                                .held = (size_t)common_config(daemon)->rpc_held};
    int err = rpc_open(&daemon->rpc, RPC_MAX_MESSAGE);
    if (err != 0) {
        log_error("cannot start the rpc thread", "err=\"%s\"", uv_strerror(err));
        return err;
    }
    rpc_set_limits(daemon->rpc, &limits);
    err = daemon_rpc_secure(daemon);
    if (err != 0) {
        rpc_close(daemon->rpc);
        daemon->rpc = NULL;
    }
    return err;
}

/* Opens everything, runs the main loop, and closes everything. Returns the exit code. */
static int run(struct daemon *daemon)
{
    struct daemon_internal *in = daemon->internal;
    int code = 1;
    int err = loop_init(&daemon->loop, "main", 0);
    if (err != 0) {
        log_error("cannot open the main loop", "err=\"%s\"", uv_strerror(err));
        return code;
    }
    daemon->metrics = metrics_open(daemon->spec->metrics, daemon->spec->n_metrics);
    daemon->counters = metrics_block(daemon->metrics);
    daemon->loop_metrics = metrics_open(loop_metric_rows, LOOP_METRIC_ROWS);
    loop_measure(&daemon->loop, metrics_block(daemon->loop_metrics));
    open_handles(daemon);
    daemon_descriptors_raise(daemon);
    daemon_warn_open(common_config(daemon));
    if (daemon_reload_open(daemon) != 0 || open_rpc(daemon) != 0)
        goto close_loop;
    daemon_ready(daemon, "running", false, "starting");
    if (daemon_admin_open(daemon) != 0)
        goto close_admin;
    if (daemon->spec->start(daemon) != 0)
        goto close_admin;
    daemon_ready(daemon, "running", true, NULL);
    daemon_housekeeping_open(daemon);
    self_probe_open(daemon);
    log_info("started", "version=%s pid=%d admin=%s rpc=%s", IMC_VERSION, (int)getpid(),
             common_config(daemon)->admin_listen, daemon_advertised(daemon));
    loop_run(&daemon->loop);
    uv_timer_stop(&in->watch); /* what housekeeping uses is about to be closed */
    code = in->overdue ? 1 : 0;
    self_probe_close(daemon);
    if (daemon->spec->stop != NULL)
        daemon->spec->stop(daemon);
    log_info("stopped", "code=%d", code);

close_admin:
    daemon_part(daemon);
    daemon_admin_close(daemon);
    rpc_close(daemon->rpc);
close_loop:
    daemon_reload_close(daemon);
    loop_close(&daemon->loop);
    metrics_close(daemon->metrics);
    metrics_close(daemon->loop_metrics);
    return code;
}

/* Runs a command that needs the configuration, which is loaded. Returns the exit code. */
static int execute(struct daemon *daemon, const struct daemon_arguments *arguments)
{
    switch (arguments->command) {
    case DAEMON_CHECK:
        puts("configuration ok");
        daemon_check_certificates(daemon->config);
        daemon_check_running(daemon);
        return 0;
    case DAEMON_DUMP:
        config_dump(daemon->internal->tables, daemon->config, stdout);
        return 0;
    case DAEMON_HEALTH:
        return daemon_health(common_config(daemon));
    default:
        break;
    }
    if (arguments->command >= DAEMON_OWN_COMMAND)
        return daemon->spec->own_commands[arguments->command - DAEMON_OWN_COMMAND].run(
            daemon, arguments->argument);
    log_sink_open();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* until reload.c takes it */
    return run(daemon);
}

/* Runs a command that needs no configuration. Returns the exit code; -1: it is none of these. */
static int execute_early(struct daemon *daemon, const struct daemon_arguments *arguments)
{
    const struct daemon_spec *spec = daemon->spec;
    switch (arguments->command) {
    case DAEMON_VERSION:
        printf("imc-%s %s\n", spec->name, IMC_VERSION);
        return 0;
    case DAEMON_HELP:
        daemon_print_help(spec);
        return 0;
    case DAEMON_NEW_KEY:
        return new_key_print(arguments->argument, arguments->scopes, stdout) == 0 ? 0 : 1;
    case DAEMON_DOC_CONFIG:
        config_document(daemon->internal->tables, spec->name, stdout);
        return 0;
    case DAEMON_DOC_METRICS:
        metrics_document(spec->metrics, spec->n_metrics, spec->name, stdout);
        if (spec->document_live != NULL)
            spec->document_live(stdout);
        daemon_document_process(stdout);
        return 0;
    default:
        return -1;
    }
}

int daemon_main(const struct daemon_spec *spec, int argc, char **argv)
{
    struct daemon_internal internal = {.started_ms = time_mono_ms(),
                                       .started_unix_us = time_unix_us()};
    struct daemon daemon = {.spec = spec, .internal = &internal};
    struct daemon_arguments arguments;
    if (daemon_parse(spec, argc, argv, &arguments) != 0)
        return 1;
    log_open(spec->name);
    pthread_mutex_init(&internal.lock, NULL);
    daemon.config = mem_zalloc(spec->config_size);
    daemon_tables(&daemon);
    int code = execute_early(&daemon, &arguments);
    if (code < 0)
        code = daemon_load(&daemon, arguments.path) == 0 ? execute(&daemon, &arguments) : 1;
    config_free(internal.tables, daemon.config);
    free(internal.common);
    free(daemon.config);
    pthread_mutex_destroy(&internal.lock);
    if (internal.abandon)
        _exit(code); /* exit() would free memory of libraries whose threads still run */
    return code;
}
