#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/base/log.h"
#include "common/membership/internal.h"

#include "tests/unit/lib/clock.h"
#include "tests/unit/lib/redis_group.h"

/* All times are of the test's clock, which is Redis's too. */
enum {
    RENEW = 40,
    TTL = 1200,
    STEP_MS = 5,
    EVERYTHING = 15,
    SOON = 60000,
};

/* One daemon's view; several share the test's loop. */
struct daemon_view {
    struct loop *loop;
    struct redis *redis;
    struct membership *membership;
    int held, lost, changed[MEMBER_KINDS];
    int left;
    size_t fewest[MEMBER_KINDS]; /* members that any change left */
};

static struct loop loop;
static uv_timer_t guard;

static void on_changed(struct membership *membership, enum member_kind kind, void *arg)
{
    struct daemon_view *view = arg;
    const struct member_list *list = membership_list(membership, kind);
    view->changed[kind]++;
    if (list->n < view->fewest[kind])
        view->fewest[kind] = list->n;
    for (size_t i = 1; i < list->n; i++)
        assert_true(strcmp(list->members[i - 1].id, list->members[i].id) < 0);
}

static void on_held(struct membership *membership, bool lost, void *arg)
{
    struct daemon_view *view = arg;
    (void)membership;
    view->held++;
    view->lost += lost;
}

static void on_guard(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static bool turn_while(bool (*waiting)(void *arg), void *arg, uint64_t ms)
{
    bool late = false;
    guard.data = &late;
    uv_update_time(&loop.uv);
    uv_timer_start(&guard, on_guard, ms, 0);
    while (waiting(arg) && !late)
        uv_run(&loop.uv, UV_RUN_ONCE);
    uv_timer_stop(&guard);
    return !waiting(arg);
}

#define turn_until(condition)                                      \
    do {                                                           \
        for (int late_ = 0; !(condition) && late_ < 6000; late_++) \
            turn_for(10);                                          \
        assert_true(condition);                                    \
    } while (0)

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static void turn_for(uint64_t ms)
{
    turn_while(always, NULL, ms);
}

static bool not_ready(void *arg)
{
    return !membership_ready(((struct daemon_view *)arg)->membership);
}

static void join_as(struct daemon_view *view, enum member_kind kind, const char *id,
                    const char *rpc)
{
    static const struct membership_events events = {.changed = on_changed, .held = on_held};
    struct redis_options redis = {.servers = server.address, .timeout_ms = 200};
    struct membership_options options = {
        .kind = kind, .watch = EVERYTHING, .renew_ms = RENEW, .ttl_ms = TTL};
    memset(view, 0, sizeof *view);
    memset(view->fewest, 0x7f, sizeof view->fewest);
    (void)snprintf(options.self.id, sizeof options.self.id, "%s", id);
    (void)snprintf(options.self.rpc, sizeof options.self.rpc, "%s", rpc);
    (void)snprintf(options.self.ws, sizeof options.self.ws, "%s", "ws.example:8090");
    (void)snprintf(options.self.zone, sizeof options.self.zone, "%s", "z\"1\"");
    options.self.weight = 7;
    assert_int_equal(redis_open(&loop, &redis, NULL, NULL, &view->redis), 0);
    view->membership = membership_open(&loop, view->redis, &options, &events, view);
    assert_false(membership_ready(view->membership));
}

static void join(struct daemon_view *view, enum member_kind kind, const char *id, const char *rpc)
{
    join_as(view, kind, id, rpc);
    assert_true(turn_while(not_ready, view, SOON));
    assert_int_equal(view->held, 1);
    assert_int_equal(view->lost, 0);
}

/* As kill -9 would: the lease stays. */
static void vanish(struct daemon_view *view)
{
    membership_close(view->membership);
    redis_close(view->redis);
    view->membership = NULL;
}

static const struct member *seen(struct daemon_view *view, enum member_kind kind, const char *id)
{
    return membership_find(view->membership, kind, id);
}

static int setup(void **state)
{
    (void)state;
    redis_server_do(&server, "FLUSHALL");
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    uv_timer_init(&loop.uv, &guard);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    loop_close(&loop);
    return 0;
}

static void everyone_sees_everyone(void **state)
{
    (void)state;
    struct daemon_view a, b, r;
    join(&a, MEMBER_COMET, "comet-a", "127.0.0.1:8092");
    join(&b, MEMBER_COMET, "comet-b", "127.0.0.1:8112");
    join(&r, MEMBER_ROUTER, "router", "127.0.0.1:7270");
    turn_for(3 * RENEW);
    struct daemon_view *views[] = {&a, &b, &r};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(membership_list(views[i]->membership, MEMBER_COMET)->n, 2);
        assert_int_equal(membership_list(views[i]->membership, MEMBER_ROUTER)->n, 1);
        assert_int_equal(membership_list(views[i]->membership, MEMBER_LOGIC)->n, 0);
        assert_int_equal(views[i]->changed[MEMBER_LOGIC], 0);
    }
    const struct member *member = seen(&r, MEMBER_COMET, "comet-b");
    assert_non_null(member);
    assert_null(seen(&r, MEMBER_COMET, "router"));
    assert_string_equal(member->rpc, "127.0.0.1:8112");
    assert_string_equal(member->ws, "ws.example:8090");
    assert_string_equal(member->tcp, "");
    assert_string_equal(member->zone, "z\"1\"");
    assert_int_equal(member->weight, 7);
    assert_int_equal(member->epoch, membership_self(b.membership)->epoch);
    assert_int_not_equal(member->epoch, membership_self(a.membership)->epoch);

    /* Connections come along, but are no change. */
    int changes = r.changed[MEMBER_COMET];
    membership_set_connections(b.membership, 123456);
    turn_until(seen(&r, MEMBER_COMET, "comet-b")->connections == 123456);
    assert_int_equal(r.changed[MEMBER_COMET], changes);
    membership_set_clients(b.membership, &(struct member_clients){.ips = 77, .refuses = false});
    turn_until(seen(&r, MEMBER_COMET, "comet-b")->client_ips == 77);
    assert_int_equal(r.changed[MEMBER_COMET], changes);
    vanish(&a);
    vanish(&b);
    vanish(&r);
}

