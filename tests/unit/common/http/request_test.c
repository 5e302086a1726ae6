/* A server whose loop the test turns itself, and one connection to it over a socket pair. */
#include "common/http/http.h"
#include "common/http/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FORM_HEAD(len) "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " len "\r\n" FORM_TYPE
#define FORM_TYPE      "Content-Type: application/x-www-form-urlencoded\r\n\r\n"

enum { MAX_BODY = 1 << 20, MAX_HELD = 1 << 18, HEAD_ROOM = 2048 /* of a short one */ };

struct fixture {
    struct loop loop;
    struct http_server *server;
    int fd; /* the client's end */
    int handled;
    struct http_request *kept; /* of the path /keep: not answered */
    char seen[4096];
};

static void see(struct fixture *fixture, const char *name, const char *value)
{
    size_t at = strlen(fixture->seen);
    snprintf(fixture->seen + at, sizeof(fixture->seen) - at, "%s=%s ", name,
             value != NULL ? value : "(none)");
}

static void handle(struct http_request *request, void *arg)
{
    struct fixture *fixture = arg;
    fixture->handled++;
    fixture->seen[0] = '\0';
    see(fixture, "path", http_path(request));
    see(fixture, "a", http_query(request, "a", 0));
    size_t place = 0;
    const char *value;
    while ((value = http_query_next(request, "l", &place)) != NULL)
        see(fixture, "l", value);
    see(fixture, "fa", http_form(request, "a", 0));
    see(fixture, "bad", http_form_is_bad(request) ? "yes" : "no");
    see(fixture, "x", http_header(request, "x"));
    if (strcmp(http_path(request), "/keep") == 0)
        fixture->kept = request;
    else
        http_respond(request, 200, NULL, "ok", 2, NULL);
}

static int open_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct http_options options = {.address = "127.0.0.1:0",
                                   .max_body = MAX_BODY,
                                   .max_held = MAX_HELD,
                                   .handle = handle,
                                   .arg = fixture};
    int fds[2];
    assert_int_equal(loop_init(&fixture->loop, "http", 0), 0);
    assert_int_equal(http_server_open(&fixture->loop, &options, &fixture->server), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    http_conn_open(fixture->server, fds[0], "127.0.0.1");
    fixture->fd = fds[1];
    fcntl(fixture->fd, F_SETFL, O_NONBLOCK);
    *state = fixture;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    close(fixture->fd);
    http_server_close(fixture->server);
    loop_close(&fixture->loop);
    free(fixture);
    return 0;
}

static char answer[2048]; /* to the last request */

/* Sends TEXT whole and reads the answer: its status. */
static int ask(struct fixture *fixture, const char *text, size_t len)
{
    ssize_t n = -1;
    while (len > 0 || n <= 0) {
        ssize_t sent = len > 0 ? send(fixture->fd, text, len, MSG_NOSIGNAL) : 0;
        text += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
        uv_run(&fixture->loop.uv, UV_RUN_NOWAIT);
        n = recv(fixture->fd, answer, sizeof(answer) - 1, 0);
    }
    answer[n] = '\0';
    assert_int_equal(strncmp(answer, "HTTP/1.1 ", 9), 0);
    return (int)strtol(answer + 9, NULL, 10);
}

static int ask_form(struct fixture *fixture, const char *form, size_t len)
{
    char *text = malloc(len + 200), *body; /* bytes, not a string */ /* bytes, not a string */
    int head = snprintf(text, 200, FORM_HEAD("%zu"), len);
    body = text + head;
    memcpy(body, form, len);
    int status = ask(fixture, text, (size_t)head + len);
    free(text);
    return status;
}

static void forms_are_split_and_decoded(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ask_form(fixture, "b=1&a=x%20y+z&a=2", 17), 200);
    assert_string_equal(fixture->seen, "path=/ a=(none) fa=x y z bad=no x=(none) ");
}

static void each_value_of_a_parameter_is_found(void **state)
{
    static const char text[] = "GET /p?l=1&a=x&l=&l=%20y&ll=3&l=1 HTTP/1.1\r\nHost: t\r\n\r\n";
    struct fixture *fixture = *state;
    assert_int_equal(ask(fixture, text, sizeof text - 1), 200);
    assert_string_equal(fixture->seen, "path=/p a=x l=1 l= l= y l=1 fa=(none) bad=no x=(none) ");
}

