/* audience_push ─► backlog ─► queue of audiences ─► fanout_run, at the end of the turn:
 *
 *    take the first audience ─► no walk under way: begin one, with at most fanout.batch bytes
 *      ▲                    ─► deliver to a share of the members ─► walk over: next batch, or idle
 *      └── to the end of the queue, while fanout.slice deliveries have not been made in this turn
 *
 * So a turn serves one large room for a slice, or hundreds of small rooms as a whole.
 *
 * A walk may have to rest before it begins (walk_must_rest). Its audience then moves from the queue
 * to the list of resting audiences, which are all looked at again every REST_MS. The tickets of a
 * walk are done when it begins. So full sockets hold back job, and job leaves the rest in Kafka. */
#include "comet/fanout/fanout.h"
#include "comet/base/config.h"
#include "comet/base/delivery.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/fanout/walk_trace.h"
#include "comet/net/conn.h"
#include "comet/net/frontend.h"
#include "comet/net/goim_client.h"
#include "comet/net/handle_table.h"
#include "common/base/array.h"
#include "common/base/mem.h"
#include "common/base/saturate.h"
#include "common/base/time.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHARES = 8, /* an audience gets at most this part of a slice at a time, so that small rooms do
                   not wait for large ones */
    MEMBERS_MIN = 4,
    BACKLOG_MIN = 4,
    LIMITED_MAX = 64, /* most broadcasts with a speed at the same time */
    LIMITED_MS = 20,
    SLOTS_PER_SEND = 16, /* looking at so many slots of the table costs as much as one delivery */
    REST_MS = 5,
    PAUSE_SHARE = 2, /* after a large walk, this part of its time passes before the next */
    PAUSE_MOST_MS = 100,
    BEHIND_MIN = 64,  /* walks wait only if more sockets than this are behind, */
    BEHIND_SHARE = 8, /* and more than this part of all */
};

/* --- the backlog --- */

static void backlog_make_room(struct pending_pushes *backlog)
{
    if (backlog->first + backlog->n < backlog->cap)
        return;
    if (backlog->first > 0) {
        memmove(backlog->pushes, backlog->pushes + backlog->first,
                backlog->n * sizeof *backlog->pushes);
        memmove(backlog->tickets, backlog->tickets + backlog->first,
                backlog->n * sizeof *backlog->tickets);
        backlog->first = 0;
    }
    if (backlog->n < backlog->cap)
        return;
    backlog->cap = backlog->cap == 0 ? BACKLOG_MIN : backlog->cap * 2;
    backlog->pushes = mem_realloc(backlog->pushes, backlog->cap * sizeof *backlog->pushes);
    backlog->tickets = mem_realloc(backlog->tickets, backlog->cap * sizeof *backlog->tickets);
}

static void backlog_add(struct pending_pushes *backlog, const struct push *push,
                        struct ticket ticket)
{
    backlog_make_room(backlog);
    uint32_t at = backlog->first + backlog->n++;
    backlog->pushes[at] = *push;
    backlog->tickets[at] = ticket;
    backlog->bytes += push->body_len;
    if (push->backing != NULL)
        backing_ref(push->backing);
}

/* How many pushes go into one walk: as many as fit into BYTES, but at least one. */
static uint32_t backlog_batch(const struct pending_pushes *backlog, size_t bytes)
{
    uint32_t n = 0;
    size_t sum = 0;
    if (backlog->bytes <= bytes)
        return backlog->n;
    while (n < backlog->n) {
        sum += backlog->pushes[backlog->first + n].body_len;
        if (n > 0 && sum > bytes)
            break;
        n++;
    }
    return n;
}

static void backlog_free(struct pending_pushes *backlog)
{
    free(backlog->pushes);
    free(backlog->tickets);
    *backlog = (struct pending_pushes){0};
}

static void tell(const struct ticket *tickets, size_t n, enum ticket_result result)
{
    for (size_t i = 0; i < n; i++)
        ticket_done(&tickets[i], NULL, result);
}

