/* worker.c - one process with its share of the connections.
 *
 *   orders ─► make tokens ─► connect up to `wanted`, paced ─► poll: judge what comes
 *                            churn, heartbeats, try again ◄─ tick ─┘      verify ─► lost */
#include "bench/base/clock.h"
#include "bench/load/conns.h"
#include "bench/load/crew.h"
#include "bench/load/tokens.h"
#include "common/base/mem.h"
#include "common/tls/tls.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    POLL_MS = 10,
    POLL_MANY_MS = 50, /* with many workers: waking up costs, too */
    MANY = 8,
    RETRY_MS = 100,
    FAILURES_MAX = 20000, /* beyond: something is wrong with the server, not with one connection */
};

struct bench_worker {
    const struct crew *crew;
    const struct worker_orders *orders;
    struct worker_stats *stats;
    struct conns *conns;
    struct judge *judge;
    size_t first, n;
    size_t opened;       /* connections 0 … opened - 1 were asked for */
    uint64_t in_flight;  /* most handshakes at a time */
    uint64_t began_ns;   /* when the present climb to `wanted` began */
    size_t began_opened; /* `opened` at that time */
    uint64_t retry_ns, churn_ns, heartbeat_ns;
    double churn_due, heartbeat_due;
    size_t churn_at, heartbeat_at;
};

/* --- connecting --- */

static void give_up(struct bench_worker *worker, const char *what, int error)
{
    char text[256], why[128];

    snprintf(text, sizeof text, "%s%s%s", what, error != 0 ? ": " : "",
             error != 0 ? strerror_r(-error, why, sizeof why) : "");
    shared_fail(worker->crew->shared, text);
}

static void open_one(struct bench_worker *worker, size_t i, bool anywhere)
{
    int failed = conns_connect(worker->conns, i, anywhere);

    if (failed != 0)
        give_up(worker, "connect", failed);
}

/* How many connections may have been opened by NOW. */
static size_t allowed(const struct bench_worker *worker, uint64_t now)
{
    uint64_t rate = shared_get(&worker->orders->connect_rate);
    uint64_t wanted = shared_get(&worker->orders->wanted);
    double due = (double)(now - worker->began_ns) / 1e9 * (double)rate;

    if (rate == 0 || (double)worker->began_opened + due > (double)wanted)
        return wanted;
    return worker->began_opened + (size_t)due;
}

static void keep_number(struct bench_worker *worker, uint64_t now)
{
    uint64_t wanted = shared_get(&worker->orders->wanted);

    for (; worker->opened > wanted; worker->opened--)
        conns_close(worker->conns, worker->opened - 1);
    if (worker->opened == wanted) {
        worker->began_ns = 0;
        return;
    }
    if (worker->began_ns == 0) {
        worker->began_ns = now;
        worker->began_opened = worker->opened;
    }
    for (size_t may = allowed(worker, now);
         worker->opened < may && worker->stats->connecting < worker->in_flight; worker->opened++)
        open_one(worker, worker->opened, false);
}

static void retry_failed(struct bench_worker *worker, uint64_t now)
{
    if (now - worker->retry_ns < (uint64_t)RETRY_MS * 1000000)
        return;
    worker->retry_ns = now;
    if (worker->stats->connect_failures > FAILURES_MAX)
        give_up(worker, "too many connections fail before they are admitted", 0);
    for (size_t i; worker->stats->connecting < worker->in_flight &&
                   (i = conns_next_failed(worker->conns)) != SIZE_MAX;)
        if (i < worker->opened)
            open_one(worker, i, i >= shared_get(&worker->orders->churn_first));
}

/* --- while connected --- */

/* How many have come due since the last call, as a whole number. The fraction stays in *DUE. */
static uint64_t take_due(double *due, uint64_t *since_ns, uint64_t now, double per_s)
{
    uint64_t n;

    if (*since_ns != 0)
        *due += (double)(now - *since_ns) / 1e9 * per_s;
    *since_ns = now;
    n = (uint64_t)*due;
    *due -= (double)n;
    return n;
}

static void churn(struct bench_worker *worker, uint64_t now)
{
    uint64_t rate = shared_get(&worker->orders->churn_rate);
    uint64_t first = shared_get(&worker->orders->churn_first);
    uint64_t n = take_due(&worker->churn_due, &worker->churn_ns, now, (double)rate);

    if (first >= worker->opened)
        return;
    for (; n > 0; n--) {
        size_t i = worker->churn_at;
        if (i < first || i >= worker->opened)
            i = first;
        worker->churn_at = i + 1;
        if (!conns_is_online(worker->conns, i))
            continue;
        conns_close(worker->conns, i);
        open_one(worker, i, true);
    }
}

