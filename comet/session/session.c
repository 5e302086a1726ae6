#include "comet/session/session.h"
#include "comet/base/cluster_view.h"
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/fanout/room.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/catchup.h"
#include "comet/session/reregister.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include <stdlib.h>
#include <string.h>

enum { FETCH_RETRY_MS = 500, POKE_WAIT_MS = 5000 };

static void catchup_step(struct conn *conn);
static void catchup_deliver(struct conn *conn);

static struct catchup *session_catchup(struct conn *conn, enum catchup_mode mode)
{
    if (conn->catchup == NULL)
        conn->catchup = catchup_new(conn, mode);
    return conn->catchup;
}

static void session_up_to_date(struct conn *conn)
{
    struct catchup *catchup = conn->catchup;

    conn->catchup = NULL;
    wheel_cancel(conn->worker->session_wheel, &catchup->timer);
    catchup_free(catchup);
}

static void session_confirm(struct conn *conn, uint64_t id)
{
    struct logic_confirm confirm = {
        .how = CONFIRM_WRITTEN, .uid = conn->uid, .handle = conn->handle};
    logic_requests_confirm(conn->worker->logic, &confirm, id);
}

/* A message from the mailbox leaves it when the kernel has it. If the connection ends first, it
 * stays there. */
static void waiting_done(void *owner, uint64_t id, struct conn *conn, enum ticket_result result)
{
    struct worker *worker = owner;

    if (result != TICKET_WRITTEN)
        return;
    metric_add(worker->counters, COMET_DELIVERIES_WAITING, 1);
    session_confirm(conn, id);
}

static const struct ticket_ops waiting_ops = {.done = waiting_done, .in_mailbox = true};

/* What the session was waiting for has come in one way or another. */
static void session_stop_awaiting(struct conn *conn)
{
    struct catchup *catchup = conn->catchup;

    if (catchup->awaits_poke)
        wheel_cancel(conn->worker->session_wheel, &catchup->timer);
    catchup->awaits_poke = false;
}

/* Hands a message back to job. */
static void session_drop(struct conn *conn, uint64_t id, const struct ticket *ticket)
{
    catchup_drop(conn->catchup, id, loop_now_ms(&conn->worker->loop) + POKE_WAIT_MS);
    ticket_done(ticket, conn, TICKET_DROPPED);
}

/* --- the mailbox as the place for what a slow socket does not take --- */

static void store_done(struct worker *worker, struct logic_request *request,
                       const struct logic_answer *answer)
{
    struct conn *conn = handle_table_find(worker->table, request->handle);
    bool stored = answer->answered && answer->status == LOGIC_OK;

    if (conn != NULL && conn->catchup != NULL)
        catchup_stored(conn->catchup, request->push.id);
    if (conn == NULL || conn->catchup == NULL || conn->state != CONN_OPEN) {
        /* Nobody will fetch it for this session any more: job settles it, and whoever is there is
         * poked. */
        ticket_done(&request->ticket, conn, TICKET_DROPPED);
        return;
    }
    struct catchup *catchup = conn->catchup;
    if (stored) {
        metric_add(worker->counters, COMET_SPILLED, 1);
        catchup_want(catchup, request->push.id);
        catchup_put(catchup, request->push.id);
        ticket_done(&request->ticket, conn, TICKET_STORED);
    } else {
        metric_add(worker->counters, COMET_SPILL_FAILED, 1);
        session_drop(conn, request->push.id, &request->ticket);
    }
    catchup_step(conn);
}

static void catchup_store(struct conn *conn, const struct push *push, struct ticket ticket)
{
    struct worker *worker = conn->worker;
    struct logic_request *request = logic_requests_new(worker->logic, REQUEST_STORE);

    request->handle = conn->handle;
    request->uid = conn->uid;
    request->push = *push;
    backing_ref(push->backing);
    request->ticket = ticket;
    request->deadline_ms = loop_now_ms(&worker->loop) + (uint64_t)worker->config->connect_ms;
    request->done = store_done;
    catchup_storing(conn->catchup, push->id);
    logic_requests_send(worker->logic, request);
}

