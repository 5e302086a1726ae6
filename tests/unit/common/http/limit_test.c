/* As many connections as a server may have, and as many heads under way: who gives way, who waits.
 * The test turns the loop. */
#include "common/http/http.h"
#include "common/http/parser.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/lib/clock.h"

enum {
    MOST = 4,
    TURNS = 5000,
    HEAD = sizeof(struct http_head) + 1024, /* a short one under way */
    LONG = 3 << 20,                         /* an answer that no kernel takes at once */
};

struct fixture {
    struct loop loop;
    struct http_server *server;
    struct http_request *held[MOST]; /* not answered */
    size_t n_held;
    int rooms; /* times that there was room again */
};

static void handle(struct http_request *request, void *arg)
{
    static char long_answer[LONG];
    struct fixture *f = arg;
    if (strcmp(http_path(request), "/long") == 0) {
        http_respond(request, 200, NULL, long_answer, sizeof long_answer, NULL);
    } else if (strcmp(http_path(request), "/hold") == 0) {
        assert_true(f->n_held < MOST);
        f->held[f->n_held++] = request;
    } else {
        http_respond(request, 200, NULL, "ok", 2, NULL);
    }
}

static void on_room(void *arg)
{
    struct fixture *f = arg;
    f->rooms++;
}

static int setup(void **state)
{
    static struct fixture f;
    struct http_options options = {
        .address = "127.0.0.1:0",
        .max_conns = MOST,
        .max_body = 100,
        .max_heads = (MOST - 1) * HEAD,
        .max_answers = 2 * LONG,
        .room = on_room,
        .header_timeout_ms = 60000,
        .body_timeout_ms = 60000,
        .idle_timeout_ms = 60000,
        .handle = handle,
        .arg = &f,
    };
    memset(&f, 0, sizeof f);
    clock_take();
    assert_int_equal(loop_init(&f.loop, "http", 0), 0);
    assert_int_equal(http_server_open(&f.loop, &options, &f.server), 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    http_server_close(f->server);
    for (size_t i = 0; i < f->n_held; i++)
        http_respond(f->held[i], 200, NULL, "", 0, NULL);
    loop_close(&f->loop);
    clock_give_back();
    return 0;
}

static int client(struct fixture *f)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)http_server_port(f->server))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static struct http_stats stats_of(struct fixture *f)
{
    struct http_stats stats;
    http_server_stats(f->server, &stats);
    return stats;
}