/* --- one walk --- */

static void walk_end(struct audience *audience)
{
    struct walk *walk = &audience->walk;
    for (size_t i = 0; i < walk->n; i++)
        backing_unref(walk->pushes[i].backing);
    for (int i = 0; i < WIRES; i++)
        msg_unref(walk->encoded[i]);
    if (walk->trace != NULL)
        walk_trace_end(walk->trace);
    free(walk->pushes);
    *walk = (struct walk){0};
    audience->walking = false;
    audience->done = 0;
    audience->end = 0;
}

/* Takes a batch out of the backlog. The tickets are done last, because their owners may push
 * again. */
static void walk_begin(struct fanout *fanout, struct audience *audience)
{
    struct pending_pushes *backlog = &audience->backlog;
    uint32_t n = backlog_batch(backlog, (size_t)fanout->worker->config->walk_bytes);
    struct push *pushes = mem_alloc(n * sizeof *pushes);
    struct ticket *tickets = mem_alloc(n * sizeof *tickets);

    memcpy(pushes, backlog->pushes + backlog->first, n * sizeof *pushes);
    memcpy(tickets, backlog->tickets + backlog->first, n * sizeof *tickets);
    backlog->first += n;
    backlog->n -= n;
    for (uint32_t i = 0; i < n; i++)
        backlog->bytes -= pushes[i].body_len;
    if (backlog->n == 0)
        backlog_free(backlog);
    audience->walk = (struct walk){.pushes = pushes,
                                   .n = n,
                                   .begun_us = time_mono_us(),
                                   .trace = walk_trace_new(fanout->worker, pushes, n)};
    audience->walking = true;
    audience->done = 0;
    audience->end =
        audience->everybody ? (uint32_t)handle_table_slots(fanout->worker->table) : audience->n;
    audience->begun_ms = loop_now_ms(&fanout->worker->loop);
    audience->sent = 0;
    metric_add(fanout->worker->counters, COMET_WALKS, 1);
    tell(tickets, n, TICKET_WRITTEN);
    free(tickets);
}

static enum write_result walk_write_traced(const struct walk *walk, struct conn *conn,
                                           struct msg *msg, uint64_t bits)
{
    enum write_result result = conn_write_msg(conn, msg, walk_trace_ticket(walk->trace, bits));
    walk_trace_sent(walk->trace, bits, result == WRITE_DONE || result == WRITE_QUEUED);
    return result;
}

/* BITS: of the traced pushes in MSG. */
static bool walk_write(const struct walk *walk, struct conn *conn, struct msg *msg, uint64_t bits)
{
    enum write_result result = bits == 0 ? conn_write_msg(conn, msg, TICKET_NONE)
                                         : walk_write_traced(walk, conn, msg, bits);
    if (result == WRITE_FULL)
        conn_kick(conn, CLOSE_TOO_SLOW, "too slow: messages of the room are not being read");
    return result == WRITE_DONE || result == WRITE_QUEUED;
}

/* True: the batch was written, or queued, for CONN. */
static bool walk_deliver(struct walk *walk, struct conn *conn)
{
    if (conn->state != CONN_OPEN)
        return false;
    struct msg *msg = walk->encoded[conn->wire];
    if (msg == NULL) {
        msg = wire_pushes(conn->wire, walk->pushes, walk->n);
        walk->encoded[conn->wire] = msg;
    }
    return walk_write(walk, conn, msg, walk->trace != NULL ? walk_trace_all(walk->trace) : 0);
}

static size_t walk_accepted(const struct walk *walk, const struct conn *conn)
{
    size_t n = 0;
    for (size_t i = 0; i < walk->n; i++)
        n += goim_client_accepts(conn->goim, push_accept_op(&walk->pushes[i]));
    return n;
}

