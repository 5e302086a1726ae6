#include "comet/worker_control.h"
#include "comet/base/cluster_view.h"
#include "comet/base/comet.h"
#include "comet/fanout/room.h"
#include "comet/fanout/room_claims.h"
#include "comet/job/broadcast_gaps.h"
#include "comet/job/job_batches.h"
#include "comet/job/room_grants.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/frontend.h"
#include "comet/net/handle_table.h"
#include "comet/net/load_shedding.h"
#include "comet/net/mass_kick.h"
#include "comet/session/acks.h"
#include "comet/session/asked_sessions.h"
#include "comet/session/catchup.h"
#include "comet/session/client_ops.h"
#include "comet/session/goim_keys.h"
#include "comet/session/held_joins.h"
#include "comet/session/ordered_rooms.h"
#include "comet/session/push_trace.h"
#include "comet/session/renewals.h"
#include "comet/session/reregister.h"
#include "comet/session/room_events.h"
#include "comet/session/room_reports.h"
#include "comet/session/send_away.h"
#include "comet/session/session.h"
#include "comet/session/session_log.h"
#include "comet/session/token_ends.h"
#include "comet/session/upstream.h"
#include "common/base/log.h"
#include "common/base/loop_metrics.h"
#include "common/base/mem.h"
#include <stdatomic.h>
#include <stdlib.h>

enum { SESSION_TICK_MS = 10, SESSION_SLOTS = 512, ACK_TICK_MS = 20, ACK_SLOTS = 256 };

static const struct conn_events worker_conn_events = {
    .frame = client_op_frame,
    .message = client_op_message,
    .drained = catchup_drained,
    .stalled = catchup_stalled,
    .leaving = rooms_leave,
    .closed = session_closed,
};

/* So many batches of Connects may be under way to one logic: the business may take a second for
 * one. */
enum { CONNECTS_WINDOW = 64 };

/* A logic asks the business who connects, or Kafka whether it has the session. From now on Connects
 * go on streams of their own, so that nothing else waits with them. */
static void worker_asks_business(struct worker *worker, bool rooms)
{
    const struct logic_link link = {
        .connects = true,
        .window = CONNECTS_WINDOW,
        .call = PIPE_CONNECTS,
        .timeout_ms = (int)worker->config->connect_ms + LOGIC_SLACK_MS,
    };

    loop_assert_owner(&worker->loop);
    if (rooms)
        room_events_want(worker);
    if (worker->connects != NULL || worker->closed)
        return;
    worker->connects = logic_requests_open(worker, &link);
    logic_requests_update(worker->connects);
}

struct drain_order_post {
    struct inbox_item item;
    struct comet *comet;
    bool ends;
};

static void drain_order_arrived(struct loop *loop, struct inbox_item *item)
{
    struct drain_order_post *post = container_of(item, struct drain_order_post, item);

    (void)loop;
    post->comet->drain_ordered(post->comet, post->ends);
    free(post);
}

/* Each loop is told of the order. The main loop does it once. */
static void worker_drain_ordered(struct worker *worker, bool ends)
{
    struct drain_order_post *post = mem_zalloc(sizeof *post);

    loop_assert_owner(&worker->loop);
    post->item.run = drain_order_arrived;
    post->comet = worker->comet;
    post->ends = ends;
    if (!inbox_post(&worker->comet->daemon->loop, &post->item))
        free(post);
}

static const struct logic_asks worker_asks = {
    .give_way = session_give_way,
    .room_order = ordered_rooms_take,
    .question = asked_sessions_take,
    .drain = worker_drain_ordered,
    .upstream = upstream_told,
    .hook = worker_asks_business,
};

static void worker_claims_known(struct worker *worker, bool outwaited)
{
    held_joins_known(worker, outwaited);
    ordered_rooms_known(worker->ordered_rooms);
}

static void worker_claims(struct worker *worker, struct claims_post *post)
{
    room_grants_claim(worker->comet->grants, post);
}

