#include "comet/session/catchup.h"
#include "comet/base/config.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/acks.h"
#include "comet/session/catchup_internal.h"
#include "comet/session/goim_ops.h"
#include "comet/session/push_trace.h"
#include "common/base/mem.h"
#include <assert.h>
#include <stdlib.h>

enum { FETCH_RETRY_MS = 500 };

static void catchup_deliver(struct conn *conn);

struct catchup *catchup_of(struct conn *conn, enum catchup_mode mode)
{
    if (conn->catchup != NULL)
        return conn->catchup;
    struct catchup *catchup = mem_zalloc(sizeof *catchup);
    catchup->conn = conn;
    catchup->mode = mode;
    missing_init(&catchup->missing);
    conn->catchup = catchup;
    return catchup;
}

void catchup_end(struct conn *conn)
{
    struct catchup *catchup = conn->catchup;

    if (catchup == NULL)
        return;
    conn->catchup = NULL;
    wheel_cancel(conn->worker->session_wheel, &catchup->timer);
    missing_clear(&catchup->missing, conn);
    free(catchup);
}

static void catchup_confirm(struct conn *conn, uint64_t id, enum confirm_how how)
{
    how = how == CONFIRM_WRITTEN && acks_of(conn) != NULL ? CONFIRM_ACKNOWLEDGED : how;
    struct logic_confirm confirm = {how, conn->uid, conn->handle, goim_client_device(conn->goim)};
    logic_requests_confirm(conn->worker->logic, &confirm, id);
}

/* A message from the mailbox is confirmed when the kernel has it. If the connection ends before, or
 * the session does not accept it, the message stays in the mailbox. */
static void waiting_done(void *owner, uint64_t id, struct conn *conn, enum ticket_result result)
{
    struct worker *worker = owner;

    if (worker->traces != NULL)
        push_trace_ended(conn, id, result);
    if (result == TICKET_WRITTEN) {
        acks_written(worker, conn, id, true);
        catchup_confirm(conn, id, CONFIRM_WRITTEN);
    } else if (result == TICKET_DECLINED) {
        catchup_confirm(conn, id, CONFIRM_WAIVED);
    }
}

static const struct ticket_ops waiting_ops = {.done = waiting_done, .in_mailbox = true};

static struct ticket waiting_ticket(const struct conn *conn, uint64_t id)
{
    return (struct ticket){.ops = &waiting_ops, .owner = conn->worker, .arg = id};
}

static void confirm_sent(struct conn *conn, uint64_t id)
{
    catchup_confirm(conn, id, CONFIRM_WRITTEN);
}

const struct acks_mailbox catchup_mailbox = {
    .room = catchup_drained, .confirm = confirm_sent, .ticket = waiting_ticket};

void catchup_stop_awaiting(struct conn *conn)
{
    struct catchup *catchup = conn->catchup;

    if (catchup->awaits_poke)
        wheel_cancel(conn->worker->session_wheel, &catchup->timer);
    catchup->awaits_poke = false;
}

/* --- reading the mailbox --- */

static void fetched_append(struct conn *conn, const struct push *push)
{
    struct ticket ticket = waiting_ticket(conn, push->id);
    struct catchup *catchup = conn->catchup;

    if (push->id == 0)
        return;
    catchup->missing.page_last = push->id;
    /* Its poke comes later, which would have it fetched a second time. */
    if (acks_of(conn) != NULL && missing_is_dropped(&catchup->missing, push->id))
        return;
    if (!missing_take(&catchup->missing, push->id))
        return;
    missing_undrop(&catchup->missing, push->id);
    if (acks_of(conn) != NULL && acks_kept(conn, push->id, false))
        return;
    if (push->id == catchup->missing.begun) { /* it was sent meanwhile */
        catchup_confirm(conn, push->id, CONFIRM_WRITTEN);
        return;
    }
    struct held *held = missing_unhold(&catchup->missing, push->id);
    if (held == NULL) {
        if (push->trace != NULL)
            push_trace_fetched(conn, push);
        missing_add(&catchup->missing.fetched, push, ticket);
        return;
    }
    /* Job has brought the same message; it is written only once. The copy in the mailbox may be
     * reserved for another session and vanish with that, so it is stored for this session, too. */
    catchup_store(conn, &held->push, held->ticket);
    held_free(held);
}