/* Delivers the N messages of the batch that CONN accepts, in a message of its own. */
static bool walk_deliver_some(const struct walk *walk, struct conn *conn, size_t n)
{
    if (n == 0 || conn->state != CONN_OPEN)
        return false;
    struct push *accepted = mem_alloc(n * sizeof *accepted);
    uint64_t bits = 0;
    for (size_t i = 0, at = 0; at < n; i++) {
        if (!goim_client_accepts(conn->goim, push_accept_op(&walk->pushes[i])))
            continue;
        if (walk->trace != NULL)
            bits |= walk_trace_bit(walk->trace, &walk->pushes[i]);
        accepted[at++] = walk->pushes[i];
    }
    struct msg *msg = wire_pushes(conn->wire, accepted, n);
    bool written = walk_write(walk, conn, msg, bits);
    msg_unref(msg);
    free(accepted);
    return written;
}

/* A message to all goes only to the clients that accept its operation, a message to a room to all
 * members, as in goim. Returns how many messages of the batch were written, or queued, for CONN. */
static size_t walk_deliver_accepted(struct fanout *fanout, struct walk *walk, struct conn *conn)
{
    size_t n = conn->goim == NULL ? walk->n : walk_accepted(walk, conn);
    bool written = n == walk->n ? walk_deliver(walk, conn) : walk_deliver_some(walk, conn, n);
    if (n < walk->n)
        metric_add(fanout->worker->counters, COMET_DECLINED, (int64_t)(walk->n - n));
    return written ? n : 0;
}

/* MESSAGES of the batch were written just now, all to the same sessions but for what those do not
 * accept. */
static void walk_written(struct fanout *fanout, const struct walk *walk, bool to_all,
                         size_t messages)
{
    struct worker *worker = fanout->worker;

    metric_add(worker->counters, to_all ? COMET_DELIVERIES_ALL : COMET_DELIVERIES_ROOM,
               (int64_t)messages);
    if (messages == 0 || walk->n == 0)
        return;
    size_t each = messages / walk->n, rest = messages % walk->n;
    int64_t now_us = delivery_now_us(worker);
    for (size_t i = 0; i < walk->n; i++)
        delivery_observe(worker, to_all ? COMET_DELIVERY_ALL : COMET_DELIVERY_ROOM,
                         walk->pushes[i].id, now_us, each + (i < rest));
}

static void walk_over(struct fanout *fanout, struct audience *audience)
{
    metric_observe(fanout->worker->counters, audience->everybody ? COMET_WALK_ALL : COMET_WALK_ROOM,
                   time_mono_us() - audience->walk.begun_us, 1);
    walk_end(audience);
}

/* Delivers to at most BUDGET members; returns how many it met. */
static size_t walk_members(struct fanout *fanout, struct audience *audience, size_t budget)
{
    size_t met = 0, written = 0;
    while (met < budget && audience->done < audience->end) {
        struct conn *conn = audience->members[audience->done++];
        met++;
        written += walk_deliver(&audience->walk, conn);
    }
    walk_written(fanout, &audience->walk, false, written * audience->walk.n);
    return met;
}

static size_t walk_table(struct fanout *fanout, struct audience *audience, size_t budget)
{
    struct handle_table *table = fanout->worker->table;
    size_t written = 0, messages = 0, looked = 0, slots = handle_table_slots(table);
    if (audience->end > slots) /* the table shrank: the slots above are gone */
        audience->end = audience->done < slots ? (uint32_t)slots : audience->done;
    while (written + looked / SLOTS_PER_SEND < budget && audience->done < audience->end) {
        struct conn *conn = handle_table_at(table, audience->done++);
        looked++;
        size_t n = conn != NULL ? walk_deliver_accepted(fanout, &audience->walk, conn) : 0;
        messages += n;
        written += n > 0;
    }
    audience->sent += written;
    walk_written(fanout, &audience->walk, true, messages);
    return written + looked / SLOTS_PER_SEND;
}

/* --- audiences in turn --- */

static bool audience_has_work(const struct audience *audience)
{
    return audience->walking || audience->backlog.n > 0;
}

