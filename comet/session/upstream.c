/* A session that has sent a frame, until it is closed and has none left:
 *
 *             upstream_take                    on_flush
 *   IDLE ───────────────────► READY ───────────────────────────► ASKING
 *    ▲                        ▲   ▲                               │ │ │
 *    │ group_done: all taken  │   └── group_done: all of a group ─┘ │ │
 *    ├────────────────────────┼──── and more wait ──────────────────┘ │
 *    │                        │ on_tick: RETRY_MS later               │
 *    │                      RESTING ◄── group_done: not all taken ────┘
 *    └─ on_tick: nothing was taken for upstream.timeout: kicked; what waits is dropped */
#include "comet/session/upstream.h"
#include "comet/base/cluster_view.h"
#include "comet/base/config.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/fanout/room.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/frontend.h"
#include "comet/net/goim_client.h"
#include "comet/net/handle_table.h"
#include "comet/wire/client_request.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/containers/map.h"
#include "common/protocol/json_scan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 50,
    RETRY_MS = 250,
    LINK_WINDOW = 4,          /* batches in flight to one logic */
    GROUP_BYTES = 128 * 1024, /* a group takes no more frames beyond it */
};

enum session_state { SESSION_IDLE, SESSION_READY, SESSION_ASKING, SESSION_RESTING };

struct upstream_session {
    TAILQ_ENTRY(upstream_session) busy;   /* in upstream->busy, unless it is IDLE */
    STAILQ_ENTRY(upstream_session) queue; /* in upstream->ready or resting, by state */
    struct upstream *upstream;
    uint64_t handle;
    int64_t uid;
    struct upstream_frames frames; /* behind those of the group */
    size_t n, bytes;               /* all frames, those of the group too */
    struct upstream_group group;   /* what logic is asked to take, in state ASKING */
    uint64_t since_ms;             /* so long nothing was taken of what waits */
    uint64_t retry_ms;             /* RESTING: when to ask again */
    const char *why;               /* why the last group was not taken; NULL: none has failed */
    uint8_t state;                 /* enum session_state */
    bool gone;                     /* the connection has ended */
    bool dropped; /* it was given up: what of its group is not taken is not sent again */
};

STAILQ_HEAD(session_queue, upstream_session);

struct upstream {
    struct worker *worker;
    struct logic_requests *link; /* NULL: no logic has ever taken such frames */
    struct map64 *sessions; /* handle → struct upstream_session, while the connection is there */
    TAILQ_HEAD(, upstream_session) busy; /* by since_ms */
    struct session_queue ready, resting; /* resting by retry_ms */
    size_t bytes;                        /* of all frames */
    size_t asking;
    bool on;
    bool closed;
    struct loop_task flush;
    uv_timer_t tick;
};

static uint64_t now_ms(const struct upstream *upstream)
{
    return loop_now_ms(&upstream->worker->loop);
}

static void count(const struct upstream *upstream, enum comet_metric metric, int64_t by)
{
    metric_add(upstream->worker->counters, metric, by);
}

/* --- sessions --- */

static struct conn *conn_of(const struct upstream_session *session)
{
    struct conn *conn =
        session->gone ? NULL : handle_table_find(session->upstream->worker->table, session->handle);

    return conn != NULL && conn->state == CONN_OPEN ? conn : NULL;
}

static struct upstream_session *session_of(struct upstream *upstream, const struct conn *conn)
{
    const uint64_t *found = map64_get(upstream->sessions, conn->handle);

    if (found == NULL)
        return NULL;
    return (struct upstream_session *)(uintptr_t)*found; /* NOLINT(performance-no-int-to-ptr) */
}

static struct upstream_session *session_new(struct upstream *upstream, struct conn *conn)
{
    struct upstream_session *session = mem_zalloc(sizeof *session);

    session->upstream = upstream;
    session->handle = conn->handle;
    session->uid = conn->uid;
    STAILQ_INIT(&session->frames);
    STAILQ_INIT(&session->group.frames);
    session->group.epoch = upstream->worker->view->comet_epoch;
    session->group.first = 1;
    if (conn->goim != NULL)
        session->group.key = mem_strdup(conn->goim->key);
    conn_peer(conn, session->group.peer, sizeof session->group.peer);
    map64_set(upstream->sessions, conn->handle, (uint64_t)(uintptr_t)session);
    conn->upstream = true;
    return session;
}

