/* One device. */
#include "client/watch.h"
#include "cli/base/api.h"
#include "cli/commands/run.h"
#include "common/base/mem.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Asks for a comet: with TLS if there are such. 0, or an exit code. */
static int choose_node(struct cli *cli, struct watch_options *options, char **address)
{
    struct api_answer answer;
    struct api_path path;

    api_path(&path, "/v1/nodes");
    int rc = api_get(cli, &path, &answer);
    if (rc != 0)
        return rc;
    const json_t *node = json_array_get(json_object_get(answer.json, "nodes"), 0);
    const char *tcp = json_string_value(json_object_get(node, "tcp"));
    const char *ws = json_string_value(json_object_get(node, "ws"));
    if (options->tls) {
        tcp = json_string_value(json_object_get(node, "tcps"));
        ws = json_string_value(json_object_get(node, "wss"));
    }
    if (tcp == NULL && ws == NULL) {
        rc = cli_fail(cli, EXIT_UNAVAILABLE,
                      "no comet that takes clients says where it is: use --tcp or --ws");
    } else {
        options->kind = tcp == NULL ? WIRE_WS : WIRE_TCP;
        *address = mem_strdup(tcp != NULL ? tcp : ws);
    }
    api_answer_free(&answer);
    return rc;
}

/* Where to: an option, else the context, else a comet that logic names. */
static int choose_address(struct cli *cli, struct watch_options *options, char **address)
{
    const char *tcp = option_text(cli, "tcp"), *ws = option_text(cli, "ws");

    if (tcp != NULL && ws != NULL)
        return cli_usage(cli, "one of --tcp and --ws");
    if (tcp == NULL && ws == NULL) {
        int rc = context_load(cli);
        if (rc != 0)
            return rc;
        options->trust.cacert =
            options->tls && options->trust.cacert == NULL ? cli->context.ca : options->trust.cacert;
        tcp = cli->context.comet_tcp;
        ws = tcp == NULL ? cli->context.comet_ws : NULL;
    }
    if (tcp == NULL && ws == NULL)
        return choose_node(cli, options, address);
    options->kind = tcp != NULL ? WIRE_TCP : WIRE_WS;
    *address = mem_strdup(tcp != NULL ? tcp : ws);
    return 0;
}

static int check(const struct cli *cli, struct watch_options *options)
{
    static const char *const from_one[] = {"count", "timeout", "heartbeat"};

    for (size_t i = 0; i < sizeof from_one / sizeof from_one[0]; i++) {
        if (option_given(cli, from_one[i]) && option_number(cli, from_one[i], 0) < 1)
            return cli_usage(cli, "--%s begins with 1", from_one[i]);
    }
    if (option_number(cli, "timeout", 1) > 1000000000 ||
        option_number(cli, "heartbeat", 1) > 1000000000)
        return cli_usage(cli, "that is too long");
    if ((options->token != NULL) == (options->goim != NULL))
        return cli_usage(cli, "--token TOKEN or --goim AUTH, one of them");
    if (options->raw && options->json)
        return cli_usage(cli, "--raw or --json, one of them");
    return 0;
}

static int watch(struct cli *cli)
{
    struct watch_options options = {
        .program = cli->program,
        .token = option_text(cli, "token"),
        .goim = option_text(cli, "goim"),
        .count = option_number(cli, "count", 0),
        .timeout = option_number(cli, "timeout", 0),
        .heartbeat = option_number(cli, "heartbeat", 30),
        .raw = option_given(cli, "raw"),
        .json = cli->json,
        .ack = option_given(cli, "ack"),
        .reconnect = option_given(cli, "reconnect"),
        .trust = {option_text(cli, "cacert"), option_given(cli, "insecure")},
    };
    char *address = NULL;

    options.tls =
        option_given(cli, "tls") || options.trust.cacert != NULL || options.trust.insecure;
    int rc = check(cli, &options);
    if (rc == 0)
        rc = choose_address(cli, &options, &address);
    if (rc == 0) {
        if (options.goim != NULL && options.kind == WIRE_WS)
            options.kind = WIRE_WS_FRAMES;
        options.address = address;
        signal(SIGPIPE, SIG_DFL); /* `imc watch | head -1` ends with head */
        rc = watch_run(&options);
    }
    free(address);
    return rc;
}

static const struct option_row watch_options_rows[] = {
    {"tcp", "HOST:PORT", VALUE_TEXT, "Frames over TCP: comet's tcp.listen, port 8080."},
    {"ws", "HOST:PORT", VALUE_TEXT,
     "WebSocket: comet's ws.listen, port 8090. JSON; with --goim frames."},
    {"token", "TOKEN", VALUE_TEXT, "The token, as token new prints it."},
    {"goim", "AUTH", VALUE_TEXT,
     "Be a client of goim v2, which sends AUTH, a JSON object. It prints how many are in the room "
     "with every heartbeat."},
    {"ack", NULL, VALUE_TEXT, "Acknowledge each message after it was printed."},
    {"tls", NULL, VALUE_TEXT, "TLS: comet's tcps.listen (8081) or wss.listen (8095)."},
    {"cacert", "FILE", VALUE_FILE, "TLS, and believe what a certificate in FILE (PEM) has signed."},
    {"insecure", NULL, VALUE_TEXT, "TLS with anybody who answers."},
    {"count", "N", VALUE_NUMBER, "End after N messages."},
    {"timeout", "TIME", VALUE_SECONDS, "End after this time."},
    {"heartbeat", "TIME", VALUE_SECONDS, "A heartbeat that often: 30s."},
    {"reconnect", NULL, VALUE_TEXT,
     "Connect again if that may help: to the nodes that a comet names when it drains, otherwise to "
     "the same address, after pauses that grow."},
    {"raw", NULL, VALUE_TEXT, "Print only the bodies, byte for byte, a newline after each."},
    {"context", "NAME", VALUE_TEXT,
     "Without --tcp and --ws: this section of the file of contexts."},
    {"address", "URL", VALUE_TEXT, "Without them: the logic that is asked for a comet."},
    {"key-file", "FILE", VALUE_FILE, "Without them: the API key."},
    {0},
};

const struct command command_watch = {
    .name = "watch",
    .arguments = "",
    .summary = "be a device: connect, and print each message that comes",
    .doc = "Messages go to standard output, one a line; everything else to standard error:\n\n"
           "    op=5 seq=0 body=hello\n\n"
           "Without --tcp and --ws the file of contexts says where the comet is (comet_tcp, "
           "comet_ws); else a logic is asked for one (/v1/nodes).\n\n"
           "Exit code 4: the server sent a disconnect, its code and reason are printed. With "
           "--reconnect 3 and 5 do not end it, and 4 only if another try is of no use.\n\n"
           "imc-client is another name of this command.",
    .example = "imc watch --token secret --count 1\n"
               "imc watch --ws 127.0.0.1:8090 \\\n"
               "    --goim '{\"token\":\"secret\",\"room_id\":\"live://1\",\"accepts\":[5,1000]}'",
    .options = watch_options_rows,
    .offline = true,
    .run = watch,
};
