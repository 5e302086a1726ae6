/* audience_push ─► backlog ─► queue of audiences ─► fanout_run, at the end of the turn:
 *
 *    take the first audience ─► no walk under way: begin one with all that waits (fanout.batch bytes)
 *      ▲                    ─► deliver to a share of the members ─► walk over: next batch, or idle
 *      └── to the end of the queue, while fanout.slice deliveries have not been made in this turn
 *
 * So a turn serves one large room for a slice, or hundreds of small ones whole.
 *
 * A walk may have to rest before it begins (walk_must_rest): then its audience leaves the queue for
 * the list of those that rest, and all of them are looked at again every REST_MS. Its tickets are
 * told when it begins: that is how sockets that are full reach back to Kafka. */
#include "comet/fanout/fanout.h"
#include "comet/net/conn_internal.h"
#include "comet/session/handle_table.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHARES = 8, /* an audience's turn is at most this part of a slice: small rooms do not wait for
                   large ones */
    MEMBERS_MIN = 4,
    BACKLOG_MIN = 4,
    LIMITED_MAX =
        64, /* broadcasts with a speed at the same time; others wait in the queue of everybody */
    LIMITED_MS = 20,
    SLOTS_PER_SEND = 16, /* looking at so many slots of the table counts as one delivery */
    REST_MS = 5,
    PAUSE_SHARE = 2, /* after a walk over many, this part of its time passes before the next, */
    PAUSE_MOST_MS = 100,
    BEHIND_MIN = 64,  /* so few sockets that are behind hold up nobody, */
    BEHIND_SHARE = 8, /* nor does less than this part of all */
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

/* How many go into one walk: at least one, else up to BYTES. */
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
    free(walk->pushes);
    *walk = (struct walk){0};
    audience->walking = false;
    audience->done = 0;
    audience->end = 0;
}

/* Takes a batch out of the backlog. The tickets are told last: their owners may push again. */
static void walk_begin(struct frontend *frontend, struct audience *audience)
{
    struct pending_pushes *backlog = &audience->backlog;
    uint32_t n = backlog_batch(backlog, (size_t)frontend->worker->config->walk_bytes);
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
    audience->walk = (struct walk){.pushes = pushes, .n = n};
    audience->walking = true;
    audience->done = 0;
    audience->end =
        audience->everybody ? (uint32_t)handle_table_slots(frontend->worker->table) : audience->n;
    audience->begun_ms = loop_now_ms(&frontend->worker->loop);
    audience->sent = 0;
    metric_add(frontend->worker->counters, COMET_WALKS, 1);
    tell(tickets, n, TICKET_WRITTEN);
    free(tickets);
}

/* True: it was (or will be) written. */
static bool walk_deliver(struct walk *walk, struct conn *conn)
{
    if (conn->state != CONN_OPEN)
        return false;
    struct msg *msg = walk->encoded[conn->wire];
    if (msg == NULL) {
        msg = wire_pushes(conn->wire, walk->pushes, walk->n);
        walk->encoded[conn->wire] = msg;
    }
    enum write_result result = conn_write_msg(conn, msg, TICKET_NONE);
    if (result == WRITE_FULL)
        conn_kick(conn, CLOSE_TOO_SLOW, "too slow: messages of the room are not being read");
    return result == WRITE_DONE || result == WRITE_QUEUED;
}

/* At most BUDGET members; returns how many were met. */
static size_t walk_members(struct frontend *frontend, struct audience *audience, size_t budget)
{
    size_t met = 0, written = 0;
    while (met < budget && audience->done < audience->end) {
        struct conn *conn = audience->members[audience->done++];
        met++;
        written += walk_deliver(&audience->walk, conn);
    }
    metric_add(frontend->worker->counters, COMET_DELIVERIES_ROOM,
               (int64_t)(written * audience->walk.n));
    return met;
}

static size_t walk_table(struct frontend *frontend, struct audience *audience, size_t budget)
{
    struct handle_table *table = frontend->worker->table;
    size_t written = 0, looked = 0, slots = handle_table_slots(table);
    if (audience->end > slots) /* the table shrank: nobody is left up there */
        audience->end = audience->done < slots ? (uint32_t)slots : audience->done;
    while (written + looked / SLOTS_PER_SEND < budget && audience->done < audience->end) {
        struct conn *conn = handle_table_at(table, audience->done++);
        looked++;
        if (conn != NULL)
            written += walk_deliver(&audience->walk, conn);
    }
    audience->sent += written;
    metric_add(frontend->worker->counters, COMET_DELIVERIES_ALL,
               (int64_t)(written * audience->walk.n));
    return written + looked / SLOTS_PER_SEND;
}

/* --- audiences in turn --- */

static bool audience_has_work(const struct audience *audience)
{
    return audience->walking || audience->backlog.n > 0;
}

/* A room that is walked without pause takes its whole loop, clients on the same cores get to read
 * late, and few messages share a write. With two thirds of the time everybody has them sooner
 * (docs/benchmarks.md). */