/* A value would end at its NUL for whoever looks at it as a C string. */
static void forms_with_control_bytes_are_bad(void **state)
{
    static const struct {
        const char *form;
        size_t len;
    } forms[] = {{"a=1%002", 7}, {"a=1\0002", 5}, {"a=1%0a", 6}, {"a\0=1", 4}, {"a=1&%00", 7}};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_int_equal(ask_form(fixture, forms[i].form, forms[i].len), 200);
        assert_string_equal(fixture->seen, "path=/ a=(none) fa=(none) bad=yes x=(none) ");
    }
}

/* Each takes many times its bytes. */
static void parameters_are_limited(void **state)
{
    struct fixture *fixture = *state;
    size_t len = 2 * HTTP_MAX_PARAMS + 1;
    char *form = malloc(len);
    for (size_t i = 0; i < len; i++)
        form[i] = i % 2 == 0 ? 'a' : '&';
    assert_int_equal(ask_form(fixture, form, len), 200);
    assert_non_null(strstr(fixture->seen, "bad=yes"));
    assert_int_equal(ask_form(fixture, form, len - 2), 200);
    assert_non_null(strstr(fixture->seen, "fa= bad=no"));
    free(form);
}

static void headers_are_limited(void **state)
{
    struct fixture *fixture = *state;
    char *text = malloc(65536);
    for (int n = HTTP_FIELDS_MAX; n <= HTTP_FIELDS_MAX + 1; n++) {
        size_t at = (size_t)snprintf(text, 100, "GET / HTTP/1.1\r\nHost: x\r\n");
        for (int i = 1; i < n; i++)
            at += (size_t)snprintf(text + at, 65536 - at, "x: %d\r\n", i);
        at += (size_t)snprintf(text + at, 65536 - at, "\r\n");
        assert_int_equal(ask(fixture, text, at), n == HTTP_FIELDS_MAX ? 200 : 431);
    }
    assert_non_null(strstr(fixture->seen, "x=1 "));
    free(text);
}

/* --- what all connections hold together --- */

static int connect_another(struct fixture *fixture)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    http_conn_open(fixture->server, fds[0], "127.0.0.1");
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    return fds[1];
}

/* N bytes of a body, as far as the server reads them. */
static void send_body(struct fixture *fixture, size_t n)
{
    char zeros[4096] = "";
    while (n > 0) {
        ssize_t sent =
            send(fixture->fd, zeros, n < sizeof(zeros) ? n : sizeof(zeros), MSG_NOSIGNAL);
        n -= sent > 0 ? (size_t)sent : 0;
        uv_run(&fixture->loop.uv, UV_RUN_NOWAIT);
    }
}

