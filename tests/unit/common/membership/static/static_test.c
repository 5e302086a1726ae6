/* Several daemons in one process: each a loop, an admin listener and a membership of its own,
 * turned by hand, so that one of them can stand still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/http/client.h"
#include "common/http/http.h"
#include "common/membership/static/static.h"
#include "tests/unit/lib/clock.h"

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
static uint64_t now_ms(void)
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
static struct addrinfo *fleet(void)
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

static void answer_lookups(bool cancelled)
{
    while (dns.n_waiting > 0 && (!dns.slow || cancelled)) {
        uv_getaddrinfo_t *request = dns.waiting[--dns.n_waiting].request;
        int err = cancelled ? UV_ECANCELED : dns.err;
        dns.waiting[dns.n_waiting].cb(request, err, err == 0 ? fleet() : NULL);
    }
}

/* --- turning --- */

static bool runs(const struct node *node)
{
    return node->open && !node->frozen;
}

/* Until nobody has anything to do at this time. What they send each other is there at once, or the
 * kernel needs a moment more. */
static void do_all(void)
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
static uint64_t pause_ms(uint64_t most_ms)
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

static void turn(void)
{
    enum { PAUSE_MS = RENEW / 4 };
    do_all();
    clock_move(pause_ms(PAUSE_MS));
}

static void turn_for(uint64_t ms)
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

static void on_request(struct http_request *request, void *arg)
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

static void serve(struct node *node)
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

static void shut(struct node *node)
{
    for (size_t i = 0; i < node->n_hanging; i++)
        http_respond(node->hanging[i], 200, "text/plain", "late", 4, NULL);
    node->n_hanging = 0;
    http_server_close(node->server);
    node->server = NULL;
}

static void on_changed(struct membership *membership, enum member_kind kind, void *arg)
{
    struct node *node = arg;
    const struct member_list *list = membership_list(membership, kind);
    node->changed[kind]++;
    if (list->n < node->fewest[kind])
        node->fewest[kind] = list->n;
    for (size_t i = 1; i < list->n; i++)
        assert_true(strcmp(list->members[i - 1].id, list->members[i].id) < 0);
}

static void on_held(struct membership *membership, bool lost, void *arg)
{
    struct node *node = arg;
    (void)membership;
    node->held++;
    node->lost += lost;
}

/* Its port, before anybody has to know it. */
static void prepare(struct node *node, int port)
{
    memset(node, 0, sizeof *node);
    memset(node->fewest, 0x7f, sizeof node->fewest);
    assert_int_equal(loop_init(&node->loop, "test", 0), 0);
    node->open = true;
    node->port = port;
    serve(node);
}

static void join_list(struct node *node, enum member_kind kind, const char *id, const char *list)
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

static const char *list_of(size_t n)
{
    static char list[NODES * 24];
    list[0] = '\0';
    for (size_t i = 0; i < n; i++)
        (void)snprintf(list + strlen(list), sizeof list - strlen(list), "%s127.0.0.1:%d",
                       i > 0 ? ", " : "", nodes[i].port);
    return list;
}

static bool all_ready(size_t n)
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
static void join(const struct who *who, size_t n)
{
    for (size_t i = 0; i < n; i++)
        prepare(&nodes[i], 0);
    for (size_t i = 0; i < n; i++)
        join_list(&nodes[i], who[i].kind, who[i].id, list_of(n));
    turn_until(all_ready(n), 5000);
    turn_for(3 * RENEW);
}

/* As kill -9 would. */
static void vanish(struct node *node)
{
    membership_close(node->membership);
    shut(node);
    loop_close(&node->loop);
    node->membership = NULL;
    node->open = false;
}

static const struct member *seen(struct node *node, enum member_kind kind, const char *id)
{
    return membership_find(node->membership, kind, id);
}

static uint64_t epoch_of(struct node *node)
{
    return membership_self(node->membership)->epoch;
}

static bool sees(struct node *node, enum member_kind kind, const char *id, uint64_t epoch)
{
    const struct member *member = seen(node, kind, id);
    return member != NULL && member->epoch == epoch;
}

static struct membership_stats stats_of(struct node *node)
{
    struct membership_stats stats;
    membership_stats(node->membership, &stats);
    return stats;
}

static int setup(void **state)
{
    (void)state;
    clock_take();
    memset(nodes, 0, sizeof nodes);
    memset(&dns, 0, sizeof dns);
    return 0;
}

static int teardown(void **state)
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

/* --- the tests --- */

