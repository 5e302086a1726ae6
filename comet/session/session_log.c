/* The map has for each logged session either since when it is open, and under which of our lately
 * used epochs the log has it (the lowest bit is set), or its struct saying. */
#include "comet/session/session_log.h"
#include "comet/base/cluster_view.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/fanout/room.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/goim_client.h"
#include "comet/net/handle_table.h"
#include "comet/session/room_events.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/containers/map.h"
#include "common/containers/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 250,           /* between two tries */
    ASKED_MAX = 8192,        /* unanswered at a time */
    WALK_SLICE = 512,        /* slots of the table per turn */
    UNCONFIGURED_MS = 60000, /* so long after its end a session is told to logics that have no log:
                              * they may be restarted one after the other */
    LIVES = 256, /* epochs that are remembered; a session follows to the newest at once */
};

enum saying_state { SAYING_HELD, SAYING_DUE, SAYING_ASKED, SAYING_RESTING };

/* A session of which something has to be told. */
struct saying {
    STAILQ_ENTRY(saying) link; /* in due or resting, by state; HELD: in neither */
    struct session_log *log;
    uint64_t handle;
    struct session_event event; /* its texts are in `texts` */
    char *texts;
    uint8_t state;  /* enum saying_state */
    bool asked_new; /* a logic was asked to write that it is open in event.epoch */
    bool closed;    /* it ended while that was unanswered */
};
STAILQ_HEAD(sayings, saying);

struct session_log {
    struct worker *worker;
    struct map64 *sessions; /* by handle; those with a connection */
    struct slab *slab;
    struct sayings due, resting;
    size_t sayings, asked;
    uint64_t epochs[LIVES];
    unsigned life;      /* of the newest epoch: its place is life % LIVES */
    size_t walk_cursor; /* next slot of the table */
    bool walking;
    struct loop_task flush, walk;
    uv_timer_t tick;
};

static uint64_t since_make(uint64_t opened_ms, unsigned life)
{
    return opened_ms << 9 | (uint64_t)(life % LIVES) << 1 | 1;
}

static uint64_t since_opened(uint64_t since)
{
    return since >> 9;
}

static uint64_t since_epoch(const struct session_log *log, uint64_t since)
{
    return log->epochs[since >> 1 & (LIVES - 1)];
}

static struct saying *saying_at(uint64_t value)
{
    return (value & 1) != 0
               ? NULL
               : (struct saying *)(uintptr_t)value; /* NOLINT(performance-no-int-to-ptr) */
}

static uint64_t now_ms(const struct session_log *log)
{
    return loop_now_ms(&log->worker->loop);
}

static void count(struct session_log *log, enum comet_metric metric)
{
    metric_add(log->worker->counters, metric, 1);
}

static void on_tick(uv_timer_t *timer);

/* --- what has to be told --- */

static struct saying *saying_new(struct session_log *log, uint64_t handle, uint64_t epoch)
{
    struct saying *saying = slab_alloc(log->slab);

    saying->log = log;
    saying->handle = handle;
    saying->event = (struct session_event){.epoch = epoch, .address = "", .key = "", .room = ""};
    log->sayings++;
    metric_set(log->worker->counters, COMET_EVENTS_WAITING, (int64_t)log->sayings);
    return saying;
}

static void saying_free(struct session_log *log, struct saying *saying)
{
    free(saying->texts);
    slab_free(log->slab, saying);
    log->sayings--;
    metric_set(log->worker->counters, COMET_EVENTS_WAITING, (int64_t)log->sayings);
}

/* Whose CONN is, and where. */
static void saying_of(struct saying *saying, const struct conn *conn)
{
    char peer[64];
    size_t room_len, peer_len, key_len;
    const char *room = room_name(conn->main.room, &room_len);
    const char *key = conn->goim != NULL ? conn->goim->key : "";

    conn_peer(conn, peer, sizeof peer);
    peer_len = strlen(peer) + 1;
    key_len = strlen(key) + 1;
    free(saying->texts);
    char *at = saying->texts = mem_alloc(peer_len + key_len + room_len + 1);
    saying->event.uid = conn->uid;
    saying->event.address = memcpy(at, peer, peer_len);
    saying->event.key = memcpy(at + peer_len, key, key_len);
    saying->event.room = at + peer_len + key_len;
    if (room_len > 0)
        memcpy(at + peer_len + key_len, room, room_len);
    at[peer_len + key_len + room_len] = '\0';
}

static void saying_due(struct session_log *log, struct saying *saying)
{
    saying->state = SAYING_DUE;
    STAILQ_INSERT_TAIL(&log->due, saying, link);
    loop_defer(&log->worker->loop, &log->flush);
}

static void saying_rest(struct session_log *log, struct saying *saying)
{
    count(log, COMET_EVENTS_AGAIN);
    saying->state = SAYING_RESTING;
    STAILQ_INSERT_TAIL(&log->resting, saying, link);
    if (!uv_is_active((uv_handle_t *)&log->tick))
        uv_timer_start(&log->tick, on_tick, TICK_MS, 0);
}

