#include "comet/session/reregister.h"
#include "comet/cluster_view.h"
#include "comet/comet.h"
#include "comet/fanout/room.h"
#include "comet/net/conn.h"
#include "comet/peers/logic_requests.h"
#include "comet/session/handle_table.h"
#include "comet/session/session.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 100, SLICE = 512, OUTSTANDING_MAX = 8192, DISCONNECTS_MAX = 1000 };

enum registrar_state {
    REGISTRAR_IDLE,      /* no router is known, or our lease is not held yet */
    REGISTRAR_WALKING,   /* going over the table, or waiting for answers, or for another try */
    REGISTRAR_ANNOUNCED, /* Registered is unanswered */
    REGISTRAR_COMPLETE,
};

/* A Disconnect that routers have not carried out. */
struct departed {
    uint64_t handle;
    int64_t uid;
};

struct registrar {
    struct worker *worker;
    enum registrar_state state;
    struct view *valid;           /* conn->registered speaks of the owners in this view */
    uint64_t generation;          /* of that: answers to what was asked before it prove nothing */
    size_t cursor;                /* next table slot */
    bool walked;                  /* the end of the table was reached */
    size_t outstanding;           /* Registers that are unanswered, of whichever generation */
    size_t refused;               /* of this walk */
    struct request *announcement; /* REGISTRAR_ANNOUNCED */
    struct departed *owed;
    size_t n_owed, cap_owed;
    struct loop_task walk;
    uv_timer_t retry;
};

static void registrar_on_retry(uv_timer_t *timer);
static void registrar_step(struct registrar *registrar);

static void registrar_retry_later(struct registrar *registrar)
{
    if (!uv_is_active((uv_handle_t *)&registrar->retry))
        uv_timer_start(&registrar->retry, registrar_on_retry, RETRY_MS, 0);
}

/* What was to be announced no longer holds: it must not be sent any more. */
static void registrar_take_back(struct registrar *registrar)
{
    if (registrar->announcement != NULL)
        registrar->announcement->cancelled = true;
    registrar->announcement = NULL;
}

static void registrar_restart(struct registrar *registrar)
{
    registrar_take_back(registrar);
    registrar->state = REGISTRAR_WALKING;
    registrar->cursor = 0;
    registrar->walked = false;
    registrar->refused = 0;
    loop_defer(&registrar->worker->loop, &registrar->walk);
}

static bool answer_is_current(const struct worker *worker, const struct answer *answer)
{
    return answer->answered && answer->ring != 0 && answer->ring == worker->view->ring_hash &&
           answer->epoch == worker->view->comet_epoch;
}

/* --- announcing --- */

static void announced(struct worker *worker, struct request *request, const struct answer *answer)
{
    struct registrar *registrar = worker->registrar;

    if (request != registrar->announcement)
        return; /* taken back */
    registrar->announcement = NULL;
    if (answer->status == IMC__V1__LOGIC_STATUS__OK && answer_is_current(worker, answer)) {
        registrar->state = REGISTRAR_COMPLETE;
        log_debug("sessions registered", "loop=%d sessions=%zu", worker->loop.index,
                  worker->sessions);
        return;
    }
    registrar->state = REGISTRAR_WALKING;
    registrar->refused++;
    registrar_step(registrar);
}

static void registrar_announce(struct registrar *registrar)
{
    struct request *request = logic_link_request(registrar->worker->logic, REQUEST_REGISTERED);

    request->done = announced;
    registrar->announcement = request;
    registrar->state = REGISTRAR_ANNOUNCED;
    logic_link_send(registrar->worker->logic, request);
}

/* What is next, once the table was walked and everything was answered: announce, or go over what
 * was refused once more. */
static void registrar_step(struct registrar *registrar)
{
    if (registrar->state != REGISTRAR_WALKING || !registrar->walked || registrar->outstanding > 0)
        return;
    if (registrar->refused > 0)
        registrar_retry_later(registrar);
    else
        registrar_announce(registrar);
}

/* --- registering --- */

static void conn_is_registered(struct conn *conn)
{
    metric_add(conn->worker->counters, COMET_REGISTERED, 1);
    conn->registered = true;
    if (!conn->missed)
        return;
    conn->missed = false;
    session_refetch(conn);
}

static void register_done(struct worker *worker, struct request *request,
                          const struct answer *answer)
{
    struct registrar *registrar = worker->registrar;
    struct conn *conn = table_find(worker->table, request->handle);
    bool ok = answer->answered && answer->status == IMC__V1__LOGIC_STATUS__OK;

    registrar->outstanding--;
    if (conn == NULL) {
        /* It has left meanwhile, and its Disconnect may have overtaken this. */
        if (ok)
            registrar_disconnect(registrar, request->handle, request->uid);
    } else if (request->after == registrar->generation && !conn->registered) {
        if (ok && answer_is_current(worker, answer))
            conn_is_registered(conn);
        else
            registrar->refused++;
    }
    if (registrar->state == REGISTRAR_WALKING && !registrar->walked &&
        registrar->outstanding <= OUTSTANDING_MAX / 2)
        loop_defer(&worker->loop, &registrar->walk);
    registrar_step(registrar);
}

static void register_conn(struct registrar *registrar, struct conn *conn)
{
    struct logic_link *logic = registrar->worker->logic;
    struct request *request = logic_link_request(logic, REQUEST_REGISTER);
    size_t len;
    const char *room = room_name(conn->room, &len);

    request->handle = conn->handle;
    request->uid = conn->uid;
    request->bytes = mem_strndup(room, len);
    request->bytes_len = len;
    request->after = registrar->generation;
    request->done = register_done;
    registrar->outstanding++;
    logic_link_send(logic, request);
}