/* With a renewal that would come in a minute, only one that comes at once tells anybody. */
static void who_refuses_clients_says_so_at_once(void **state)
{
    (void)state;
    struct daemon_view comet, logic;
    join(&comet, MEMBER_COMET, "comet", "127.0.0.1:8092");
    join(&logic, MEMBER_LOGIC, "logic", "127.0.0.1:7170");
    turn_until(seen(&logic, MEMBER_COMET, "comet") != NULL);
    comet.membership->renew_ms = 60000;
    comet.membership->ttl_ms = 120000;
    turn_for(2 * RENEW); /* the renewal that was due before */
    int changes = logic.changed[MEMBER_COMET];
    uint64_t begin = loop_now_ms(&loop);
    membership_set_clients(comet.membership, &(struct member_clients){.ips = 0, .refuses = true});
    turn_until(seen(&logic, MEMBER_COMET, "comet")->refuses_clients);
    assert_in_range(loop_now_ms(&loop) - begin, 0, 5 * RENEW);
    assert_int_equal(logic.changed[MEMBER_COMET], changes + 1);
    vanish(&comet);
    vanish(&logic);
}

static void on_left(void *arg)
{
    ++((struct daemon_view *)arg)->left;
}

static bool not_left(void *arg)
{
    return ((struct daemon_view *)arg)->left == 0;
}