static void saying_ended(struct session_log *log, struct saying *saying)
{
    saying->event.ended = true;
    saying->event.ended_at_ms = now_ms(log);
}

/* --- answers --- */

/* Logics without a log are asked again for a while. */
static bool is_given_up(struct session_log *log, const struct saying *saying,
                        const struct logic_answer *answer)
{
    if (!answer->answered || answer->status != LOGIC_NOT_CONFIGURED)
        return false;
    if (saying->event.anybody)
        return true;
    return saying->event.ended && now_ms(log) >= saying->event.ended_at_ms + UNCONFIGURED_MS;
}

/* It is in the log as open in event.epoch. */
static void saying_opened(struct session_log *log, struct saying *saying)
{
    uint64_t epoch = log->epochs[log->life % LIVES];

    if (saying->event.epoch != epoch) { /* it has changed again */
        saying->event.epoch = epoch;
        saying->asked_new = false;
        saying_due(log, saying);
        return;
    }
    struct conn *conn = handle_table_find(log->worker->table, saying->handle);
    map64_set(log->sessions, saying->handle, since_make(saying->event.opened_at_ms, log->life));
    saying_free(log, saying);
    if (conn != NULL)
        room_events_anew(log->worker, conn);
    loop_defer(&log->worker->loop, &log->walk);
}

static void on_answer(struct worker *worker, struct logic_request *request,
                      const struct logic_answer *answer)
{
    struct session_log *log = worker->session_log;
    struct saying *saying = container_of(request->event, struct saying, event);
    bool ok = answer->answered && answer->status == LOGIC_OK;

    log->asked--;
    loop_defer(&worker->loop, &log->flush);
    if (ok)
        count(log, COMET_EVENTS_SAID);
    if (saying->closed) { /* whether or not it is in the log as open, it is to be as ended */
        saying->closed = false;
        saying_due(log, saying);
    } else if (ok && !saying->event.ended) {
        saying_opened(log, saying);
    } else if (ok) {
        saying_free(log, saying);
    } else if (is_given_up(log, saying, answer)) {
        count(log, COMET_EVENTS_DROPPED);
        saying_free(log, saying);
    } else {
        saying_rest(log, saying);
    }
}

/* A Connect's stream, because these wait for Kafka as Connects do. */
static void saying_ask(struct session_log *log, struct saying *saying)
{
    struct worker *worker = log->worker;
    struct logic_requests *link = worker_connects(worker);
    struct logic_request *request = logic_requests_new(link, REQUEST_SESSION_EVENT);

    saying->state = SAYING_ASKED;
    saying->asked_new = saying->asked_new || !saying->event.ended;
    request->handle = saying->handle;
    request->uid = saying->event.uid;
    request->event = &saying->event;
    request->done = on_answer;
    log->asked++;
    logic_requests_send(link, request);
}

static void on_flush(struct loop *loop, struct loop_task *task)
{
    struct session_log *log = container_of(task, struct session_log, flush);

    (void)loop;
    while (log->asked < ASKED_MAX && !STAILQ_EMPTY(&log->due))
        saying_ask(log, STAILQ_TAKE(&log->due, link));
}

static void on_tick(uv_timer_t *timer)
{
    struct session_log *log = container_of(timer, struct session_log, tick);
    struct saying *saying;

    while ((saying = STAILQ_TAKE(&log->resting, link)) != NULL)
        saying_due(log, saying);
    loop_defer(&log->worker->loop, &log->walk);
}

/* --- sessions --- */

void session_log_admitted(struct session_log *log, struct conn *conn,
                          const struct logic_answer *answer)
{
    uint64_t epoch = log->epochs[log->life % LIVES];

    loop_assert_owner(&log->worker->loop);
    conn->logged = true;
    if (answer->epoch == epoch) {
        map64_set(log->sessions, conn->handle, since_make(now_ms(log), log->life));
        return;
    }
    struct saying *saying = saying_new(log, conn->handle, epoch);
    saying_of(saying, conn);
    saying->event.before = answer->epoch;
    saying->event.opened_at_ms = now_ms(log);
    map64_set(log->sessions, conn->handle, (uint64_t)(uintptr_t)saying);
    saying_due(log, saying);
}

/* SAYING is that it is open in a new epoch, and now it has ended. */
static void saying_close(struct session_log *log, struct saying *saying)
{
    saying_ended(log, saying);
    if (!saying->asked_new) /* only the earlier epoch has it */
        saying->event.epoch = saying->event.before;
    saying->closed = saying->state == SAYING_ASKED;
}

/* Nothing of the session is unanswered that has to come before its end. */
static void on_rooms_said(void *arg)
{
    struct saying *saying = arg;

    saying_due(saying->log, saying);
}