static void everyone_sees_everyone(void **state)
{
    struct node *comet = &nodes[0], *other = &nodes[1], *router = &nodes[2], *logic = &nodes[3];
    (void)state;
    join((struct who[]){{MEMBER_COMET, "comet-a"},
                        {MEMBER_COMET, "comet /&?b"},
                        {MEMBER_ROUTER, "router"},
                        {MEMBER_LOGIC, "logic"}},
         4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(membership_list(nodes[i].membership, MEMBER_COMET)->n, 2);
        assert_int_equal(membership_list(nodes[i].membership, MEMBER_ROUTER)->n, 1);
        assert_int_equal(membership_list(nodes[i].membership, MEMBER_LOGIC)->n, 1);
        assert_int_equal(membership_list(nodes[i].membership, MEMBER_JOB)->n, 0);
        assert_int_equal(nodes[i].changed[MEMBER_JOB], 0);
        assert_int_equal(nodes[i].held, 1);
        assert_int_equal(nodes[i].lost, 0);
        assert_true(membership_fresh(nodes[i].membership));
        turn_until(membership_known(nodes[i].membership), 1000);
        assert_int_equal(stats_of(&nodes[i]).lives, 1);
        assert_int_equal(stats_of(&nodes[i]).addresses, 4);
        assert_int_equal(stats_of(&nodes[i]).silent, 0);
        assert_int_equal(stats_of(&nodes[i]).malformed, 0);
    }
    const struct member *member = seen(router, MEMBER_COMET, "comet /&?b");
    assert_non_null(member);
    assert_null(seen(router, MEMBER_COMET, "router"));
    assert_string_equal(member->rpc, "rpc-of-comet /&?b:1");
    assert_string_equal(member->ws, "ws.example:8090");
    assert_string_equal(member->tcp, "");
    assert_string_equal(member->zone, "z\"1\"");
    assert_int_equal(member->weight, 7);
    assert_int_equal(member->epoch, epoch_of(other));
    assert_int_not_equal(member->epoch, epoch_of(comet));
    assert_int_equal(seen(comet, MEMBER_LOGIC, "logic")->node,
                     membership_self(logic->membership)->node);

    /* Connections come along, but are no change. */
    int changes = router->changed[MEMBER_COMET];
    membership_set_connections(other->membership, 123456);
    turn_for(3 * RENEW);
    assert_int_equal(seen(router, MEMBER_COMET, "comet /&?b")->connections, 123456);
    assert_int_equal(router->changed[MEMBER_COMET], changes);
}

static void only_what_is_watched_is_listed(void **state)
{
    struct membership_options options = {.kind = MEMBER_COMET,
                                         .self.id = "comet",
                                         .watch = 1U << MEMBER_LOGIC,
                                         .renew_ms = RENEW,
                                         .ttl_ms = TTL};
    (void)state;
    prepare(&nodes[0], 0);
    prepare(&nodes[1], 0);
    prepare(&nodes[2], 0);
    join_list(&nodes[0], MEMBER_LOGIC, "logic", list_of(3));
    join_list(&nodes[1], MEMBER_ROUTER, "router", list_of(3));
    options.addresses = list_of(3);
    nodes[2].membership = membership_open(&nodes[2].loop, NULL, &options, NULL, NULL);
    turn_until(all_ready(3), 3000);
    turn_for(3 * RENEW);
    assert_int_equal(membership_list(nodes[2].membership, MEMBER_LOGIC)->n, 1);
    assert_int_equal(membership_list(nodes[2].membership, MEMBER_ROUTER)->n, 0);
    assert_int_equal(membership_list(nodes[2].membership, MEMBER_COMET)->n, 0);
    assert_int_equal(membership_list(nodes[0].membership, MEMBER_COMET)->n, 1);
}

static void on_left(void *arg)
{
    ++((struct node *)arg)->left;
}

static void who_leaves_is_gone_at_once_and_who_dies_after_its_ttl(void **state)
{
    struct node *watcher = &nodes[0], *leaver = &nodes[1], *dead = &nodes[2];
    (void)state;
    join(
        (struct who[]){{MEMBER_LOGIC, "watcher"}, {MEMBER_COMET, "leaver"}, {MEMBER_COMET, "dead"}},
        3);
    assert_int_equal(membership_list(watcher->membership, MEMBER_COMET)->n, 2);
    vanish(dead);
    turn_for(2 * RENEW);
    assert_int_equal(stats_of(watcher).silent, 1);
    membership_leave(leaver->membership, on_left, leaver);
    assert_int_equal(leaver->left, 0);
    turn_until(leaver->left == 1, 1000);
    assert_null(seen(watcher, MEMBER_COMET, "leaver")); /* it was told, it need not ask */
    assert_false(membership_ready(leaver->membership));
    turn_for(3 * RENEW);
    assert_null(seen(watcher, MEMBER_COMET, "leaver")); /* though it still answers */
    assert_non_null(seen(watcher, MEMBER_COMET, "dead"));
    assert_int_equal(leaver->lost, 0);
    turn_for(TTL);
    assert_null(seen(watcher, MEMBER_COMET, "dead"));
    assert_int_equal(stats_of(watcher).lapsed, 1);
    assert_int_equal(leaver->left, 1);
}

static void who_leaves_unheard_is_gone_with_the_next_answer(void **state)
{
    struct node *watcher = &nodes[0], *leaver = &nodes[1];
    (void)state;
    join((struct who[]){{MEMBER_LOGIC, "watcher"}, {MEMBER_COMET, "leaver"}}, 2);
    watcher->manner = HANGS; /* for what the leaver tells it */
    membership_leave(leaver->membership, NULL, NULL);
    turn_for(4 * RENEW);
    assert_null(seen(watcher, MEMBER_COMET, "leaver"));
    assert_int_equal(stats_of(watcher).lapsed, 0);
}

