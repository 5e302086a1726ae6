#include "comet/session/send_away.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "common/protocol/json_scan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_MOST = 3, ADDRESS_MAX = 128, ANSWER_MS = 1000, BACKOFF_MAX = 160 };

const char send_away_reason[] = "this node is going away, connect again";

/* --- the members --- */

/* Appends NAMES as a JSON list called MEMBER, unless there is none that is an address. */
static size_t add_names(char *out, size_t at, const char *member, char *const *names, size_t n)
{
    const size_t most = CONN_MORE_MAX - BACKOFF_MAX;
    size_t end = at, written = 0;

    for (size_t i = 0; i < n && written < NAMES_MOST; i++) {
        size_t len = strlen(names[i]);
        /* A name that grows because it has to be escaped is no address. */
        if (len == 0 || len >= ADDRESS_MAX ||
            json_write_string((const uint8_t *)names[i], len, NULL, 0) != len + 2 ||
            end + len + strlen(member) + 8 > most)
            continue;
        if (written++ == 0)
            end += (size_t)snprintf(out + end, most - end, ",\"%s\":[", member);
        else
            out[end++] = ',';
        end += json_write_string((const uint8_t *)names[i], len, (uint8_t *)out + end, most - end);
    }
    if (written == 0)
        return at;
    out[end++] = ']';
    return end;
}

static size_t add_backoff(char *out, size_t at, const struct relocation *to)
{
    if (!isfinite(to->factor) || !isfinite(to->jitter) || to->factor <= 0)
        return at;
    int len = snprintf(out + at, CONN_MORE_MAX - at,
                       ",\"backoff\":{\"max_delay\":%u,\"base_delay\":%u,\"factor\":%g,"
                       "\"jitter\":%g}",
                       to->max_delay_s, to->base_delay_s, to->factor, to->jitter);
    return at + (size_t)len;
}

size_t send_away_members(const struct relocation *to, char *out)
{
    size_t at = add_names(out, 0, "nodes", to->nodes, to->n_nodes);

    at = add_names(out, at, "tcps", to->tcps, to->n_tcps);
    at = add_names(out, at, "wss", to->wss, to->n_wss);
    return at == 0 ? 0 : add_backoff(out, at, to);
}

/* --- a session --- */

static void tell(struct conn *conn, const struct relocation *to)
{
    char members[CONN_MORE_MAX];
    size_t len = to != NULL ? send_away_members(to, members) : 0;

    metric_add(conn->worker->counters, len > 0 ? COMET_DRAIN_NAMED : COMET_DRAIN_UNNAMED, 1);
    conn_send_away(conn, send_away_reason, members, len);
}

static void named(struct worker *worker, struct logic_request *request,
                  const struct logic_answer *answer)
{
    struct conn *conn = handle_table_find(worker->table, request->handle);

    if (conn != NULL && conn->state < CONN_CLOSING)
        tell(conn, answer->answered ? answer->relocation : NULL);
}

void send_away_ask(struct conn *conn)
{
    struct worker *worker = conn->worker;

    loop_assert_owner(&worker->loop);
    struct logic_request *request = logic_requests_new(worker->logic, REQUEST_RELOCATE);
    request->handle = conn->handle;
    request->websocket = conn->is_ws;
    request->tls = conn->tls != NULL;
    conn_peer(conn, request->peer, sizeof request->peer);
    request->deadline_ms = loop_now_ms(&worker->loop) + ANSWER_MS;
    request->done = named;
    logic_requests_send(worker->logic, request);
}