int worker_open(struct worker *worker, struct comet *comet, int index, char *err, size_t errlen)
{
    const struct member_list nobody = {0};

    int failed = loop_init(&worker->loop, "imc-worker", index);
    if (failed != 0)
        return failed;
    worker->comet = comet;
    worker->config = comet->config;
    worker->counters = metrics_block(comet->daemon->metrics);
    loop_measure(&worker->loop, metrics_block(comet->daemon->loop_metrics));
    worker->tcps = comet->tcps;
    worker->tls_kernel = comet->tls_kernel;
    worker->wss = comet->wss;
    worker->table = handle_table_open(index);
    worker->session_wheel =
        wheel_open(&worker->loop, SESSION_TICK_MS, SESSION_SLOTS, catchup_on_timer);
    worker->ack_wheel = wheel_open(&worker->loop, ACK_TICK_MS, ACK_SLOTS, acks_on_timer);
    worker->view = cluster_view_new(&nobody, &nobody, 0, false);
    const struct logic_link link = {
        .asks = worker_asks,
        .window = (int)comet->config->logic_window,
        .admissions = (int)comet->config->logic_connects,
        .call = PIPE_SESSIONS,
        .timeout_ms = (int)comet->config->connect_ms + LOGIC_SLACK_MS,
    };
    worker->logic = logic_requests_open(worker, &link);
    worker->reregister = reregister_open(worker, catchup_refetch);
    worker->late = job_results_open(worker);
    rooms_open(worker);
    held_joins_open(worker);
    room_claims_open(worker, worker_claims, worker_claims_known);
    worker->room_reports = room_reports_open(worker);
    worker->ordered_rooms = ordered_rooms_open(worker);
    worker->room_pages = room_pages_open(worker, ROOM_PAGES_SORTED, ROOM_PAGES_SLICE);
    worker->upstream = upstream_open(worker);
    worker->token_ends = token_ends_open(worker);
    worker->renewals = renewals_open(worker);
    worker->session_log = session_log_open(worker);
    worker->room_events = room_events_open(worker);
    return frontend_open(worker, &worker_conn_events, err, errlen);
}

void worker_close(struct worker *worker)
{
    if (worker->comet == NULL)
        return; /* it was never opened */
    worker->closed = true;
    frontend_hang_up(worker); /* now all rooms are empty */
    ordered_rooms_close(worker->ordered_rooms);
    goim_keys_close(worker);
    room_reports_close(worker->room_reports);
    upstream_close(worker->upstream);
    rooms_close(worker);
    room_claims_close(worker);
    held_joins_close(worker);
    frontend_close(worker);
    token_ends_close(worker->token_ends);
    renewals_close(worker->renewals);
    if (worker->connects != NULL)
        logic_requests_close(worker->connects);
    logic_requests_close(worker->logic);
    room_events_close(worker->room_events);
    session_log_close(worker->session_log);
    push_traces_close(worker->traces);
    worker->traces = NULL;
    reregister_close(worker->reregister);
    wheel_close(worker->session_wheel);
    wheel_close(worker->ack_wheel);
    loop_close(&worker->loop);
    job_results_close(worker->late);
    room_pages_close(worker->room_pages);
    handle_table_close(worker->table);
    cluster_view_unref(worker->view);
}

/* --- what the main loop posts --- */

struct view_post {
    struct inbox_item item;
    struct cluster_view *view;
};

static void view_arrived(struct loop *loop, struct inbox_item *item)
{
    struct view_post *post = container_of(item, struct view_post, item);
    struct worker *worker = container_of(loop, struct worker, loop);

    cluster_view_unref(worker->view);
    worker->view = post->view;
    free(post);
    if (worker->closed)
        return;
    logic_requests_update(worker->logic);
    if (worker->connects != NULL)
        logic_requests_update(worker->connects);
    upstream_update(worker->upstream);
    reregister_update(worker->reregister);
    session_log_update(worker->session_log);
}

void worker_post_view(struct worker *worker, struct cluster_view *view)
{
    struct view_post *post = mem_zalloc(sizeof *post);

    post->item.run = view_arrived;
    post->view = cluster_view_ref(view);
    if (inbox_post(&worker->loop, &post->item))
        return;
    cluster_view_unref(view);
    free(post);
}

static void accept_asked(struct loop *loop, struct inbox_item *item)
{
    struct worker *worker = container_of(loop, struct worker, loop);
    struct comet *comet = worker->comet;

    free(item);
    if (worker->closed)
        return;
    frontend_accept(worker, true);
    if (atomic_fetch_add_explicit(&comet->loops_accepting, 1, memory_order_relaxed) + 1 ==
        comet->n_workers)
        daemon_ready(comet->daemon, "clients", true, "");
}

struct memory_post {
    struct inbox_item item;
    enum memory_level level;
};

static void memory_arrived(struct loop *loop, struct inbox_item *item)
{
    struct memory_post *post = container_of(item, struct memory_post, item);
    struct worker *worker = container_of(loop, struct worker, loop);

    worker->memory = post->level;
    free(post);
    if (!worker->closed && worker->memory == MEMORY_CRITICAL)
        load_shedding_run(worker);
}

