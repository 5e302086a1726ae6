/* Many sockets on one descriptor: what is told, and what is told no more. */
#include "comet/net/poller.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { SOCKETS = 100 };

static struct loop loop;
static struct poller *poller;
static struct socket {
    int fd, peer, told;
    uint32_t events;
    struct socket *forgets; /* when it is told */
} sockets[SOCKETS];
static bool closed;

static void on_event(void *arg, uint32_t events)
{
    struct socket *socket = arg;

    socket->told++;
    socket->events = events;
    if (socket->forgets != NULL)
        poller_forget(poller, socket->forgets);
}

static void turn(void)
{
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void on_closed(void *arg)
{
    *(bool *)arg = true;
}

static int setup(void **state)
{
    (void)state;
    closed = false;
    memset(sockets, 0, sizeof sockets);
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    assert_int_equal(poller_open(&loop, on_event, &poller), 0);
    for (int i = 0; i < SOCKETS; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        sockets[i].fd = pair[0];
        sockets[i].peer = pair[1];
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < SOCKETS; i++) {
        close(sockets[i].fd);
        close(sockets[i].peer);
    }
    poller_close(poller, on_closed, &closed);
    assert_false(closed);
    turn();
    assert_true(closed);
    loop_close(&loop);
    return 0;
}

static void watch(int i, uint32_t before, uint32_t events)
{
    assert_int_equal(poller_set(poller, sockets[i].fd, &sockets[i], before, events), 0);
}

static void what_was_asked_for_is_told(void **state)
{
    (void)state;
    watch(0, 0, EPOLLIN);
    watch(1, 0, EPOLLIN);
    turn();
    assert_int_equal(sockets[0].told, 0);
    assert_int_equal(send(sockets[0].peer, "x", 1, 0), 1);
    turn();
    turn(); /* level triggered */
    assert_int_equal(sockets[0].told, 2);
    assert_int_equal(sockets[0].events, EPOLLIN);
    watch(0, EPOLLIN, EPOLLOUT);
    turn();
    assert_int_equal(sockets[0].told, 3);
    assert_int_equal(sockets[0].events, EPOLLOUT);
    assert_int_equal(sockets[1].told, 0);
}

static void nothing_is_told_of_what_is_not_watched(void **state)
{
    (void)state;
    watch(0, 0, EPOLLIN);
    watch(0, EPOLLIN, 0);
    close(sockets[0].peer);
    sockets[0].peer = -1;
    turn();
    assert_int_equal(sockets[0].told, 0);
    watch(0, 0, EPOLLOUT); /* not asked for, told all the same: */
    turn();
    assert_true((sockets[0].events & EPOLLHUP) != 0);
}

static void the_forgotten_is_not_told_in_the_same_turn(void **state)
{
    (void)state;
    for (int i = 0; i < SOCKETS; i++) {
        watch(i, 0, EPOLLOUT);
        sockets[i].forgets = &sockets[i ^ 1];
    }
    turn();
    for (int i = 0; i < SOCKETS; i += 2)
        assert_int_equal(sockets[i].told + sockets[i + 1].told, 1);
}

static void closing_a_descriptor_ends_the_watching(void **state)
{
    (void)state;
    watch(0, 0, EPOLLIN);
    assert_int_equal(send(sockets[0].peer, "x", 1, 0), 1);
    poller_forget(poller, &sockets[0]);
    close(sockets[0].fd);
    sockets[0].fd = -1;
    turn();
    assert_int_equal(sockets[0].told, 0);
}

static void a_descriptor_that_cannot_be_watched_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(poller_set(poller, -1, &sockets[0], 0, EPOLLIN), -EBADF);
    assert_int_equal(poller_set(poller, sockets[0].fd, &sockets[0], EPOLLIN, EPOLLOUT), -ENOENT);
    poller_close(NULL, NULL, NULL);
}

int main(void)
{
#define POLLER_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        POLLER_TEST(what_was_asked_for_is_told),
        POLLER_TEST(nothing_is_told_of_what_is_not_watched),
        POLLER_TEST(the_forgotten_is_not_told_in_the_same_turn),
        POLLER_TEST(closing_a_descriptor_ends_the_watching),
        POLLER_TEST(a_descriptor_that_cannot_be_watched_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