static void one_that_stood_still_starts_a_new_life(void **state)
{
    struct node *watcher = &nodes[0], *frozen = &nodes[1];
    (void)state;
    join((struct who[]){{MEMBER_LOGIC, "watcher"}, {MEMBER_COMET, "frozen"}}, 2);
    uint64_t epoch = epoch_of(frozen);
    assert_true(sees(watcher, MEMBER_COMET, "frozen", epoch));
    frozen->frozen = true;
    turn_for(TTL / 2);
    assert_true(sees(watcher, MEMBER_COMET, "frozen", epoch));
    turn_until(seen(watcher, MEMBER_COMET, "frozen") == NULL, TTL);
    turn_for(TTL / 2);
    frozen->frozen = false;
    turn_until(seen(watcher, MEMBER_COMET, "frozen") != NULL, TTL);
    turn_for(4 * RENEW);
    assert_int_equal(frozen->held, 2);
    assert_int_equal(frozen->lost, 1); /* once, whoever noticed first */
    assert_true(epoch_of(frozen) > epoch);
    assert_true(sees(watcher, MEMBER_COMET, "frozen", epoch_of(frozen)));
    /* For the time that it stood still itself it takes nobody for dead. */
    assert_non_null(seen(frozen, MEMBER_LOGIC, "watcher"));
    assert_int_equal(frozen->changed[MEMBER_LOGIC], 1);
    assert_int_equal(watcher->lost, 0);
    assert_int_equal(stats_of(frozen).lives, 2);
}

static void who_was_taken_for_dead_is_told_and_starts_a_new_life(void **state)
{
    struct node *watcher = &nodes[0], *silent = &nodes[1], *other = &nodes[2];
    (void)state;
    join((struct who[]){{MEMBER_ROUTER, "watcher"},
                        {MEMBER_COMET, "silent"},
                        {MEMBER_LOGIC, "other"}},
         3);
    uint64_t epoch = epoch_of(silent);
    /* Its loop turns, but its answers are lost. */
    shut(silent);
    turn_until(seen(watcher, MEMBER_COMET, "silent") == NULL, 2 * TTL);
    assert_int_equal(silent->lost, 0);
    serve(silent);
    turn_until(seen(watcher, MEMBER_COMET, "silent") != NULL, TTL);
    turn_for(4 * RENEW);
    assert_int_equal(silent->lost, 1);
    assert_true(epoch_of(silent) > epoch);
    assert_true(sees(watcher, MEMBER_COMET, "silent", epoch_of(silent)));
    assert_true(sees(other, MEMBER_COMET, "silent", epoch_of(silent)));
    assert_true(sees(silent, MEMBER_COMET, "silent", epoch_of(silent)));
    assert_int_equal(watcher->lost + other->lost, 0);
}

/* A logic has nothing registered that would have to be forgotten. */
static void a_logic_that_was_silent_comes_back_as_it_was(void **state)
{
    struct node *watcher = &nodes[0], *silent = &nodes[1];
    (void)state;
    join((struct who[]){{MEMBER_COMET, "watcher"}, {MEMBER_LOGIC, "silent"}}, 2);
    uint64_t epoch = epoch_of(silent);
    shut(silent);
    turn_until(seen(watcher, MEMBER_LOGIC, "silent") == NULL, 2 * TTL);
    serve(silent);
    turn_until(seen(watcher, MEMBER_LOGIC, "silent") != NULL, TTL);
    turn_for(4 * RENEW);
    assert_int_equal(silent->lost, 0);
    assert_true(sees(watcher, MEMBER_LOGIC, "silent", epoch));
}

/* From one life to the next, without a time between in which it is nobody. */
static void a_restart_is_seen_at_once(void **state)
{
    struct node *watcher = &nodes[0], *router = &nodes[1], *slow = &nodes[2];
    (void)state;
    join((struct who[]){{MEMBER_LOGIC, "watcher"}, {MEMBER_ROUTER, "router"}, {MEMBER_JOB, "slow"}},
         3);
    uint64_t epoch = epoch_of(router);
    int port = router->port;
    vanish(router);
    prepare(router, port);
    slow->manner = HANGS; /* so that it takes some time before it is a member */
    join_list(router, MEMBER_ROUTER, "router", list_of(3));
    turn_for(4 * RENEW);
    assert_false(membership_ready(router->membership));
    assert_true(sees(watcher, MEMBER_ROUTER, "router", epoch));
    shut(slow);
    slow->manner = SERVES;
    serve(slow);
    turn_until(membership_ready(router->membership), TTL / 2);
    turn_until(sees(watcher, MEMBER_ROUTER, "router", epoch_of(router)), TTL / 2);
    assert_true(epoch_of(router) > epoch);
    assert_int_equal(router->lost, 0);
    assert_int_equal(stats_of(watcher).lapsed, 0);
    assert_true(watcher->fewest[MEMBER_ROUTER] >= 1);
}

