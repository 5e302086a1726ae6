/* A user has too many sessions, and logic asks for a place for another one. We replace the session
 * that has been silent for longest, if it may be dead. */
#include "comet/base/config.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/session.h"

void session_evict_silent(struct worker *worker, int64_t uid, const uint64_t *handles,
                          size_t n_handles)
{
    struct conn *oldest = NULL;

    loop_assert_owner(&worker->loop);
    for (size_t i = 0; i < n_handles; i++) {
        struct conn *conn = handle_table_find(worker->table, handles[i]);
        if (conn != NULL && conn->state == CONN_OPEN && conn->uid == uid &&
            (oldest == NULL || conn_silence(conn) > conn_silence(oldest)))
            oldest = conn;
    }
    if (oldest == NULL || conn_silence(oldest) < (uint64_t)worker->config->silent_ms)
        return;
    metric_add(worker->counters, COMET_GAVE_WAY, 1);
    conn_replace(oldest);
}
