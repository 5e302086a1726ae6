/* Any call of the API. */
#include "cli/base/print.h"
#include "cli/commands/run.h"
#include "common/base/mem.h"

#include <ctype.h>
#include <string.h>

enum { BODY_MAX = 16 << 20 };

static int make_call(struct cli *cli)
{
    const char *method = cli->arguments[0], *path = cli->arguments[1];
    struct api_answer answer;
    char *body = NULL;
    size_t len = 0;

    for (const char *at = path; *at != '\0'; at++) {
        if (!isgraph((unsigned char)*at))
            return cli_usage(cli, "percent-encode what is no letter, digit or sign: %s", path);
    }
    if (path[0] != '/')
        return cli_usage(cli, "a path begins with /: %s", path);
    if (strcmp(method, "POST") == 0) {
        body =
            argument_or_input(cli, cli->n_arguments > 2 ? cli->arguments[2] : NULL, BODY_MAX, &len);
        if (body == NULL)
            return EXIT_FAILED;
    } else if (cli->n_arguments > 2) {
        return cli_usage(cli, "only a POST has a body");
    }
    const struct api_call call = {method, path, body, len};
    int rc = api_send(cli, &call, &answer);
    mem_wiped_free_text(body);
    if (rc != 0)
        return rc;
    printf("%s\n", answer.text);
    api_answer_free(&answer);
    return rc;
}

static const char *const methods[] = {"GET", "POST", "DELETE", NULL};

const struct command command_api = {
    .name = "api",
    .arguments = "GET|POST|DELETE PATH [BODY]",
    .min = 2,
    .max = 3,
    .words = methods,
    .summary = "make any call of /v1, with the context's address and key",
    .doc = "Prints the answer, which is JSON. The BODY of a POST is read from standard input if it "
           "is missing, or -.",
    .example = "imc api GET '/v1/rooms?limit=3'",
    .run = make_call,
};