static void page_append(struct conn *conn, const struct mailbox_page *page)
{
    struct missing *missing = &conn->catchup->missing;

    for (size_t i = 0; i < page->n_waiting; i++)
        fetched_append(conn, &page->waiting[i]);
    if (page->last > missing->page_last)
        missing->page_last = page->last;
}

static void fetch_failed(struct catchup *catchup)
{
    missing_put(&catchup->missing, 1);
    wheel_set(catchup->conn->worker->session_wheel, &catchup->timer, FETCH_RETRY_MS);
}

static void fetch_done(struct worker *worker, struct logic_request *request,
                       const struct logic_answer *answer)
{
    struct conn *conn = handle_table_find(worker->table, request->handle);

    if (conn == NULL || conn->catchup == NULL)
        return;
    struct catchup *catchup = conn->catchup;
    struct missing *missing = &catchup->missing;
    missing->fetch_asked = false;
    if (catchup->fetch_void) {
        catchup->fetch_void = false;
        catchup_step(conn);
    } else if (catchup->mode != CATCHUP_FETCHING || conn->state != CONN_OPEN) {
        return;
    } else if (!answer->answered || answer->status != LOGIC_OK) {
        fetch_failed(catchup);
    } else {
        /* A page may be empty and yet not the last one, if the rest of the reply left no room. */
        missing->page_last = request->after;
        page_append(conn, answer->fetch);
        missing->more = answer->fetch->more && missing_wants(missing);
        if (!missing->more)
            missing->others_upto = 0;
        catchup_deliver(conn);
    }
    catchup_checked(conn);
}

static void catchup_fetch(struct conn *conn)
{
    struct worker *worker = conn->worker;
    struct catchup *catchup = conn->catchup;

    /* Messages that were fetched before and could not be written yet are still in the mailbox. They
     * come again with this Fetch. */
    if (!catchup->missing.more)
        missing_unfetch(&catchup->missing);
    const char *device = goim_client_device(conn->goim);
    struct logic_request *request = logic_requests_new(worker->logic, REQUEST_FETCH);

    request->handle = conn->handle;
    request->uid = conn->uid;
    request->after = missing_fetch_after(&catchup->missing);
    request->own = missing_leaves_others(&catchup->missing);
    request->key = device != NULL ? mem_strdup(device) : NULL;
    request->done = fetch_done;
    if (!catchup->missing.more)
        catchup->missing.stale = 0;
    catchup->missing.fetch_asked = true;
    metric_add(worker->counters, COMET_FETCHES, 1);
    logic_requests_send(worker->logic, request);
}

void catchup_step(struct conn *conn)
{
    struct catchup *catchup = conn->catchup;

    if (catchup == NULL || catchup->mode != CATCHUP_FETCHING || conn->state != CONN_OPEN)
        return;
    uint64_t now = loop_now_ms(&conn->worker->loop),
             due = missing_drops_due(&catchup->missing, now, POKE_WAIT_MS);
    if (catchup->missing.fetch_asked || wheel_is_set(&catchup->timer))
        return;
    missing_spare_fetch(&catchup->missing);
    if (missing_has_next(&catchup->missing)) {
        catchup_deliver(conn);
        return;
    }
    if (catchup->missing.more || catchup->missing.stale != 0) {
        catchup_fetch(conn);
        return;
    }
    if (catchup->missing.n_storing > 0)
        return;
    if (due != 0) {
        catchup->awaits_poke = true;
        wheel_set(conn->worker->session_wheel, &catchup->timer, due - now);
        return;
    }
    /* The mailbox was read to its end since the last message was put there. A message that is
     * wanted but was not found has expired, was trimmed, or went to another session of the user. */
    catchup_end(conn);
}

