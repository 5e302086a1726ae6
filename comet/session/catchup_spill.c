/* The mailbox as the place for what a slow socket does not take. */
#include "comet/base/config.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/acks.h"
#include "comet/session/catchup_internal.h"

void catchup_hand_back(struct conn *conn, uint64_t id, const struct ticket *ticket)
{
    missing_drop(&conn->catchup->missing, id, loop_now_ms(&conn->worker->loop) + POKE_WAIT_MS);
    ticket_done(ticket, conn, TICKET_DROPPED);
}

static void store_done(struct worker *worker, struct logic_request *request,
                       const struct logic_answer *answer)
{
    struct conn *conn = handle_table_find(worker->table, request->handle);
    bool stored = answer->answered && answer->status == LOGIC_OK;

    if (conn != NULL && conn->catchup != NULL)
        missing_stored(&conn->catchup->missing, request->push.id);
    if (conn == NULL || conn->catchup == NULL || conn->state != CONN_OPEN) {
        /* This session will not fetch the message. Job settles it, and other sessions of the user
         * are poked. */
        ticket_done(&request->ticket, conn, TICKET_DROPPED);
        return;
    }
    struct catchup *catchup = conn->catchup;
    if (stored) {
        metric_add(worker->counters, COMET_SPILLED, 1);
        missing_want(&catchup->missing, request->push.id);
        missing_put(&catchup->missing, request->push.id);
        ticket_done(&request->ticket, conn, TICKET_STORED);
    } else {
        metric_add(worker->counters, COMET_SPILL_FAILED, 1);
        catchup_hand_back(conn, request->push.id, &request->ticket);
    }
    catchup_step(conn);
    catchup_checked(conn);
}

/* Job settles what an acknowledged session has no room for. Meanwhile job sends this user nothing
 * newer, so that order needs no care here, and all his sessions are told. */
void catchup_store(struct conn *conn, const struct push *push, struct ticket ticket)
{
    if (acks_of(conn) != NULL) {
        catchup_hand_back(conn, push->id, &ticket);
        return;
    }
    struct worker *worker = conn->worker;
    struct logic_request *request = logic_requests_new(worker->logic, REQUEST_STORE);

    request->handle = conn->handle;
    request->uid = conn->uid;
    request->push = *push;
    backing_ref(push->backing);
    request->ticket = ticket;
    request->deadline_ms = loop_now_ms(&worker->loop) + (uint64_t)worker->config->connect_ms;
    request->done = store_done;
    request->behind = missing_behind(&conn->catchup->missing, push->id);
    missing_storing(&conn->catchup->missing, push->id);
    logic_requests_send(worker->logic, request);
}

/* Puts a message that was on its way to the socket into the mailbox. A message from the mailbox is
 * still there. */
static void catchup_spill_one(struct conn *conn, const struct push *push, struct ticket ticket)
{
    if (ticket_in_mailbox(&ticket))
        missing_want_again(&conn->catchup->missing, push->id);
    else
        catchup_store(conn, push, ticket);
}

void catchup_spill(struct conn *conn)
{
    struct catchup *catchup = conn->catchup;
    struct held *held;

    catchup->mode = CATCHUP_SPILLING;
    catchup->missing.more = false;
    catchup->fetch_void = catchup->missing.fetch_asked;
    missing_put(&catchup->missing, 1);
    catchup_stop_awaiting(conn);
    wheel_cancel(conn->worker->session_wheel, &catchup->timer);
    while ((held = missing_pop(&catchup->missing)) != NULL) {
        catchup_spill_one(conn, &held->push, held->ticket);
        held_free(held);
    }
}

static void spill_queued(struct ticket *ticket, void *arg)
{
    struct conn *conn = arg;
    struct push push;

    if (ticket_in_mailbox(ticket))
        missing_want_again(&conn->catchup->missing, ticket->arg);
    else if (ticket_push(ticket, &push))
        catchup_store(conn, &push, *ticket);
    else
        ticket_done(ticket, conn, TICKET_DROPPED);
}

static void begun_done(void *owner, uint64_t id, struct conn *conn, enum ticket_result result)
{
    struct worker *worker = owner;

    if (result == TICKET_WRITTEN)
        acks_written(worker, conn, id, true);
}

static const struct ticket_ops begun_ops = {.done = begun_done};

/* A message of which a part was sent cannot be taken out of the queue, and nobody knows when its
 * rest will be sent. It is stored like the others, because job must not wait for one device. When
 * it is fetched, its rest has been sent, so it is only confirmed. */
static void spill_begun(struct conn *conn)
{
    struct ticket *ticket = conn_begun_ticket(conn);
    struct push push;

    if (ticket == NULL || !ticket_push(ticket, &push))
        return;
    struct ticket job = *ticket;
    *ticket = (struct ticket){.ops = &begun_ops, .owner = conn->worker, .arg = push.id};
    conn->catchup->missing.begun = push.id;
    catchup_store(conn, &push, job);
}

void catchup_stalled(struct conn *conn)
{
    if (conn->state != CONN_OPEN)
        return;
    struct catchup *catchup = catchup_of(conn, CATCHUP_SPILLING);
    /* The oldest first: what is queued is older than what is held. */
    spill_begun(conn);
    conn_take_queued(conn, spill_queued, conn);
    if (conn->catchup == catchup)
        catchup_spill(conn);
    catchup_checked(conn);
}

void catchup_full(struct conn *conn, const struct push *push, struct ticket ticket)
{
    catchup_stalled(conn);
    catchup_store(conn, push, ticket);
}