void worker_post_memory(struct worker *worker, enum memory_level level)
{
    struct memory_post *post = mem_zalloc(sizeof *post);

    post->item.run = memory_arrived;
    post->level = level;
    if (!inbox_post(&worker->loop, &post->item))
        free(post);
}

void worker_post_accept(struct worker *worker)
{
    struct inbox_item *item = mem_zalloc(sizeof *item);

    item->run = accept_asked;
    if (!inbox_post(&worker->loop, item))
        free(item);
}

struct recall_post {
    struct inbox_item item;
    bool all;
};

static void recall_asked(struct loop *loop, struct inbox_item *item)
{
    struct recall_post *post = container_of(item, struct recall_post, item);
    struct worker *worker = container_of(loop, struct worker, loop);

    if (!worker->closed)
        mass_kick_recall(worker, post->all, (uint64_t)worker->config->recall_ms);
    free(post);
}

static void worker_post_recall(struct worker *worker, bool all)
{
    struct recall_post *post = mem_zalloc(sizeof *post);

    post->item.run = recall_asked;
    post->all = all;
    if (!inbox_post(&worker->loop, &post->item))
        free(post);
}

void workers_recall(struct comet *comet, unsigned missed, const char *why)
{
    log_warn("room messages were missed, telling sessions to connect again", "what=%s why=\"%s\"",
             (missed & MISSED_ALL) != 0 ? "rooms,all" : "rooms", why);
    for (int i = 0; i < comet->n_workers; i++)
        worker_post_recall(&comet->workers[i], (missed & MISSED_ALL) != 0);
}

/* --- drain: accepts no more, sends everybody away; before the end, waits for logic's answers ---
 */

static void worker_drained_wait(uv_timer_t *timer);

static void worker_kicked(struct worker *worker)
{
    uv_timer_init(&worker->loop.uv, &worker->drain_wait);
    worker->drain_wait.data = worker;
    uv_timer_start(&worker->drain_wait, worker_drained_wait, 0, 20);
}

static void worker_drained_wait(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    bool asking = logic_requests_pending(worker->logic) > 0 ||
                  upstream_pending(worker->upstream) > 0 ||
                  session_log_pending(worker->session_log) > 0 ||
                  (worker->connects != NULL && logic_requests_pending(worker->connects) > 0);

    /* daemon.drain limits the wait. Without a logic there will be no answer. */
    if (asking && worker->view->n_logics > 0)
        return;
    uv_timer_stop(timer);
    struct inbox_item *item = mem_zalloc(sizeof *item);
    item->run = worker->drained_run;
    if (!inbox_post(&worker->comet->daemon->loop, item))
        free(item);
}

/* Leaves time for the last client to go, and for logic to answer its Disconnect. */
static uint64_t drain_over_ms(const struct comet_config *config)
{
    int64_t drain_ms = config->daemon.drain_ms;
    int64_t over_ms = drain_ms - drain_ms / 8 - config->linger_ms;

    return (uint64_t)(over_ms > drain_ms / 2 ? over_ms : drain_ms / 2);
}

struct drain_post {
    struct inbox_item item;
    enum worker_drain how;
};

static void drain_asked(struct loop *loop, struct inbox_item *item)
{
    struct drain_post *post = container_of(item, struct drain_post, item);
    struct worker *worker = container_of(loop, struct worker, loop);
    struct mass_kick_plan plan = {
        .code = CLOSE_GOING_AWAY,
        .reason = send_away_reason,
        .over_ms = MASS_KICK_WHENEVER,
        .ask = send_away_ask,
    };

    if (worker->closed) {
        free(post);
        return;
    }
    if (post->how == DRAIN_NO_MORE) {
        mass_kick_stop(worker);
        frontend_accept(worker, true);
    } else if (post->how == DRAIN_UNTIL_EMPTY) {
        frontend_rest(worker);
        mass_kick_all(worker, &plan);
    } else {
        frontend_accept(worker, false);
        plan.over_ms = drain_over_ms(worker->config);
        plan.done = worker_kicked;
        mass_kick_all(worker, &plan);
    }
    free(post);
}

void worker_post_drain(struct worker *worker, enum worker_drain how)
{
    struct drain_post *post = mem_zalloc(sizeof *post);

    post->item.run = drain_asked;
    post->how = how;
    if (!inbox_post(&worker->loop, &post->item))
        free(post);
}
