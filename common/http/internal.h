/* internal.h - shared by the server's files only. Owner loop only.
 *
 *   server.c   listener, list of connections, deadlines
 *   conn.c     one connection: bytes in, parser's events, answers out
 *   conn_tls.c TLS between the connection and its socket
 *   request.c  a request: its target, parameters and body; as handlers see it; its answer as text
 *   request_id.c  what names it in the answer and in the log
 *   parser.c   bytes into heads and bodies, with the library llhttp
 *   head.c     a head, and what is refused of it */
#ifndef IMC_COMMON_HTTP_INTERNAL_H
#define IMC_COMMON_HTTP_INTERNAL_H

#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/http/http.h"
#include "common/http/parser.h"
#include "common/net/listen.h"

#define HTTP_MAX_CONNS      4096
#define HTTP_MAX_HEADS      (8 << 20)
#define HTTP_MAX_ANSWERS    (32 << 20)
#define HTTP_MAX_PARAMS     16384 /* of a form; a query has no room for more */
#define HTTP_PARAMS_FEW     3     /* so many parameters need no arena */
#define HTTP_MAX_STASH      65536 /* bytes that are read ahead while a request is unanswered */
#define HTTP_MAX_DRAIN      65536 /* bytes of a refused request's body that are skipped at most */
#define HTTP_READ_SIZE      65536
#define HTTP_TICK_MS        100       /* accuracy of deadlines */
#define HTTP_LINGER_MS      2000      /* how long a client may take to read the last answer */
#define HTTP_LINGER_BYTES   (4 << 20) /* bytes that are thrown away meanwhile, at most */
#define HTTP_PEER_MAX       48
#define HTTP_MAX_HANDSHAKES 256 /* of TLS at a time; beyond, the oldest gives way */

/* A decoded parameter. It has no control bytes, so name and value are also C strings. */
struct http_param {
    struct http_slice name, value;
};

struct http_params {
    struct http_param *items; /* points to FEW, or into the arena */
    size_t n;
    struct http_param few[HTTP_PARAMS_FEW];
};

/* Bytes are appended at the end and taken from the front. */
struct http_buffer {
    char *data;
    size_t at, len, size; /* contents are data[at] to data[len - 1] */
};

struct http_conn;

struct http_request {
    struct http_server *server;    /* NULL: the server was closed meanwhile */
    struct http_conn *conn;        /* NULL: the client has gone */
    LIST_ENTRY(http_request) link; /* of the server's requests */
    struct arena arena;
    enum http_method method;
    bool close;      /* the connection ends with this answer */
    bool bad_params; /* control bytes in the query, or too many parameters */
    bool dispatched;
    int64_t dispatched_us; /* by time_mono_us() */
    bool headed;           /* options.head() was called for it: options.end() has to be, too */
    void *context;         /* http_context() */
    bool form_parsed, form_bad;
    struct http_head *head; /* NULL: not there yet */
    const char *path;
    struct http_params query, form;
    uint8_t *body;
    size_t body_len, body_size, expected; /* EXPECTED: Content-Length or 0 */
    size_t head_held;                     /* bytes of head and parameters that count against
                                           * max_held */
    char peer[HTTP_PEER_MAX];
    char id[17]; /* request_id.c; "": none was made */
};

/*   accept ─► NEW ─┐ on_begin()         on_end()         http_conn_answer()
 *                  ├──────────► RECEIVING ──────► HANDLING ─────────────────► WRITING
 *            IDLE ─┘                │                                       │  │ last answer
 *             ▲                     └─ refused: 400, 408, 413, 431, 505 ────┼─►└─► LINGER ─► CLOSED
 *             └──────────────────────────── on_written() ───────────────────┘
 *
 * WRITING is passed through at once when the kernel takes the whole answer. A request that was
 * answered at its head leads back to RECEIVING, until its body has gone by. */
enum http_conn_state {
    HTTP_CONN_NEW,
    HTTP_CONN_RECEIVING,
    HTTP_CONN_HANDLING,
    HTTP_CONN_WRITING,
    HTTP_CONN_IDLE,
    HTTP_CONN_LINGER, /* our side is shut down; what still comes is thrown away */
    HTTP_CONN_CLOSED,
};

struct http_conn {
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct loop_task resume; /* goes on with the stash: one request a turn */
    struct http_server *server;
    LIST_ENTRY(http_conn) link;
    struct http_request *request; /* the one that is being read, or is unanswered */
    struct http_parser *parse;
    enum http_conn_state state;
    uint64_t due_ms;          /* loop time; 0 = no deadline */
    struct http_buffer stash; /* what came while a request was unanswered, or in one read with it */
    struct http_tls *tls;     /* NULL: plain HTTP */
    char *unwritten;          /* an answer that WRITE is still sending */
    size_t unwritten_len;     /* its whole length, which counts against max_answers */
    uint64_t answered_ms;     /* since when */
    size_t head_held;         /* bytes of an incomplete head that count against max_heads */
    size_t lingered;          /* bytes thrown away in HTTP_CONN_LINGER */
    bool parsing;             /* within http_parser_feed() */
    bool discard;             /* the request was answered at its head: its body is skipped */
    bool reading, eof;
    bool last;       /* close after what is being written */
    bool freed_late; /* closed while RESUME was queued: run_resume() frees CONN */
    char peer[HTTP_PEER_MAX];
};