static void who_leaves_is_gone_at_once_and_who_dies_after_its_ttl(void **state)
{
    (void)state;
    struct daemon_view watcher, leaver, dead;
    join(&watcher, MEMBER_LOGIC, "watcher", "w:1");
    join(&leaver, MEMBER_COMET, "leaver", "l:1");
    join(&dead, MEMBER_COMET, "dead", "d:1");
    turn_for(3 * RENEW);
    assert_int_equal(membership_list(watcher.membership, MEMBER_COMET)->n, 2);
    vanish(&dead);
    membership_leave(leaver.membership, on_left, &leaver);
    assert_int_equal(leaver.left, 0);
    assert_true(turn_while(not_left, &leaver, SOON));
    assert_false(membership_ready(leaver.membership));
    turn_for(3 * RENEW);
    assert_null(seen(&watcher, MEMBER_COMET, "leaver"));
    assert_non_null(seen(&watcher, MEMBER_COMET, "dead"));
    turn_for(TTL);
    assert_null(seen(&watcher, MEMBER_COMET, "dead"));
    assert_int_equal(leaver.left, 1);
    vanish(&leaver);
    vanish(&watcher);
}

static void logics_get_numbers_of_their_own(void **state)
{
    (void)state;
    struct daemon_view a, b, c, other;
    join(&a, MEMBER_LOGIC, "a", "a:1");
    join(&b, MEMBER_LOGIC, "b", "b:1");
    join(&other, MEMBER_COMET, "comet", "c:1");
    assert_int_equal(membership_self(a.membership)->node, 0);
    assert_int_equal(membership_self(b.membership)->node, 1);
    assert_int_equal(membership_self(other.membership)->node, 0);
    turn_for(5 * RENEW);
    assert_int_equal(seen(&a, MEMBER_LOGIC, "b")->node, 1);
    membership_leave(a.membership, on_left, &a);
    assert_true(turn_while(not_left, &a, SOON));
    vanish(&a);
    join(&c, MEMBER_LOGIC, "c", "c:1");
    assert_int_equal(membership_self(c.membership)->node, 0);
    assert_int_equal(membership_self(b.membership)->node, 1);
    vanish(&b);
    vanish(&c);
    vanish(&other);
}

static void a_lapsed_lease_is_another_life(void **state)
{
    (void)state;
    struct daemon_view a, watcher;
    join(&a, MEMBER_ROUTER, "a", "a:1");
    join(&watcher, MEMBER_LOGIC, "w", "w:1");
    turn_for(3 * RENEW);
    uint64_t epoch = membership_self(a.membership)->epoch;
    assert_int_equal(seen(&watcher, MEMBER_ROUTER, "a")->epoch, epoch);
    assert_int_equal(redis_server_do(&server, "HDEL imc:members:router a"), 1);
    turn_for(4 * RENEW);
    assert_int_equal(a.held, 2);
    assert_int_equal(a.lost, 1);
    uint64_t after = membership_self(a.membership)->epoch;
    assert_true(after > epoch);
    assert_int_equal(seen(&watcher, MEMBER_ROUTER, "a")->epoch, after);
    assert_true(membership_ready(a.membership));
    vanish(&a);
    vanish(&watcher);
}

static void an_id_has_one_owner(void **state)
{
    (void)state;
    struct daemon_view first, second;
    join(&first, MEMBER_COMET, "same", "one:1");
    join_as(&second, MEMBER_COMET, "same", "two:1");
    turn_for(2 * TTL);
    assert_false(membership_ready(second.membership));
    assert_int_equal(second.held, 0);
    assert_int_equal(first.lost, 0);
    assert_string_equal(seen(&second, MEMBER_COMET, "same")->rpc, "one:1");
    vanish(&first);
    turn_for(TTL / 2);
    assert_int_equal(second.held, 0);
    assert_true(turn_while(not_ready, &second, SOON));
    assert_int_equal(second.held, 1);
    assert_int_equal(second.lost, 0);
    vanish(&second);
}