/* What the session does not accept is as good as written. */
static enum write_result catchup_write(struct conn *conn, struct held *held)
{
    if (conn->goim != NULL && goim_declines(conn, &held->push, &held->ticket))
        return WRITE_DONE;
    return acks_write(conn, &held->push, held->ticket);
}

static void catchup_deliver(struct conn *conn)
{
    struct catchup *catchup = conn->catchup;
    struct held *held;

    while ((held = missing_next(&catchup->missing)) != NULL) {
        uint64_t id = held->push.id;
        enum write_result result = catchup_write(conn, held);
        if (result == WRITE_CLOSED)
            ticket_done(&held->ticket, conn, TICKET_DROPPED);
        if (result == WRITE_FULL && conn->catchup == catchup) {
            missing_put_back(&catchup->missing, held);
            catchup_spill(conn);
            return;
        }
        held_free(held);
        if (conn->catchup != catchup || result == WRITE_CLOSED)
            return; /* the write ended the connection, and dropped what was left */
        if (catchup->missing.everything && id > catchup->missing.after)
            catchup->missing.after = id;
    }
    catchup_step(conn);
}

/* --- what comes --- */

void catchup_connecting(struct conn *conn)
{
    catchup_of(conn, CATCHUP_CONNECTING);
}

void catchup_admitted(struct conn *conn, const struct mailbox_page *page)
{
    struct catchup *catchup = conn->catchup;

    loop_assert_owner(&conn->worker->loop);
    assert(catchup->mode == CATCHUP_CONNECTING);
    missing_want_all(&catchup->missing);
    catchup->mode = CATCHUP_GAP;
    page_append(conn, page);
    catchup->missing.more = page->more;
    catchup->missing.others_upto = page->more ? UINT64_MAX : 0;
}

void catchup_opened(struct conn *conn)
{
    struct worker *worker = conn->worker;

    if (conn->wire == WIRE_TCP && worker->config->sdk_gap_ms > 0) {
        wheel_set(worker->session_wheel, &conn->catchup->timer,
                  (uint64_t)worker->config->sdk_gap_ms);
    } else {
        conn->catchup->mode = CATCHUP_FETCHING;
        catchup_deliver(conn);
    }
    catchup_checked(conn);
}

void catchup_drained(struct conn *conn)
{
    if (conn->catchup == NULL || conn->catchup->mode != CATCHUP_SPILLING ||
        conn->state != CONN_OPEN)
        return;
    if (acks_of(conn) != NULL && acks_full(acks_of(conn)))
        return; /* acks.c says when there is room */
    conn->catchup->mode = CATCHUP_FETCHING;
    catchup_step(conn);
    catchup_checked(conn);
}

/* While routers took the user for away, messages were settled into the mailbox, and nobody poked
 * the session. Then routers know the session again, and ID may come before the session learns that
 * it is registered. All older messages are stored by then (job/base/user_order.h). So the session
 * reads the mailbox before it writes ID, and once more when it is registered. */
void catchup_missed(struct conn *conn, uint64_t id)
{
    if (!conn->missed || conn->state != CONN_OPEN)
        return;
    struct catchup *catchup = catchup_of(conn, CATCHUP_FETCHING);
    if (!catchup->missing.whole)
        missing_want_all(&catchup->missing);
    missing_put(&catchup->missing, id);
}

static void catchup_hold(struct conn *conn, const struct push *push, struct ticket ticket)
{
    struct catchup *catchup = conn->catchup;
    const struct held *head = catchup->missing.held.head;
    /* All held ones may wait for this one. Job brings older ones late only if they went back to it,
     * so they are few. */
    bool oldest = head != NULL && push->id < head->push.id;

    if (oldest || catchup->missing.held.n < (size_t)conn->worker->config->held_messages) {
        metric_add(conn->worker->counters, COMET_HELD, 1);
        missing_add(&catchup->missing.held, push, ticket);
    } else if (catchup->mode == CATCHUP_CONNECTING) {
        /* The session is not admitted yet, so nothing can be stored in its name. Job settles the
         * message and pokes us. */
        catchup_hand_back(conn, push->id, &ticket);
    } else {
        catchup_store(conn, push, ticket);
    }
}