/* What was on its way to the socket goes to the mailbox; what came from there is still in it. */
static void catchup_spill_one(struct conn *conn, const struct push *push, struct ticket ticket)
{
    if (ticket_in_mailbox(&ticket))
        catchup_want_again(conn->catchup, push->id);
    else
        catchup_store(conn, push, ticket);
}

static void catchup_spill(struct conn *conn)
{
    struct catchup *catchup = conn->catchup;
    struct held *held;

    catchup->mode = CATCHUP_SPILLING;
    catchup->more = false;
    catchup->fetch_void = catchup->fetch_asked;
    catchup_put(catchup, 1);
    session_stop_awaiting(conn);
    wheel_cancel(conn->worker->session_wheel, &catchup->timer);
    while ((held = catchup_pop(catchup)) != NULL) {
        catchup_spill_one(conn, &held->push, held->ticket);
        held_free(held);
    }
}

static void spill_queued(struct ticket *ticket, void *arg)
{
    struct conn *conn = arg;
    struct push push;

    if (ticket_in_mailbox(ticket))
        catchup_want_again(conn->catchup, ticket->arg);
    else if (ticket_push(ticket, &push))
        catchup_store(conn, &push, *ticket);
    else
        ticket_done(ticket, conn, TICKET_DROPPED);
}

static void begun_done(void *owner, uint64_t id, struct conn *conn, enum ticket_result result)
{
    struct worker *worker = owner;

    (void)id, (void)conn;
    if (result == TICKET_WRITTEN)
        metric_add(worker->counters, COMET_DELIVERIES_WAITING, 1);
}

static const struct ticket_ops begun_ops = {.done = begun_done};

/* A message of which a part has left cannot be taken back, and nobody knows when its rest will
 * leave. It is stored like the others, for job must not wait for one phone; but when it is fetched,
 * its rest has left, and it is only confirmed. */
static void spill_begun(struct conn *conn)
{
    struct ticket *ticket = conn_begun_ticket(conn);
    struct push push;

    if (ticket == NULL || !ticket_push(ticket, &push))
        return;
    struct ticket job = *ticket;
    *ticket = (struct ticket){.ops = &begun_ops, .owner = conn->worker, .arg = push.id};
    conn->catchup->begun = push.id;
    catchup_store(conn, &push, job);
}

void session_stalled(struct conn *conn)
{
    if (conn->state != CONN_OPEN)
        return;
    struct catchup *catchup = session_catchup(conn, CATCHUP_SPILLING);
    /* In the order of age: the queue is older than what is held. */
    spill_begun(conn);
    conn_take_queued(conn, spill_queued, conn);
    if (conn->catchup == catchup)
        catchup_spill(conn);
}

void session_drained(struct conn *conn)
{
    if (conn->catchup == NULL || conn->catchup->mode != CATCHUP_SPILLING ||
        conn->state != CONN_OPEN)
        return;
    conn->catchup->mode = CATCHUP_FETCHING;
    catchup_step(conn);
}

/* --- reading the mailbox --- */

static void catchup_read_whole(struct catchup *catchup)
{
    catchup->everything = catchup->whole = true;
    catchup->after = 0;
}

/* Routers have taken its user for away, or may have: what was settled then is in the mailbox, and
 * nobody pokes for it. They know the session again before it knows that they do. But ID comes only
 * when all before it is stored (job's hold rule); so the mailbox is read before ID is written,
 * and again once the session is registered. */
static void session_read_missed(struct conn *conn, uint64_t id)
{
    if (!conn->missed || conn->state != CONN_OPEN)
        return;
    struct catchup *catchup = session_catchup(conn, CATCHUP_FETCHING);
    if (!catchup->whole)
        catchup_read_whole(catchup);
    catchup_put(catchup, id);
}

