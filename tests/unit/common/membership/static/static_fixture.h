/* static_fixture.h - several daemons in one process: each a loop, an admin listener and a
 * membership of its own, turned by hand, so that one of them can stand still. */
#ifndef IMC_TESTS_UNIT_COMMON_MEMBERSHIP_STATIC_STATIC_FIXTURE_H
#define IMC_TESTS_UNIT_COMMON_MEMBERSHIP_STATIC_STATIC_FIXTURE_H

#include "common/base/log.h"
#include "common/http/client.h"
#include "common/http/http.h"
#include "common/membership/static/static.h"
#include "tests/unit/lib/clock.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { RENEW = 40, TTL = 400, EVERYTHING = 15, NODES = 8 };

enum manner { SERVES, HANGS, TALKS, MUMBLES };

struct node {
    struct loop loop;
    struct http_server *server;
    struct membership *membership;
    bool open, frozen;
    int port;
    enum manner manner; /* of the admin listener */
    int status;         /* TALKS: this, and ANSWER */
    const char *answer;
    struct http_request *hanging[64];
    size_t n_hanging;
    int asked;
    int held, lost, changed[MEMBER_KINDS];
    size_t fewest[MEMBER_KINDS]; /* members that any change left */
    int left;
};

static struct node nodes[NODES];
static char mumbling[HTTP_CLIENT_MAX + 1];

/* The test's: it passes in turn(). */
static inline uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- DNS: "fleet.test" is whatever the test says, all else is looked up in earnest --- */

static struct {
    int err;
    size_t n; /* nodes that the name stands for: nodes[FIRST …] */
    size_t first;
    int lookups;
    bool slow; /* no answer yet */
    struct {
        uv_getaddrinfo_t *request;
        uv_getaddrinfo_cb cb;
    } waiting[NODES];
    size_t n_waiting;
} dns;

/* In place of libuv's. */
int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb cb,
                   const char *node, const char *service, const struct addrinfo *hints)
{
    typedef int lookup_fn(uv_loop_t *, uv_getaddrinfo_t *, uv_getaddrinfo_cb, const char *,
                          const char *, const struct addrinfo *);
    if (strcmp(node, "fleet.test") != 0) {
        lookup_fn *real = (lookup_fn *)(uintptr_t)dlsym(RTLD_NEXT, "uv_getaddrinfo");
        return real(loop, request, cb, node, service, hints);
    }
    assert_true(dns.n_waiting < NODES);
    dns.lookups++;
    dns.waiting[dns.n_waiting].request = request;
    dns.waiting[dns.n_waiting++].cb = cb;
    return 0;
}

/* A name has one port, and the nodes of a test have different ones: those are put in here. */
static inline struct addrinfo *fleet(void)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *list = NULL;
    for (size_t i = dns.n; i > 0; i--) {
        struct addrinfo *one = NULL;
        char port[8];
        (void)snprintf(port, sizeof port, "%d", nodes[dns.first + i - 1].port);
        assert_int_equal(getaddrinfo("127.0.0.1", port, &hints, &one), 0);
        one->ai_next = list;
        list = one;
    }
    return list;
}

static inline void answer_lookups(bool cancelled)
{
    while (dns.n_waiting > 0 && (!dns.slow || cancelled)) {
        uv_getaddrinfo_t *request = dns.waiting[--dns.n_waiting].request;
        int err = cancelled ? UV_ECANCELED : dns.err;
        dns.waiting[dns.n_waiting].cb(request, err, err == 0 ? fleet() : NULL);
    }
}

/* --- turning --- */

static inline bool runs(const struct node *node)
{
    return node->open && !node->frozen;
}

/* Until nobody has anything to do at this time. What they send each other is there at once, or the
 * kernel needs a moment more. */
static inline void do_all(void)
{
    uint64_t before;
    do {
        before = clock_own.found;
        for (int round = 0; round < 2 && clock_own.found == before; round++) {
            if (round > 0)
                (void)poll(NULL, 0, 1);
            answer_lookups(false);
            for (int i = 0; i < NODES; i++) {
                if (runs(&nodes[i]))
                    uv_run(&nodes[i].loop.uv, UV_RUN_NOWAIT);
            }
        }
    } while (clock_own.found != before);
}

/* How long nobody has anything to do, MOST_MS at most. */
static inline uint64_t pause_ms(uint64_t most_ms)
{
    for (int i = 0; i < NODES; i++) {
        if (!runs(&nodes[i]))
            continue;
        int next_ms = uv_backend_timeout(&nodes[i].loop.uv);
        if (nodes[i].loop.uv.active_reqs.count > 0) /* a name is looked up in earnest */
            next_ms = 1;
        if (next_ms >= 0 && (uint64_t)next_ms < most_ms)
            most_ms = (uint64_t)next_ms;
    }
    return most_ms > 0 ? most_ms : 1;
}

static inline void turn(void)
{
    enum { PAUSE_MS = RENEW / 4 };
    do_all();
    clock_move(pause_ms(PAUSE_MS));
}

static inline void turn_for(uint64_t ms)
{
    for (uint64_t end = now_ms() + ms; now_ms() < end;) {
        do_all();
        clock_move(pause_ms(end - now_ms()));
    }
}