/* Puts off the next walk over a large audience. Walks without a pause would take the whole loop:
 * clients on the same cores would read late, and few messages would share a write. When walks take
 * two thirds of the time, everybody has the messages sooner (docs/benchmarks.md). */
static void audience_pause(const struct fanout *fanout, struct audience *audience)
{
    uint64_t now = loop_now_ms(&fanout->worker->loop);
    uint64_t pause = (now - audience->begun_ms) / PAUSE_SHARE;

    audience->rested_ms = now + (pause < PAUSE_MOST_MS ? pause : PAUSE_MOST_MS);
}

/* Goes on with the walk, or begins one. Returns what it used of BUDGET, at least 1. */
static size_t audience_run(struct fanout *fanout, struct audience *audience, size_t budget)
{
    if (!audience->walking)
        walk_begin(fanout, audience);
    size_t used = audience->everybody ? walk_table(fanout, audience, budget)
                                      : walk_members(fanout, audience, budget);
    if (audience->done >= audience->end) {
        walk_over(fanout, audience);
        audience_pause(fanout, audience);
    }
    return used > 0 ? used : 1;
}

static void queue_append(struct fanout *fanout, struct audience *audience)
{
    STAILQ_INSERT_TAIL(&fanout->queue, audience, link);
    loop_defer(&fanout->worker->loop, &fanout->task);
}

static void queue_add(struct fanout *fanout, struct audience *audience)
{
    if (audience->queued)
        return;
    audience->queued = true;
    queue_append(fanout, audience);
}

static struct audience *queue_take(struct fanout *fanout)
{
    struct audience *audience = STAILQ_TAKE(&fanout->queue, link);
    audience->queued = false;
    return audience;
}

/* --- resting --- */

/* True: the walk waits for more messages, which then share a write. Small audiences cost little and
 * never wait. */
static bool walk_gathers(const struct fanout *fanout, const struct audience *audience, uint64_t now)
{
    const struct comet_config *config = fanout->worker->config;
    size_t n = audience->everybody ? frontend_connections(fanout->worker) : audience->n;

    if (n <= (size_t)config->walk_slice || audience->backlog.bytes >= (size_t)config->walk_bytes)
        return false;
    return now < audience->rested_ms ||
           now - audience->backlog.since_ms < (uint64_t)config->walk_delay_ms;
}

/* True: many sockets have not taken yet what they were sent. More would only fill their queues,
 * until they are kicked as too slow. Devices that do not read at all hold up the others for at most
 * fanout.patience. */
static bool walk_waits_for_sockets(struct fanout *fanout, uint64_t now)
{
    if (frontend_behind(fanout->worker) <= BEHIND_MIN ||
        frontend_behind(fanout->worker) <= frontend_connections(fanout->worker) / BEHIND_SHARE) {
        fanout->behind_ms = 0;
        return false;
    }
    if (fanout->behind_ms == 0)
        fanout->behind_ms = now;
    return now - fanout->behind_ms < (uint64_t)fanout->worker->config->walk_patience_ms;
}

static bool walk_must_rest(struct fanout *fanout, const struct audience *audience)
{
    uint64_t now = loop_now_ms(&fanout->worker->loop);

    if (audience->walking || (!audience->everybody && audience->n == 0))
        return false;
    if (walk_gathers(fanout, audience, now))
        return true;
    if (!walk_waits_for_sockets(fanout, now))
        return false;
    metric_add(fanout->worker->counters, COMET_WALK_WAITS, 1);
    return true;
}

static void on_rested(uv_timer_t *timer)
{
    struct fanout *fanout = container_of(timer, struct fanout, rest);

    if (STAILQ_EMPTY(&fanout->resting))
        return;
    STAILQ_CONCAT(&fanout->queue, &fanout->resting);
    loop_defer(&fanout->worker->loop, &fanout->task);
}

