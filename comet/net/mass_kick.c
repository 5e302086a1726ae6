/* mass_kick_all ────► on_kick_tick, every 10 ms: as many of all as are due ─► none left: done
 *                       with ASK: to `parting`, until whoever was asked calls conn_send_away()
 * mass_kick_recall ─► on_recall_tick: as many of those marked ─► the end of the table */
#include "comet/net/mass_kick.h"
#include "comet/base/comet.h"
#include "comet/net/conn_internal.h"
#include "comet/net/handle_table.h"
#include "common/base/mem.h"

#include <stdlib.h>

enum {
    EVERY_MS = 10,
    SLOTS_PER_TICK = 16384, /* searched for marked sessions */
    /* Sessions are asked about in so large groups, or so often, because a group is one batch. */
    ASK_TOGETHER = 16,
    ASK_EVERY_MS = 100,
};

struct mass_kick {
    uv_timer_t timer;
    struct frontend *frontend;
    uint64_t began_ms, over_ms;
    size_t total, told; /* connections */
    size_t cursor;      /* recall: next table slot */
    uint64_t asked_ms;  /* all: loop time of the last group */
    struct mass_kick_plan plan;
};

/* How many connections more are to be kicked by now. */
static size_t due(const struct mass_kick *kick)
{
    const struct worker *worker = kick->frontend->worker;
    uint64_t elapsed = loop_now_ms(&worker->loop) - kick->began_ms + EVERY_MS;
    uint64_t loops = worker->comet != NULL ? (uint64_t)worker->comet->n_workers : 1;
    uint64_t sum = (uint64_t)worker->config->drain_rate * elapsed / (1000 * loops);

    if (kick->over_ms == 0 || elapsed >= kick->over_ms)
        return SIZE_MAX;
    uint64_t spread = (uint64_t)kick->total * elapsed / kick->over_ms;
    sum = spread > sum ? spread : sum;
    return sum > kick->told ? (size_t)sum - kick->told : 0;
}

static void begin(struct mass_kick *kick, uint64_t over_ms, size_t total, uv_timer_cb tick)
{
    kick->began_ms = loop_now_ms(&kick->frontend->worker->loop);
    kick->over_ms = over_ms;
    kick->total = total;
    kick->told = 0;
    uv_timer_start(&kick->timer, tick, 0, EVERY_MS);
}

/* --- everybody --- */

enum { KICK_SLICE = 256 }; /* at most in one tick */

/* How many are to be told in this tick. */
static size_t tell_now(struct mass_kick *kick)
{
    uint64_t now = loop_now_ms(&kick->frontend->worker->loop);
    size_t n = due(kick);

    if (kick->plan.ask == NULL)
        return n;
    if (n < ASK_TOGETHER && now - kick->asked_ms < ASK_EVERY_MS)
        return 0;
    kick->asked_ms = now;
    return n;
}

/* The next one to be told. NULL: none is left. When time is over, those are told, too, for which
 * there is no answer yet. */
static struct conn *next_of(const struct frontend *frontend, bool late)
{
    if (LIST_EMPTY(&frontend->live) && late)
        return LIST_FIRST(&frontend->parting);
    return LIST_FIRST(&frontend->live);
}

/* False: CONN stays where it is until the end of the turn. */
static bool tell(struct mass_kick *kick, struct conn *conn, bool late)
{
    struct frontend *frontend = kick->frontend;

    kick->told++;
    if (kick->plan.ask != NULL && conn->state >= CONN_CONNECTING && !late) {
        LIST_REMOVE(conn, link);
        LIST_INSERT_HEAD(&frontend->parting, conn, link);
        kick->plan.ask(conn);
        return true;
    }
    conn_kick(conn, kick->plan.code, kick->plan.reason);
    return !conn->broken;
}

static void on_kick_tick(uv_timer_t *timer)
{
    struct mass_kick *kick = timer->data;
    struct frontend *frontend = kick->frontend;
    struct conn *conn;
    size_t n = tell_now(kick);
    bool late = n == SIZE_MAX;

    for (size_t i = 0; i < n && i < KICK_SLICE && (conn = next_of(frontend, late)) != NULL; i++) {
        if (!tell(kick, conn, late))
            break;
    }
    metric_set(frontend->worker->counters, COMET_DRAIN_LEFT, (int64_t)frontend->n_conns);
    if (frontend->n_conns > 0)
        return;
    uv_timer_stop(timer);
    if (kick->plan.done != NULL)
        kick->plan.done(frontend->worker);
}

void mass_kick_all(struct worker *worker, const struct mass_kick_plan *plan)
{
    struct mass_kick *kick = worker->frontend->kick;

    loop_assert_owner(&worker->loop);
    kick->plan = *plan;
    kick->asked_ms = 0;
    begin(kick, plan->over_ms, worker->frontend->n_conns, on_kick_tick);
}

void mass_kick_stop(struct worker *worker)
{
    loop_assert_owner(&worker->loop);
    uv_timer_stop(&worker->frontend->kick->timer);
    metric_set(worker->counters, COMET_DRAIN_LEFT, 0);
}

/* --- those who missed something --- */

static void recall_slot(struct mass_kick *kick, struct conn *conn)
{
    if (conn == NULL || !conn->recalled)
        return;
    conn->recalled = false;
    kick->told++;
    if (conn->state != CONN_OPEN)
        return;
    conn_count(conn, COMET_ROOMS_MISSED, 1);
    conn_kick(conn, CLOSE_UNAVAILABLE, "messages to your room were missed here, connect again");
}

static void on_recall_tick(uv_timer_t *timer)
{
    struct mass_kick *kick = timer->data;
    const struct handle_table *table = kick->frontend->worker->table;
    size_t n = due(kick), goal = n == SIZE_MAX ? n : kick->told + n;

    for (int i = 0; i < SLOTS_PER_TICK && kick->cursor < handle_table_slots(table); i++) {
        if (kick->told >= goal)
            return;
        recall_slot(kick, handle_table_at(table, kick->cursor++));
    }
    if (kick->cursor >= handle_table_slots(table))
        uv_timer_stop(timer);
}

void mass_kick_recall(struct worker *worker, bool all, uint64_t over_ms)
{
    struct mass_kick *kick = worker->frontend->recall;
    size_t marked = 0;

    loop_assert_owner(&worker->loop);
    for (size_t slot = 0; slot < handle_table_slots(worker->table); slot++) {
        struct conn *conn = handle_table_at(worker->table, slot);
        if (conn == NULL || conn->state != CONN_OPEN)
            continue;
        conn->recalled = conn->recalled || all || conn->main.room != NULL || conn->seats != NULL;
        marked += conn->recalled;
    }
    kick->cursor = 0;
    begin(kick, over_ms, marked, on_recall_tick);
}

/* --- life --- */

static struct mass_kick *mass_kick_new(struct frontend *frontend)
{
    struct mass_kick *kick = mem_zalloc(sizeof *kick);

    uv_timer_init(&frontend->worker->loop.uv, &kick->timer);
    kick->timer.data = kick;
    kick->frontend = frontend;
    frontend->open_handles++;
    return kick;
}

void mass_kick_open(struct frontend *frontend)
{
    frontend->kick = mass_kick_new(frontend);
    frontend->recall = mass_kick_new(frontend);
}

static void on_closed(uv_handle_t *handle)
{
    struct mass_kick *kick = handle->data;

    kick->frontend->open_handles--;
    free(kick);
}

void mass_kick_close(struct frontend *frontend)
{
    uv_close((uv_handle_t *)&frontend->kick->timer, on_closed);
    uv_close((uv_handle_t *)&frontend->recall->timer, on_closed);
}