/* A part of ID was sent when the session began to spill, and the rest when it had drained. If ID
 * could not be stored, job sends it again. */
static bool was_sent_meanwhile(const struct catchup *catchup, uint64_t id)
{
    return catchup->mode == CATCHUP_FETCHING && id != 0 && id == catchup->missing.begun;
}

void catchup_push(struct conn *conn, const struct push *push, struct ticket ticket)
{
    struct catchup *catchup = conn->catchup;

    loop_assert_owner(&conn->worker->loop);
    catchup_stop_awaiting(conn);
    missing_undrop(&catchup->missing, push->id); /* job sends it again, and did not settle it */
    if (was_sent_meanwhile(catchup, push->id))
        ticket_done(&ticket, conn, TICKET_WRITTEN);
    else if (missing_awaits(&catchup->missing, push->id))
        catchup_hand_back(conn, push->id, &ticket);
    else if (catchup->mode == CATCHUP_SPILLING || push->id == catchup->missing.begun)
        catchup_store(conn, push, ticket);
    else
        catchup_hold(conn, push, ticket);
    catchup_step(conn);
    catchup_checked(conn);
}

void catchup_poke(struct conn *conn, const uint64_t *ids, size_t n)
{
    loop_assert_owner(&conn->worker->loop);
    struct catchup *catchup = catchup_of(conn, CATCHUP_FETCHING);
    for (size_t i = 0; i < n; i++) {
        catchup_missed(conn, ids[i]);
        missing_undrop(&catchup->missing, ids[i]);
        if (acks_of(conn) != NULL && acks_kept(conn, ids[i], true))
            continue;
        missing_want(&catchup->missing, ids[i]);
        missing_put(&catchup->missing, ids[i]);
    }
    catchup_stop_awaiting(conn);
    catchup_step(conn);
    catchup_checked(conn);
}

void catchup_refetch(struct conn *conn)
{
    loop_assert_owner(&conn->worker->loop);
    if (conn->state != CONN_OPEN)
        return;
    struct catchup *catchup = catchup_of(conn, CATCHUP_FETCHING);
    missing_want_all(&catchup->missing);
    missing_put(&catchup->missing, 1);
    catchup_stop_awaiting(conn);
    catchup_step(conn);
    catchup_checked(conn);
}

void catchup_on_timer(struct wheel *wheel, struct wheel_timer *timer)
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
    catchup_checked(conn);
}

/* --- looking at it --- */

void catchup_check(const struct catchup *catchup)
{
    const struct missing *missing = &catchup->missing;
    bool timed = wheel_is_set(&catchup->timer);

    assert(catchup->conn->catchup == catchup);
    missing_check(missing);
    assert(!catchup->fetch_void || missing->fetch_asked);
    assert(!catchup->awaits_poke || timed);
    switch (catchup->mode) {
    case CATCHUP_CONNECTING:
        assert(missing->fetched.n == 0 && missing->n_storing == 0);
        assert(!timed && !missing->fetch_asked);
        break;
    case CATCHUP_GAP:
        assert(!missing->fetch_asked && !catchup->awaits_poke);
        break;
    case CATCHUP_FETCHING: /* a session that waits for nothing is up to date, and has no catch-up */
        assert(timed || missing->fetch_asked || missing->n_storing > 0 ||
               catchup->conn->state != CONN_OPEN || catchup->conn->broken);
        break;
    case CATCHUP_SPILLING:
        assert(missing->fetched.n == 0 && missing->held.n == 0);
        assert(!timed && !missing->more && catchup->fetch_void == missing->fetch_asked);
        break;
    }
}