/* A resting audience still counts as queued. */
static void walk_rest(struct fanout *fanout, struct audience *audience)
{
    audience->queued = true;
    STAILQ_INSERT_TAIL(&fanout->resting, audience, link);
    if (!uv_is_active((uv_handle_t *)&fanout->rest))
        uv_timer_start(&fanout->rest, on_rested, REST_MS, 0);
}

/* --- the end of a turn --- */

static void fanout_run(struct loop *loop, struct loop_task *task)
{
    struct fanout *fanout = container_of(task, struct fanout, task);
    size_t budget = (size_t)fanout->worker->config->walk_slice, share = budget / SHARES + 1;

    while (budget > 0 && !STAILQ_EMPTY(&fanout->queue)) {
        struct audience *audience = queue_take(fanout);
        if (walk_must_rest(fanout, audience)) {
            walk_rest(fanout, audience);
            continue;
        }
        size_t used = audience_run(fanout, audience, share < budget ? share : budget);
        budget = saturate_sub(budget, used);
        if (audience_has_work(audience))
            queue_add(fanout, audience);
        else if (audience->idle != NULL)
            audience->idle(fanout, audience);
    }
    if (!STAILQ_EMPTY(&fanout->queue))
        loop_defer(loop, task);
}

void audience_push(struct fanout *fanout, struct audience *audience, const struct push *push,
                   struct ticket ticket)
{
    if (audience->backlog.n == 0)
        audience->backlog.since_ms = loop_now_ms(&fanout->worker->loop);
    backlog_add(&audience->backlog, push, ticket);
    queue_add(fanout, audience);
}

void audience_clear(struct audience *audience)
{
    struct pending_pushes backlog = audience->backlog;
    audience->backlog = (struct pending_pushes){0};
    if (audience->walking)
        walk_end(audience);
    for (uint32_t i = 0; i < backlog.n; i++)
        backing_unref(backlog.pushes[backlog.first + i].backing);
    if (backlog.n > 0)
        tell(backlog.tickets + backlog.first, backlog.n, TICKET_DROPPED);
    backlog_free(&backlog);
    free(audience->members);
    audience->members = NULL;
    audience->n = audience->cap = 0;
}

/* --- members --- */

/* Where CONN notes its position in AUDIENCE. */
static uint32_t *place_in(const struct audience *audience, struct conn *conn)
{
    if ((const void *)conn->main.room == audience)
        return &conn->main.index;
    for (uint32_t i = 0;; i++) {
        assert(conn->seats != NULL && i < conn->seats->n);
        if ((const void *)conn->seats->list[i].room == audience)
            return &conn->seats->list[i].index;
    }
}

void audience_add(struct audience *audience, struct conn *conn)
{
    ARRAY_ROOM(audience->members, audience->n, audience->cap, MEMBERS_MIN);
    *place_in(audience, conn) = audience->n;
    audience->members[audience->n++] = conn;
}

/* Moves member FROM into the hole; its old place is the hole now. */
static void fill_hole(struct audience *audience, uint32_t *hole, uint32_t from)
{
    if (from == *hole) /* the hole is the last place of its zone */
        return;
    audience->members[*hole] = audience->members[from];
    *place_in(audience, audience->members[*hole]) = *hole;
    *hole = from;
}

void audience_remove(struct audience *audience, struct conn *conn)
{
    uint32_t hole = *place_in(audience, conn);
    assert(hole < audience->n && audience->members[hole] == conn);
    if (hole < audience->done)
        fill_hole(audience, &hole, --audience->done);
    if (hole < audience->end)
        fill_hole(audience, &hole, --audience->end);
    fill_hole(audience, &hole, --audience->n);
    if (audience->cap > MEMBERS_MIN && audience->n < audience->cap / 4) {
        audience->cap /= 2;
        audience->members = mem_realloc(audience->members, audience->cap * sizeof(struct conn *));
    }
}

/* --- broadcasts with a speed --- */

