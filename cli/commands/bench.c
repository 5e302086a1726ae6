/* How long a push takes: from the call until the API has accepted it, and until a device has it.
 *
 *   a token ─► one device connects ─► N times: push, accepted, received ─► figures
 *
 * One push at a time: this is what a user feels. What a cluster carries is imc-bench's matter. */
#include "cli/base/print.h"
#include "cli/commands/run.h"
#include "client/wire.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/protocol/ops.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PUSHES = 100, PUSHES_MOST = 1000000, CONNECT_MS = 10000, RECEIVE_MS = 10000 };

struct bench {
    struct cli *cli;
    struct wire *wire;
    char *token;
    int64_t uid;
    size_t n;                      /* that were received */
    int64_t *accepted, *delivered; /* us since the call began, of each */
};

/* --- the device --- */

static int lost(const struct bench *bench)
{
    return cli_fail(bench->cli, EXIT_LOST, "the device: %s", wire_error(bench->wire));
}

/* Reads until a message with BODY; NULL: until the auth reply. 0, or an exit code. */
static int receive(struct bench *bench, const char *body)
{
    int64_t until = time_mono_ms() + RECEIVE_MS, left;
    struct wire_message message;

    while ((left = until - time_mono_ms()) > 0) {
        int n = wire_next(bench->wire, (int)left, &message);
        if (n < 0)
            return lost(bench);
        if (n > 0 && message.op == OP_DISCONNECT)
            return cli_fail(bench->cli, EXIT_REFUSED, "the device was disconnected: %.*s",
                            (int)message.body_len, message.body);
        if (n > 0 && body == NULL && message.op == OP_AUTH_REPLY)
            return 0;
        if (n > 0 && body != NULL && message.op == OP_PUSH && message.body_len == strlen(body) &&
            memcmp(message.body, body, message.body_len) == 0)
            return 0;
    }
    if (body == NULL)
        return cli_fail(bench->cli, EXIT_LOST,
                        "the comet did not let the device in: no answer within %d s",
                        RECEIVE_MS / 1000);
    return cli_fail(bench->cli, EXIT_TOO_FEW, "a message did not come within %d s",
                    RECEIVE_MS / 1000);
}

static int make_token(struct bench *bench)
{
    struct api_answer answer;
    json_t *body = json_pack("{s:I, s:i}", "uid", (json_int_t)bench->uid, "expire", 3600);
    int rc = api_post(bench->cli, "/v1/tokens", body, &answer);

    if (rc != 0)
        return rc;
    const char *token = json_string_value(json_object_get(answer.json, "token"));
    bench->token = mem_strdup(token != NULL ? token : "");
    api_answer_free(&answer);
    return 0;
}

/* Where the device connects, to be freed: --tcp, the context, or the first comet of those that
 * logic names which takes such clients. 0, or an exit code after a line on stderr. */
static int choose_comet(struct bench *bench, bool tls, char **address)
{
    const char *tcp = option_text(bench->cli, "tcp");
    struct api_answer answer;
    struct api_path path;
    const json_t *node;
    size_t index;

    if (tcp == NULL)
        tcp = bench->cli->context.comet_tcp;
    if (tcp != NULL) {
        *address = mem_strdup(tcp);
        return 0;
    }
    api_path(&path, "/v1/nodes");
    int rc = api_get(bench->cli, &path, &answer);
    if (rc != 0)
        return rc;
    json_array_foreach(json_object_get(answer.json, "nodes"), index, node) {
        if (tcp == NULL)
            tcp = json_string_value(json_object_get(node, tls ? "tcps" : "tcp"));
    }
    if (tcp != NULL)
        *address = mem_strdup(tcp);
    else
        rc = cli_fail(bench->cli, EXIT_UNAVAILABLE,
                      "no comet says where it takes TCP clients%s: use --tcp",
                      tls ? " with TLS" : "");
    api_answer_free(&answer);
    return rc;
}

static int connect_device(struct bench *bench)
{
    const char *cacert = option_text(bench->cli, "cacert");
    const struct wire_trust trust = {cacert != NULL ? cacert : bench->cli->context.ca,
                                     bench->cli->context.insecure};
    bool tls = option_given(bench->cli, "tls") || cacert != NULL;
    char *address = NULL, err[256];
    int rc = choose_comet(bench, tls, &address);

    if (rc != 0)
        return rc;
    const struct wire_target target = {WIRE_TCP, address, tls ? &trust : NULL};
    if (wire_open_to(&target, CONNECT_MS, &bench->wire, err, sizeof err) != 0)
        rc = cli_fail(bench->cli, EXIT_CONNECT, "%s: %s", address, err);
    else if (wire_send(bench->wire, OP_AUTH, 1, bench->token, strlen(bench->token)) != 0)
        rc = lost(bench);
    else
        rc = receive(bench, NULL);
    free(address);
    return rc;
}

/* --- the pushes --- */