static void audience_pause(const struct frontend *frontend, struct audience *audience)
{
    uint64_t now = loop_now_ms(&frontend->worker->loop);
    uint64_t pause = (now - audience->begun_ms) / PAUSE_SHARE;

    audience->rested_ms = now + (pause < PAUSE_MOST_MS ? pause : PAUSE_MOST_MS);
}

/* Begins a walk if none is under way, and goes on with it. What it used of BUDGET, at least 1. */
static size_t audience_run(struct frontend *frontend, struct audience *audience, size_t budget)
{
    if (!audience->walking)
        walk_begin(frontend, audience);
    size_t used = audience->everybody ? walk_table(frontend, audience, budget)
                                      : walk_members(frontend, audience, budget);
    if (audience->done >= audience->end) {
        walk_end(audience);
        audience_pause(frontend, audience);
    }
    return used > 0 ? used : 1;
}

static void queue_append(struct frontend *frontend, struct audience *audience)
{
    struct fanout *walks = &frontend->walks;
    audience->next = NULL;
    *walks->tail = audience;
    walks->tail = &audience->next;
    loop_defer(&frontend->worker->loop, &walks->task);
}

static void queue_add(struct frontend *frontend, struct audience *audience)
{
    if (audience->queued)
        return;
    audience->queued = true;
    queue_append(frontend, audience);
}

static struct audience *queue_take(struct fanout *walks)
{
    struct audience *audience = walks->head;
    walks->head = audience->next;
    if (walks->head == NULL)
        walks->tail = &walks->head;
    audience->queued = false;
    return audience;
}

/* --- resting --- */

/* Room messages that wait longer share a write with more others. Small audiences cost little: they
 * are not made to wait. */
static bool walk_gathers(const struct frontend *frontend, const struct audience *audience,
                         uint64_t now)
{
    const struct comet_config *config = frontend->worker->config;
    size_t n = audience->everybody ? frontend->n_conns : audience->n;

    if (n <= (size_t)config->walk_slice || audience->backlog.bytes >= (size_t)config->walk_bytes)
        return false;
    return now < audience->rested_ms ||
           now - audience->backlog.since_ms < (uint64_t)config->walk_delay_ms;
}

/* Many sockets have not taken yet what they were sent: more would only fill their queues and have
 * them closed as too slow. But who does not read at all holds up the others no longer than
 * fanout.patience. */
static bool walk_waits_for_sockets(struct frontend *frontend, uint64_t now)
{
    struct fanout *walks = &frontend->walks;

    if (frontend->n_queued <= BEHIND_MIN ||
        frontend->n_queued <= frontend->n_conns / BEHIND_SHARE) {
        walks->behind_ms = 0;
        return false;
    }
    if (walks->behind_ms == 0)
        walks->behind_ms = now;
    return now - walks->behind_ms < (uint64_t)frontend->worker->config->walk_patience_ms;
}

static bool walk_must_rest(struct frontend *frontend, const struct audience *audience)
{
    uint64_t now = loop_now_ms(&frontend->worker->loop);

    if (audience->walking || (!audience->everybody && audience->n == 0))
        return false;
    if (walk_gathers(frontend, audience, now))
        return true;
    if (!walk_waits_for_sockets(frontend, now))
        return false;
    metric_add(frontend->worker->counters, COMET_WALK_WAITS, 1);
    return true;
}

static void on_rested(uv_timer_t *timer)
{
    struct frontend *frontend = container_of(timer, struct frontend, walks.rest);
    struct audience *audience = frontend->walks.resting;

    frontend->walks.resting = NULL;
    frontend->walks.resting_tail = &frontend->walks.resting;
    while (audience != NULL) {
        struct audience *next = audience->next;
        queue_append(frontend, audience);
        audience = next;
    }
}

/* It still counts as queued. */
static void walk_rest(struct frontend *frontend, struct audience *audience)
{
    struct fanout *walks = &frontend->walks;

    audience->queued = true;
    audience->next = NULL;
    *walks->resting_tail = audience;
    walks->resting_tail = &audience->next;
    if (!uv_is_active((uv_handle_t *)&walks->rest))
        uv_timer_start(&walks->rest, on_rested, REST_MS, 0);
}

/* --- the end of a turn --- */

static void fanout_run(struct loop *loop, struct loop_task *task)
{
    struct frontend *frontend = container_of(task, struct frontend, walks.task);
    struct fanout *walks = &frontend->walks;
    size_t budget = (size_t)frontend->worker->config->walk_slice, share = budget / SHARES + 1;

    while (budget > 0 && walks->head != NULL) {
        struct audience *audience = queue_take(walks);
        if (walk_must_rest(frontend, audience)) {
            walk_rest(frontend, audience);
            continue;
        }
        size_t used = audience_run(frontend, audience, share < budget ? share : budget);
        budget -= used < budget ? used : budget;
        if (audience_has_work(audience))
            queue_add(frontend, audience);
        else if (audience->idle != NULL)
            audience->idle(frontend, audience);
    }
    if (walks->head != NULL)
        loop_defer(loop, task);
}