static bool limited_done(struct fanout *fanout, struct audience *audience, uint64_t now)
{
    uint64_t due = (now - audience->begun_ms + LIMITED_MS) * (uint64_t)audience->speed / 1000;
    size_t slice = (size_t)fanout->worker->config->walk_slice;
    due = saturate_sub(due, audience->sent);
    if (due > slice) { /* the loop stood still: what it missed is not sent in a burst */
        audience->sent += due - slice;
        due = slice;
    }
    if (due > 0)
        walk_table(fanout, audience, (size_t)due);
    return audience->done >= audience->end;
}

static void limited_free(struct fanout *fanout, struct audience *audience)
{
    STAILQ_REMOVE(&fanout->limited, audience, audience, link);
    audience_clear(audience);
    free(audience);
    if (--fanout->n_limited == 0)
        uv_timer_stop(&fanout->timer);
}

static void on_limited(uv_timer_t *timer)
{
    struct fanout *fanout = container_of(timer, struct fanout, timer);
    uint64_t now = loop_now_ms(&fanout->worker->loop);
    struct audience *audience = STAILQ_FIRST(&fanout->limited), *next;
    for (; audience != NULL; audience = next) {
        bool done = limited_done(fanout, audience, now);
        next = STAILQ_NEXT(audience, link);
        if (done)
            limited_free(fanout, audience);
    }
}

/* SPEED is for the whole process. Each loop takes a part of it, in proportion to its
 * connections. */
static int32_t speed_share(const struct fanout *fanout, int32_t speed)
{
    int64_t total = conn_total(), here = (int64_t)frontend_connections(fanout->worker);
    int64_t share = total > 0 ? (speed * here + total - 1) / total : speed;

    return share < 1 ? 1 : share > speed ? speed : (int32_t)share;
}

void fanout_push_limited(struct fanout *fanout, const struct push *push, int32_t speed,
                         struct ticket ticket)
{
    if (fanout->n_limited == LIMITED_MAX) {
        /* Too many broadcasts with a speed: this one goes at full speed rather than not at all. */
        audience_push(fanout, &fanout->everybody, push, ticket);
        return;
    }
    struct audience *audience = mem_zalloc(sizeof *audience);
    audience->everybody = true;
    audience->speed = speed_share(fanout, speed);
    STAILQ_INSERT_TAIL(&fanout->limited, audience, link); /* in order of acceptance */
    if (fanout->n_limited++ == 0)
        uv_timer_start(&fanout->timer, on_limited, 0, LIMITED_MS);
    backlog_add(&audience->backlog, push, ticket);
    walk_begin(fanout, audience);
}

/* --- life --- */

void fanout_open(struct fanout *fanout, struct worker *worker)
{
    fanout->worker = worker;
    STAILQ_INIT(&fanout->queue);
    STAILQ_INIT(&fanout->resting);
    STAILQ_INIT(&fanout->limited);
    fanout->task.run = fanout_run;
    fanout->everybody.everybody = true;
    uv_timer_init(&worker->loop.uv, &fanout->timer);
    uv_timer_init(&worker->loop.uv, &fanout->rest);
    fanout->timer.data = fanout->rest.data = fanout;
    fanout->open_timers = 2;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct fanout *fanout = handle->data;

    if (--fanout->open_timers == 0)
        fanout->closed(fanout);
}

void fanout_close(struct fanout *fanout, void (*closed)(struct fanout *fanout))
{
    while (!STAILQ_EMPTY(&fanout->limited))
        limited_free(fanout, STAILQ_FIRST(&fanout->limited));
    on_rested(&fanout->rest);
    while (!STAILQ_EMPTY(&fanout->queue)) {
        struct audience *audience = queue_take(fanout);
        audience_clear(audience);
        if (audience->idle != NULL)
            audience->idle(fanout, audience);
    }
    audience_clear(&fanout->everybody);
    fanout->closed = closed;
    uv_close((uv_handle_t *)&fanout->timer, on_timer_closed);
    uv_close((uv_handle_t *)&fanout->rest, on_timer_closed);
}