static void session_free(struct upstream_session *session)
{
    assert(session->state == SESSION_IDLE && session->n == 0 && session->bytes == 0);
    free(session->group.key);
    free(session);
}

static void session_enter(struct upstream_session *session, enum session_state state)
{
    struct upstream *upstream = session->upstream;

    if (session->state == SESSION_IDLE)
        TAILQ_INSERT_TAIL(&upstream->busy, session, busy);
    upstream->asking += (state == SESSION_ASKING) - (size_t)(session->state == SESSION_ASKING);
    session->state = (uint8_t)state;
    if (state == SESSION_READY) {
        STAILQ_INSERT_TAIL(&upstream->ready, session, queue);
        loop_defer(&upstream->worker->loop, &upstream->flush);
    } else if (state == SESSION_RESTING) {
        session->retry_ms = now_ms(upstream) + RETRY_MS;
        STAILQ_INSERT_TAIL(&upstream->resting, session, queue);
    } else if (state == SESSION_IDLE) {
        TAILQ_REMOVE(&upstream->busy, session, busy);
    }
    if (state != SESSION_IDLE && !uv_is_active((uv_handle_t *)&upstream->tick))
        uv_timer_again(&upstream->tick);
}

/* Something was taken, or the first frame came. */
static void session_moves(struct upstream_session *session)
{
    struct upstream *upstream = session->upstream;

    session->since_ms = now_ms(upstream);
    if (session->state == SESSION_IDLE)
        return;
    TAILQ_REMOVE(&upstream->busy, session, busy);
    TAILQ_INSERT_TAIL(&upstream->busy, session, busy);
}

static bool is_full(const struct upstream_session *session)
{
    const struct upstream *upstream = session->upstream;
    const struct comet_config *config = upstream->worker->config;

    return session->n >= (size_t)config->upstream_window ||
           (session->n > 0 && upstream->bytes >= (size_t)config->upstream_max_waiting);
}

/* --- frames --- */

static size_t frame_bytes(const struct upstream_frame *frame)
{
    return sizeof *frame + frame->room_len + 1 + frame->body_len;
}

static void frame_free(struct upstream_session *session, struct upstream_frame *frame)
{
    session->n--;
    session->bytes -= frame_bytes(frame);
    session->upstream->bytes -= frame_bytes(frame);
    count(session->upstream, COMET_UPSTREAM_WAITING, -1);
    count(session->upstream, COMET_UPSTREAM_BYTES, -(int64_t)frame_bytes(frame));
    free(frame);
}

static void frames_drop(struct upstream_session *session, struct upstream_frames *frames)
{
    struct upstream_frame *frame;

    while ((frame = STAILQ_TAKE(frames, link)) != NULL) {
        count(session->upstream, COMET_UPSTREAM_DROPPED, 1);
        frame_free(session, frame);
    }
}

struct upstream_body {
    const uint8_t *data;
    size_t len;
    bool json;
};

/* What the business gets. Of JSON mode: the text of a string, so that it is the same as over TCP;
 * the bytes of any other value as they came. False: it cannot be read. */
static bool body_of(const struct client_request *request, struct upstream_body *body)
{
    *body = (struct upstream_body){.data = request->body, .len = request->body_len};
    if (request->kind == BODY_NONE) {
        body->len = 0;
    } else if (request->kind == BODY_OBJECT || request->kind == BODY_OTHER) {
        body->data = json_find_member(request->json, request->json_len, "body", &body->len);
        body->json = true;
        return body->data != NULL;
    }
    return true;
}