static void an_id_has_one_owner(void **state)
{
    struct node *watcher = &nodes[0], *first = &nodes[1], *second = &nodes[2];
    (void)state;
    for (int i = 0; i < 3; i++)
        prepare(&nodes[i], 0);
    join_list(watcher, MEMBER_LOGIC, "watcher", list_of(3));
    join_list(first, MEMBER_COMET, "same", list_of(3));
    turn_until(membership_ready(first->membership), 3000);
    turn_until(membership_ready(watcher->membership), 3000);
    join_list(second, MEMBER_COMET, "same", list_of(3));
    turn_for(2 * TTL);
    assert_false(membership_ready(second->membership));
    assert_int_equal(second->held, 0);
    assert_int_equal(first->lost, 0);
    assert_true(sees(second, MEMBER_COMET, "same", epoch_of(first)));
    assert_true(sees(watcher, MEMBER_COMET, "same", epoch_of(first)));
    vanish(first);
    turn_for(TTL / 2);
    assert_int_equal(second->held, 0);
    turn_until(membership_ready(second->membership), TTL);
    turn_for(3 * RENEW);
    assert_true(sees(watcher, MEMBER_COMET, "same", epoch_of(second)));
    assert_int_equal(second->lost, 0);
}

/* They became members without seeing each other. */
static void two_owners_of_an_id_become_one(void **state)
{
    struct node *watcher = &nodes[0], *older = &nodes[1], *younger = &nodes[2];
    char list[64];
    (void)state;
    for (int i = 0; i < 3; i++)
        prepare(&nodes[i], 0);
    join_list(watcher, MEMBER_LOGIC, "watcher", list_of(3));
    join_list(older, MEMBER_COMET, "same", list_of(2));
    turn_for(5);
    (void)snprintf(list, sizeof list, "127.0.0.1:%d,127.0.0.1:%d", nodes[0].port, nodes[2].port);
    join_list(younger, MEMBER_COMET, "same", list);
    turn_until(all_ready(3), 3000);
    turn_for(5 * RENEW);
    /* For the watcher the one that it saw first stays. */
    const struct member *member = seen(watcher, MEMBER_COMET, "same");
    assert_non_null(member);
    uint64_t epoch = member->epoch;
    turn_for(TTL);
    assert_true(sees(watcher, MEMBER_COMET, "same", epoch));
    assert_true(stats_of(watcher).doubles > 0);
    assert_int_equal(stats_of(watcher).lapsed, 0);
    /* Restarted with a list that shows the other one, the younger one waits. */
    int port = younger->port;
    vanish(younger);
    prepare(younger, port);
    join_list(younger, MEMBER_COMET, "same", list_of(3));
    turn_for(TTL / 2);
    assert_false(membership_ready(younger->membership));
    assert_true(membership_ready(older->membership));
}

static void logics_get_numbers_of_their_own(void **state)
{
    struct who who[NODES];
    static const char *const ids[NODES] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    (void)state;
    for (int i = 0; i < NODES; i++)
        who[i] = (struct who){MEMBER_LOGIC, ids[i]};
    join(who, NODES);
    for (int i = 0; i < NODES; i++) {
        const struct member_list *list = membership_list(nodes[i].membership, MEMBER_LOGIC);
        assert_int_equal(list->n, NODES);
        assert_true(membership_self(nodes[i].membership)->node <= 1023);
        for (size_t j = 0; j < list->n; j++) {
            for (size_t k = 0; k < j; k++)
                assert_int_not_equal(list->members[j].node, list->members[k].node);
        }
    }
}

/* A partition, or the one chance in a thousand. */
static void of_two_logics_with_one_number_the_younger_takes_another(void **state)
{
    struct node *older = &nodes[0], *younger = &nodes[1], *comet = &nodes[2];
    (void)state;
    for (int i = 0; i < 3; i++)
        prepare(&nodes[i], 0);
    shut(older);
    shut(younger);
    join_list(older, MEMBER_LOGIC, "older", list_of(3));
    turn_for(5);
    join_list(younger, MEMBER_LOGIC, "younger", list_of(3));
    join_list(comet, MEMBER_COMET, "comet", list_of(3));
    turn_until(all_ready(3), 3000);
    uint32_t node = membership_self(older->membership)->node;
    uint64_t epoch = epoch_of(younger);
    younger->membership->self.node = node;
    serve(older);
    serve(younger);
    turn_until(younger->held == 2, 2000);
    turn_for(4 * RENEW);
    assert_int_equal(older->held, 1);
    assert_int_equal(younger->lost, 1);
    assert_int_equal(membership_self(older->membership)->node, node);
    assert_int_not_equal(membership_self(younger->membership)->node, node);
    assert_true(epoch_of(younger) > epoch);
    assert_int_equal(seen(comet, MEMBER_LOGIC, "younger")->node,
                     membership_self(younger->membership)->node);
    assert_int_equal(seen(comet, MEMBER_LOGIC, "older")->node, node);
}

static void a_number_is_kept_over_a_new_life(void **state)
{
    struct node *logic = &nodes[0], *comet = &nodes[1];
    (void)state;
    join((struct who[]){{MEMBER_LOGIC, "logic"}, {MEMBER_COMET, "comet"}}, 2);
    uint32_t node = membership_self(logic->membership)->node;
    logic->frozen = true;
    turn_for(TTL + 3 * RENEW);
    assert_null(seen(comet, MEMBER_LOGIC, "logic"));
    logic->frozen = false;
    turn_until(logic->held == 2, 1000);
    assert_int_equal(membership_self(logic->membership)->node, node);
    turn_until(sees(comet, MEMBER_LOGIC, "logic", epoch_of(logic)), 1000);
}