#define turn_until(condition, ms)                                            \
    do {                                                                     \
        for (uint64_t end_ = now_ms() + (ms); !(condition); turn())          \
            if (now_ms() > end_)                                             \
                fail_msg("waited %d ms in vain for " #condition, (int)(ms)); \
    } while (0)

/* --- nodes --- */

static inline void on_request(struct http_request *request, void *arg)
{
    struct node *node = arg;
    node->asked++;
    if (node->manner == HANGS && node->n_hanging < 64)
        node->hanging[node->n_hanging++] = request;
    else if (node->manner == MUMBLES) /* more than is read */
        http_respond(request, 200, "text/plain", mumbling, sizeof mumbling, NULL);
    else if (node->manner == TALKS)
        http_respond(request, node->status, "text/plain", node->answer, strlen(node->answer), NULL);
    else
        membership_serve(node->membership, request);
}

static inline void serve(struct node *node)
{
    char address[32];
    struct http_options options = {.address = address,
                                   .max_body = 100,
                                   .header_timeout_ms = 5000,
                                   .body_timeout_ms = 5000,
                                   .idle_timeout_ms = 5000,
                                   .handle = on_request,
                                   .arg = node};
    (void)snprintf(address, sizeof address, "127.0.0.1:%d", node->port);
    assert_int_equal(http_server_open(&node->loop, &options, &node->server), 0);
    node->port = http_server_port(node->server);
}

static inline void shut(struct node *node)
{
    for (size_t i = 0; i < node->n_hanging; i++)
        http_respond(node->hanging[i], 200, "text/plain", "late", 4, NULL);
    node->n_hanging = 0;
    http_server_close(node->server);
    node->server = NULL;
}

static inline void on_changed(struct membership *membership, enum member_kind kind, void *arg)
{
    struct node *node = arg;
    const struct member_list *list = membership_list(membership, kind);
    node->changed[kind]++;
    if (list->n < node->fewest[kind])
        node->fewest[kind] = list->n;
    for (size_t i = 1; i < list->n; i++)
        assert_true(strcmp(list->members[i - 1].id, list->members[i].id) < 0);
}

static inline void on_held(struct membership *membership, bool lost, void *arg)
{
    struct node *node = arg;
    (void)membership;
    node->held++;
    node->lost += lost;
}

/* Its port, before anybody has to know it. */
static inline void prepare(struct node *node, int port)
{
    memset(node, 0, sizeof *node);
    memset(node->fewest, 0x7f, sizeof node->fewest);
    assert_int_equal(loop_init(&node->loop, "test", 0), 0);
    node->open = true;
    node->port = port;
    serve(node);
}

static inline void join_list(struct node *node, enum member_kind kind, const char *id,
                             const char *list)
{
    static const struct membership_events events = {.changed = on_changed, .held = on_held};
    struct membership_options options = {
        .kind = kind, .watch = EVERYTHING, .renew_ms = RENEW, .ttl_ms = TTL, .addresses = list};
    (void)snprintf(options.self.id, sizeof options.self.id, "%s", id);
    (void)snprintf(options.self.rpc, sizeof options.self.rpc, "rpc-of-%s:1", id);
    (void)snprintf(options.self.ws, sizeof options.self.ws, "%s", "ws.example:8090");
    (void)snprintf(options.self.zone, sizeof options.self.zone, "%s", "z\"1\"");
    options.self.weight = 7;
    node->membership = membership_open(&node->loop, NULL, &options, &events, node);
    assert_false(membership_ready(node->membership));
}

static inline const char *list_of(size_t n)
{
    static char list[NODES * 24];
    list[0] = '\0';
    for (size_t i = 0; i < n; i++)
        (void)snprintf(list + strlen(list), sizeof list - strlen(list), "%s127.0.0.1:%d",
                       i > 0 ? ", " : "", nodes[i].port);
    return list;
}

static inline bool all_ready(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!membership_ready(nodes[i].membership))
            return false;
    }
    return true;
}

struct who {
    enum member_kind kind;
    const char *id;
};

/* nodes[0 …] as told, each with the list of all; until each sees the others of its cluster. */
static inline void join(const struct who *who, size_t n)
{
    for (size_t i = 0; i < n; i++)
        prepare(&nodes[i], 0);
    for (size_t i = 0; i < n; i++)
        join_list(&nodes[i], who[i].kind, who[i].id, list_of(n));
    turn_until(all_ready(n), 5000);
    turn_for(3 * RENEW);
}

/* As kill -9 would. */
static inline void vanish(struct node *node)
{
    membership_close(node->membership);
    shut(node);
    loop_close(&node->loop);
    node->membership = NULL;
    node->open = false;
}

static inline const struct member *seen(struct node *node, enum member_kind kind, const char *id)
{
    return membership_find(node->membership, kind, id);
}

static inline uint64_t epoch_of(struct node *node)
{
    return membership_self(node->membership)->epoch;
}

static inline bool sees(struct node *node, enum member_kind kind, const char *id, uint64_t epoch)
{
    const struct member *member = seen(node, kind, id);
    return member != NULL && member->epoch == epoch;
}

static inline struct membership_stats stats_of(struct node *node)
{
    struct membership_stats stats;
    membership_stats(node->membership, &stats);
    return stats;
}

static inline int setup(void **state)
{
    (void)state;
    clock_take();
    memset(nodes, 0, sizeof nodes);
    memset(&dns, 0, sizeof dns);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < NODES; i++) {
        if (nodes[i].membership != NULL)
            membership_close(nodes[i].membership);
        nodes[i].membership = NULL;
    }
    answer_lookups(true);
    for (int i = 0; i < NODES; i++) {
        if (nodes[i].open)
            vanish(&nodes[i]);
    }
    return 0;
}

/* --- what anybody may ask --- */

#define member_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
