#include "comet/net/end_log.h"
#include "comet/base/metrics.h"
#include "comet/net/conn.h"
#include "comet/net/goim_client.h"
#include "common/base/log.h"

#include <assert.h>
#include <stdio.h>

void end_reason(enum close_code code, bool by_us, char out[END_REASON_MAX + 1])
{
    size_t len, metric = code != CLOSE_NONE ? COMET_KICKED_1 + (size_t)code - CLOSE_BAD_TOKEN
                         : by_us            ? COMET_CLOSED_BY_US
                                            : COMET_CLOSED_BY_PEER;
    const char *word = metric_label(comet_metric_rows, metric, &len);

    assert(len <= END_REASON_MAX);
    (void)snprintf(out, END_REASON_MAX + 1, "%.*s", (int)len, word);
}

static const char *transport_of(const struct conn *conn)
{
    if (conn->tls != NULL)
        return conn->is_ws ? "wss" : "tcps";
    return conn->is_ws ? "ws" : "tcp";
}

static void say(const struct conn *conn)
{
    char reason[END_REASON_MAX + 1], address[64];
    const char *key = conn->goim != NULL ? conn->goim->key : "";
    const char *wire = wire_is_goim(conn->wire) ? "goim" : "imgo";

    end_reason(conn->end_code, conn->by_us, reason);
    conn_peer(conn, address, sizeof address);
    if (conn->opened != 0)
        log_debug("session closed",
                  "reason=%s code=%d uid=%lld key=\"%s\" address=%s transport=%s wire=%s "
                  "lasted_ms=%llu",
                  reason, conn->end_code, (long long)conn->uid, key, address, transport_of(conn),
                  wire, (unsigned long long)conn_open_ms(conn));
    else
        log_debug("connection closed", "reason=%s code=%d address=%s transport=%s", reason,
                  conn->end_code, address, transport_of(conn));
}

void end_log(const struct conn *conn)
{
    if (log_is_on(LOG_DEBUG))
        say(conn);
}