static const char *const rubbish[] = {
    "",
    "<html>hello</html>",
    "null",
    "[]",
    "{}",
    "{\"kind\":\"comet\",\"id\":\"x\",\"state\":\"held\"}",
    "{\"kind\":\"king\",\"id\":\"x\",\"state\":\"held\",\"process\":\"1\",\"epoch\":\"1\","
    "\"weight\":1,"
    "\"connections\":0}",
    "{\"kind\":\"comet\",\"id\":\"\",\"state\":\"held\",\"process\":\"1\",\"epoch\":\"1\","
    "\"weight\":1,"
    "\"connections\":0}",
    "{\"kind\":\"comet\",\"id\":\"x\",\"state\":\"held\",\"process\":\"1\",\"epoch\":1,\"weight\":"
    "1,"
    "\"connections\":0}",
    "{\"kind\":\"comet\",\"id\":\"x\",\"state\":\"held\",\"process\":\"1\",\"epoch\":\"-1\","
    "\"weight\":1,"
    "\"connections\":0}",
    "{\"kind\":\"comet\",\"id\":\"x\",\"state\":\"held\",\"process\":\"1\",\"epoch\":\"1\","
    "\"weight\":1e99,"
    "\"connections\":0}",
    "{\"kind\":\"comet\",\"id\":\"x\",\"state\":\"held\",\"process\":\"1\",\"epoch\":\"1\","
    "\"weight\":-1,"
    "\"connections\":0}",
    "{\"kind\":\"logic\",\"id\":\"x\",\"state\":\"held\",\"process\":\"1\",\"epoch\":\"1\","
    "\"weight\":1,"
    "\"connections\":0,\"node\":1024}",
    "{\"kind\":\"comet\",\"id\":"
    "\"0123456789012345678901234567890123456789012345678901234567890123\","
    "\"state\":\"held\",\"process\":\"1\",\"epoch\":\"1\",\"weight\":1,\"connections\":0}",
};

static void rubbish_is_no_member(void **state)
{
    struct node *a = &nodes[0], *b = &nodes[1], *odd = &nodes[2];
    (void)state;
    for (int i = 0; i < 3; i++)
        prepare(&nodes[i], 0);
    odd->manner = TALKS;
    odd->status = 200;
    odd->answer = rubbish[0];
    join_list(a, MEMBER_COMET, "a", list_of(3));
    join_list(b, MEMBER_LOGIC, "b", list_of(3));
    turn_until(all_ready(2), 3000);
    for (size_t i = 0; i < sizeof rubbish / sizeof rubbish[0]; i++) {
        odd->answer = rubbish[i];
        int asked = odd->asked;
        turn_until(odd->asked >= asked + 4, 1000);
        turn_for(RENEW);
        assert_int_equal(membership_list(a->membership, MEMBER_COMET)->n, 1);
        assert_int_equal(membership_list(a->membership, MEMBER_LOGIC)->n, 1);
    }
    assert_true(stats_of(a).malformed >= (int64_t)(sizeof rubbish / sizeof rubbish[0]));
    int64_t malformed = stats_of(a).malformed;
    odd->manner = MUMBLES;
    turn_for(3 * RENEW);
    assert_true(stats_of(a).malformed > malformed);
    odd->manner = TALKS;
    malformed = stats_of(a).malformed;
    odd->status = 404;
    turn_for(3 * RENEW);
    assert_true(stats_of(a).malformed > malformed);
    /* 503 is what one says that starts. */
    odd->status = 503;
    turn_for(2 * RENEW);
    malformed = stats_of(a).malformed;
    turn_for(3 * RENEW);
    assert_int_equal(stats_of(a).malformed, malformed);
    /* What a daemon says is understood, though strange things are in it. */
    odd->status = 200;
    odd->answer =
        "{\"kind\":\"comet\",\"id\":\"x\",\"state\":\"held\",\"process\":\"9\",\"epoch\":\"5\","
        "\"weight\":1,\"connections\":0,\"rpc\":{},\"new\":[1]}";
    turn_until(sees(a, MEMBER_COMET, "x", 5), 1000);
    assert_int_equal(a->held + b->held, 2);
}

static void names_are_looked_up(void **state)
{
    char list[128];
    (void)state;
    prepare(&nodes[0], 0);
    prepare(&nodes[1], 0);
    (void)snprintf(list, sizeof list, "localhost:%d , localhost:%d,[::1]:%d", nodes[0].port,
                   nodes[1].port, nodes[0].port);
    join_list(&nodes[0], MEMBER_COMET, "a", list);
    join_list(&nodes[1], MEMBER_LOGIC, "b", list);
    turn_until(all_ready(2), 5000);
    turn_for(3 * RENEW);
    assert_non_null(seen(&nodes[0], MEMBER_LOGIC, "b"));
    assert_non_null(seen(&nodes[1], MEMBER_COMET, "a"));
    /* 127.0.0.1 twice; and ::1, where nobody listens, once or twice: as the machine's hosts say. */
    assert_in_range(stats_of(&nodes[0]).addresses, 3, 4);
    assert_int_equal(stats_of(&nodes[0]).unresolved, 0);
}