static void fetched_append(struct conn *conn, const struct push *push)
{
    struct ticket ticket = {.ops = &waiting_ops, .owner = conn->worker, .arg = push->id};
    struct catchup *catchup = conn->catchup;

    if (push->id == 0)
        return;
    catchup->page_last = push->id;
    if (!catchup_take(catchup, push->id))
        return;
    catchup_undrop(catchup, push->id);
    if (push->id == catchup->begun) { /* it has left meanwhile */
        session_confirm(conn, push->id);
        return;
    }
    struct held *held = catchup_unhold(catchup, push->id);
    if (held == NULL) {
        catchup_add(&catchup->fetched, push, ticket);
        return;
    }
    /* One that job has handed us as well is written once. The copy in the mailbox may be another
     * session's alone, and leave with that; so it is made ours, too. */
    catchup_store(conn, &held->push, held->ticket);
    held_free(held);
}

static void fetch_done(struct worker *worker, struct logic_request *request,
                       const struct logic_answer *answer)
{
    struct conn *conn = handle_table_find(worker->table, request->handle);

    if (conn == NULL || conn->catchup == NULL)
        return;
    struct catchup *catchup = conn->catchup;
    catchup->fetch_asked = false;
    if (catchup->fetch_void) {
        catchup->fetch_void = false;
        catchup_step(conn);
        return;
    }
    if (catchup->mode != CATCHUP_FETCHING || conn->state != CONN_OPEN)
        return;
    if (!answer->answered || answer->status != LOGIC_OK) {
        catchup_put(catchup, 1);
        wheel_set(worker->session_wheel, &catchup->timer, FETCH_RETRY_MS);
        return;
    }
    /* A page may be empty and yet not the last one: what else the reply carried left no room. */
    catchup->page_last = request->after;
    for (size_t i = 0; i < answer->fetch->n_waiting; i++)
        fetched_append(conn, &answer->fetch->waiting[i]);
    if (answer->fetch->last > catchup->page_last)
        catchup->page_last = answer->fetch->last;
    catchup->more = answer->fetch->more && catchup_wants(catchup);
    if (!catchup->more)
        catchup->others_upto = 0;
    catchup_deliver(conn);
}

static void catchup_fetch(struct conn *conn)
{
    struct worker *worker = conn->worker;
    struct catchup *catchup = conn->catchup;

    /* What an earlier reading brought and could not be written yet is still in the mailbox: this
     * one brings it again. */
    if (!catchup->more)
        catchup_unfetch(catchup);
    struct logic_request *request = logic_requests_new(worker->logic, REQUEST_FETCH);

    request->handle = conn->handle;
    request->uid = conn->uid;
    request->after = catchup_fetch_after(catchup);
    request->own = catchup_leaves_others(catchup);
    request->done = fetch_done;
    if (!catchup->more)
        catchup->stale = 0;
    catchup->fetch_asked = true;
    metric_add(worker->counters, COMET_FETCHES, 1);
    logic_requests_send(worker->logic, request);
}

/* Decides what a session in CATCHUP_FETCHING does next; called whenever something it waits for has
 * come. */
static void catchup_step(struct conn *conn)
{
    struct catchup *catchup = conn->catchup;

    if (catchup == NULL || catchup->mode != CATCHUP_FETCHING || conn->state != CONN_OPEN)
        return;
    uint64_t now = loop_now_ms(&conn->worker->loop),
             due = catchup_drops_due(catchup, now, POKE_WAIT_MS);
    if (catchup->fetch_asked || wheel_is_set(&catchup->timer))
        return;
    if (catchup_has_next(catchup)) {
        catchup_deliver(conn);
        return;
    }
    if (catchup->more || catchup->stale != 0) {
        catchup_fetch(conn);
        return;
    }
    if (catchup->n_storing > 0)
        return;
    if (due != 0) {
        catchup->awaits_poke = true;
        wheel_set(conn->worker->session_wheel, &catchup->timer, due - now);
        return;
    }
    /* The mailbox was read to its end after the last thing put there; what was wanted and not found
     * has expired, was trimmed, or another session of the user has it. */
    session_up_to_date(conn);
}