static void a_restart_on_the_same_port_takes_over_at_once(void **state)
{
    (void)state;
    struct daemon_view before, after, watcher;
    join(&before, MEMBER_COMET, "same", "one:1");
    join(&watcher, MEMBER_LOGIC, "w", "w:1");
    uint64_t start = loop_now_ms(&loop);
    join(&after, MEMBER_COMET, "same", "one:1"); /* BEFORE hangs, or believes in a wrong address */
    assert_true(loop_now_ms(&loop) - start < TTL);
    turn_for(2 * TTL);
    /* They do not take turns: the former waits. */
    assert_int_equal(after.held, 1);
    assert_int_equal(before.held, 1);
    assert_false(membership_ready(before.membership));
    assert_int_equal(seen(&watcher, MEMBER_COMET, "same")->epoch,
                     membership_self(after.membership)->epoch);
    vanish(&after);
    assert_true(turn_while(not_ready, &before, SOON));
    assert_int_equal(before.lost, 1);
    vanish(&before);
    vanish(&watcher);
}

static void redis_away_for_long_changes_nothing(void **state)
{
    (void)state;
    struct daemon_view a, b;
    join(&a, MEMBER_COMET, "a", "a:1");
    join(&b, MEMBER_LOGIC, "b", "b:1");
    turn_for(3 * RENEW);
    int changes = a.changed[MEMBER_COMET] + a.changed[MEMBER_LOGIC];
    redis_server_pause(&server);
    turn_for(3 * TTL);
    assert_false(redis_is_up(a.redis));
    assert_true(membership_ready(a.membership)); /* last known */
    assert_non_null(seen(&a, MEMBER_LOGIC, "b"));
    redis_server_resume(&server);
    turn_for(3000); /* reconnecting may wait for a second */
    assert_true(redis_is_up(a.redis) && redis_is_up(b.redis));
    assert_int_equal(a.held + b.held, 2);
    assert_int_equal(a.changed[MEMBER_COMET] + a.changed[MEMBER_LOGIC], changes);
    /* And who died meanwhile goes, after its ttl. */
    vanish(&b);
    turn_for(TTL + 3 * RENEW);
    assert_null(seen(&a, MEMBER_LOGIC, "b"));
    vanish(&a);
}

static void redis_without_its_data_makes_nobody_look_dead(void **state)
{
    (void)state;
    struct daemon_view a, b, dead;
    join(&a, MEMBER_COMET, "a", "a:1");
    join(&b, MEMBER_COMET, "b", "b:1");
    join(&dead, MEMBER_COMET, "dead", "d:1");
    turn_for(3 * RENEW);
    memset(a.fewest, 0x7f, sizeof a.fewest);
    uint64_t epoch = membership_self(b.membership)->epoch;
    redis_server_kill(&server);
    vanish(&dead);
    turn_for(2 * TTL);
    assert_int_equal(membership_list(a.membership, MEMBER_COMET)->n, 3);
    redis_server_run(&server);
    turn_for(1200); /* the longest wait before connecting */
    assert_int_equal(a.fewest[MEMBER_COMET] >= 2, 1);
    turn_for(TTL + 5 * RENEW);
    assert_int_equal(membership_list(a.membership, MEMBER_COMET)->n, 2);
    assert_null(seen(&a, MEMBER_COMET, "dead"));
    assert_int_equal(b.lost, 1);
    assert_true(seen(&a, MEMBER_COMET, "b")->epoch > epoch);
    vanish(&a);
    vanish(&b);
}

/* FLUSHALL, with no connection broken: each member comes back at its next renewal. */
static void leases_that_vanish_at_once_make_nobody_look_dead(void **state)
{
    (void)state;
    struct daemon_view a, b, dead;
    join(&a, MEMBER_COMET, "a", "a:1");
    join(&b, MEMBER_COMET, "b", "b:1");
    join(&dead, MEMBER_COMET, "dead", "d:1");
    turn_for(TTL + 3 * RENEW);
    memset(a.fewest, 0x7f, sizeof a.fewest);
    memset(b.fewest, 0x7f, sizeof b.fewest);
    uint64_t process = membership_self(b.membership)->process;
    assert_int_equal(seen(&a, MEMBER_COMET, "b")->process, process);
    vanish(&dead);
    redis_server_do(&server, "FLUSHALL");
    turn_for(4 * RENEW);
    assert_int_equal(a.fewest[MEMBER_COMET], 3);
    assert_int_equal(b.fewest[MEMBER_COMET], 3);
    assert_int_equal(seen(&a, MEMBER_COMET, "b")->process, process); /* its new life */
    turn_for(TTL + 3 * RENEW);
    assert_int_equal(membership_list(a.membership, MEMBER_COMET)->n, 2);
    assert_null(seen(&a, MEMBER_COMET, "dead"));
    vanish(&a);
    vanish(&b);
}