static void frame_add(struct upstream_session *session, struct conn *conn,
                      const struct client_request *request, const struct upstream_body *body,
                      int32_t reply_op)
{
    size_t room_len;
    const char *room = room_name(conn->main.room, &room_len);
    struct upstream_frame *frame = mem_alloc(sizeof *frame + room_len + 1 + body->len);

    *frame = (struct upstream_frame){
        .time_ms = time_unix_ms(),
        .op = request->op,
        .seq = request->seq,
        .reply_op = reply_op,
        .version = request->version,
        .json = body->json,
        .room_len = (uint8_t)room_len,
        .body_len = (uint32_t)body->len,
    };
    memcpy(frame->data, room, room_len);
    frame->data[room_len] = '\0';
    if (body->len > 0)
        memcpy(frame->data + room_len + 1, body->data, body->len);
    STAILQ_INSERT_TAIL(&session->frames, frame, link);
    session->n++;
    session->bytes += frame_bytes(frame);
    session->upstream->bytes += frame_bytes(frame);
    count(session->upstream, COMET_UPSTREAM_WAITING, 1);
    count(session->upstream, COMET_UPSTREAM_BYTES, (int64_t)frame_bytes(frame));
}

/* --- a group: what logic is asked to take --- */

static void group_fill(struct upstream_session *session)
{
    struct upstream_group *group = &session->group;
    struct upstream_frame *frame;

    group->n = group->bytes = 0;
    while (group->bytes < GROUP_BYTES && (frame = STAILQ_TAKE(&session->frames, link)) != NULL) {
        STAILQ_INSERT_TAIL(&group->frames, frame, link);
        group->n++;
        group->bytes += frame_bytes(frame);
    }
}

static void group_reply(struct upstream_session *session, uint32_t taken,
                        const struct logic_answer *answer)
{
    struct upstream_group *group = &session->group;
    const struct upstream_reply *reply = answer->replies;
    const struct upstream_reply *end = answer->n_replies > 0 ? reply + answer->n_replies : reply;
    struct upstream_frame *frame;

    for (uint32_t i = 0; i < taken && (frame = STAILQ_TAKE(&group->frames, link)) != NULL; i++) {
        struct conn *conn = conn_of(session);
        while (reply < end && reply->frame < i)
            reply++;
        bool has = reply < end && reply->frame == i;
        if (conn != NULL)
            conn_reply(conn, frame->version, frame->reply_op, frame->seq, has ? reply->body : NULL,
                       has ? reply->len : 0);
        count(session->upstream, COMET_UPSTREAM_TAKEN, 1);
        group->first++;
        frame_free(session, frame);
    }
}

/* What was not taken goes first in the next group. */
static void group_take_back(struct upstream_session *session)
{
    struct upstream_frames all = STAILQ_HEAD_INITIALIZER(all);

    STAILQ_CONCAT(&all, &session->group.frames);
    STAILQ_CONCAT(&all, &session->frames);
    STAILQ_CONCAT(&session->frames, &all);
}

static void session_give_up(struct upstream_session *session, enum close_code code,
                            const char *reason)
{
    struct conn *conn = conn_of(session);

    frames_drop(session, &session->frames);
    session->dropped = true;
    if (conn != NULL)
        conn_kick(conn, code, reason);
}

/* IDLE, READY or RESTING: by what is left. */
static void session_goes_on(struct upstream_session *session)
{
    struct conn *conn = conn_of(session);

    if (conn != NULL && !is_full(session))
        conn_let_go(conn, HELD_BY_UPSTREAM);
    if (session->n > 0) {
        session_enter(session, session->why != NULL ? SESSION_RESTING : SESSION_READY);
        return;
    }
    session_enter(session, SESSION_IDLE);
    if (session->gone)
        session_free(session);
}

static const char *why_not(const struct logic_answer *answer)
{
    if (!answer->answered)
        return "no logic answered";
    return answer->status == LOGIC_OK ? NULL : "neither Kafka nor the business confirmed it";
}

