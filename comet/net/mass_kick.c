/* mass_kick_all ────► on_kick_tick, every 10 ms: as many of all as are due ─► none left: done
 * mass_kick_recall ─► on_recall_tick: as many of those marked ─► the end of the table */
#include "comet/net/mass_kick.h"
#include "comet/base/comet.h"
#include "comet/net/conn_internal.h"
#include "comet/net/handle_table.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum {
    EVERY_MS = 10,
    SLOTS_PER_TICK = 16384, /* searched for marked sessions */
};

struct mass_kick {
    uv_timer_t timer;
    struct frontend *frontend;
    uint64_t began_ms, over_ms;
    size_t total, told; /* connections */
    size_t cursor;      /* recall: next table slot */
    enum close_code code;
    char *reason;
    void (*done)(struct worker *worker);
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

static void on_kick_tick(uv_timer_t *timer)
{
    struct mass_kick *kick = timer->data;
    struct frontend *frontend = kick->frontend;
    size_t n = due(kick);

    for (size_t i = 0; i < n && i < KICK_SLICE && !LIST_EMPTY(&frontend->live); i++) {
        struct conn *conn = LIST_FIRST(&frontend->live);
        kick->told++;
        conn_kick(conn, kick->code, kick->reason);
        if (conn == LIST_FIRST(&frontend->live)) {
            assert(conn->broken); /* closes at the end of the turn */
            break;
        }
    }
    if (frontend->n_conns > 0)
        return;
    uv_timer_stop(timer);
    if (kick->done != NULL)
        kick->done(frontend->worker);
}

void mass_kick_all(struct worker *worker, enum close_code code, const char *reason,
                   uint64_t over_ms, void (*done)(struct worker *worker))
{
    struct mass_kick *kick = worker->frontend->kick;

    loop_assert_owner(&worker->loop);
    free(kick->reason);
    kick->reason = mem_strdup(reason);
    kick->code = code;
    kick->done = done;
    begin(kick, over_ms, worker->frontend->n_conns, on_kick_tick);
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
    conn_kick(conn, kick->code, "messages to your room were missed here, connect again");
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
    kick->code = CLOSE_UNAVAILABLE;
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
    free(kick->reason);
    free(kick);
}

void mass_kick_close(struct frontend *frontend)
{
    uv_close((uv_handle_t *)&frontend->kick->timer, on_closed);
    uv_close((uv_handle_t *)&frontend->recall->timer, on_closed);
}
