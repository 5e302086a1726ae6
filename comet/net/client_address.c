#include "comet/net/client_address.h"
#include "comet/net/addresses.h"
#include "comet/net/conn_internal.h"
#include "comet/wire/proxy_header.h"
#include "comet/wire/ws_handshake.h"
#include "common/base/mem.h"
#include "common/config/networks.h"
#include "common/containers/map.h"
#include "common/net/forwarded.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct client_rules {
    struct networks trusted; /* conn.trusted */
    struct networks proxies; /* proxy.trusted */
    struct map64 *named[2];  /* descriptor ─► either half of the address that a proxy named */
};

/* --- settings --- */

void client_address_open(struct frontend *frontend)
{
    const struct comet_config *config = frontend->worker->config;
    struct client_rules *rules = mem_zalloc(sizeof *rules);

    if (config->conn_trusted != NULL)
        networks_read(&rules->trusted, config->conn_trusted);
    if (config->proxy_trusted != NULL)
        networks_read(&rules->proxies, config->proxy_trusted);
    rules->named[0] = map64_new();
    rules->named[1] = map64_new();
    frontend->rules = rules;
}

void client_address_close(struct frontend *frontend)
{
    struct client_rules *rules = frontend->rules;

    map64_free(rules->named[0]);
    map64_free(rules->named[1]);
    networks_free(&rules->trusted);
    networks_free(&rules->proxies);
    free(rules);
    frontend->rules = NULL;
}

int client_address_check(const struct comet_config *config, char *err, size_t errlen)
{
    int proxies = networks_check("proxy.trusted", config->proxy_trusted, err, errlen);

    if (networks_check("conn.trusted", config->conn_trusted, err, errlen) < 0 || proxies < 0)
        return -EINVAL;
    if (config->proxy_protocol && proxies == 0) {
        snprintf(err, errlen,
                 "proxy.protocol is on, but proxy.trusted is empty, so nobody could "
                 "connect: name the addresses of the proxies there");
        return -EINVAL;
    }
    return 0;
}

/* --- which address --- */

static bool is_exempt(const struct client_rules *rules, const struct ip *ip)
{
    return networks_have(&rules->trusted, ip) || networks_have(&rules->proxies, ip);
}

/* As the settings are now: a reload may have changed them. */
static struct addresses_limits limits_of(const struct frontend *frontend)
{
    const struct comet_config *config = frontend->worker->config;

    return (struct addresses_limits){
        .most = config->per_address,
        .rate = rate_limit(config->rate_per_address, config->rate_burst),
    };
}

/* Counts a connection from IP. False: it is refused, and *WHY, if WHY is not NULL, says why. */
static bool enter(struct frontend *frontend, const struct ip *ip, uint32_t *ref, const char **why)
{
    const struct worker *worker = frontend->worker;
    const struct addresses_limits limits = limits_of(frontend);
    enum address_verdict verdict = addresses_enter(
        ip, is_exempt(frontend->rules, ip) ? NULL : &limits, loop_now_ms(&worker->loop), ref);

    if (verdict == ADDRESS_OK)
        return true;
    bool full = verdict == ADDRESS_FULL;
    metric_add(worker->counters, full ? COMET_REFUSED_ADDRESS : COMET_REFUSED_RATE, 1);
    if (why != NULL)
        *why = full ? "conn.per_address reached" : "conn.rate_per_address exceeded";
    return false;
}

static void leave(const struct frontend *frontend, uint32_t ref)
{
    const struct addresses_limits limits = limits_of(frontend);

    addresses_leave(ref, &limits.rate, loop_now_ms(&frontend->worker->loop));
}

bool client_address_accept(struct frontend *frontend, const union endpoint *peer,
                           struct client_arrival *arrival)
{
    const struct client_rules *rules = frontend->rules;
    const struct comet_config *config = frontend->worker->config;
    struct ip ip;

    loop_assert_owner(&frontend->worker->loop);
    *arrival = (struct client_arrival){0};
    if (!ip_of_endpoint(peer, &ip))
        return true; /* it has gone already, or is no stranger: a UNIX socket of a test */
    if (!config->proxy_protocol)
        return enter(frontend, &ip, &arrival->ref, &arrival->why);
    arrival->header_due = networks_have(&rules->proxies, &ip);
    if (arrival->header_due)
        return true;
    metric_add(frontend->worker->counters, COMET_REFUSED_PROXY, 1);
    arrival->why = "proxy.protocol is on, and the address is not in proxy.trusted";
    return false;
}

void client_address_begin(struct frontend *frontend, struct conn *conn,
                          const struct client_arrival *arrival)
{
    if (conn != NULL) {
        conn->address = arrival->ref;
        conn->header_due = arrival->header_due;
    } else {
        leave(frontend, arrival->ref);
    }
}

