/* The daemons: who lives, and who takes no more clients. */
#include "cli/base/rows.h"
#include "cli/commands/run.h"
#include "common/base/time.h"

#include <string.h>
#include <time.h>

/* --- cluster --- */

static int list(struct cli *cli)
{
    struct api_answer answer;
    struct api_path path;

    api_path(&path, "/v1/cluster");
    int rc = api_get(cli, &path, &answer);
    if (rc != 0 || print_answer(cli, &answer))
        return rc;
    const json_t *why = json_object_get(answer.json, "why");
    rows_print(json_object_get(answer.json, "daemons"), rows_daemons, "no daemon");
    rows_print_gone(stdout, json_object_get(answer.json, "gone"));
    if (json_is_false(json_object_get(answer.json, "fresh")))
        printf("Redis does not answer: the list may be old\n");
    if (json_is_false(json_object_get(answer.json, "takes_pushes"))) {
        printf("pushes are refused: ");
        print_json_value(stdout, why);
        putchar('\n');
    }
    api_answer_free(&answer);
    return rc;
}

const struct command command_cluster = {
    .name = "cluster",
    .arguments = "",
    .summary = "the daemons that live, and whether pushes are taken",
    .doc = "As the logic that is asked sees them. Below them are those that have gone within the "
           "last hour: they have ended, died or hang.",
    .run = list,
};

/* --- drain --- */

enum { LOOK_MS = 500, TELL_MS = 5000 };

/* How many sessions COMET has, as it told last; -1: it is not there any more. */
static int64_t sessions_of(const json_t *cluster, const char *comet)
{
    const json_t *daemon;
    size_t index;

    json_array_foreach(json_object_get(cluster, "daemons"), index, daemon) {
        const char *kind = json_string_value(json_object_get(daemon, "kind"));
        const char *id = json_string_value(json_object_get(daemon, "id"));
        if (kind != NULL && id != NULL && strcmp(kind, "comet") == 0 && strcmp(id, comet) == 0)
            return json_integer_value(json_object_get(daemon, "sessions"));
    }
    return -1;
}

/* Looks until nobody is left on COMET. A logic that does not answer meanwhile is asked again. */
static int wait_empty(struct cli *cli, const char *comet, int64_t seconds)
{
    const struct api_call look = {"GET", "/v1/cluster", NULL, 0};
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    int64_t begin = time_mono_ms(), told = begin, left = -1;
    struct api_answer answer;
    char why[API_WHY_MAX];

    do {
        int rc = api_try(cli, &look, &answer, why);
        if (rc == EXIT_DONE)
            left = sessions_of(answer.json, comet);
        api_answer_free(&answer);
        if (rc != EXIT_DONE && rc != EXIT_LOST && rc != EXIT_UNAVAILABLE && rc != EXIT_CONNECT)
            return cli_fail(cli, rc, "%s", why);
        if (rc == EXIT_DONE && left <= 0) {
            if (!cli->json)
                printf(left == 0 ? "%s: nobody is left\n" : "%s: it has gone\n", comet);
            return EXIT_DONE;
        }
        if (time_mono_ms() - told >= TELL_MS) {
            told = time_mono_ms();
            (void)cli_fail(cli, 0, "%lld sessions are left", (long long)left);
        }
        (void)nanosleep(&pause, NULL);
    } while (time_mono_ms() - begin < seconds * 1000);
    return cli_fail(cli, EXIT_FAILED, "%lld sessions are left", (long long)left);
}

static int order(struct cli *cli, const char *path, const char *what)
{
    const char *comet = cli->arguments[0];
    struct api_answer answer;
    json_t *body = json_pack("{s:s}", "server", comet);

    if (body == NULL)
        return cli_usage(cli, "the name of a comet is UTF-8");
    int rc = api_post(cli, path, body, &answer);
    if (rc != 0 || print_answer(cli, &answer))
        return rc;
    printf("%s %s\n", comet, what);
    api_answer_free(&answer);
    return rc;
}

static int drain(struct cli *cli)
{
    int rc = order(cli, "/v1/comets/drain", "drains");

    if (rc != 0 || !option_given(cli, "wait"))
        return rc;
    return wait_empty(cli, cli->arguments[0], option_number(cli, "wait", 0));
}

static const struct option_row drain_options[] = {
    {"wait", "TIME", VALUE_SECONDS, "Wait until no session is left, at most so long."},
    {0},
};

const struct command command_drain = {
    .name = "drain",
    .arguments = "COMET",
    .min = 1,
    .max = 1,
    .summary = "let a comet take no more clients, and send its sessions away",
    .doc = "COMET is its id, as cluster lists it. It tells its sessions, drain.rate of them a "
           "second, to which other comets they may go. It stays so until undrain, or its "
           "end.\n\nExit code 7: no such comet lives. 1: with --wait, sessions are left.",
    .example = "imc drain 1 --wait 10m",
    .options = drain_options,
    .run = drain,
};

static int undrain(struct cli *cli)
{
    return order(cli, "/v1/comets/undrain", "takes clients again");
}

const struct command command_undrain = {
    .name = "undrain",
    .arguments = "COMET",
    .min = 1,
    .max = 1,
    .summary = "let a comet take clients again that drains",
    .doc = "Sessions that were not told to go yet stay.",
    .run = undrain,
};
