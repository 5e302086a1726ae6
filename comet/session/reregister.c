#include "comet/session/reregister.h"
#include "comet/base/cluster_view.h"
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/fanout/room.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/goim_client.h"
#include "comet/net/handle_table.h"
#include "comet/session/acks.h"
#include "comet/session/room_reports.h"
#include "comet/session/token_ends.h"
#include "common/base/array.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/protocol/goim_key.h"
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_MS = 100,
    SLICE = 512,
    OUTSTANDING_MAX = 8192,
    DISCONNECTS_MAX = 1000,
    REFRESH_MS = 1000
};

enum registrar_state {
    REREGISTER_IDLE,      /* no router is known, or our lease is not held yet */
    REREGISTER_WALKING,   /* going over the table, or waiting for answers, or for another try */
    REREGISTER_ANNOUNCED, /* Registered is unanswered */
    REREGISTER_COMPLETE,
};

/* A session that ended, and whose Disconnect failed. */
struct departed {
    uint64_t handle;
    int64_t uid;
};

struct reregister {
    struct worker *worker;
    void (*refetch)(struct conn *conn);
    enum registrar_state state;
    struct cluster_view *valid;         /* conn->registered is about the owners in this view */
    uint64_t generation;                /* of `valid`: answers to older requests prove nothing */
    size_t cursor;                      /* next table slot */
    bool walked;                        /* the end of the table was reached */
    size_t outstanding;                 /* unanswered Registers, of any generation */
    size_t refused;                     /* Registers refused in this walk */
    struct logic_request *announcement; /* REREGISTER_ANNOUNCED */
    struct departed *owed;
    size_t n_owed, cap_owed;
    struct loop_task walk;
    uv_timer_t retry;
    uv_timer_t refresh;    /* runs once there was a client with a key of its own */
    size_t refresh_cursor; /* next table slot */
};

static void reregister_on_retry(uv_timer_t *timer);
static void reregister_step(struct reregister *reregister);

static void reregister_retry_later(struct reregister *reregister)
{
    if (!uv_is_active((uv_handle_t *)&reregister->retry))
        uv_timer_start(&reregister->retry, reregister_on_retry, RETRY_MS, 0);
}

/* Cancels the announcement, which is no longer true. */
static void reregister_take_back(struct reregister *reregister)
{
    if (reregister->announcement != NULL)
        reregister->announcement->cancelled = true;
    reregister->announcement = NULL;
}

static void reregister_restart(struct reregister *reregister)
{
    reregister_take_back(reregister);
    reregister->state = REREGISTER_WALKING;
    reregister->cursor = 0;
    reregister->walked = false;
    reregister->refused = 0;
    loop_defer(&reregister->worker->loop, &reregister->walk);
}

static bool answer_is_current(const struct worker *worker, const struct logic_answer *answer)
{
    return answer->answered && answer->ring != 0 && answer->ring == worker->view->ring_hash &&
           answer->epoch == worker->view->comet_epoch;
}

/* --- announcing --- */

static void announced(struct worker *worker, struct logic_request *request,
                      const struct logic_answer *answer)
{
    struct reregister *reregister = worker->reregister;

    if (request != reregister->announcement)
        return; /* taken back */
    reregister->announcement = NULL;
    if (answer->status == LOGIC_OK && answer_is_current(worker, answer)) {
        reregister->state = REREGISTER_COMPLETE;
        log_debug("sessions registered", "loop=%d sessions=%zu", worker->loop.index,
                  worker->sessions);
        return;
    }
    reregister->state = REREGISTER_WALKING;
    reregister->refused++;
    reregister_step(reregister);
}

static void reregister_announce(struct reregister *reregister)
{
    struct logic_request *request =
        logic_requests_new(reregister->worker->logic, REQUEST_REGISTERED);

    request->done = announced;
    reregister->announcement = request;
    reregister->state = REREGISTER_ANNOUNCED;
    logic_requests_send(reregister->worker->logic, request);
}

/* When the table was walked and all is answered: announces, or registers once more what was
 * refused. */
static void reregister_step(struct reregister *reregister)
{
    if (reregister->state != REREGISTER_WALKING || !reregister->walked ||
        reregister->outstanding > 0)
        return;
    if (reregister->refused > 0)
        reregister_retry_later(reregister);
    else
        reregister_announce(reregister);
}

/* --- registering --- */

static void conn_is_registered(struct conn *conn)
{
    metric_add(conn->worker->counters, COMET_REGISTERED, 1);
    conn->registered = true;
    if (!conn->missed)
        return;
    conn->missed = false;
    conn->worker->reregister->refetch(conn);
}

/* It was revoked while others took this comet for dead. */
static void conn_is_revoked(struct conn *conn, const struct logic_answer *answer)
{
    uint32_t code = answer->revoked <= CLOSE_UNKNOWN_OP ? answer->revoked : CLOSE_KICKED;

    conn->registered = true; /* until it has gone */
    conn->missed = false;
    if (conn->state != CONN_OPEN && conn->state != CONN_CONNECTING)
        return;
    metric_add(conn->worker->counters, COMET_ORDERED_ENDED, 1);
    conn_kick(conn, (enum close_code)code, answer->revoked_why);
}