static void catchup_deliver(struct conn *conn)
{
    struct catchup *catchup = conn->catchup;
    struct held *held;

    while ((held = catchup_next(catchup)) != NULL) {
        uint64_t id = held->push.id;
        enum write_result result = conn_push(conn, &held->push, held->ticket);
        if (result == WRITE_CLOSED)
            ticket_done(&held->ticket, conn, TICKET_DROPPED);
        if (result == WRITE_FULL && conn->catchup == catchup) {
            catchup_put_back(catchup, held);
            catchup_spill(conn);
            return;
        }
        held_free(held);
        if (conn->catchup != catchup || result == WRITE_CLOSED)
            return; /* the write ended the connection; what is left was dropped with it */
        if (catchup->everything && id > catchup->after)
            catchup->after = id;
    }
    catchup_step(conn);
}

/* --- admission --- */

static void session_count(struct worker *worker, int by)
{
    worker->sessions += (size_t)by;
    metric_set(worker->counters, COMET_SESSIONS, (int64_t)worker->sessions);
}

static void session_admit(struct conn *conn, const struct logic_answer *answer)
{
    struct worker *worker = conn->worker;
    struct catchup *catchup = conn->catchup;
    const struct admission *result = answer->connect;

    metric_add(worker->counters, COMET_CONNECTS_OK, 1);
    conn->uid = result->uid;
    conn->counted = true;
    session_count(worker, 1);
    catchup_read_whole(catchup);
    catchup->mode = CATCHUP_GAP;
    for (size_t i = 0; i < result->page.n_waiting; i++)
        fetched_append(conn, &result->page.waiting[i]);
    catchup->more = result->page.more;
    catchup->others_upto = result->page.more ? UINT64_MAX : 0;
    conn_opened(conn);
    conn_reply(conn, conn->auth_version, OP_AUTH_REPLY, conn->auth_seq, NULL, 0);
    if (conn->state != CONN_OPEN)
        return;
    if (result->room[0] != '\0' && strlen(result->room) <= ROOM_NAME_MAX)
        room_join(worker, conn, result->room, strlen(result->room));
    reregister_admitted(worker->reregister, conn, answer);
    if (conn->wire == WIRE_TCP && worker->config->sdk_gap_ms > 0) {
        wheel_set(worker->session_wheel, &catchup->timer, (uint64_t)worker->config->sdk_gap_ms);
        return;
    }
    catchup->mode = CATCHUP_FETCHING;
    catchup_deliver(conn);
}

static void connect_done(struct worker *worker, struct logic_request *request,
                         const struct logic_answer *answer)
{
    struct conn *conn = handle_table_find(worker->table, request->handle);
    bool admitted = answer->answered && answer->status == CLOSE_NONE;
    bool refused = answer->answered && answer->status <= CLOSE_UNKNOWN_OP &&
                   answer->status != CLOSE_UNAVAILABLE && !admitted;

    if (conn == NULL || conn->state != CONN_CONNECTING) {
        /* It left before logic answered. What waits for its user stays in the mailbox: nothing was
         * confirmed. */
        if (admitted)
            reregister_disconnect(worker->reregister, request->handle, answer->connect->uid);
        return;
    }
    if (admitted) {
        session_admit(conn, answer);
    } else if (refused) {
        metric_add(worker->counters, COMET_CONNECTS_REFUSED, 1);
        conn_kick(conn, (enum close_code)answer->status, answer->connect->reason);
    } else {
        metric_add(worker->counters, COMET_CONNECTS_FAILED, 1);
        conn_kick(conn, CLOSE_UNAVAILABLE, "the service is unavailable, try again");
    }
}

void session_connect(struct conn *conn, const uint8_t *token, size_t len, int32_t seq)
{
    struct worker *worker = conn->worker;

    conn->auth_seq = seq;
    conn->handle = handle_table_add(worker->table, conn);
    if (conn->handle == 0) {
        conn_kick(conn, CLOSE_UNAVAILABLE, "this node is full, try again");
        return;
    }
    conn->state = CONN_CONNECTING;
    session_catchup(conn, CATCHUP_CONNECTING);
    struct logic_request *request = logic_requests_new(worker->logic, REQUEST_CONNECT);
    request->handle = conn->handle;
    request->bytes = mem_alloc(len + 1);
    memcpy(request->bytes, token, len);
    request->bytes[len] = '\0';
    request->bytes_len = len;
    request->wire = conn->wire;
    conn_peer(conn, request->peer, sizeof request->peer);
    request->deadline_ms = loop_now_ms(&worker->loop) + (uint64_t)worker->config->connect_ms;
    request->done = connect_done;
    logic_requests_send(worker->logic, request);
}

