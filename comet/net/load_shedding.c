/* What a loop lets go of when memory is nearly used up, each time it is asked (ten times a second):
 * those for whom most waits, and of those who have not said who they are the oldest. Both are
 * closed without a word, which would need the memory that they hold; a message that waited goes
 * back to job, and so to its mailbox. */
#include "comet/net/load_shedding.h"
#include "comet/net/conn_internal.h"
#include "comet/net/sendq.h"

enum {
    SLOW_MOST = 32,
    STRANGERS_MOST = 32,
    LOOKED_AT_MOST = 65536, /* the list has the newest first, and strangers do not get old */
};

/* Keeps CHOSEN, of N, in descending order of what waits. */
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
    int n = 0;

    for (struct sendq *sendq = frontend->queued; sendq != NULL; sendq = sendq->next) {
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
    struct conn *last[STRANGERS_MOST]; /* a ring of those met last: the oldest */
    int met = 0, looked = 0;

    for (struct conn *conn = frontend->live; conn != NULL && looked < LOOKED_AT_MOST;
         conn = conn->next, looked++) {
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
    let_slow_go(worker->frontend);
    let_strangers_go(worker->frontend);
}
