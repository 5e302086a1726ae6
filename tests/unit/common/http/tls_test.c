/* The server and the client over TLS, on one loop. */
#include "common/http/client.h"
#include "common/http/http.h"
#include "common/http/internal.h"
#include "common/tls/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* needs the above */
#include <cmocka.h>

#include "tests/unit/lib/tls_files.h"

enum { MOST_TURNS = 200000, HEADER_MS = 1500 };

static struct loop loop;
static struct tls_files files;
static struct tls *tls;
static struct tls_client *believing;
static struct http_server *server;
static struct sockaddr_in address;

static void handle(struct http_request *request, void *arg)
{
    static char much[15000];
    const char *key = http_header(request, "x-api-key");
    bool large = strcmp(http_path(request), "/large") == 0;

    (void)arg;
    memset(much, 'm', sizeof(much));
    if (large)
        http_respond(request, 200, NULL, much, sizeof(much), NULL);
    else
        http_respond(request, 200, NULL, key != NULL ? key : "none", key != NULL ? strlen(key) : 4,
                     NULL);
}

static int setup(void **state)
{
    const struct tls_server_options server_options = {.name = "test", .alpn = "http/1.1"};
    const struct tls_client_options client_options = {.name = "test", .alpn = "http/1.1"};
    struct http_options options = {.address = "127.0.0.1:0",
                                   .max_body = 1000,
                                   .header_timeout_ms = HEADER_MS,
                                   .body_timeout_ms = 60000,
                                   .idle_timeout_ms = 60000,
                                   .handle = handle};
    char certificate[128], key[128], ca[128], err[TLS_ERROR_MAX];

    (void)state;
    tls_files_open(&files);
    tls_files_sign(&files, "a",
                   &(struct tls_file_options){.common_name = "a", .names = "DNS:a.example"});
    tls_files_path(&files, "a.pem", certificate);
    tls_files_path(&files, "a.key", key);
    tls_files_path(&files, "ca.pem", ca);
    struct tls_settings settings = {.certificates = certificate, .keys = key, .ca = ca};
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    assert_int_equal(tls_open(&settings, &tls, err, sizeof(err)), 0);
    assert_int_equal(tls_server_open(tls, &server_options, &options.tls, err, sizeof(err)), 0);
    assert_int_equal(tls_client_open(tls, &client_options, &believing, err, sizeof(err)), 0);
    assert_int_equal(http_server_open(&loop, &options, &server), 0);
    address = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)http_server_port(server))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_server_close(server);
    loop_close(&loop);
    tls_close(tls);
    tls_files_close(&files);
    return 0;
}

struct got {
    bool done;
    int status;
    size_t len;
    char body[HTTP_CLIENT_MAX + 1];
};

static void on_answer(int status, const char *body, size_t len, void *arg)
{
    struct got *got = arg;

    got->done = true;
    got->status = status;
    got->len = len;
    memcpy(got->body, body, len);
    got->body[len] = '\0';
}

static void await(const bool *done)
{
    for (int i = 0; i < MOST_TURNS && !*done; i++)
        uv_run(&loop.uv, UV_RUN_ONCE);
    assert_true(*done);
}

static const struct got *ask(struct http_client *client, struct got *got, const char *path)
{
    *got = (struct got){0};
    http_client_get(client, path, 60000);
    await(&got->done);
    return got;
}

static void requests_go_over_tls_on_a_kept_connection(void **state)
{
    struct got got;
    struct http_client *client =
        http_client_open(&loop, (struct sockaddr *)&address, on_answer, &got);
    struct http_stats stats;

    (void)state;
    http_client_set_tls(client, believing, "a.example");
    http_client_set_header(client, "X-API-Key: hush\r\n");
    for (int i = 0; i < 3; i++) {
        ask(client, &got, "/");
        assert_int_equal(got.status, 200);
        assert_string_equal(got.body, "hush");
        ask(client, &got, "/large"); /* more than a read brings */
        assert_int_equal(got.len, 15000);
    }
    http_server_stats(server, &stats);
    assert_int_equal(stats.connections, 1);
    http_client_close(client);
}

static void a_certificate_for_another_name_is_not_believed(void **state)
{
    struct got got;
    struct http_client *client =
        http_client_open(&loop, (struct sockaddr *)&address, on_answer, &got);

    (void)state;
    http_client_set_tls(client, believing, "b.example");
    ask(client, &got, "/");
    assert_int_equal(got.status, -EPROTO);
    http_client_close(client);
}

static void plain_http_is_told_to_speak_tls(void **state)
{
    struct got got;
    struct http_client *client =
        http_client_open(&loop, (struct sockaddr *)&address, on_answer, &got);

    (void)state;
    ask(client, &got, "/");
    assert_int_equal(got.status, 400);
    assert_string_equal(got.body, "this port speaks TLS: use https\n");
    http_client_close(client);
}

static int plain_connection(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static bool has_ended(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void a_handshake_has_the_time_of_a_head(void **state)
{
    int fd = plain_connection();
    bool ended = false;

    (void)state;
    assert_int_equal(send(fd, "\x16\x03\x01\x02\x00", 5, MSG_NOSIGNAL), 5); /* and no more */
    for (int i = 0; i < MOST_TURNS && !ended; i++) {
        uv_run(&loop.uv, UV_RUN_ONCE);
        ended = has_ended(fd);
    }
    assert_true(ended);
    close(fd);
}

static void so_many_handshakes_may_be_under_way(void **state)
{
    static int fds[HTTP_MAX_HANDSHAKES + 2];
    struct http_stats stats = {0};
    size_t n = sizeof(fds) / sizeof(fds[0]);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        fds[i] = plain_connection();
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    }
    for (int i = 0; i < MOST_TURNS && stats.gave_way < 2; i++) {
        uv_run(&loop.uv, UV_RUN_NOWAIT);
        http_server_stats(server, &stats);
    }
    assert_int_equal(stats.gave_way, 2);
    assert_true(stats.connections <= HTTP_MAX_HANDSHAKES);
    assert_true(has_ended(fds[0]) || has_ended(fds[1])); /* the oldest went */
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

static void without_a_certificate_no_server_opens(void **state)
{
    const struct tls_server_options options = {.name = "test", .alpn = "http/1.1"};
    struct tls_server *none = NULL;
    struct tls *empty;
    char err[TLS_ERROR_MAX];

    (void)state;
    assert_int_equal(tls_open(&(struct tls_settings){0}, &empty, err, sizeof(err)), 0);
    assert_int_not_equal(tls_server_open(empty, &options, &none, err, sizeof(err)), 0);
    tls_close(empty);
}

int main(void)
{
#define HTTP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        HTTP(requests_go_over_tls_on_a_kept_connection),
        HTTP(a_certificate_for_another_name_is_not_believed),
        HTTP(plain_http_is_told_to_speak_tls),
        HTTP(a_handshake_has_the_time_of_a_head),
        HTTP(so_many_handshakes_may_be_under_way),
        HTTP(without_a_certificate_no_server_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