void session_closed(struct conn *conn)
{
    struct worker *worker = conn->worker;

    if (conn->catchup != NULL)
        session_up_to_date(conn);
    if (conn->handle != 0) {
        handle_table_remove(worker->table, conn->handle);
        reregister_closed(worker->reregister, conn);
    }
    if (conn->counted) {
        session_count(worker, -1);
        conn->counted = false;
        reregister_disconnect(worker->reregister, conn->handle, conn->uid);
    }
    conn->handle = 0;
}

/* --- pushes --- */

static void session_hold(struct conn *conn, const struct push *push, struct ticket ticket)
{
    struct catchup *catchup = conn->catchup;

    if (catchup->held.n < (size_t)conn->worker->config->held_messages) {
        metric_add(conn->worker->counters, COMET_HELD, 1);
        catchup_add(&catchup->held, push, ticket);
    } else if (catchup->mode == CATCHUP_CONNECTING) {
        /* Not admitted yet, so nothing can be stored in its name: job settles it and pokes us. */
        session_drop(conn, push->id, &ticket);
    } else {
        catchup_store(conn, push, ticket);
    }
}

static void session_push_behind(struct conn *conn, const struct push *push, struct ticket ticket)
{
    struct catchup *catchup = conn->catchup;

    session_stop_awaiting(conn);
    catchup_undrop(catchup, push->id); /* job sends it again instead of settling it */
    if (catchup_awaits(catchup, push->id))
        session_drop(conn, push->id, &ticket);
    else if (catchup->mode == CATCHUP_SPILLING || push->id == catchup->begun)
        catchup_store(conn, push, ticket);
    else
        session_hold(conn, push, ticket);
    catchup_step(conn);
}

void session_push(struct conn *conn, const struct push *push, struct ticket ticket)
{
    if (conn->state != CONN_OPEN && conn->state != CONN_CONNECTING) {
        ticket_done(&ticket, conn, TICKET_DROPPED);
        return;
    }
    session_read_missed(conn, push->id);
    if (conn->catchup != NULL) {
        session_push_behind(conn, push, ticket);
        return;
    }
    enum write_result result = conn_push(conn, push, ticket);
    if (result == WRITE_CLOSED) {
        ticket_done(&ticket, conn, TICKET_DROPPED);
    } else if (result == WRITE_FULL) {
        session_stalled(conn);
        catchup_store(conn, push, ticket);
    }
}

void session_poke(struct conn *conn, const uint64_t *ids, size_t n)
{
    if (conn->state != CONN_OPEN && conn->state != CONN_CONNECTING)
        return;
    struct catchup *catchup = session_catchup(conn, CATCHUP_FETCHING);
    for (size_t i = 0; i < n; i++) {
        session_read_missed(conn, ids[i]);
        catchup_undrop(catchup, ids[i]);
        catchup_want(catchup, ids[i]);
        catchup_put(catchup, ids[i]);
    }
    session_stop_awaiting(conn);
    catchup_step(conn);
}

void session_refetch(struct conn *conn)
{
    if (conn->state != CONN_OPEN)
        return;
    struct catchup *catchup = session_catchup(conn, CATCHUP_FETCHING);
    catchup_read_whole(catchup);
    catchup_put(catchup, 1);
    session_stop_awaiting(conn);
    catchup_step(conn);
}

void session_on_timer(struct wheel *wheel, struct wheel_timer *timer)
{
    struct catchup *catchup = container_of(timer, struct catchup, timer);
    struct conn *conn = catchup->conn;

    (void)wheel;
    if (catchup->mode == CATCHUP_GAP) {
        catchup->mode = CATCHUP_FETCHING;
        catchup_deliver(conn);
    } else {
        catchup->awaits_poke = false;
        catchup_step(conn);
    }
}