/* Not after 5 s, but now. */
static void look_up_again(struct node *node)
{
    int lookups = dns.lookups;
    ((struct static_members *)(void *)node->membership)->entries[0].due_ms = 0;
    turn_until(dns.lookups > lookups && dns.n_waiting == 0, 1000);
    turn_for(3 * RENEW);
}

static void a_name_stands_for_whatever_it_resolves_to(void **state)
{
    struct node *watcher = &nodes[0];
    char list[96];
    (void)state;
    for (int i = 0; i < 4; i++)
        prepare(&nodes[i], 0);
    (void)snprintf(list, sizeof list, "fleet.test:1,127.0.0.1:%d", nodes[0].port);
    dns.first = 1;
    dns.n = 1;
    join_list(&nodes[1], MEMBER_COMET, "a", list);
    join_list(&nodes[2], MEMBER_COMET, "b", list);
    join_list(&nodes[3], MEMBER_COMET, "c", list);
    join_list(watcher, MEMBER_ROUTER, "watcher", list);
    turn_until(all_ready(4), 3000);
    turn_for(3 * RENEW);
    assert_int_equal(membership_list(watcher->membership, MEMBER_COMET)->n, 1);
    assert_false(membership_known(nodes[2].membership)); /* nobody asks it yet */
    /* More of them. */
    dns.n = 3;
    look_up_again(watcher);
    assert_int_equal(membership_list(watcher->membership, MEMBER_COMET)->n, 3);
    assert_int_equal(stats_of(watcher).addresses, 4);
    /* DNS is away, then says that there is no such name: who lives still lives. */
    dns.err = UV_EAI_AGAIN;
    look_up_again(watcher);
    assert_int_equal(stats_of(watcher).unresolved, 1);
    assert_int_equal(membership_list(watcher->membership, MEMBER_COMET)->n, 3);
    dns.err = UV_EAI_NONAME;
    look_up_again(watcher);
    turn_for(TTL);
    assert_int_equal(membership_list(watcher->membership, MEMBER_COMET)->n, 3);
    assert_int_equal(stats_of(watcher).lapsed, 0);
    /* Out of DNS, and dead: another process at its address is nobody's business. */
    int port = nodes[1].port;
    vanish(&nodes[1]);
    prepare(&nodes[1], port);
    join_list(&nodes[1], MEMBER_COMET, "stranger", list);
    turn_for(TTL + 3 * RENEW);
    assert_int_equal(membership_list(watcher->membership, MEMBER_COMET)->n, 2);
    assert_null(seen(watcher, MEMBER_COMET, "stranger"));
    assert_int_equal(stats_of(watcher).addresses, 3);
    dns.err = 0;
    look_up_again(watcher);
    assert_non_null(seen(watcher, MEMBER_COMET, "stranger"));
}

static void without_dns_nobody_is_believed_away(void **state)
{
    struct node *router = &nodes[0];
    char list[96];
    (void)state;
    prepare(&nodes[0], 0);
    prepare(&nodes[1], 0);
    (void)snprintf(list, sizeof list, "fleet.test:1,127.0.0.1:%d", nodes[0].port);
    dns.first = 1;
    dns.n = 1;
    join_list(&nodes[1], MEMBER_COMET, "comet", list);
    turn_until(membership_ready(nodes[1].membership), 1000);
    dns.err = UV_EAI_AGAIN;
    join_list(router, MEMBER_ROUTER, "router", list);
    turn_for(2 * TTL);
    assert_false(membership_ready(router->membership));
    assert_int_equal(router->changed[MEMBER_COMET], 0);
    dns.err = 0;
    look_up_again(router);
    assert_true(membership_ready(router->membership));
    assert_non_null(seen(router, MEMBER_COMET, "comet"));
    /* A name that is none stands for nobody. */
    vanish(router);
    prepare(router, 0);
    dns.err = UV_EAI_NONAME;
    join_list(router, MEMBER_ROUTER, "router", list);
    turn_until(membership_ready(router->membership), TTL / 2);
    assert_null(seen(router, MEMBER_COMET, "comet"));
}

static void one_process_at_two_addresses_is_one(void **state)
{
    char list[128];
    (void)state;
    prepare(&nodes[0], 0);
    prepare(&nodes[1], 0);
    /* 127.0.0.2 reaches only listeners on every address: nobody. */
    (void)snprintf(list, sizeof list, "127.0.0.1:%d,127.0.0.1:%d,localhost:%d,127.0.0.2:%d",
                   nodes[0].port, nodes[1].port, nodes[1].port, nodes[1].port);
    join_list(&nodes[0], MEMBER_COMET, "a", list);
    join_list(&nodes[1], MEMBER_LOGIC, "b", list);
    turn_until(all_ready(2), 5000);
    turn_for(3 * RENEW);
    assert_int_equal(membership_list(nodes[0].membership, MEMBER_LOGIC)->n, 1);
    assert_int_equal(stats_of(&nodes[0]).doubles, 0);
}