static void ask(int fd, const char *path)
{
    char text[100];
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    assert_int_equal(send(fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

/* 1: something came; 0: it was closed; -1: neither, for as long as the test has patience. */
static int outcome(struct fixture *f, int fd, int turns)
{
    char buf[1000];
    for (int i = 0; i < turns; i++) {
        uv_run(&f->loop.uv, UV_RUN_NOWAIT);
        ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
        if (n >= 0)
            return n > 0;
        if (errno != EAGAIN)
            return 0;
        usleep(1000);
        clock_move(1);
    }
    return -1;
}

static void turn(struct fixture *f)
{
    uv_run(&f->loop.uv, UV_RUN_NOWAIT);
    clock_move(1);
}

static void turn_until(struct fixture *f, size_t connections)
{
    assert_true(until(stats_of(f).connections == connections, turn(f)));
}

static void who_never_asked_gives_way(void **state)
{
    struct fixture *f = *state;
    int idle[MOST];
    for (int i = 0; i < MOST; i++) {
        idle[i] = client(f);
        turn_until(f, (size_t)i + 1);
    }
    clock_move(300); /* each of them may give way */
    int late = client(f);
    ask(late, "/");
    assert_int_equal(outcome(f, late, TURNS), 1);
    assert_int_equal(outcome(f, idle[0], TURNS), 0); /* the oldest */
    assert_int_equal(outcome(f, idle[MOST - 1], 1), -1);
    assert_in_range(stats_of(f).gave_way, 1, 1);
    for (int i = 0; i < MOST; i++)
        close(idle[i]);
    close(late);
}

static void who_has_a_request_does_not(void **state)
{
    struct fixture *f = *state;
    int busy[MOST];
    for (int i = 0; i < MOST; i++) {
        busy[i] = client(f);
        ask(busy[i], "/hold");
        turn_until(f, (size_t)i + 1);
    }
    int late = client(f);
    ask(late, "/");
    assert_int_equal(outcome(f, late, 500), -1);
    assert_in_range(stats_of(f).full, 1, 1000);
    assert_int_equal(stats_of(f).gave_way, 0);
    assert_int_equal(f->n_held, MOST);
    http_respond(f->held[--f->n_held], 200, NULL, "", 0, NULL);
    assert_int_equal(outcome(f, late, TURNS), 1); /* a second later it is the idle one's turn */
    assert_int_equal(stats_of(f).gave_way, 1);
    for (int i = 0; i < MOST; i++)
        close(busy[i]);
    close(late);
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void who_is_longest_at_a_head_gives_way(void **state)
{
    struct fixture *f = *state;
    int slow[MOST];
    for (int i = 0; i < MOST; i++) {
        slow[i] = client(f);
        turn_until(f, (size_t)i + 1);
        send_text(slow[i], "GET / HTTP/1.1\r\nHost: x\r\nX: ");
        assert_int_equal(outcome(f, slow[i], i < MOST - 1 ? 20 : 0), -1);
    }
    assert_int_equal(stats_of(f).gave_way, 0); /* as many as may be, and one not read yet */
    char answer[1000] = "";
    assert_true(until(recv(slow[0], answer, sizeof answer - 1, MSG_DONTWAIT) > 0, turn(f)));
    assert_int_equal(strncmp(answer, "HTTP/1.1 503 ", 13), 0);
    assert_int_equal(stats_of(f).gave_way, 1);
    for (int i = 1; i < MOST; i++) {
        send_text(slow[i], "y\r\n\r\n");
        assert_int_equal(outcome(f, slow[i], TURNS), 1);
    }
    /* They count no more: there is room for one as large as all, and no larger. */
    char large[(MOST - 1) * HEAD + 1];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    memcpy(large, "GET /", 5);
    large[2048] = '\0';
    send_text(slow[1], large);
    assert_int_equal(outcome(f, slow[1], 20), -1);
    send_text(slow[1], "x"); /* doubles what is kept */
    assert_int_equal(outcome(f, slow[1], TURNS), 1);
    assert_int_equal(stats_of(f).gave_way, 2);
    for (int i = 0; i < MOST; i++)
        close(slow[i]);
}

/* Reads all that has come. */
static size_t taken(int fd)
{
    static char buf[1 << 16];
    size_t all = 0;
    ssize_t n;
    while ((n = recv(fd, buf, sizeof buf, MSG_DONTWAIT)) > 0)
        all += (size_t)n;
    return all;
}

static void who_does_not_read_its_answer_makes_room(void **state)
{
    struct fixture *f = *state;
    int unread[2] = {client(f), client(f)}, quick = client(f);
    for (int i = 0; i < 2; i++) {
        ask(unread[i], "/long");
        assert_true(until(http_server_answers(f->server) >= (i + 1) * LONG, turn(f)));
        clock_move(2000);
        turn(f); /* slow, and as large as may be: nobody else needs the room */
    }
    assert_int_equal(stats_of(f).unread, 1);
    assert_int_equal(f->rooms, 1);
    assert_true(http_server_has_room(f->server));
    size_t got = 0;
    ask(quick, "/long");
    assert_true(until((got += taken(quick)) > LONG, turn(f)));
    assert_int_equal(stats_of(f).unread, 1);
    assert_in_range(http_server_answers(f->server), LONG, LONG + 1000); /* the other one's */
    for (int i = 0; i < 2; i++)
        close(unread[i]);
    assert_true(until(http_server_answers(f->server) == 0, turn(f)));
    close(quick);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_never_asked_gives_way, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_a_request_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(who_does_not_read_its_answer_makes_room, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_longest_at_a_head_gives_way, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