static void rubbish_among_the_members_is_dropped(void **state)
{
    (void)state;
    struct daemon_view a;
    static const char *const rubbish[] = {
        "HSET imc:members:comet x nonsense", "HSET imc:members:comet x 7",
        "HSET imc:members:comet x {}", "HSET imc:members:comet x {\"expires\":\"9\",\"ttl\":[]}",
        /* readable for the script, but no member: */
        "HSET imc:members:comet x {\"expires\":1e99,\"ttl\":300,\"node\":[],\"rpc\":{}}"};
    join(&a, MEMBER_COMET, "a", "a:1");
    for (size_t i = 0; i < sizeof rubbish / sizeof rubbish[0]; i++) {
        assert_int_not_equal(redis_server_do(&server, rubbish[i]), -1);
        turn_for(3 * RENEW);
        assert_int_equal(membership_list(a.membership, MEMBER_COMET)->n, 1);
        assert_int_equal(a.held, 1);
    }
    turn_until(redis_server_do(&server, "HLEN imc:members:comet") == 1);
    vanish(&a);
}

static void redis_that_answers_with_errors_is_like_no_redis(void **state)
{
    (void)state;
    struct daemon_view a;
    join(&a, MEMBER_COMET, "a", "a:1");
    redis_server_do(&server, "SET imc:members:router string");
    redis_server_do(&server, "DEL imc:members:comet");
    turn_for(4 * RENEW);
    assert_true(membership_ready(a.membership));
    assert_non_null(seen(&a, MEMBER_COMET, "a"));
    redis_server_do(&server, "DEL imc:members:router");
    turn_for(4 * RENEW + 200);
    assert_int_equal(a.lost, 1);
    vanish(&a);
}

static void leave_and_close_without_redis(void **state)
{
    (void)state;
    struct daemon_view a, b;
    join(&a, MEMBER_COMET, "a", "a:1");
    join(&b, MEMBER_COMET, "b", "b:1");
    redis_server_pause(&server);
    turn_for(2 * RENEW); /* a renewal is under way */
    membership_leave(a.membership, on_left, &a);
    membership_close(b.membership);
    assert_true(turn_while(not_left, &a, SOON));
    redis_server_resume(&server);
    redis_close(b.redis);
    vanish(&a);
    membership_close(NULL);
}

static int start_group(void **state)
{
    (void)start_server(state);
    clock_share(STEP_MS, redis_servers_catch_up);
    clock_share_day(redis_server_day());
    return 0;
}

#define member_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        member_test(everyone_sees_everyone),
        member_test(who_refuses_clients_says_so_at_once),
        member_test(who_leaves_is_gone_at_once_and_who_dies_after_its_ttl),
        member_test(logics_get_numbers_of_their_own),
        member_test(a_lapsed_lease_is_another_life),
        member_test(an_id_has_one_owner),
        member_test(a_restart_on_the_same_port_takes_over_at_once),
        member_test(redis_away_for_long_changes_nothing),
        member_test(redis_without_its_data_makes_nobody_look_dead),
        member_test(leases_that_vanish_at_once_make_nobody_look_dead),
        member_test(rubbish_among_the_members_is_dropped),
        member_test(redis_that_answers_with_errors_is_like_no_redis),
        member_test(leave_and_close_without_redis),
    };
    return cmocka_run_group_tests(tests, start_group, stop_server);
}