/* Who hangs may be a member that the others still believe in. */
static void one_that_hangs_is_waited_for_and_one_that_is_not_there_is_not(void **state)
{
    struct node *a = &nodes[0], *hangs = &nodes[1], *none = &nodes[2];
    (void)state;
    for (int i = 0; i < 3; i++)
        prepare(&nodes[i], 0);
    shut(none);
    uint64_t begin = now_ms();
    join_list(a, MEMBER_ROUTER, "a", list_of(3));
    turn_until(membership_ready(a->membership), 1000);
    assert_true(now_ms() - begin < TTL / 2);
    vanish(a);
    prepare(a, 0);
    hangs->manner = HANGS;
    begin = now_ms();
    join_list(a, MEMBER_ROUTER, "a", list_of(3));
    turn_for(TTL / 2);
    assert_false(membership_ready(a->membership));
    turn_until(membership_ready(a->membership), 2 * TTL);
    assert_true(now_ms() - begin >= TTL);
    assert_int_equal(a->held, 1);
}

static void one_whose_list_lacks_us_does_not_know_us(void **state)
{
    struct node *comet = &nodes[1], *job = &nodes[0];
    (void)state;
    prepare(&nodes[0], 0);
    prepare(&nodes[1], 0);
    join_list(job, MEMBER_JOB, "job", list_of(1));
    join_list(comet, MEMBER_COMET, "comet", list_of(2));
    turn_until(all_ready(2), 3000);
    turn_for(TTL);
    assert_false(membership_known(comet->membership));
    assert_true(membership_known(job->membership));
    int port = job->port;
    vanish(job);
    prepare(job, port);
    join_list(job, MEMBER_JOB, "job", list_of(2));
    turn_until(membership_known(comet->membership), TTL);
}

/* --- what anybody may ask --- */

static struct {
    int calls, status;
    char body[HTTP_CLIENT_MAX];
} got;

static void on_answer(int status, const char *body, size_t len, void *arg)
{
    (void)arg;
    got.calls++;
    got.status = status;
    (void)snprintf(got.body, sizeof got.body, "%.*s", (int)len, body);
}

static void ask_by(void (*by)(struct http_client *, const char *, uint64_t), struct node *node,
                   const char *target, int status, const char *part)
{
    struct sockaddr_in address;
    uv_ip4_addr("127.0.0.1", node->port, &address);
    struct http_client *asker =
        http_client_open(&node->loop, (struct sockaddr *)&address, on_answer, NULL);
    got.calls = 0;
    by(asker, target, 1000);
    turn_until(got.calls == 1, 2000);
    http_client_close(asker);
    if (got.status != status || strstr(got.body, part) == NULL)
        fail_msg("%s: %d %s", target, got.status, got.body);
}

static void ask(struct node *node, const char *target, int status, const char *part)
{
    ask_by(http_client_get, node, target, status, part);
}

static void say(struct node *node, const char *target, int status, const char *part)
{
    ask_by(http_client_post, node, target, status, part);
}

static int64_t disbelieved(const struct node *node)
{
    struct membership_stats stats;
    membership_stats(node->membership, &stats);
    return stats.disbelieved;
}

static void questions(void **state)
{
    struct node *a = &nodes[0];
    char target[200], part[64];
    (void)state;
    prepare(a, 0);
    ask(a, "/member", 503, "not a member yet");
    join_list(a, MEMBER_LOGIC, "a", list_of(1));
    ask(a, "/member", 200, "\"id\":\"a\"");
    ask(a, "/member?dead=abc", 400, "decimal number");
    ask(a, "/member?epoch=-1", 400, "decimal number");
    ask(a, "/member?epoch=", 400, "decimal number");
    ask(a, "/member?dead=123456789012345678901", 400, "decimal number");
    ask(a, "/member?kind=king&id=x", 400, "kind: comet, logic");
    ask(a, "/member?kind=comet", 400, "both or none");
    ask(a, "/member?id=x", 400, "both or none");
    turn_until(membership_ready(a->membership), 1000);
    uint64_t epoch = epoch_of(a), held_ms = members_now();
    (void)snprintf(part, sizeof part, "\"epoch\":\"%llu\"", (unsigned long long)epoch);
    ask(a, "/member?kind=comet&id=x&epoch=1", 200, part);
    say(a, "/member?kind=comet&id=x&epoch=1&dead=77", 200, part); /* not ours */
    say(a, "/member?kind=comet&id=x&epoch=1&leaving=1", 200, part);
    say(a, "/member?kind=comet&id=x&epoch=1", 405, "only GET"); /* nothing is said */
    say(a, "/member?kind=comet&id=x&epoch=x&dead=1", 400, "decimal number");
    ask(a, "/member?kind=comet&id=x&epoch=1", 200, "\"state\":\"held\"");
    (void)snprintf(target, sizeof target, "/member?dead=%llu", (unsigned long long)epoch);
    say(a, target, 200, part); /* by nobody */
    assert_int_equal(a->lost, 0);
    (void)snprintf(target, sizeof target, "/member?kind=comet&id=x&epoch=1&dead=%llu",
                   (unsigned long long)epoch);
    ask(a, target, 200, part); /* a question changes nothing */
    int64_t before = disbelieved(a);
    say(a, target, 200, part); /* nobody can have missed us for lease.ttl yet */
    assert_int_equal(disbelieved(a), before + 1);
    turn_until(members_now() >= held_ms + TTL, 10 * TTL);
    assert_int_equal(a->lost, 0);
    say(a, target, 200, "\"kind\":\"logic\"");
    assert_null(strstr(got.body, part));
    turn_until(a->held == 2, 1000);
    assert_int_equal(a->lost, 1);
    membership_leave(a->membership, NULL, NULL);
    ask(a, "/member", 200, "\"state\":\"leaving\"");
}