static void bodies_are_bounded_together(void **state)
{
    struct fixture *fixture = *state;
    int first = fixture->fd, second = connect_another(fixture), third = connect_another(fixture);
    char text[200];
    size_t half = MAX_HELD / 2 + 4096;
    int n = snprintf(text, sizeof(text),
                     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", half);
    assert_int_equal(send(first, text, (size_t)n, 0), n);
    send_body(fixture, half - 1);
    assert_in_range(http_server_held(fixture->server), half - 1, half + HEAD_ROOM);
    fixture->fd = second;
    assert_int_equal(send(second, text, (size_t)n, 0), n);
    send_body(fixture, half);
    assert_int_equal(ask(fixture, "", 0), 503); /* it was the second that was too much */
    fixture->fd = first;
    assert_int_equal(ask(fixture, "x", 1), 200);
    assert_int_equal(http_server_held(fixture->server), 0);
    fixture->fd = third;
    assert_int_equal(send(third, text, (size_t)n, 0), n);
    send_body(fixture, half - 1);
    assert_int_equal(ask(fixture, "x", 1), 200);
    fixture->fd = first;
    close(second);
    close(third);
}

/* One announced byte of a million costs no million. */
static void a_body_takes_room_as_it_comes(void **state)
{
    struct fixture *fixture = *state;
    char text[200];
    int n = snprintf(text, sizeof(text),
                     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\nx", MAX_BODY);
    assert_int_equal(send(fixture->fd, text, (size_t)n, 0), n);
    send_body(fixture, 1);
    assert_in_range(http_server_held(fixture->server), 1, 4096 + HEAD_ROOM);
}

/* A head, then N parameters, of two bytes each and many times that in memory. */
static int begin_with_parameters(struct fixture *fixture, size_t n, const char *end)
{
    char *text = malloc(2 * n + 200);
    size_t at = (size_t)snprintf(text, 100, "POST /?");
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, 4, "a&");
    at += (size_t)snprintf(text + at, 100, " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n");
    int status = end == NULL ? 0 : ask(fixture, text, at);
    if (end == NULL)
        assert_int_equal(send(fixture->fd, text, at, 0), at);
    uv_run(&fixture->loop.uv, UV_RUN_NOWAIT);
    free(text);
    return status;
}

static void heads_are_bounded_together(void **state)
{
    enum { FIT = MAX_HELD * 6 / 10 / sizeof(struct http_param), TOO_MANY = 2 * FIT };
    struct fixture *fixture = *state;
    int first = fixture->fd, second = connect_another(fixture), third = connect_another(fixture);
    begin_with_parameters(fixture, FIT, NULL);
    assert_in_range(http_server_held(fixture->server), MAX_HELD / 2, MAX_HELD);
    fixture->fd = second;
    assert_int_equal(begin_with_parameters(fixture, FIT, ""), 503);
    fixture->fd = first;
    assert_int_equal(ask(fixture, "x", 1), 200);
    assert_int_equal(http_server_held(fixture->server), 0);
    fixture->fd = third;
    assert_int_equal(begin_with_parameters(fixture, TOO_MANY, ""), 503); /* by itself */
    assert_int_equal(fixture->handled, 1);
    fixture->fd = first;
    close(second);
    close(third);
}

static void what_a_form_takes_holds_up_who_comes_next(void **state)
{
    enum { FORM = 2 * HTTP_MAX_PARAMS - 1 };
    static const char next[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct fixture *fixture = *state;
    int first = fixture->fd, second = connect_another(fixture), third = connect_another(fixture);
    char text[FORM + 300];
    int at = snprintf(text, 300,
                      "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" FORM_TYPE, FORM);
    for (int i = 0; i < FORM; i++)
        text[at++] = i % 2 == 0 ? 'a' : '&';
    assert_int_equal(send(first, text, (size_t)at, 0), at);
    while (fixture->kept == NULL)
        uv_run(&fixture->loop.uv, UV_RUN_NOWAIT);
    fixture->fd = second;
    assert_int_equal(ask(fixture, next, sizeof next - 1), 503);
    http_respond(fixture->kept, 200, NULL, "", 0, NULL);
    assert_int_equal(http_server_held(fixture->server), 0);
    fixture->fd = third;
    assert_int_equal(ask(fixture, next, sizeof next - 1), 200);
    fixture->fd = first;
    close(second);
    close(third);
}

/* When a read has filled the buffer, libuv reads again and tells of 0 bytes: not the end. */
static void a_full_read_is_not_the_end(void **state)
{
    struct fixture *fixture = *state;
    char text[200], *body = calloc(1, HTTP_READ_SIZE);
    int n = snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
                     HTTP_READ_SIZE + 1);
    assert_int_equal(send(fixture->fd, text, (size_t)n, 0), n);
    uv_run(&fixture->loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(send(fixture->fd, body, HTTP_READ_SIZE, 0), HTTP_READ_SIZE);
    uv_run(&fixture->loop.uv, UV_RUN_NOWAIT);
    uv_run(&fixture->loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(ask(fixture, "x", 1), 200);
    free(body);
}

/* --- secrets --- */

/* Never in memory as it is read: each byte plus one. */
static const char shifted_secret[] = "UIJT.JT.UIF.TFDSFU.UIBU.OPCPEZ.NBZ.LFFQ";
#define SECRET_LEN (sizeof(shifted_secret) - 1)

static void put_secret(char *at)
{
    for (size_t i = 0; i < SECRET_LEN; i++)
        at[i] = (char)(shifted_secret[i] - 1);
}

static size_t count_secrets(const char *data, size_t len)
{
    size_t found = 0;
    for (size_t i = 0; i + SECRET_LEN <= len; i++) {
        size_t n = 0;
        while (n < SECRET_LEN && data[i + n] == (char)(shifted_secret[n] - 1))
            n++;
        found += n == SECRET_LEN;
    }
    return found;
}

/* How often the secret stands in what this process may write to. */
static size_t secrets_in_memory(void)
{
    enum { MOST = 64 << 20 };
    char line[512];
    size_t found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    int mem = open("/proc/self/mem", O_RDONLY);
    assert_true(maps != NULL && mem >= 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        char *dash, *rights;
        unsigned long long begin = strtoull(line, &dash, 16), end = strtoull(dash + 1, &rights, 16);
        if (rights[2] != 'w' || end - begin > MOST)
            continue;
        size_t len = (size_t)(end - begin);
        char *copy = /* not of the heap, which is looked at */
            mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(copy, MAP_FAILED);
        ssize_t n = pread(mem, copy, len, (off_t)begin);
        found += count_secrets(copy, n > 0 ? (size_t)n : 0);
        munmap(copy, len);
    }
    close(mem);
    fclose(maps);
    return found;
}

/* Wherever it stood: target, header, body, chunks, a pipelined request. */
static void no_secret_stays_in_memory(void **state)
{
    static const char *const requests[] = {
        "GET /?a=@ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer @\r\n\r\n",
        FORM_HEAD("41") "a=@",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n27\r\n@\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /?a=@ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX-API-Key: @\r\nBad Name: x\r\n\r\n"};
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        char text[512];
        const char *mark = strchr(requests[i], '@');
        size_t before = (size_t)(mark - requests[i]), behind = strlen(mark + 1);
        memcpy(text, requests[i], before);
        put_secret(text + before);
        memcpy(text + before + SECRET_LEN, mark + 1, behind);
        assert_int_equal(secrets_in_memory(), 1); /* it would be found */
        (void)ask(fixture, text, before + SECRET_LEN + behind);
        uv_run(&fixture->loop.uv, UV_RUN_NOWAIT);
        explicit_bzero(text, sizeof(text));
        explicit_bzero(fixture->seen, sizeof(fixture->seen)); /* what the test itself copied */
        assert_int_equal(secrets_in_memory(), 0);
    }
}

#define SERVER_TEST(fn) cmocka_unit_test_setup_teardown(fn, open_fixture, close_fixture)

/* Asks with X-Request-Id, and returns that of the answer, of *LEN bytes. */
static const char *id_back(struct fixture *fixture, const char *id, size_t *len)
{
    static const char name[] = "\r\nX-Request-Id: ";
    char text[1024];
    int n =
        snprintf(text, sizeof(text), "GET /x HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\n\r\n", id);
    assert_int_equal(ask(fixture, text, (size_t)n), 200);
    const char *at = strstr(answer, name);
    assert_non_null(at);
    at += sizeof(name) - 1;
    assert_null(strstr(at, name));
    *len = strcspn(at, "\r");
    return at;
}

static void each_answer_has_a_request_id(void **state)
{
    static const char *const odd[] = {"", "a b", "a;b", "a\"b", "a%0d", "\xc3\xa4"};
    char longest[HTTP_REQUEST_ID_MAX + 2];
    size_t len;

    memset(longest, 'x', sizeof(longest));
    longest[HTTP_REQUEST_ID_MAX] = '\0';
    assert_memory_equal(id_back(*state, longest, &len), longest, HTTP_REQUEST_ID_MAX);
    assert_int_equal(len, HTTP_REQUEST_ID_MAX);
    assert_memory_equal(id_back(*state, "aZ0-_.:/+=", &len), "aZ0-_.:/+=\r", 11);
    longest[HTTP_REQUEST_ID_MAX] = 'x';
    longest[HTTP_REQUEST_ID_MAX + 1] = '\0';
    const char *made = id_back(*state, longest, &len);
    assert_int_equal(len, 16);
    assert_int_equal(strspn(made, "0123456789abcdef"), 16);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        (void)id_back(*state, odd[i], &len);
        assert_int_equal(len, 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(each_value_of_a_parameter_is_found),
        SERVER_TEST(forms_are_split_and_decoded),
        SERVER_TEST(forms_with_control_bytes_are_bad),
        SERVER_TEST(parameters_are_limited),
        SERVER_TEST(headers_are_limited),
        SERVER_TEST(bodies_are_bounded_together),
        SERVER_TEST(a_body_takes_room_as_it_comes),
        SERVER_TEST(heads_are_bounded_together),
        SERVER_TEST(what_a_form_takes_holds_up_who_comes_next),
        SERVER_TEST(a_full_read_is_not_the_end),
        SERVER_TEST(each_answer_has_a_request_id),
        SERVER_TEST(no_secret_stays_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
