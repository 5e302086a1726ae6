/* Keys by HTTP, from a server on the same loop: what waits for them, what is kept, how often it is
 * asked. */
#include "common/base/loop.h"
#include "common/base/metrics.h"
#include "common/base/time.h"
#include "logic/jwt/jwks_fetch.h"
#include "logic/jwt/verifier.h"
#include "tests/unit/lib/jwt_sign.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST = 128, PAUSE_MS = 100, TIMEOUT_MS = 200 };

static struct loop loop;
static struct logic logic;
static struct logic_config config;
static _Atomic int64_t counters[LOGIC_METRIC_COUNT];
static struct jwts *jwts;
static char url[64], file[64], hmac[96];
static EVP_PKEY *pkeys[2];

/* What the server answers each request with; "": nothing. */
static struct {
    uv_tcp_t listener;
    int port, requests;
    char answer[65536];
} server;

struct served {
    uv_tcp_t tcp;
    char in[2048];
};

static struct {
    size_t n;
    int err[MOST];
    char why[MOST][128];
} answers;

/* --- the server --- */

static void on_served_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct served *served = handle->data;

    (void)suggested;
    *buf = uv_buf_init(served->in, sizeof served->in - 1);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    size_t len = strlen(server.answer);
    uv_buf_t out = uv_buf_init(server.answer, (unsigned)len);

    (void)buf;
    if (n <= 0) {
        uv_close((uv_handle_t *)stream, on_served_closed);
        return;
    }
    server.requests++;
    if (len > 0)
        assert_int_equal(uv_try_write(stream, &out, 1), (int)len);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct served *served = calloc(1, sizeof *served);

    assert_int_equal(status, 0);
    uv_tcp_init(listener->loop, &served->tcp);
    served->tcp.data = served;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&served->tcp), 0);
    uv_read_start((uv_stream_t *)&served->tcp, on_alloc, on_read);
}