static void register_done(struct worker *worker, struct logic_request *request,
                          const struct logic_answer *answer)
{
    struct reregister *reregister = worker->reregister;
    struct conn *conn = handle_table_find(worker->table, request->handle);
    bool ok = answer->answered && answer->status == LOGIC_OK;

    reregister->outstanding--;
    if (conn == NULL) {
        /* The session ended meanwhile, and its Disconnect may have overtaken its Register. A router
         * that did not answer logic in time may have taken that. */
        if (ok || answer->status == LOGIC_UNAVAILABLE)
            reregister_disconnect(reregister, request->handle, request->uid);
    } else if (request->after == reregister->generation && !conn->registered) {
        if (ok && answer->revoked != CLOSE_NONE)
            conn_is_revoked(conn, answer);
        else if (ok && answer_is_current(worker, answer))
            conn_is_registered(conn);
        else
            reregister->refused++;
    }
    if (reregister->state == REREGISTER_WALKING && !reregister->walked &&
        reregister->outstanding <= OUTSTANDING_MAX / 2)
        loop_defer(&worker->loop, &reregister->walk);
    reregister_step(reregister);
}

static void register_conn(struct reregister *reregister, struct conn *conn)
{
    struct logic_requests *logic = reregister->worker->logic;
    struct logic_request *request = logic_requests_new(logic, REQUEST_REGISTER);
    size_t len;
    const char *room = room_name(conn->main.room, &len);

    request->handle = conn->handle;
    request->uid = conn->uid;
    request->bytes = mem_strndup(room, len);
    request->bytes_len = len;
    request->key = conn->goim != NULL ? mem_strdup(conn->goim->key) : NULL;
    request->acked = acks_of(conn) != NULL;
    request->after = reregister->generation;
    request->judge = conn->missed;
    if (conn->missed)
        request->token = token_ends_marks(conn);
    request->done = register_done;
    reregister->outstanding++;
    logic_requests_send(logic, request);
}

static void reregister_walk(struct loop *loop, struct loop_task *task)
{
    struct reregister *reregister = container_of(task, struct reregister, walk);
    struct worker *worker = reregister->worker;
    size_t slots = handle_table_slots(worker->table), seen = 0;

    if (reregister->state != REREGISTER_WALKING || reregister->walked)
        return;
    while (reregister->cursor < slots && seen++ < SLICE) {
        if (reregister->outstanding >= OUTSTANDING_MAX)
            return; /* register_done() goes on */
        struct conn *conn = handle_table_at(worker->table, reregister->cursor++);
        if (conn != NULL && conn->counted && !conn->registered)
            register_conn(reregister, conn);
    }
    if (reregister->cursor < slots) {
        loop_defer(loop, task);
        return;
    }
    /* Sessions that come from now on are registered by reregister_admitted(). */
    reregister->walked = true;
    reregister_step(reregister);
}

/* Notes which sessions have another owner now, and which of them others took for dead. All in one
 * turn: it takes half a microsecond each, and happens only when routers change. */
static void reregister_forget_moved(struct reregister *reregister, const struct cluster_view *view)
{
    struct worker *worker = reregister->worker;
    const struct cluster_view *valid = reregister->valid;
    bool lapsed = view->lapsed && view->comet_epoch != valid->comet_epoch;

    if (lapsed)
        reregister->n_owed = 0; /* routers forget the sessions with the epoch */
    for (size_t slot = 0; slot < handle_table_slots(worker->table); slot++) {
        struct conn *conn = handle_table_at(worker->table, slot);
        if (conn == NULL || !conn->counted)
            continue;
        conn->missed = conn->missed || lapsed;
        if (conn->registered && !cluster_view_same_owner(valid, view, conn->uid))
            conn->registered = false;
    }
}

void reregister_update(struct reregister *reregister)
{
    struct cluster_view *view = reregister->worker->view;

    loop_assert_owner(&reregister->worker->loop);
    if (view->ring_hash == 0 || view->comet_epoch == 0) {
        reregister_take_back(reregister);
        reregister->state = REREGISTER_IDLE;
        return;
    }
    bool same = reregister->valid != NULL && reregister->valid->ring_hash == view->ring_hash &&
                reregister->valid->comet_epoch == view->comet_epoch;
    if (same && reregister->state != REREGISTER_IDLE)
        return;
    if (reregister->valid != NULL)
        reregister_forget_moved(reregister, view);
    cluster_view_unref(reregister->valid);
    reregister->valid = cluster_view_ref(view);
    reregister->generation++;
    reregister_restart(reregister);
    room_reports_restate(reregister->worker->room_reports);
}

/* --- keys of goim's devices --- */

/* Logic forgets a client's key when it has not heard of it for long. Keys that logic has made up
 * are not kept anywhere. */
static bool has_own_key(const struct conn *conn)
{
    return conn->goim != NULL && !goim_key_is_made(conn->goim->key, NULL);
}