struct http_server {
    struct loop *loop;
    struct http_options options;
    int fds[LISTEN_MOST], n_fds, port;
    uv_poll_t listeners[LISTEN_MOST];
    uv_timer_t tick;
    bool listening, draining;
    bool full; /* not accepting until the next tick */
    LIST_HEAD(, http_conn) conns;
    size_t n_conns, max_conns, pending;
    size_t handshakes;            /* connections whose TLS handshake has not ended */
    struct http_stats stats;      /* without the number of connections */
    int64_t held, heads, answers; /* see max_held, max_heads and max_answers */
    int64_t most_held;            /* the most that all three were, since memory was given back */
    unsigned handles;             /* open uv handles of the server and its connections */
    LIST_HEAD(, http_request) requests; /* those that the handler has not answered */
    char in[HTTP_READ_SIZE]; /* what one read brought; it is used up before the next read */
    char *plain;             /* with TLS: likewise, decrypted */
};

/* conn.c */
extern const char http_too_much[]; /* why a request is refused beyond max_held */
/* Takes ownership of FD. */
void http_conn_open(struct http_server *server, int fd, const char *peer);
void http_conn_close(struct http_conn *conn);
/* Refuses CONN's incomplete head to make room for others. */
void http_conn_give_way(struct http_conn *conn);
/* CONN's deadline has passed. */
void http_conn_expire(struct http_conn *conn);
/* Sends TEXT as the answer to REQUEST and ends the request. Takes ownership of TEXT (malloc'ed). */
void http_conn_answer(struct http_request *request, char *text, size_t len);

/* For conn_tls.c: */
/* Takes bytes that came, decrypted. */
void http_conn_take(struct http_conn *conn, const char *data, size_t len);
/* The client sends no more. */
void http_conn_eof(struct http_conn *conn);
/* The kernel has taken all of conn->unwritten. */
void http_conn_written(struct http_conn *conn);
void http_conn_refuse(struct http_conn *conn, int status, const char *why);
/* Nothing more is sent. */
void http_conn_shut(struct http_conn *conn);

/* conn_tls.c: all but the first are for connections that have it. */
void http_tls_open(struct http_conn *conn);
void http_tls_free(struct http_conn *conn); /* also without TLS */
/* Takes bytes that came from the socket. */
void http_tls_take(struct http_conn *conn, const char *data, size_t len);
/* Sends conn->unwritten, or what is left of it. May close CONN. */
void http_tls_pump(struct http_conn *conn);
/* Sends TEXT beside it, if there is room. */
void http_tls_say(struct http_conn *conn, const char *text, size_t len);
/* Sends close_notify, then calls http_conn_shut(). */
void http_tls_shut(struct http_conn *conn);
/* CONN is about to be closed. */
void http_tls_part(struct http_conn *conn);
bool http_tls_is_open(const struct http_conn *conn);
/* Bytes of conn->unwritten that wait for the kernel to take others. */
size_t http_tls_unsent(const struct http_conn *conn);

/* server.c */
void http_server_add(struct http_server *server, struct http_conn *conn);
void http_server_del(struct http_server *server, struct http_conn *conn);
/* Counts BY more bytes that requests hold, or fewer, whatever max_held is. */
void http_server_add_held(struct http_server *server, int64_t by);
/* Counts BY more bytes. False: they would pass max_held, and are not counted. */
bool http_server_hold(struct http_server *server, int64_t by);
/* Counts BY more bytes of incomplete heads. Beyond max_heads, the slowest connections are
 * refused. */
void http_server_hold_head(struct http_server *server, int64_t by);
/* Counts BY more bytes of unread answers. */
void http_server_hold_answer(struct http_server *server, int64_t by);
/* A handle of SERVER has closed. The last one frees the server. */
void http_server_unref(struct http_server *server);

/* request.c */
struct http_request *http_request_new(struct http_conn *conn);
void http_request_free(struct http_request *request);
/* Takes ownership of HEAD. Returns NULL, or what is wrong with its target. The request can be
 * answered in either case. */
const char *http_request_head(struct http_request *request, struct http_head *head);
/* Counts the head's bytes against max_held. False: that would be too many. */
bool http_request_hold_head(struct http_request *request);
/* Appends to the body. 0, -EMSGSIZE beyond max_body, or -ENOBUFS beyond max_held. */
int http_request_append(struct http_request *request, const void *data, size_t len);
/* Runs the handler, or refuses the request if max_held is passed. */
void http_request_dispatch(struct http_request *request);
/* Refuses a request that the handler has not seen. options.refuse() gives the answer its form. */
void http_request_refuse(struct http_request *request, int status, const char *why);

/* Memory that the buffer outgrows is overwritten before it is freed. */
void http_buffer_append(struct http_buffer *buffer, const void *data, size_t len);
/* Takes the first N bytes out and overwrites them. A buffer that becomes empty frees its memory. */
void http_buffer_take(struct http_buffer *buffer, size_t n);
static inline size_t http_buffer_len(const struct http_buffer *buffer)
{
    return buffer->len - buffer->at;
}
static inline const char *http_buffer_at(const struct http_buffer *buffer)
{
    return buffer->at > 0 ? buffer->data + buffer->at : buffer->data;
}

#endif
