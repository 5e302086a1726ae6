/* A newer session of a user needs room, or takes the place of one: logic says of which sessions.
 *
 *   GIVE_WAY_SILENT ─── the one that has been silent for longest, if it may be dead: ends at once
 *   GIVE_WAY_OLDEST ─── all of them: told, flushed, then closed
 *   GIVE_WAY_SAME_KEY ─ all of them: their device is back, so they end at once
 *
 * What a session has not taken when it ends goes back to job, and by way of the mailbox to the
 * user's other sessions. */
#include "comet/base/config.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/reregister.h"
#include "comet/session/session.h"

static void evict_silent(struct worker *worker, int64_t uid, const uint64_t *handles,
                         size_t n_handles)
{
    struct conn *oldest = NULL;

    for (size_t i = 0; i < n_handles; i++) {
        struct conn *conn = handle_table_find(worker->table, handles[i]);
        if (conn != NULL && conn->state == CONN_OPEN && conn->uid == uid &&
            (oldest == NULL || conn_silence(conn) > conn_silence(oldest)))
            oldest = conn;
    }
    if (oldest == NULL || conn_silence(oldest) < (uint64_t)worker->config->silent_ms)
        return;
    metric_add(worker->counters, COMET_GAVE_WAY, 1);
    conn_replace(oldest, "a newer session took the place of this one, which was silent");
}

/* A router lists a session that has ended: it did not hear of the end, or took it for older than
 * the beginning. Such a session would keep its place for as long as this comet lives. */
static void tell_ended(struct worker *worker, int64_t uid, const uint64_t *handles,
                       size_t n_handles)
{
    for (size_t i = 0; i < n_handles; i++) {
        if (handle_loop(handles[i]) == worker->loop.index &&
            handle_table_find(worker->table, handles[i]) == NULL)
            reregister_disconnect(worker->reregister, handles[i], uid);
    }
}

/* A session that is still connecting has no uid yet, but logic put it under its handle. */
static bool is_session_of(const struct conn *conn, int64_t uid)
{
    return conn != NULL &&
           (conn->state == CONN_CONNECTING || (conn->state == CONN_OPEN && conn->uid == uid));
}

static void replace(struct worker *worker, struct conn *conn, enum give_way_why why)
{
    if (why == GIVE_WAY_OLDEST) {
        metric_add(worker->counters, COMET_REPLACED_OLDEST, 1);
        conn_kick(conn, CLOSE_REPLACED, "too many sessions: a newer one took this place");
    } else {
        metric_add(worker->counters, COMET_REPLACED_SAME_KEY, 1);
        conn_replace(conn, "a newer session of the same key took the place of this one");
    }
}

void session_give_way(struct worker *worker, int64_t uid, const uint64_t *handles, size_t n_handles,
                      enum give_way_why why)
{
    loop_assert_owner(&worker->loop);
    tell_ended(worker, uid, handles, n_handles);
    if (why == GIVE_WAY_SILENT) {
        evict_silent(worker, uid, handles, n_handles);
        return;
    }
    for (size_t i = 0; i < n_handles; i++) {
        struct conn *conn = handle_table_find(worker->table, handles[i]);
        if (is_session_of(conn, uid))
            replace(worker, conn, why);
    }
}