/* Goes over a part of the table, so that a whole round takes keys_refresh_ms. */
static void reregister_on_refresh(uv_timer_t *timer)
{
    struct reregister *reregister = container_of(timer, struct reregister, refresh);
    struct worker *worker = reregister->worker;
    uint64_t slots = handle_table_slots(worker->table), period = worker->keys_refresh_ms;

    uv_timer_start(timer, reregister_on_refresh, REFRESH_MS, 0);
    if (period == 0 || reregister->state == REREGISTER_IDLE)
        return;
    uint64_t n = slots * REFRESH_MS / period + 1;
    for (uint64_t i = 0; i < n && i < slots && reregister->outstanding < OUTSTANDING_MAX; i++) {
        if (reregister->refresh_cursor >= slots)
            reregister->refresh_cursor = 0;
        struct conn *conn = handle_table_at(worker->table, reregister->refresh_cursor++);
        if (conn != NULL && conn->registered && has_own_key(conn))
            register_conn(reregister, conn);
    }
}

void reregister_admitted(struct reregister *reregister, struct conn *conn,
                         const struct logic_answer *answer)
{
    loop_assert_owner(&reregister->worker->loop);
    conn->registered = answer_is_current(reregister->worker, answer);
    conn->missed = !conn->registered;
    if (has_own_key(conn) && !uv_is_active((uv_handle_t *)&reregister->refresh))
        uv_timer_start(&reregister->refresh, reregister_on_refresh, REFRESH_MS, 0);
    if (conn->registered || reregister->state == REREGISTER_IDLE)
        return;
    /* Logic saw other routers than we do. Ours may have taken the user for away meanwhile, hence
     * `missed`. We are not complete until CONN is registered. */
    if (reregister->state != REREGISTER_WALKING) {
        reregister_take_back(reregister);
        reregister->state = REREGISTER_WALKING;
    }
    register_conn(reregister, conn);
}

void reregister_closed(struct reregister *reregister, struct conn *conn)
{
    loop_assert_owner(&reregister->worker->loop);
    conn->registered = false;
}

/* --- disconnecting --- */

static void disconnected(struct worker *worker, struct logic_request *request,
                         const struct logic_answer *answer)
{
    struct reregister *reregister = worker->reregister;

    if (!answer->answered || answer->status == LOGIC_OK ||
        answer->epoch != worker->view->comet_epoch)
        return;
    ARRAY_ROOM(reregister->owed, reregister->n_owed, reregister->cap_owed, 16);
    reregister->owed[reregister->n_owed++] = (struct departed){request->handle, request->uid};
    reregister_retry_later(reregister);
}

void reregister_disconnect(struct reregister *reregister, uint64_t handle, int64_t uid)
{
    struct logic_requests *logic = reregister->worker->logic;
    struct logic_request *request = logic_requests_new(logic, REQUEST_DISCONNECT);

    loop_assert_owner(&reregister->worker->loop);
    request->handle = handle;
    request->uid = uid;
    request->done = disconnected;
    logic_requests_send(logic, request);
}

/* --- another try --- */

static void reregister_on_retry(uv_timer_t *timer)
{
    struct reregister *reregister = container_of(timer, struct reregister, retry);

    for (int i = 0; i < DISCONNECTS_MAX && reregister->n_owed > 0; i++) {
        struct departed owed = reregister->owed[--reregister->n_owed];
        reregister_disconnect(reregister, owed.handle, owed.uid);
    }
    if (reregister->n_owed > 0)
        reregister_retry_later(reregister);
    if (reregister->state == REREGISTER_WALKING && reregister->walked &&
        reregister->outstanding == 0 && reregister->refused > 0)
        reregister_restart(reregister);
}

bool reregister_complete(const struct reregister *reregister)
{
    return reregister->state == REREGISTER_COMPLETE;
}

struct reregister *reregister_open(struct worker *worker, void (*refetch)(struct conn *conn))
{
    struct reregister *reregister = mem_zalloc(sizeof *reregister);

    loop_assert_owner(&worker->loop);
    reregister->worker = worker;
    reregister->refetch = refetch;
    reregister->walk.run = reregister_walk;
    uv_timer_init(&worker->loop.uv, &reregister->retry);
    uv_timer_init(&worker->loop.uv, &reregister->refresh);
    return reregister;
}

static void reregister_on_closed(uv_handle_t *handle)
{
    struct reregister *reregister = container_of(handle, struct reregister, retry);

    cluster_view_unref(reregister->valid);
    free(reregister->owed);
    free(reregister);
}

static void reregister_on_refresh_closed(uv_handle_t *handle)
{
    struct reregister *reregister = container_of(handle, struct reregister, refresh);

    uv_close((uv_handle_t *)&reregister->retry, reregister_on_closed);
}

void reregister_close(struct reregister *reregister)
{
    loop_assert_owner(&reregister->worker->loop);
    reregister->state = REREGISTER_IDLE;
    uv_timer_stop(&reregister->retry);
    uv_close((uv_handle_t *)&reregister->refresh, reregister_on_refresh_closed);
}