static void send_heartbeats(struct bench_worker *worker, uint64_t now)
{
    uint64_t every_s = worker->crew->config->heartbeat_s;
    double per_s = every_s > 0 ? (double)worker->n / (double)every_s : 0;
    uint64_t n = take_due(&worker->heartbeat_due, &worker->heartbeat_ns, now, per_s);

    for (; n > 0; n--) {
        conns_heartbeat(worker->conns, worker->heartbeat_at);
        worker->heartbeat_at = (worker->heartbeat_at + 1) % worker->n;
    }
}

/* --- orders --- */

static void make_tokens(struct bench_worker *worker)
{
    uint64_t wanted = shared_get(&worker->orders->make_tokens), have = worker->stats->tokens;
    const struct tokens_order order = {
        .people = &worker->crew->people,
        .first = worker->first + have,
        .n = wanted - have,
        .http = worker->crew->config->http,
        .key = worker->crew->config->key,
        .redis = worker->crew->config->redis,
    };
    char err[256];
    int failed = 0;

    if (wanted > have && order.redis != NULL)
        failed = tokens_put(&order, worker->stats, err, sizeof err);
    else if (wanted > have)
        failed = tokens_make(&order, worker->stats, err, sizeof err);
    if (failed != 0)
        give_up(worker, err, 0);
}

static void verify(struct bench_worker *worker)
{
    uint64_t wanted = shared_get(&worker->orders->verify), lost = 0, extra = 0;
    uint64_t churners = shared_get(&worker->orders->churn_first);

    if (wanted == worker->stats->verified)
        return;
    for (size_t i = 0; i < worker->opened && i < churners; i++) {
        lost += judge_lost(worker->judge, i);
        extra += judge_extra(worker->judge, i);
    }
    shared_set(&worker->stats->lost, lost);
    if (extra > 0)
        shared_set(&worker->stats->twice, extra);
    shared_set(&worker->stats->verified, wanted);
}

/* What clients have of TLS, until the process ends. NULL: they speak plain, or there is an error.
 */
static struct tls_client *open_tls(const struct crew *crew, char *err, size_t errlen)
{
    const struct tls_settings settings = {.ca = crew->config->cacert};
    const struct tls_client_options options = {
        .name = "bench", .alpn = crew->transport->greet != NULL ? "http/1.1" : NULL};
    struct tls *tls = NULL;
    struct tls_client *client = NULL;

    if (settings.ca != NULL && tls_open(&settings, &tls, err, errlen) == 0)
        (void)tls_client_open(tls, &options, &client, err, errlen);
    return client;
}

static int worker_open(struct bench_worker *worker, const struct crew *crew, unsigned index)
{
    char err[TLS_ERROR_MAX] = "";
    const struct conns_options options = {
        .transport = crew->transport,
        .people = &crew->people,
        .targets = crew->targets,
        .n_targets = crew->n_targets,
        .host = crew->host,
        .members = (enum members)crew->config->members,
        .tls = open_tls(crew, err, sizeof err),
        .resume = crew->config->resume,
        .worker = index,
        .n_workers = crew->n_workers,
        .first = crew_first(crew, index),
        .n = crew_first(crew, index + 1) - crew_first(crew, index),
    };
    const struct judge_options judge_options = {
        .people = &crew->people,
        .transport = crew->transport,
        .shared = crew->shared,
        .first = options.first,
        .n = options.n,
    };

    worker->crew = crew;
    if (err[0] != '\0')
        give_up(worker, err, 0);
    worker->orders = &crew->shared->worker_orders[index];
    worker->stats = &crew->shared->workers[index];
    worker->first = options.first;
    worker->n = options.n;
    worker->in_flight = crew->config->in_flight / crew->n_workers + 1;
    worker->judge = judge_new(&judge_options, worker->stats);
    return conns_new(&options, worker->judge, worker->stats, &worker->conns);
}

_Noreturn void worker_run(const struct crew *crew, unsigned index)
{
    struct bench_worker worker = {.n = 0};
    int failed = worker_open(&worker, crew, index);
    int poll_ms = crew->n_workers < MANY ? POLL_MS : POLL_MANY_MS;

    if (failed != 0)
        give_up(&worker, "epoll_create1", failed);
    while (failed == 0 && shared_get(&crew->shared->failed) == 0) {
        uint64_t now = clock_ns();
        make_tokens(&worker);
        conns_target_gone(worker.conns, (size_t)shared_get(&worker.orders->gone) - 1);
        keep_number(&worker, now);
        retry_failed(&worker, now);
        churn(&worker, now);
        send_heartbeats(&worker, now);
        verify(&worker);
        conns_poll(worker.conns, poll_ms);
    }
    for (;;) /* stay, with the connections, until the controller ends us */
        pause();
}