static void group_done(struct worker *worker, struct logic_request *request,
                       const struct logic_answer *answer)
{
    struct upstream_group *group = request->upstream;
    struct upstream_session *session = container_of(group, struct upstream_session, group);
    uint32_t taken = answer->answered ? answer->taken : 0;

    (void)worker;
    if (answer->answered && answer->status == LOGIC_NOT_CONFIGURED) {
        count(session->upstream, COMET_UPSTREAM_UNHANDLED, (int64_t)group->n);
        taken = UINT32_MAX;
    }
    session->why = why_not(answer);
    if (taken > 0)
        session_moves(session);
    group_reply(session, taken, answer);
    if (STAILQ_EMPTY(&group->frames))
        session->why = NULL;
    else if (session->why != NULL)
        count(session->upstream, COMET_UPSTREAM_AGAIN, 1);
    group_take_back(session);
    if (answer->answered && answer->status == LOGIC_TOO_LARGE)
        session_give_up(session, CLOSE_BODY_TOO_LARGE,
                        "the business takes no body of that size (operation 4)");
    else if (answer->answered && answer->status == LOGIC_REFUSED)
        session_give_up(session, CLOSE_MALFORMED,
                        "the business refuses what was sent (operation 4)");
    else if (session->dropped || session->upstream->closed)
        frames_drop(session, &session->frames);
    session_goes_on(session);
}

static void session_ask(struct upstream_session *session)
{
    struct upstream *upstream = session->upstream;
    uint64_t timeout = (uint64_t)upstream->worker->config->upstream_timeout_ms;
    struct logic_request *request = logic_requests_new(upstream->link, REQUEST_UPSTREAM);

    group_fill(session);
    session_enter(session, SESSION_ASKING);
    request->handle = session->handle;
    request->uid = session->uid;
    request->upstream = &session->group;
    request->deadline_ms = session->since_ms + timeout;
    request->done = group_done;
    logic_requests_send(upstream->link, request);
}

static void on_flush(struct loop *loop, struct loop_task *task)
{
    struct upstream *upstream = container_of(task, struct upstream, flush);
    struct upstream_session *session;

    (void)loop;
    if (upstream->closed)
        return;
    while ((session = STAILQ_TAKE(&upstream->ready, queue)) != NULL)
        session_ask(session);
}

/* --- time --- */

static void session_times_out(struct upstream_session *session)
{
    int64_t timeout = session->upstream->worker->config->upstream_timeout_ms;
    char why[160];

    (void)snprintf(why, sizeof why,
                   "what was sent to the business was not taken within %" PRId64
                   " ms (%s): connect and send it again",
                   timeout, session->why != NULL ? session->why : "no logic answered");
    if (session->state == SESSION_READY)
        STAILQ_REMOVE(&session->upstream->ready, session, upstream_session, queue);
    else if (session->state == SESSION_RESTING)
        STAILQ_REMOVE(&session->upstream->resting, session, upstream_session, queue);
    session_moves(session); /* it is not looked at again before another timeout */
    if (!session->dropped)
        count(session->upstream, COMET_UPSTREAM_TIMEOUTS, 1);
    session_give_up(session, CLOSE_UNAVAILABLE, why);
    if (session->state != SESSION_ASKING)
        session_goes_on(session);
}

static void on_tick(uv_timer_t *tick)
{
    struct upstream *upstream = container_of(tick, struct upstream, tick);
    uint64_t now = now_ms(upstream);
    uint64_t timeout = (uint64_t)upstream->worker->config->upstream_timeout_ms;
    struct upstream_session *session;

    while ((session = TAILQ_FIRST(&upstream->busy)) != NULL && session->since_ms + timeout <= now)
        session_times_out(session);
    while ((session = STAILQ_FIRST(&upstream->resting)) != NULL && session->retry_ms <= now) {
        STAILQ_REMOVE_HEAD(&upstream->resting, queue);
        session_enter(session, SESSION_READY);
    }
    if (TAILQ_EMPTY(&upstream->busy))
        uv_timer_stop(tick);
}

/* --- clients --- */

/* False: the client was kicked. */
static bool body_is_taken(struct upstream *upstream, struct conn *conn,
                          const struct client_request *request, struct upstream_body *body)
{
    size_t most = 2 * (size_t)upstream->worker->config->upstream_max_waiting;

    if (!body_of(request, body)) {
        conn_kick(conn, CLOSE_MALFORMED, "JSON: body is nested too deep");
        return false;
    }
    if (body->len > conn_max_body(conn)) {
        conn_kick_too_large(conn);
        return false;
    }
    if (upstream->bytes > most) { /* more than many clients together may have waiting */
        count(upstream, COMET_UPSTREAM_REFUSED, 1);
        conn_kick(conn, CLOSE_UNAVAILABLE, "too much waits for the business, try again");
        return false;
    }
    return true;
}

