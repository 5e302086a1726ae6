/* Closes connections when memory is nearly used up, ten times a second. It chooses those with the
 * longest queues, and the oldest of those that have not authenticated. They get no parting word,
 * because that would need memory. Queued messages go back to job, and so to the mailbox. */
#include "comet/net/load_shedding.h"
#include "comet/net/conn_internal.h"
#include "comet/net/sendq.h"

enum {
    SLOW_MOST = 32,
    STRANGERS_MOST = 32,
    LOOKED_AT_MOST = 65536, /* the newest come first in the list, and a stranger cannot be old */
};

/* Keeps CHOSEN, of length N, in descending order of queued bytes. */
static void choose(struct conn **chosen, int *n, struct conn *conn)
{
    int at = *n;

    if (at == SLOW_MOST && chosen[at - 1]->out->bytes >= conn->out->bytes)
        return;
    if (at == SLOW_MOST)
        at--;
    else
        ++*n;
    for (; at > 0 && chosen[at - 1]->out->bytes < conn->out->bytes; at--)
        chosen[at] = chosen[at - 1];
    chosen[at] = conn;
}

static void let_slow_go(struct frontend *frontend)
{
    struct conn *chosen[SLOW_MOST];
    struct sendq *sendq;
    int n = 0;

    LIST_FOREACH(sendq, &frontend->queued, link) {
        if (!sendq->conn->broken)
            choose(chosen, &n, sendq->conn);
    }
    for (int i = 0; i < n; i++) {
        chosen[i]->by_us = true;
        conn_break(chosen[i]);
    }
    metric_add(frontend->worker->counters, COMET_LET_GO_SLOW, n);
}

static void let_strangers_go(struct frontend *frontend)
{
    struct conn *last[STRANGERS_MOST]; /* a ring; those met last are the oldest */
    int met = 0, looked = 0;

    for (struct conn *conn = LIST_FIRST(&frontend->live); conn != NULL && looked < LOOKED_AT_MOST;
         conn = LIST_NEXT(conn, link), looked++) {
        if (conn->state < CONN_CONNECTING && !conn->broken)
            last[met++ % STRANGERS_MOST] = conn;
    }
    int n = met < STRANGERS_MOST ? met : STRANGERS_MOST;
    for (int i = 0; i < n; i++) {
        last[i]->by_us = true;
        conn_break(last[i]);
    }
    metric_add(frontend->worker->counters, COMET_LET_GO_STRANGER, n);
}

void load_shedding_run(struct worker *worker)
{
    loop_assert_owner(&worker->loop);
    let_slow_go(worker->frontend);
    let_strangers_go(worker->frontend);
}