/* PORT 0: any. */
static void listen_on(int port)
{
    struct sockaddr_in address;
    int len = sizeof address;

    uv_tcp_init(&loop.uv, &server.listener);
    uv_ip4_addr("127.0.0.1", port, &address);
    assert_int_equal(uv_tcp_bind(&server.listener, (struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&server.listener, 8, on_connection), 0);
    uv_tcp_getsockname(&server.listener, (struct sockaddr *)&address, &len);
    server.port = ntohs(address.sin_port);
}

static void answer_with(int status, const char *body)
{
    int n = snprintf(server.answer, sizeof server.answer,
                     "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);

    assert_in_range(n, 1, sizeof server.answer - 1);
}

static const char *jwk_of(int i, const char *kid)
{
    static char text[256];
    uint8_t x[32];
    size_t len = sizeof x;

    EVP_PKEY_get_raw_public_key(pkeys[i], x, &len);
    snprintf(text, sizeof text, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"x\":\"",
             kid);
    jwt_put_base64url(text, x, len);
    jwt_put_text(text, "\"}");
    return text;
}

/* A set of one key. */
static const char *jwks_of(int i, const char *kid)
{
    static char text[300];

    snprintf(text, sizeof text, "{\"keys\":[%s]}", jwk_of(i, kid));
    return text;
}

/* --- tokens --- */

static void on_answer(void *arg, size_t index, int err, const struct jwt_claims *claims,
                      const char *why)
{
    (void)arg;
    (void)claims;
    answers.n++;
    answers.err[index % MOST] = err;
    snprintf(answers.why[index % MOST], sizeof answers.why[0], "%s", err == 0 ? "" : why);
}

/* KID "": it has none. */
static void ask(int i, const char *kid, size_t index)
{
    char text[1024], header[128], claims[64], named[64] = "";

    if (kid[0] != '\0')
        snprintf(named, sizeof named, ",\"kid\":\"%s\"", kid);
    snprintf(header, sizeof header, "{\"alg\":\"EdDSA\"%s}", named);
    snprintf(claims, sizeof claims, "{\"sub\":7,\"exp\":%lld}",
             (long long)(time_unix_ms() / 1000) + 60);
    jwt_put_unsigned(text, header, claims);
    jwt_sign_key(text, pkeys[i], NULL, 0);
    jwts_verify(jwts, &(struct jwt_ask){text, strlen(text), index, on_answer, NULL});
}

static void until_answered(size_t n)
{
    while (answers.n < n)
        uv_run(&loop.uv, UV_RUN_ONCE);
}

static int verdict(int i, const char *kid)
{
    ask(i, kid, answers.n);
    until_answered(answers.n + 1);
    return answers.err[(answers.n - 1) % MOST];
}

static int64_t count(enum logic_metric metric)
{
    return atomic_load(&counters[metric]);
}

/* METRIC counts once more. */
static void until_counted(enum logic_metric metric)
{
    for (int64_t before = count(metric); count(metric) == before;)
        uv_run(&loop.uv, UV_RUN_ONCE);
}

static void on_pause_over(uv_timer_t *timer)
{
    timer->data = NULL;
    uv_close((uv_handle_t *)timer, NULL);
}

static void pass_pause(void)
{
    uv_timer_t timer = {.data = &timer};

    uv_timer_init(&loop.uv, &timer);
    timer.data = &timer;
    uv_timer_start(&timer, on_pause_over, PAUSE_MS + 1, 0);
    while (timer.data != NULL || !uv_is_closing((uv_handle_t *)&timer))
        uv_run(&loop.uv, UV_RUN_ONCE);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void open_jwts(void)
{
    snprintf(url, sizeof url, "http://127.0.0.1:%d/keys", server.port);
    assert_int_equal(jwts_open(&logic, &jwts), 0);
}

static int set_up(void **state)
{
    (void)state;
    memset(&answers, 0, sizeof answers);
    memset(&server, 0, sizeof server);
    for (size_t i = 0; i < LOGIC_METRIC_COUNT; i++)
        atomic_store(&counters[i], 0);
    loop_init(&loop, "test", 0);
    config = (struct logic_config){.jwt_keys = mem_unconst(""),
                                   .jwt_jwks = mem_unconst(""),
                                   .jwt_jwks_url = url,
                                   .jwt_jwks_refresh_ms = 3600000,
                                   .jwt_jwks_pause_ms = PAUSE_MS,
                                   .jwt_jwks_timeout_ms = TIMEOUT_MS,
                                   .jwt_jwks_max = 65536,
                                   .jwt_algorithms = mem_unconst("EdDSA,ES256"),
                                   .jwt_issuer = mem_unconst(""),
                                   .jwt_audience = mem_unconst(""),
                                   .jwt_claims = mem_unconst(""),
                                   .jwt_max_length = 4096,
                                   .jwt_threads = 1,
                                   .jwt_max_waiting = 20,
                                   .jwt_require_exp = true,
                                   .connect_timeout_ms = 3000};
    logic = (struct logic){.loop = &loop, .config = &config, .counters = counters};
    listen_on(0);
    answer_with(200, jwks_of(0, "a"));
    open_jwts();
    return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle) && handle->type == UV_TCP)
        uv_close(handle, handle == (uv_handle_t *)&server.listener ? NULL : on_served_closed);
}

static int tear_down(void **state)
{
    (void)state;
    jwts_close(jwts);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    uv_walk(&loop.uv, close_handle, NULL);
    while (uv_run(&loop.uv, UV_RUN_NOWAIT) != 0 && loop.tasks != NULL)
        continue;
    loop_close(&loop);
    return 0;
}

static void the_first_token_waits_for_the_first_fetch(void **state)
{
    (void)state;
    assert_int_equal(verdict(0, "a"), 0);
    assert_int_equal(server.requests, 1);
    assert_int_equal(count(LOGIC_JWKS_GOOD), 1);
    assert_int_equal(count(LOGIC_JWT_KEYS), 1);
    assert_int_equal(verdict(0, ""), 0); /* a token without a key's name */
    assert_int_equal(verdict(1, "a"), -ENOENT);
    assert_int_equal(server.requests, 1);
}

static void an_unknown_key_is_fetched_at_once(void **state)
{
    (void)state;
    assert_int_equal(verdict(0, "a"), 0);
    answer_with(200, jwks_of(1, "b"));
    pass_pause();
    assert_int_equal(server.requests, 1);
    assert_int_equal(verdict(1, "b"), 0);
    assert_int_equal(server.requests, 2);
    assert_int_equal(verdict(0, "a"), -ENOENT); /* it was taken out */
    assert_int_equal(count(LOGIC_JWKS_TOO_SOON), 1);
    pass_pause();
    assert_int_equal(verdict(0, "a"), -ENOENT); /* it was asked once more */
    assert_int_equal(server.requests, 3);
    assert_string_equal(answers.why[(answers.n - 1) % MOST],
                        "token: no key here for its algorithm and key name (alg, kid)");
}

static void unknown_keys_do_not_flood_the_server(void **state)
{
    char kid[16];

    (void)state;
    assert_int_equal(verdict(0, "a"), 0);
    pass_pause();
    for (size_t i = 1; i <= MOST / 2; i++) {
        snprintf(kid, sizeof kid, "x%zu", i);
        ask(0, kid, i);
    }
    until_answered(1 + MOST / 2);
    assert_int_equal(server.requests, 2);
    for (int i = 1; i <= MOST / 2; i++) /* those beyond jwt.max_waiting do not wait */
        assert_int_equal(answers.err[i], i <= config.jwt_max_waiting ? -ENOENT : -EBUSY);
    for (size_t i = 0; i < 50; i++)
        (void)verdict(0, "y");
    assert_in_range(server.requests, 2, 3);
    assert_true(count(LOGIC_JWKS_TOO_SOON) >= 49);
}

static void close_listener(void)
{
    uv_close((uv_handle_t *)&server.listener, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void without_a_server_clients_are_told_to_try_again(void **state)
{
    (void)state;
    jwts_close(jwts);
    close_listener();
    open_jwts();
    assert_int_equal(verdict(0, "a"), -EBUSY);
    assert_string_equal(answers.why[0], "the keys of tokens cannot be fetched now, try again");
    assert_int_equal(count(LOGIC_JWKS_CONNECT), 1);
    assert_int_equal(verdict(0, "a"), -EBUSY); /* too soon */
    assert_int_equal(count(LOGIC_JWKS_CONNECT), 1);
    assert_int_equal(count(LOGIC_JWT_AWAY), 2);
    until_counted(LOGIC_JWKS_CONNECT); /* by itself */
    listen_on(server.port);
    until_counted(LOGIC_JWKS_GOOD); /* likewise */
    assert_int_equal(verdict(0, "a"), 0);
}

static void keys_stay_while_it_is_away(void **state)
{
    (void)state;
    assert_int_equal(verdict(0, "a"), 0);
    close_listener();
    config.jwt_jwks_refresh_ms = 10;
    pass_pause();
    assert_int_equal(verdict(1, "b"), -EBUSY); /* nobody knows whether it is new */
    assert_int_equal(count(LOGIC_JWKS_CONNECT), 1);
    assert_int_equal(verdict(0, "a"), 0);
    until_counted(LOGIC_JWKS_CONNECT);
    assert_int_equal(verdict(0, "a"), 0);
    assert_int_equal(count(LOGIC_JWT_KEYS), 1);
}

/* The next fetch fails as METRIC says, and what was fetched before stays. */
static void fails_as(enum logic_metric metric)
{
    int64_t before = count(metric);

    pass_pause();
    assert_int_equal(verdict(1, "new"), -EBUSY);
    assert_int_equal(count(metric), before + 1);
    assert_int_equal(verdict(0, "a"), 0);
}

static void what_is_no_set_of_keys_is_not_taken(void **state)
{
    char text[256];

    (void)state;
    assert_int_equal(verdict(0, "a"), 0);
    answer_with(200, "<html>");
    fails_as(LOGIC_JWKS_ANSWER);
    answer_with(200, "{\"keys\":[]}");
    fails_as(LOGIC_JWKS_ANSWER);
    answer_with(200, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}");
    fails_as(LOGIC_JWKS_ANSWER);
    answer_with(200, "");
    fails_as(LOGIC_JWKS_ANSWER);
    answer_with(404, jwks_of(1, "new"));
    fails_as(LOGIC_JWKS_STATUS);
    answer_with(302, jwks_of(1, "new"));
    fails_as(LOGIC_JWKS_STATUS);
    snprintf(server.answer, sizeof server.answer, "nothing of HTTP\r\n\r\n");
    fails_as(LOGIC_JWKS_ANSWER);
    server.answer[0] = '\0';
    fails_as(LOGIC_JWKS_TIMEOUT);
    snprintf(text, sizeof text, "HTTP/1.1 200 X\r\nContent-Length: 999\r\n\r\n{\"keys\"");
    memcpy(server.answer, text, strlen(text) + 1);
    fails_as(LOGIC_JWKS_TIMEOUT); /* its end does not come */
}

static void an_answer_may_be_as_long_as_the_setting_says(void **state)
{
    static char text[60000];
    const char *jwks = jwks_of(1, "new");

    (void)state;
    assert_int_equal(verdict(0, "a"), 0);
    memset(text, ' ', sizeof text - 1);
    memcpy(text, jwks, strlen(jwks));
    answer_with(200, text);
    config.jwt_jwks_max = sizeof text - 2;
    fails_as(LOGIC_JWKS_ANSWER);
    config.jwt_jwks_max = sizeof text - 1;
    pass_pause();
    assert_int_equal(verdict(1, "new"), 0);
}

static void too_many_keys_are_not_taken(void **state)
{
    static char text[sizeof server.answer];
    char kid[16];
    size_t at;

    (void)state;
    jwts_close(jwts);
    FILE *out = fopen(file, "w");
    fputs("0123456789abcdef0123456789abcdef", out);
    fclose(out);
    snprintf(hmac, sizeof hmac, "hmac=%s", file);
    config.jwt_keys = hmac;
    open_jwts();
    assert_int_equal(verdict(0, "a"), 0);
    assert_int_equal(count(LOGIC_JWT_KEYS), 2);
    at = (size_t)snprintf(text, sizeof text, "{\"keys\":[");
    for (int i = 0; i < JWT_KEYS_MAX; i++) {
        snprintf(kid, sizeof kid, "b%d", i);
        at +=
            (size_t)snprintf(text + at, sizeof text - at, "%s%s", i > 0 ? "," : "", jwk_of(1, kid));
    }
    snprintf(text + at, sizeof text - at, "]}");
    answer_with(200, text);
    pass_pause();
    assert_int_equal(verdict(1, "b1"), -ENOENT);
    assert_int_equal(count(LOGIC_JWT_KEYS), 2);
    assert_int_equal(verdict(0, "a"), 0);
}

static void settings_are_checked(void **state)
{
    char err[512];

    (void)state;
    assert_int_equal(jwks_fetch_check(&config, err, sizeof err), 0);
    config.jwt_jwks_url = mem_unconst("ftp://a/");
    assert_int_equal(jwks_fetch_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "jwt.jwks_url: it begins neither"));
    config.jwt_jwks_url = mem_unconst("http://issuer.example/keys");
    assert_int_equal(jwks_fetch_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "jwt.jwks_insecure"));
    config.jwt_jwks_insecure = true;
    assert_int_equal(jwks_fetch_check(&config, err, sizeof err), 0);
    config.jwt_jwks_insecure = false;
    config.jwt_jwks_url = mem_unconst("https://issuer.example/keys");
    assert_int_equal(jwks_fetch_check(&config, err, sizeof err), 0);
    config.jwt_jwks_timeout_ms = config.connect_timeout_ms;
    assert_int_equal(jwks_fetch_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "jwt.jwks_timeout"));
    config.jwt_jwks_url = mem_unconst("");
    assert_int_equal(jwks_fetch_check(&config, err, sizeof err), 0);
    config.jwt_jwks_url = url;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_first_token_waits_for_the_first_fetch),
        TEST(an_unknown_key_is_fetched_at_once),
        TEST(unknown_keys_do_not_flood_the_server),
        TEST(without_a_server_clients_are_told_to_try_again),
        TEST(keys_stay_while_it_is_away),
        TEST(what_is_no_set_of_keys_is_not_taken),
        TEST(an_answer_may_be_as_long_as_the_setting_says),
        TEST(too_many_keys_are_not_taken),
        TEST(settings_are_checked),
    };
    snprintf(file, sizeof file, "/tmp/imc-jwks-fetch-test-%d", (int)getpid());
    for (int i = 0; i < 2; i++)
        pkeys[i] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < 2; i++)
        EVP_PKEY_free(pkeys[i]);
    unlink(file);
    return failed;
}
