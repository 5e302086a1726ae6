#include "comet/net/echo.h"
#include "comet/net/conn_internal.h"
#include "comet/net/sendq.h"
#include "comet/wire/ws_frame.h"
#include "comet/wire/ws_reader.h"

enum { ECHO_QUEUE_MAX = 2 * FRONTEND_ECHO_MAX };

void echo_message(struct conn *conn, const struct ws_item *item)
{
    uint8_t header[WS_HEADER_MAX];
    struct iovec iov[] = {
        {header, ws_header_write(header, item->text ? WS_OP_TEXT : WS_OP_BINARY, item->len)},
        {item->data, item->len},
    };
    /* A suite may send much before it reads: more than a session's limit is let wait. */
    if (conn_has_queued(conn) && conn->out->bytes > ECHO_QUEUE_MAX)
        conn_kick(conn, CLOSE_TOO_SLOW, "too slow: echoes are not being read");
    else
        conn_write_force(conn, iov, item->len > 0 ? 2 : 1);
}