bool client_address_get(const struct conn *conn, struct ip *out)
{
    union endpoint endpoint = {0};
    socklen_t len = sizeof endpoint;

    if (conn->named) {
        for (size_t i = 0; i < 2; i++)
            memcpy(out->bytes + 8 * i,
                   map64_get(conn_frontend(conn)->rules->named[i], (uint64_t)conn->fd), 8);
        return true;
    }
    return getpeername(conn->fd, &endpoint.any, &len) == 0 && ip_of_endpoint(&endpoint, out);
}

/* A proxy says that CONN is IP's. False: IP has too many connections. */
static bool name(struct conn *conn, const struct ip *ip)
{
    struct frontend *frontend = conn_frontend(conn);
    uint64_t halves[2];
    uint32_t ref;

    if (!enter(frontend, ip, &ref, NULL))
        return false;
    leave(conn_frontend(conn), conn->address);
    conn->address = ref;
    conn->named = true;
    memcpy(halves, ip->bytes, sizeof halves);
    for (size_t i = 0; i < 2; i++)
        map64_set(frontend->rules->named[i], (uint64_t)conn->fd, halves[i]);
    return true;
}

void client_address_closed(struct conn *conn)
{
    struct client_rules *rules = conn_frontend(conn)->rules;

    loop_assert_owner(&conn->worker->loop);
    leave(conn_frontend(conn), conn->address);
    conn->address = 0;
    if (!conn->named)
        return;
    for (size_t i = 0; i < 2; i++)
        map64_del(rules->named[i], (uint64_t)conn->fd);
    conn->named = false;
}

/* --- PROXY protocol --- */

/* The header is looked at in the kernel's queue, and taken from there once it is whole. So nothing
 * is kept for it, and TLS or HTTP find their own first byte. Until then the socket is readable only
 * with one byte more. */
static void want_more_than(int fd, int n)
{
    const int more = n + 1;

    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &more, sizeof more);
}

/* N bytes have come. True: the socket was to become readable only with more, so that the proxy has
 * closed. */
static bool no_more_comes(int fd, int n)
{
    int wanted = 1;
    socklen_t len = sizeof wanted;

    return getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &wanted, &len) != 0 || n < wanted;
}

/* With a reset, as at accept. */
static void refuse(struct conn *conn)
{
    static const struct linger reset = {.l_onoff = 1};

    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    conn->by_us = true;
    conn_break(conn);
}

/* The header has been taken off the stream. False: its client is refused. */
static bool take_header(struct conn *conn, const struct proxy_header *header)
{
    struct ip ip = header->client;

    if (!header->known && !client_address_get(conn, &ip))
        return false;
    if (header->known)
        return name(conn, &ip);
    return enter(conn_frontend(conn), &ip, &conn->address, NULL); /* the proxy's own */
}

bool client_address_header(struct conn *conn)
{
    uint8_t buf[PROXY_HEADER_MAX];
    struct proxy_header header;
    ssize_t n = recv(conn->fd, buf, sizeof buf, MSG_PEEK);

    loop_assert_owner(&conn->worker->loop);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    long taken = n > 0 ? proxy_header_parse(buf, (size_t)n, &header) : -EPROTO;
    if (taken == 0 && !no_more_comes(conn->fd, (int)n)) {
        want_more_than(conn->fd, (int)n);
        return false;
    }
    if (taken <= 0) {
        conn_count(conn, COMET_REFUSED_HEADER, n > 0);
        refuse(conn);
        return false;
    }
    conn->header_due = false;
    want_more_than(conn->fd, 0);
    if (recv(conn->fd, buf, (size_t)taken, 0) == taken && take_header(conn, &header))
        return true;
    refuse(conn);
    return false;
}

bool client_address_is_late(const struct conn *conn)
{
    if (conn->header_due)
        conn_count(conn, COMET_REFUSED_HEADER, 1);
    return conn->header_due;
}

/* --- X-Forwarded-For --- */

bool client_address_forwarded(struct conn *conn, const struct ws_accepted *accepted)
{
    const struct client_rules *rules = conn_frontend(conn)->rules;
    struct ip ip;
    bool found = false;

    loop_assert_owner(&conn->worker->loop);
    if (rules->proxies.n == 0 || accepted->n_forwarded == 0 || !client_address_get(conn, &ip))
        return true;
    for (size_t line = accepted->n_forwarded; line > 0 && networks_have(&rules->proxies, &ip);) {
        struct ws_span *rest =
            &(struct ws_span){accepted->forwarded[line - 1].at, accepted->forwarded[line - 1].len};
        int got = 1;
        while (got == 1 && networks_have(&rules->proxies, &ip)) {
            got = forwarded_last(rest->at, &rest->len, &ip);
            found |= got == 1;
        }
        if (got < 0)
            return true; /* not the work of a proxy: the peer's address stands */
        line--;
    }
    return !found || name(conn, &ip);
}
