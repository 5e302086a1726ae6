/* One question to a running daemon of this machine, at its admin listener. */
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include "common/net/address.h"
#include "common/tls/engine.h"
#include "common/tls/tls.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ASK_SECONDS = 3, REQUEST_MAX = 256 };

/* Returns a connected socket, or -E…. */
static int ask_connect(const char *host, const char *port)
{
    struct addrinfo *list, *at;
    struct timeval limit = {.tv_sec = ASK_SECONDS};
    int fd = -1, err = EHOSTUNREACH;
    if (address_lookup(host, port, AF_UNSPEC, 0, &list) != 0)
        return -EHOSTUNREACH;
    for (at = list; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
            continue;
        err = errno;
        close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    return fd < 0 ? -err : fd;
}

/* One question to a daemon: over ENGINE, or in plain text if that is NULL. */
struct question {
    int fd;
    struct tls_engine *engine;
};

/* Sends what ENGINE has. 0, or -E…. */
static int question_flush(const struct question *question)
{
    const uint8_t *bytes;
    size_t len;
    while ((len = tls_engine_output(question->engine, &bytes)) > 0) {
        ssize_t n = send(question->fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0)
            return -errno;
        tls_engine_sent(question->engine, (size_t)n);
    }
    return 0;
}

/* Feeds ENGINE what comes. 0; 1: the end; -E…. */
static int question_feed(const struct question *question)
{
    char bytes[4096];
    ssize_t n = recv(question->fd, bytes, sizeof(bytes), 0);
    if (n <= 0)
        return n == 0 ? 1 : -errno;
    tls_engine_feed(question->engine, bytes, (size_t)n);
    return 0;
}

static int question_shake(const struct question *question)
{
    char none[1];
    int rc = question_flush(question);
    while (rc == 0 && tls_engine_state(question->engine) == TLS_HANDSHAKE) {
        rc = question_feed(question);
        (void)tls_engine_read(question->engine, none, 1); /* a server does not speak first */
        if (rc == 0)
            rc = question_flush(question);
    }
    if (rc == 0 && tls_engine_state(question->engine) != TLS_OPEN)
        rc = -EPROTO;
    return rc > 0 ? -ECONNRESET : rc;
}

static int question_send(const struct question *question, const char *text, size_t len)
{
    if (question->engine == NULL)
        return send(question->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -errno;
    int rc = question_shake(question);
    if (rc == 0 && tls_engine_write(question->engine, text, len) != len)
        rc = -EPROTO;
    return rc == 0 ? question_flush(question) : rc;
}

/* As recv(). */
static ssize_t question_read(const struct question *question, char *buf, size_t len)
{
    if (question->engine == NULL) {
        ssize_t n = recv(question->fd, buf, len, 0);
        return n < 0 ? -errno : n;
    }
    for (;;) {
        size_t n = tls_engine_read(question->engine, buf, len);
        int rc =
            n == 0 && tls_engine_state(question->engine) == TLS_OPEN ? question_feed(question) : 1;
        if (rc != 0)
            return rc < 0 ? rc : (ssize_t)n;
    }
}

/* Sends the request and reads the whole answer into BUF, with a NUL behind it. Its length, or
 * -E…. -EMSGSIZE: it is longer. */
static ssize_t question_ask(const struct question *question, const char *path, char *buf,
                            size_t size)
{
    char request[REQUEST_MAX];
    size_t used = 0;
    int len = snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    ssize_t n = question_send(question, request, (size_t)len);

    if (n < 0)
        return n;
    while (used < size - 1 && (n = question_read(question, buf + used, size - 1 - used)) > 0)
        used += (size_t)n;
    if (n < 0 && used == 0)
        return n == -EAGAIN ? -ETIMEDOUT : n;
    buf[used] = '\0';
    return used < size - 1 ? (ssize_t)used : -EMSGSIZE;
}

/* An engine to ask this machine's own daemon. Its certificate is for the names by which others know
 * it, so it is not checked. NULL: none, after a line on stderr. */
static struct tls_engine *ask_engine(const struct daemon_config *config, struct tls **tls)
{
    const struct tls_client_options unchecked = {.name = "ask", .insecure = true};
    struct tls_settings settings;
    struct tls_client *client;
    char err[TLS_ERROR_MAX];
    daemon_tls_settings(config, &settings);
    if (tls_open(&settings, tls, err, sizeof(err)) == 0 &&
        tls_client_open(*tls, &unchecked, &client, err, sizeof(err)) == 0)
        return tls_engine_connect(client, "localhost", NULL);
    fprintf(stderr, "%s\n", err);
    return NULL;
}

ssize_t daemon_ask(const struct daemon_config *config, const char *path, char *buf, size_t size)
{
    struct address address;
    struct tls *tls = NULL;
    struct question question = {0};
    const char *listen = config->admin_listen;

    if (address_parse(listen, strlen(listen), &address) != 0)
        return -EDESTADDRREQ;
    if (config->admin_tls && (question.engine = ask_engine(config, &tls)) == NULL)
        return -EPROTO;
    question.fd = ask_connect(address_reached(address.host), address.port_text);
    ssize_t n = question.fd;
    if (question.fd >= 0) {
        n = question_ask(&question, path, buf, size);
        close(question.fd);
    }
    tls_engine_free(question.engine);
    tls_close(tls);
    return n;
}