static void expect_refusal(const char *list, const char *part)
{
    char err[300] = "";
    assert_int_equal(membership_check_addresses(list, err, sizeof err), -EINVAL);
    if (strstr(err, part) == NULL)
        fail_msg("%s: %s", list, err);
}

static void lists_are_checked(void **state)
{
    char err[300], longest[300];
    (void)state;
    assert_int_equal(membership_check_addresses("", err, sizeof err), 0);
    assert_int_equal(
        membership_check_addresses("a:1,b-c.d_e:65535, 10.0.0.1:80 ,[::1]:1,a:2", err, sizeof err),
        0);
    expect_refusal("a", "\"a\": host:port is wanted");
    expect_refusal(":1", "host before the colon is missing");
    expect_refusal("a:1,b:0", "\"b:0\": its port is no number from 1 to 65535");
    expect_refusal("a:65536", "port");
    expect_refusal("a:", "port");
    expect_refusal("a:1x", "port");
    expect_refusal("a:123456", "port");
    expect_refusal("10.0.0.256:1", "no IPv4 address");
    expect_refusal("10.0.0:1", "no IPv4 address");
    expect_refusal("::1:80", "[address]:port");
    expect_refusal("[10.0.0.1]:80", "no IPv6 address");
    expect_refusal("http://a:80", "characters that no name has");
    expect_refusal("a b:80", "characters that no name has");
    expect_refusal("[:80", "characters");
    expect_refusal("a:80,b:80,a:80", "\"a:80\": it is listed twice");
    expect_refusal(" , ", "host:port, host:port");
    memset(longest, 'x', sizeof longest);
    memcpy(longest + 254, ":80", 4);
    expect_refusal(longest, "too long");
}

static void ends_at_any_time(void **state)
{
    char list[96];
    (void)state;
    for (int i = 0; i < 4; i++)
        prepare(&nodes[i], 0);
    (void)snprintf(list, sizeof list, "localhost:%d,127.0.0.1:%d,fleet.test:1", nodes[0].port,
                   nodes[1].port);
    dns.slow = true;
    join_list(&nodes[0], MEMBER_COMET, "a", list); /* closed before it began, by teardown */
    join_list(&nodes[1], MEMBER_COMET, "b", list);
    membership_leave(nodes[1].membership, on_left, &nodes[1]); /* before it was a member */
    join_list(&nodes[2], MEMBER_COMET, "c", list);
    turn();
    membership_leave(nodes[2].membership, on_left, &nodes[2]); /* while names are looked up */
    turn_until(nodes[1].left == 1 && nodes[2].left == 1, 2000);
    nodes[0].manner = HANGS;
    join_list(&nodes[3], MEMBER_COMET, "d", list);
    turn_for(RENEW); /* a question is unanswered */
    membership_leave(nodes[3].membership, on_left, &nodes[3]);
    turn_until(nodes[3].left == 1, 2000);
    turn_for(2 * RENEW);
    assert_int_equal(nodes[1].left + nodes[2].left + nodes[3].left, 3);
}

#define member_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        member_test(everyone_sees_everyone),
        member_test(only_what_is_watched_is_listed),
        member_test(who_leaves_is_gone_at_once_and_who_dies_after_its_ttl),
        member_test(who_leaves_unheard_is_gone_with_the_next_answer),
        member_test(one_that_stood_still_starts_a_new_life),
        member_test(who_was_taken_for_dead_is_told_and_starts_a_new_life),
        member_test(a_logic_that_was_silent_comes_back_as_it_was),
        member_test(a_restart_is_seen_at_once),
        member_test(an_id_has_one_owner),
        member_test(two_owners_of_an_id_become_one),
        member_test(logics_get_numbers_of_their_own),
        member_test(of_two_logics_with_one_number_the_younger_takes_another),
        member_test(a_number_is_kept_over_a_new_life),
        member_test(rubbish_is_no_member),
        member_test(names_are_looked_up),
        member_test(a_name_stands_for_whatever_it_resolves_to),
        member_test(without_dns_nobody_is_believed_away),
        member_test(one_process_at_two_addresses_is_one),
        member_test(one_that_hangs_is_waited_for_and_one_that_is_not_there_is_not),
        member_test(one_whose_list_lacks_us_does_not_know_us),
        member_test(questions),
        member_test(lists_are_checked),
        member_test(ends_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