void upstream_take(struct conn *conn, const struct client_request *request, int32_t reply_op)
{
    struct upstream *upstream = conn->worker->upstream;
    struct upstream_body body;

    loop_assert_owner(&conn->worker->loop);
    if (!upstream->on) {
        count(upstream, COMET_UPSTREAM_UNHANDLED, 1);
        conn_reply(conn, request->version, reply_op, request->seq, NULL, 0);
        return;
    }
    if (!body_is_taken(upstream, conn, request, &body))
        return;
    struct upstream_session *session =
        conn->upstream ? session_of(upstream, conn) : session_new(upstream, conn);
    frame_add(session, conn, request, &body, reply_op);
    if (session->state == SESSION_IDLE) {
        session_moves(session);
        session_enter(session, SESSION_READY);
    }
    if (is_full(session))
        conn_hold(conn, HELD_BY_UPSTREAM);
}

void upstream_conn_closed(struct conn *conn)
{
    struct upstream_session *session;

    loop_assert_owner(&conn->worker->loop);
    if (!conn->upstream)
        return;
    session = session_of(conn->worker->upstream, conn);
    assert(session != NULL); /* conn->upstream says that it is there */
    map64_del(session->upstream->sessions, conn->handle);
    conn->upstream = false;
    session->gone = true;
    if (session->state == SESSION_IDLE)
        session_free(session);
}

/* --- life --- */

void upstream_update(struct upstream *upstream)
{
    loop_assert_owner(&upstream->worker->loop);
    if (upstream->link != NULL)
        logic_requests_update(upstream->link);
}

void upstream_told(struct worker *worker, bool on)
{
    struct upstream *upstream = worker->upstream;
    const struct logic_link options = {
        .slow = true,
        .window = LINK_WINDOW,
        .call = PIPE_UPSTREAM,
        .timeout_ms = (int)worker->config->upstream_timeout_ms + LOGIC_SLACK_MS,
    };

    loop_assert_owner(&worker->loop);
    if (upstream == NULL) /* the loop ends */
        return;
    upstream->on = on;
    frontend_read_little(worker, on);
    if (upstream->link == NULL) {
        upstream->link = logic_requests_open(worker, &options);
        logic_requests_update(upstream->link);
    }
}

size_t upstream_pending(const struct upstream *upstream)
{
    return upstream->asking;
}

struct upstream *upstream_open(struct worker *worker)
{
    struct upstream *upstream = mem_zalloc(sizeof *upstream);

    loop_assert_owner(&worker->loop);
    upstream->worker = worker;
    upstream->sessions = map64_new();
    upstream->flush.run = on_flush;
    TAILQ_INIT(&upstream->busy);
    STAILQ_INIT(&upstream->ready);
    STAILQ_INIT(&upstream->resting);
    uv_timer_init(&worker->loop.uv, &upstream->tick);
    uv_timer_start(&upstream->tick, on_tick, TICK_MS, TICK_MS);
    return upstream;
}

static void on_tick_closed(uv_handle_t *tick)
{
    free(container_of((uv_timer_t *)tick, struct upstream, tick));
}

void upstream_close(struct upstream *upstream)
{
    struct upstream_session *session;

    if (upstream == NULL)
        return;
    loop_assert_owner(&upstream->worker->loop);
    upstream->closed = true;
    if (upstream->link != NULL)
        logic_requests_close(upstream->link); /* what is under way comes back, and is dropped */
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): one that is freed has left the list */
    while ((session = TAILQ_FIRST(&upstream->busy)) != NULL)
        session_times_out(session); /* NOLINT(clang-analyzer-unix.Malloc) */
    map64_free(upstream->sessions);
    upstream->worker->upstream = NULL;
    uv_close((uv_handle_t *)&upstream->tick, on_tick_closed);
}
