/* edge_kick_all ─► on_kick_tick, every 10 ms: as many of edge->live as are due ─► none left: done
 * edge_recall ───► on_recall_tick: as many of those marked ─► the end of the table */
#include "comet/net/mass_kick.h"
#include "comet/net/conn_internal.h"
#include "comet/session/handle_table.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum {
    EVERY_MS = 10,
    SLOTS_PER_TICK = 16384, /* looked at for those who are marked */
};

/* How many more are due now. */
static size_t due(const struct farewell *farewell)
{
    const struct worker *worker = farewell->edge->worker;
    uint64_t elapsed = loop_now_ms(&worker->loop) - farewell->began_ms + EVERY_MS;
    uint64_t loops = worker->comet != NULL ? (uint64_t)worker->comet->n_workers : 1;
    uint64_t sum = (uint64_t)worker->config->drain_rate * elapsed / (1000 * loops);

    if (farewell->over_ms == 0 || elapsed >= farewell->over_ms)
        return SIZE_MAX;
    uint64_t spread = (uint64_t)farewell->total * elapsed / farewell->over_ms;
    sum = spread > sum ? spread : sum;
    return sum > farewell->told ? (size_t)sum - farewell->told : 0;
}

static void begin(struct farewell *farewell, uint64_t over_ms, size_t total, uv_timer_cb tick)
{
    farewell->began_ms = loop_now_ms(&farewell->edge->worker->loop);
    farewell->over_ms = over_ms;
    farewell->total = total;
    farewell->told = 0;
    uv_timer_start(&farewell->timer, tick, 0, EVERY_MS);
}

/* --- everybody --- */

enum { KICK_SLICE = 256 }; /* at most in one tick */

static void on_kick_tick(uv_timer_t *timer)
{
    struct farewell *farewell = timer->data;
    struct edge *edge = farewell->edge;
    size_t n = due(farewell);

    for (size_t i = 0; i < n && i < KICK_SLICE && edge->live != NULL; i++) {
        struct conn *conn = edge->live;
        farewell->told++;
        conn_kick(conn, farewell->code, farewell->reason);
        if (edge->live == conn) { /* broken: it closes at the end of the turn, the others wait */
            assert(conn->broken);
            break;
        }
    }
    if (edge->n_conns > 0)
        return;
    uv_timer_stop(timer);
    if (farewell->done != NULL)
        farewell->done(edge->worker);
}

void edge_kick_all(struct worker *worker, enum close_code code, const char *reason,
                   uint64_t over_ms, void (*done)(struct worker *worker))
{
    struct farewell *farewell = &worker->edge->kick;

    free(farewell->reason);
    farewell->reason = mem_strdup(reason);
    farewell->code = code;
    farewell->done = done;
    begin(farewell, over_ms, worker->edge->n_conns, on_kick_tick);
}

/* --- those who missed something --- */

static void recall_slot(struct farewell *farewell, struct conn *conn)
{
    if (conn == NULL || !conn->recalled)
        return;
    conn->recalled = false;
    farewell->told++;
    if (conn->state != CONN_OPEN)
        return;
    conn_count(conn, COMET_ROOMS_MISSED, 1);
    conn_kick(conn, farewell->code, "messages to your room were missed here, connect again");
}

static void on_recall_tick(uv_timer_t *timer)
{
    struct farewell *farewell = timer->data;
    const struct table *table = farewell->edge->worker->table;
    size_t n = due(farewell), goal = n == SIZE_MAX ? n : farewell->told + n;

    for (int i = 0; i < SLOTS_PER_TICK && farewell->cursor < table_slots(table); i++) {
        if (farewell->told >= goal)
            return;
        recall_slot(farewell, table_at(table, farewell->cursor++));
    }
    if (farewell->cursor >= table_slots(table))
        uv_timer_stop(timer);
}

void edge_recall(struct worker *worker, bool all, uint64_t over_ms)
{
    struct farewell *farewell = &worker->edge->recall;
    size_t marked = 0;

    for (size_t slot = 0; slot < table_slots(worker->table); slot++) {
        struct conn *conn = table_at(worker->table, slot);
        if (conn == NULL || conn->state != CONN_OPEN)
            continue;
        conn->recalled = conn->recalled || all || conn->room != NULL;
        marked += conn->recalled;
    }
    farewell->code = CLOSE_UNAVAILABLE;
    farewell->cursor = 0;
    begin(farewell, over_ms, marked, on_recall_tick);
}

/* --- life --- */

static void farewell_open(struct edge *edge, struct farewell *farewell)
{
    uv_timer_init(&edge->worker->loop.uv, &farewell->timer);
    farewell->timer.data = farewell;
    farewell->edge = edge;
    edge->open_handles++;
}

void farewells_open(struct edge *edge)
{
    farewell_open(edge, &edge->kick);
    farewell_open(edge, &edge->recall);
}

static void on_closed(uv_handle_t *handle)
{
    struct farewell *farewell = handle->data;

    free(farewell->reason);
    farewell->reason = NULL;
    farewell->edge->open_handles--;
}

void farewells_close(struct edge *edge)
{
    uv_close((uv_handle_t *)&edge->kick.timer, on_closed);
    uv_close((uv_handle_t *)&edge->recall.timer, on_closed);
}
