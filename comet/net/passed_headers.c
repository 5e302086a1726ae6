#include "comet/net/passed_headers.h"
#include "comet/base/config.h"
#include "comet/base/metrics.h"
#include "comet/net/conn_internal.h"
#include "comet/wire/ws_handshake.h"
#include "common/base/msg.h"
#include "common/containers/map.h"

static uint64_t key_of(const struct conn *conn)
{
    return (uint64_t)(uintptr_t)conn;
}

static struct msg *find(const struct conn *conn)
{
    const uint64_t *value;

    if (!conn->passes)
        return NULL;
    value = map64_get(conn_frontend(conn)->passed, key_of(conn));
    return (struct msg *)(uintptr_t)*value; /* NOLINT(performance-no-int-to-ptr) */
}

bool passed_headers_keep(struct conn *conn, const uint8_t *request, size_t len)
{
    const struct comet_config *config = conn->worker->config;
    struct frontend *frontend = conn_frontend(conn);

    loop_assert_owner(&conn->worker->loop);
    if (config->pass_headers == NULL || config->pass_headers[0] == '\0')
        return true;
    size_t size = ws_handshake_headers(request, len, config->pass_headers, NULL, 0);
    if (size > (size_t)config->pass_headers_max) {
        conn_count(conn, COMET_PASSED_HEADERS_REFUSED, 1);
        return false;
    }
    if (size == 0)
        return true;
    struct msg *headers = msg_new(size);
    msg_is_secret(headers);
    (void)ws_handshake_headers(request, len, config->pass_headers, (char *)headers->data, size);
    if (frontend->passed == NULL)
        frontend->passed = map64_new();
    map64_set(frontend->passed, key_of(conn), (uint64_t)(uintptr_t)headers);
    conn->passes = true;
    return true;
}

size_t passed_headers_held(const struct conn *conn)
{
    const struct msg *headers = find(conn);

    return headers != NULL ? sizeof *headers + headers->len : 0;
}

struct msg *passed_headers_take(struct conn *conn)
{
    struct msg *headers = find(conn);

    if (headers != NULL)
        map64_del(conn_frontend(conn)->passed, key_of(conn));
    conn->passes = false;
    return headers;
}

void passed_headers_drop(struct conn *conn)
{
    if (conn->passes)
        msg_unref(passed_headers_take(conn));
}