void audience_push(struct frontend *frontend, struct audience *audience, const struct push *push,
                   struct ticket ticket)
{
    if (audience->backlog.n == 0)
        audience->backlog.since_ms = loop_now_ms(&frontend->worker->loop);
    backlog_add(&audience->backlog, push, ticket);
    queue_add(frontend, audience);
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

void audience_add(struct audience *audience, struct conn *conn)
{
    if (audience->n == audience->cap) {
        audience->cap = audience->cap == 0 ? MEMBERS_MIN : audience->cap * 2;
        audience->members = mem_realloc(audience->members, audience->cap * sizeof(struct conn *));
    }
    conn->room_index = audience->n;
    audience->members[audience->n++] = conn;
}

/* Member FROM goes where the hole is and leaves one. */
static void fill_hole(struct audience *audience, uint32_t *hole, uint32_t from)
{
    if (from == *hole) /* it is the last one of its zone itself */
        return;
    audience->members[*hole] = audience->members[from];
    audience->members[*hole]->room_index = *hole;
    *hole = from;
}

void audience_remove(struct audience *audience, struct conn *conn)
{
    uint32_t hole = conn->room_index;
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

static bool limited_done(struct frontend *frontend, struct audience *audience, uint64_t now)
{
    uint64_t due = (now - audience->begun_ms + LIMITED_MS) * (uint64_t)audience->speed / 1000;
    size_t slice = (size_t)frontend->worker->config->walk_slice;
    due = due > audience->sent ? due - audience->sent : 0;
    if (due > slice) { /* after a pause of the loop nothing is caught up in a burst */
        audience->sent += due - slice;
        due = slice;
    }
    if (due > 0)
        walk_table(frontend, audience, (size_t)due);
    return audience->done >= audience->end;
}

static void limited_free(struct frontend *frontend, struct audience **at)
{
    struct audience *audience = *at;
    *at = audience->next;
    audience_clear(audience);
    free(audience);
    if (--frontend->walks.n_limited == 0)
        uv_timer_stop(&frontend->walks.timer);
}

static void on_limited(uv_timer_t *timer)
{
    struct frontend *frontend = container_of(timer, struct frontend, walks.timer);
    uint64_t now = loop_now_ms(&frontend->worker->loop);
    struct audience **at = &frontend->walks.limited;
    while (*at != NULL) {
        if (limited_done(frontend, *at, now))
            limited_free(frontend, at);
        else
            at = &(*at)->next;
    }
}

/* SPEED is the whole process's: each loop takes the part that its connections are of all. */
static int32_t speed_share(const struct frontend *frontend, int32_t speed)
{
    int64_t total = conn_total(), here = (int64_t)frontend->n_conns;
    int64_t share = total > 0 ? (speed * here + total - 1) / total : speed;

    return share < 1 ? 1 : share > speed ? speed : (int32_t)share;
}

void fanout_push_limited(struct frontend *frontend, const struct push *push, int32_t speed,
                         struct ticket ticket)
{
    struct fanout *walks = &frontend->walks;
    if (walks->n_limited == LIMITED_MAX) {
        /* Too many to keep apart: this one goes at full speed rather than not at all. */
        audience_push(frontend, &walks->everybody, push, ticket);
        return;
    }
    struct audience *audience = mem_zalloc(sizeof *audience), **at = &walks->limited;
    audience->everybody = true;
    audience->speed = speed_share(frontend, speed);
    while (*at != NULL) /* in order of acceptance */
        at = &(*at)->next;
    *at = audience;
    if (walks->n_limited++ == 0)
        uv_timer_start(&walks->timer, on_limited, 0, LIMITED_MS);
    backlog_add(&audience->backlog, push, ticket);
    walk_begin(frontend, audience);
}

/* --- life --- */

void fanout_open(struct frontend *frontend)
{
    struct fanout *walks = &frontend->walks;
    walks->tail = &walks->head;
    walks->resting_tail = &walks->resting;
    walks->task.run = fanout_run;
    walks->everybody.everybody = true;
    uv_timer_init(&frontend->worker->loop.uv, &walks->timer);
    uv_timer_init(&frontend->worker->loop.uv, &walks->rest);
    frontend->open_handles += 2;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct frontend *frontend = container_of((uv_timer_t *)handle, struct frontend, walks.timer);
    frontend->open_handles--;
}

static void on_rest_closed(uv_handle_t *handle)
{
    container_of((uv_timer_t *)handle, struct frontend, walks.rest)->open_handles--;
}

void fanout_close(struct frontend *frontend)
{
    struct fanout *walks = &frontend->walks;
    while (walks->limited != NULL)
        limited_free(frontend, &walks->limited);
    on_rested(&walks->rest);
    while (walks->head != NULL) {
        struct audience *audience = queue_take(walks);
        audience_clear(audience);
        if (audience->idle != NULL)
            audience->idle(frontend, audience);
    }
    audience_clear(&walks->everybody);
    uv_close((uv_handle_t *)&walks->timer, on_timer_closed);
    uv_close((uv_handle_t *)&walks->rest, on_rest_closed);
}