static int push_one(struct bench *bench, size_t number)
{
    char text[160], body[64];
    struct api_answer answer;
    int n =
        snprintf(body, sizeof body, "\"imc bench %zu %016" PRIx64 "\"", number, random_number());

    (void)n;
    n = snprintf(text, sizeof text, "{\"to\":{\"uids\":[%" PRId64 "]},\"ttl\":0,\"body\":%s}",
                 bench->uid, body);
    int64_t begin = time_us(CLOCK_MONOTONIC);
    const struct api_call call = {"POST", "/v1/push", text, (size_t)n};
    int rc = api_send(bench->cli, &call, &answer);
    if (rc != 0)
        return rc;
    bench->accepted[bench->n] = time_us(CLOCK_MONOTONIC) - begin;
    api_answer_free(&answer);
    rc = receive(bench, body);
    if (rc == 0)
        bench->delivered[bench->n++] = time_us(CLOCK_MONOTONIC) - begin;
    return rc;
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static int64_t at_percent(const int64_t *sorted, size_t n, size_t percent)
{
    return sorted[(n - 1) * percent / 100];
}

static void add_row(struct table *table, const char *what, int64_t *us, size_t n)
{
    static const size_t percents[] = {0, 50, 90, 99, 100};
    char text[32];

    qsort(us, n, sizeof us[0], compare);
    table_text(table, what);
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
        (void)snprintf(text, sizeof text, "%.2f ms", (double)at_percent(us, n, percents[i]) / 1e3);
        table_text(table, text);
    }
}

static json_t *json_of(int64_t *us, size_t n)
{
    qsort(us, n, sizeof us[0], compare);
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "min", (json_int_t)us[0], "p50",
                     (json_int_t)at_percent(us, n, 50), "p90", (json_int_t)at_percent(us, n, 90),
                     "p99", (json_int_t)at_percent(us, n, 99), "max", (json_int_t)us[n - 1]);
}

static void print_figures(struct bench *bench)
{
    static const char *const titles[] = {"", ">LEAST", ">HALF", ">90 %", ">99 %", ">MOST", NULL};

    if (bench->n == 0)
        return;
    if (bench->cli->json) {
        json_t *whole = json_pack("{s:I, s:o, s:o}", "pushes", (json_int_t)bench->n, "accepted_us",
                                  json_of(bench->accepted, bench->n), "delivered_us",
                                  json_of(bench->delivered, bench->n));
        (void)json_dumpf(whole, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(whole);
        return;
    }
    struct table *table = table_new(titles);
    add_row(table, "accepted", bench->accepted, bench->n);
    add_row(table, "delivered", bench->delivered, bench->n);
    printf("%zu pushes, one after the other, to one device\n", bench->n);
    table_print(table, stdout, 0);
}

/* The user of the test is nobody's: its token goes with it. */
static void tidy_up(struct bench *bench)
{
    struct api_answer answer;
    char why[API_WHY_MAX], body[64];
    int n = snprintf(body, sizeof body, "{\"uid\":%" PRId64 "}", bench->uid);

    const struct api_call call = {"POST", "/v1/tokens/revoke", body, (size_t)n};

    (void)api_try(bench->cli, &call, &answer, why);
    api_answer_free(&answer);
}

static int run(struct cli *cli)
{
    int64_t count = option_number(cli, "count", PUSHES);
    struct bench bench = {.cli = cli};

    if (count < 1 || count > PUSHES_MOST)
        return cli_usage(cli, "--count is 1 to %d", PUSHES_MOST);
    bench.uid = (int64_t)(random_number() >> 2 | UINT64_C(1) << 61);
    bench.accepted = mem_alloc((size_t)count * sizeof bench.accepted[0]);
    bench.delivered = mem_alloc((size_t)count * sizeof bench.delivered[0]);
    int rc = make_token(&bench);
    bool made = rc == 0;
    if (rc == 0)
        rc = connect_device(&bench);
    for (size_t i = 0; rc == 0 && i < (size_t)count; i++)
        rc = push_one(&bench, i);
    print_figures(&bench);
    wire_close(bench.wire);
    if (made)
        tidy_up(&bench);
    mem_wiped_free_text(bench.token);
    free(bench.accepted);
    free(bench.delivered);
    return rc;
}

static const struct option_row options[] = {
    {"count", "N", VALUE_NUMBER, "So many pushes: 100."},
    {"tcp", "HOST:PORT", VALUE_TEXT,
     "Where the device connects; else the context's comet_tcp, else a comet that logic names."},
    {"tls", NULL, VALUE_TEXT, "The device speaks TLS: comet's tcps.listen, which logic names."},
    {"cacert", "FILE", VALUE_FILE, "TLS, and believe what a certificate in FILE (PEM) has signed."},
    {0},
};

const struct command command_bench = {
    .name = "bench",
    .arguments = "",
    .summary = "how long a push takes until it is accepted, and until a device has it",
    .doc = "It makes a token of a user that nobody is, connects one device, pushes to it, one "
           "message at a time, and prints the times. The token is revoked afterwards. Needs scope "
           "admin.\n\nWhat a cluster carries is measured by imc-bench.",
    .example = "imc bench --count 1000",
    .options = options,
    .run = run,
};