static void registrar_walk(struct loop *loop, struct loop_task *task)
{
    struct registrar *registrar = container_of(task, struct registrar, walk);
    struct worker *worker = registrar->worker;
    size_t slots = table_slots(worker->table), seen = 0;

    if (registrar->state != REGISTRAR_WALKING || registrar->walked)
        return;
    while (registrar->cursor < slots && seen++ < SLICE) {
        if (registrar->outstanding >= OUTSTANDING_MAX)
            return; /* register_done() goes on */
        struct conn *conn = table_at(worker->table, registrar->cursor++);
        if (conn != NULL && conn->counted && !conn->registered)
            register_conn(registrar, conn);
    }
    if (registrar->cursor < slots) {
        loop_defer(loop, task);
        return;
    }
    /* Whoever comes from now on is registrar_admitted()'s. */
    registrar->walked = true;
    registrar_step(registrar);
}

/* Which of the registered sessions have another owner now, and which of them others took for dead.
 * In one go: half a microsecond each, and only when routers change. */
static void registrar_forget_moved(struct registrar *registrar, const struct view *view)
{
    struct worker *worker = registrar->worker;
    const struct view *valid = registrar->valid;
    bool lapsed = view->lapsed && view->comet_epoch != valid->comet_epoch;

    if (lapsed)
        registrar->n_owed = 0; /* forgotten with the epoch */
    for (size_t slot = 0; slot < table_slots(worker->table); slot++) {
        struct conn *conn = table_at(worker->table, slot);
        if (conn == NULL || !conn->counted)
            continue;
        conn->missed = conn->missed || lapsed;
        if (conn->registered && !view_same_owner(valid, view, conn->uid))
            conn->registered = false;
    }
}

void registrar_update(struct registrar *registrar)
{
    struct view *view = registrar->worker->view;

    if (view->ring_hash == 0 || view->comet_epoch == 0) {
        registrar_take_back(registrar);
        registrar->state = REGISTRAR_IDLE;
        return;
    }
    bool same = registrar->valid != NULL && registrar->valid->ring_hash == view->ring_hash &&
                registrar->valid->comet_epoch == view->comet_epoch;
    if (same && registrar->state != REGISTRAR_IDLE)
        return;
    if (registrar->valid != NULL)
        registrar_forget_moved(registrar, view);
    view_unref(registrar->valid);
    registrar->valid = view_ref(view);
    registrar->generation++;
    registrar_restart(registrar);
}

void registrar_admitted(struct registrar *registrar, struct conn *conn, const struct answer *answer)
{
    conn->registered = answer_is_current(registrar->worker, answer);
    conn->missed = !conn->registered;
    if (conn->registered || registrar->state == REGISTRAR_IDLE)
        return;
    /* Logic saw other routers than we do. Ours may have called its user away meanwhile, hence
     * `missed`; and not everybody is registered any more. */
    if (registrar->state != REGISTRAR_WALKING) {
        registrar_take_back(registrar);
        registrar->state = REGISTRAR_WALKING;
    }
    register_conn(registrar, conn);
}

void registrar_closed(struct registrar *registrar, struct conn *conn)
{
    (void)registrar;
    conn->registered = false;
}

/* --- disconnecting --- */

static void disconnected(struct worker *worker, struct request *request,
                         const struct answer *answer)
{
    struct registrar *registrar = worker->registrar;

    if (!answer->answered || answer->status == IMC__V1__LOGIC_STATUS__OK ||
        answer->epoch != worker->view->comet_epoch)
        return;
    if (registrar->n_owed == registrar->cap_owed) {
        registrar->cap_owed = registrar->cap_owed == 0 ? 16 : registrar->cap_owed * 2;
        registrar->owed =
            mem_realloc(registrar->owed, registrar->cap_owed * sizeof *registrar->owed);
    }
    registrar->owed[registrar->n_owed++] = (struct departed){request->handle, request->uid};
    registrar_retry_later(registrar);
}

void registrar_disconnect(struct registrar *registrar, uint64_t handle, int64_t uid)
{
    struct logic_link *logic = registrar->worker->logic;
    struct request *request = logic_link_request(logic, REQUEST_DISCONNECT);

    request->handle = handle;
    request->uid = uid;
    request->done = disconnected;
    logic_link_send(logic, request);
}

/* --- another try --- */

static void registrar_on_retry(uv_timer_t *timer)
{
    struct registrar *registrar = timer->data;

    for (int i = 0; i < DISCONNECTS_MAX && registrar->n_owed > 0; i++) {
        struct departed owed = registrar->owed[--registrar->n_owed];
        registrar_disconnect(registrar, owed.handle, owed.uid);
    }
    if (registrar->n_owed > 0)
        registrar_retry_later(registrar);
    if (registrar->state == REGISTRAR_WALKING && registrar->walked && registrar->outstanding == 0 &&
        registrar->refused > 0)
        registrar_restart(registrar);
}

bool registrar_complete(const struct registrar *registrar)
{
    return registrar->state == REGISTRAR_COMPLETE;
}

struct registrar *registrar_open(struct worker *worker)
{
    struct registrar *registrar = mem_zalloc(sizeof *registrar);

    registrar->worker = worker;
    registrar->walk.run = registrar_walk;
    uv_timer_init(&worker->loop.uv, &registrar->retry);
    registrar->retry.data = registrar;
    return registrar;
}

static void registrar_on_closed(uv_handle_t *handle)
{
    struct registrar *registrar = handle->data;

    view_unref(registrar->valid);
    free(registrar->owed);
    free(registrar);
}

void registrar_close(struct registrar *registrar)
{
    registrar->state = REGISTRAR_IDLE;
    uv_close((uv_handle_t *)&registrar->retry, registrar_on_closed);
}
