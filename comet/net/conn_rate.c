#include "comet/net/conn_rate.h"
#include "comet/net/conn_internal.h"
#include "common/base/rate.h"

#include <stdio.h>

/* Made anew at each use, because a reload may change it: two loads and a division. */
static struct rate_limit frames_limit(const struct conn *conn)
{
    const struct comet_config *config = conn->worker->config;

    return rate_limit(config->frames_per_second, config->frames_burst);
}

static struct rate_limit bytes_limit(const struct conn *conn)
{
    const struct comet_config *config = conn->worker->config;

    return rate_limit(config->bytes_per_second, config->bytes_burst);
}

void conn_rate_begin(struct conn *conn)
{
    conn->frames_full = conn->bytes_full = rate_full(loop_now_ms(&conn->worker->loop));
}

static void kick(struct conn *conn, enum comet_metric metric, const char *what,
                 const struct rate_limit *limit)
{
    char why[80];

    (void)snprintf(why, sizeof why, "too fast: more than %u %s a second", limit->per_second, what);
    conn_count(conn, metric, 1);
    conn_kick(conn, CLOSE_RATE_LIMITED, why);
}

bool conn_rate_frame(struct conn *conn)
{
    const struct rate_limit limit = frames_limit(conn);

    if (conn->state != CONN_OPEN ||
        rate_take(&limit, &conn->frames_full, loop_now_ms(&conn->worker->loop), 1))
        return true;
    kick(conn, COMET_RATE_FRAMES, "frames", &limit);
    return false;
}

void conn_rate_give_back(struct conn *conn)
{
    const struct rate_limit limit = frames_limit(conn);

    rate_give_back(&limit, &conn->frames_full, loop_now_ms(&conn->worker->loop), 1);
}

bool conn_rate_bytes(struct conn *conn, size_t n)
{
    const struct rate_limit limit = bytes_limit(conn);

    if (conn->state != CONN_OPEN ||
        rate_take(&limit, &conn->bytes_full, loop_now_ms(&conn->worker->loop), (uint32_t)n))
        return true;
    kick(conn, COMET_RATE_BYTES, "bytes", &limit);
    return false;
}
