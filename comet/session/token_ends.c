#include "comet/session/token_ends.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "common/base/mem.h"
#include "common/containers/map.h"
#include "common/containers/wheel.h"

#include <assert.h>

/* A round of the wheel takes 17 minutes: an entry that has hours left is looked at that often. */
enum { TICK_MS = 250, SLOTS = 4096 };
#define LIFETIME_MAX_MS (UINT64_C(10) * 366 * 24 * 3600 * 1000)

struct token_end {
    struct wheel_timer timer;
    struct worker *worker;
    uint64_t handle;
    struct token_marks marks;
};

struct token_ends {
    struct worker *worker;
    struct wheel *wheel;
    struct map64 *ends; /* handle → struct token_end * */
};

static struct token_end *end_of(struct token_ends *ends, uint64_t handle)
{
    const uint64_t *at = map64_get(ends->ends, handle);

    return at == NULL ? NULL : (struct token_end *)(uintptr_t)*at; /* NOLINT: a map of numbers */
}

static void on_timer(struct wheel *wheel, struct wheel_timer *timer)
{
    const struct token_end *end = container_of(timer, struct token_end, timer);
    struct conn *conn = handle_table_find(end->worker->table, end->handle);

    (void)wheel;
    assert(conn != NULL); /* or it would have been forgotten */
    metric_add(conn->worker->counters, COMET_TOKENS_ENDED, 1);
    if (conn->renewing)
        conn_kick(conn, CLOSE_UNAVAILABLE,
                  "the token has expired, and nobody could say what the new one is worth");
    else
        conn_kick(conn, CLOSE_BAD_TOKEN, "the token has expired");
}

void token_ends_set(struct conn *conn, struct token_marks marks, uint64_t lifetime_ms)
{
    struct worker *worker = conn->worker;
    struct token_ends *ends = worker->token_ends;

    loop_assert_owner(&worker->loop);
    if (marks.token == 0 && lifetime_ms == 0) {
        if (conn->expires)
            token_ends_forget(conn);
        return;
    }
    struct token_end *end = end_of(ends, conn->handle);
    if (end == NULL) {
        end = mem_zalloc(sizeof *end);
        end->worker = worker;
        end->handle = conn->handle;
        map64_set(ends->ends, conn->handle, (uintptr_t)end);
        metric_add(worker->counters, COMET_TOKENS_TIMED, 1);
        conn->expires = true;
    }
    end->marks = marks;
    if (lifetime_ms == 0)
        wheel_cancel(ends->wheel, &end->timer);
    else
        wheel_set(ends->wheel, &end->timer,
                  lifetime_ms < LIFETIME_MAX_MS ? lifetime_ms : LIFETIME_MAX_MS);
}

struct token_marks token_ends_marks(const struct conn *conn)
{
    const struct token_end *end =
        conn->expires ? end_of(conn->worker->token_ends, conn->handle) : NULL;

    return end != NULL ? end->marks : (struct token_marks){0};
}

void token_ends_forget(struct conn *conn)
{
    struct token_ends *ends = conn->worker->token_ends;
    struct token_end *end = end_of(ends, conn->handle);

    loop_assert_owner(&conn->worker->loop);
    wheel_cancel(ends->wheel, &end->timer);
    map64_del(ends->ends, conn->handle);
    metric_add(conn->worker->counters, COMET_TOKENS_TIMED, -1);
    conn->expires = false;
    free(end);
}

struct token_ends *token_ends_open(struct worker *worker)
{
    struct token_ends *ends = mem_zalloc(sizeof *ends);

    loop_assert_owner(&worker->loop);
    ends->worker = worker;
    ends->wheel = wheel_open(&worker->loop, TICK_MS, SLOTS, on_timer);
    ends->ends = map64_new();
    return ends;
}

void token_ends_close(struct token_ends *ends)
{
    loop_assert_owner(&ends->worker->loop);
    assert(map64_count(ends->ends) == 0);
    wheel_close(ends->wheel);
    map64_free(ends->ends);
    free(ends);
}