void session_log_closed(struct session_log *log, struct conn *conn)
{
    const uint64_t *value = map64_get(log->sessions, conn->handle);

    loop_assert_owner(&log->worker->loop);
    assert(value != NULL);
    struct saying *saying = saying_at(*value);
    if (saying != NULL) {
        saying_close(log, saying);
        room_events_end(log->worker, conn->handle, NULL, NULL);
    } else {
        saying = saying_new(log, conn->handle, since_epoch(log, *value));
        saying->event.opened_at_ms = since_opened(*value);
        saying_ended(log, saying);
        saying_of(saying, conn);
        if (!room_events_end(log->worker, conn->handle, on_rooms_said, saying))
            saying_due(log, saying);
    }
    saying->event.code = conn->end_code;
    map64_del(log->sessions, conn->handle);
    conn->logged = false;
}

void session_log_unopened(struct session_log *log, uint64_t handle,
                          const struct logic_answer *answer)
{
    loop_assert_owner(&log->worker->loop);
    struct saying *saying = saying_new(log, handle, answer->epoch);
    saying->event.uid = answer->connect->uid;
    saying->event.refused = answer->status != CLOSE_NONE;
    saying->event.opened_at_ms = now_ms(log);
    saying_ended(log, saying);
    saying_due(log, saying);
}

void session_log_undo(struct session_log *log, uint64_t handle)
{
    loop_assert_owner(&log->worker->loop);
    struct saying *saying = saying_new(log, handle, log->epochs[log->life % LIVES]);
    saying->event.anybody = saying->event.refused = true;
    saying->event.opened_at_ms = now_ms(log);
    saying_ended(log, saying);
    saying_due(log, saying);
}

uint64_t session_log_epoch(const struct session_log *log, const struct conn *conn)
{
    const uint64_t *value = map64_get(log->sessions, conn->handle);
    uint64_t epoch = log->epochs[log->life % LIVES];

    if (value == NULL || saying_at(*value) != NULL || since_epoch(log, *value) != epoch)
        return 0;
    return epoch;
}

size_t session_log_pending(const struct session_log *log)
{
    return log->sayings;
}

/* --- a new epoch --- */

static void conn_follows(struct session_log *log, struct conn *conn)
{
    uint64_t epoch = log->epochs[log->life % LIVES];
    const uint64_t *value = map64_get(log->sessions, conn->handle);

    if (value == NULL || saying_at(*value) != NULL || since_epoch(log, *value) == epoch)
        return;
    struct saying *saying = saying_new(log, conn->handle, epoch);
    saying_of(saying, conn);
    saying->event.before = since_epoch(log, *value);
    saying->event.opened_at_ms = since_opened(*value);
    map64_set(log->sessions, conn->handle, (uint64_t)(uintptr_t)saying);
    saying_due(log, saying);
}

/* Goes over the table in slices, and waits while much is unanswered. */
static void on_walk(struct loop *loop, struct loop_task *task)
{
    struct session_log *log = container_of(task, struct session_log, walk);
    struct handle_table *table = log->worker->table;
    size_t slots = handle_table_slots(table);

    for (int i = 0; log->walking && i < WALK_SLICE; i++) {
        if (log->walk_cursor >= slots) {
            log->walking = false;
            return;
        }
        if (log->sayings >= ASKED_MAX)
            return; /* saying_opened() goes on, or on_tick() before it */
        struct conn *conn = handle_table_at(table, log->walk_cursor++);
        if (conn != NULL && conn->logged)
            conn_follows(log, conn);
    }
    if (log->walking)
        loop_defer(loop, task);
}

void session_log_update(struct session_log *log)
{
    uint64_t epoch = log->worker->view->comet_epoch;

    loop_assert_owner(&log->worker->loop);
    if (epoch == 0 || epoch == log->epochs[log->life % LIVES])
        return;
    log->life++;
    log->epochs[log->life % LIVES] = epoch;
    log->walk_cursor = 0;
    log->walking = true;
    loop_defer(&log->worker->loop, &log->walk);
}

/* --- life --- */

struct session_log *session_log_open(struct worker *worker)
{
    struct session_log *log = mem_zalloc(sizeof *log);

    loop_assert_owner(&worker->loop);
    log->worker = worker;
    log->sessions = map64_new();
    log->slab = slab_open("session events", sizeof(struct saying));
    STAILQ_INIT(&log->due);
    STAILQ_INIT(&log->resting);
    log->flush.run = on_flush;
    log->walk.run = on_walk;
    uv_timer_init(&worker->loop.uv, &log->tick);
    return log;
}

static void on_tick_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct session_log, tick));
}

void session_log_close(struct session_log *log)
{
    struct saying *saying;

    loop_assert_owner(&log->worker->loop);
    STAILQ_CONCAT(&log->due, &log->resting);
    while ((saying = STAILQ_TAKE(&log->due, link)) != NULL)
        saying_free(log, saying);
    slab_close(log->slab);
    map64_free(log->sessions);
    uv_close((uv_handle_t *)&log->tick, on_tick_closed);
}
