/* The events of sessions, rooms and messages, as they come.
 *
 *   GET /v1/events?after=PLACE&wait=S ─► lines ─► the next PLACE ─► again, up to count or timeout
 *
 * A logic that goes away is asked until it is back; what happened meanwhile may be missing then,
 * and a line on stderr says so. */
#include "cli/base/print.h"
#include "cli/commands/run.h"
#include "common/base/time.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WAIT_S = 5, RECENT = 10, RECENT_MOST = 500, AGAIN_S = 1, PLACE_MAX = 64 };

struct following {
    struct cli *cli;
    char place[PLACE_MAX];
    char why[API_WHY_MAX]; /* that was told last */
    int64_t recent;        /* of the first call */
    int64_t until_ms;      /* by time_mono_ms(); 0: no end */
    int64_t left;          /* events; 0: no limit */
    bool answered;         /* a call went well once */
};

/* --- an event --- */

/* "io.imc.session.connected.v1": "connected". */
static void print_type(const char *type)
{
    const char *end = strrchr(type, '.');
    const char *begin = end;

    while (begin != NULL && begin > type && begin[-1] != '.')
        begin--;
    if (end != NULL && end > begin && strncmp(type, "io.imc.", 7) == 0)
        print_bytes(stdout, begin, (size_t)(end - begin));
    else
        print_text(stdout, type);
}

static void print_event(const json_t *event)
{
    const char *key, *type = json_string_value(json_object_get(event, "type"));
    json_t *value, *data = json_object_get(event, "data");

    print_json_value(stdout, json_object_get(event, "time"));
    (void)fputs("  ", stdout);
    print_type(type != NULL ? type : "?");
    (void)fputs("  ", stdout);
    print_json_value(stdout, json_object_get(event, "subject"));
    (void)putchar(' ');
    json_object_foreach(data, key, value) {
        (void)putchar(' ');
        print_text(stdout, key);
        (void)putchar('=');
        print_json_value(stdout, value);
    }
    (void)putchar('\n');
}

/* --- an answer --- */

/* Tells WHY once. */
static void tell(struct following *following, const char *why)
{
    if (why[0] != '\0' && strcmp(why, following->why) != 0)
        (void)cli_fail(following->cli, 0, "%s", why);
    (void)snprintf(following->why, sizeof following->why, "%s", why);
}

static void take(struct following *following, const json_t *answer)
{
    const char *next = json_string_value(json_object_get(answer, "next"));
    const char *why = json_string_value(json_object_get(answer, "why"));
    const json_t *events = json_object_get(answer, "events"), *event;
    size_t index;

    tell(following, why != NULL ? why : "");
    if (json_is_true(json_object_get(answer, "gap")))
        (void)cli_fail(following->cli, 0, "events are missing before the next one");
    json_array_foreach(events, index, event) {
        if (following->cli->json) {
            (void)json_dumpf(event, stdout, JSON_COMPACT);
            (void)putchar('\n');
        } else {
            print_event(event);
        }
        if (following->left > 0 && --following->left == 0)
            break;
    }
    (void)fflush(stdout);
    (void)snprintf(following->place, sizeof following->place, "%s", next != NULL ? next : "new");
}

/* --- calls --- */

/* So long may a call wait: less than an answer may take. */
static int64_t wait_s(const struct following *following)
{
    int64_t left_ms = following->until_ms - time_mono_ms();
    int64_t most = option_number(following->cli, "within", 2 * WAIT_S) / 2;

    /* What is recent is answered as soon as logic has read it. */
    if (following->until_ms != 0 && left_ms < most * 1000 &&
        strcmp(following->place, "recent") != 0)
        most = left_ms > 0 ? (left_ms + 999) / 1000 : 0;
    return most < WAIT_S ? most : WAIT_S;
}

static void make_path(const struct following *following, struct api_path *path)
{
    api_path(path, "/v1/events");
    api_query(path, "after", following->place);
    api_query(path, "types", option_text(following->cli, "types"));
    api_query(path, "uid", option_text(following->cli, "uid"));
    api_query_number(path, "wait", wait_s(following));
    if (strcmp(following->place, "recent") == 0)
        api_query_number(path, "limit", following->recent);
}

static bool is_passing(int rc)
{
    return rc == EXIT_CONNECT || rc == EXIT_LOST || rc == EXIT_UNAVAILABLE;
}

/* One call. 0, or an exit code: it makes no sense to go on. */
static int ask(struct following *following)
{
    struct api_answer answer;
    struct api_path path;
    char why[API_WHY_MAX];

    make_path(following, &path);
    const struct api_call call = {"GET", path.text, NULL, 0};
    int rc = api_try(following->cli, &call, &answer, why);
    if (rc == EXIT_DONE) {
        following->answered = true;
        take(following, answer.json);
    } else if (is_passing(rc) && following->answered) {
        tell(following, why);
        (void)nanosleep(&(struct timespec){.tv_sec = AGAIN_S}, NULL);
        rc = EXIT_DONE;
    } else if (why[0] != '\0') {
        (void)cli_fail(following->cli, rc, "%s", why);
    }
    api_answer_free(&answer);
    return rc;
}

static int follow(struct following *following)
{
    bool counts = following->left > 0;

    do {
        int rc = ask(following);
        if (rc != EXIT_DONE)
            return rc;
        if (counts && following->left == 0)
            return EXIT_DONE;
    } while (!ferror(stdout) && (following->until_ms == 0 || time_mono_ms() < following->until_ms));
    return counts ? EXIT_TOO_FEW : EXIT_DONE;
}

static int events(struct cli *cli)
{
    struct following following = {.cli = cli, .left = option_number(cli, "count", 0)};
    const char *uid = option_text(cli, "uid");
    int64_t number, timeout = option_number(cli, "timeout", 0);

    following.recent = option_number(cli, "recent", RECENT);
    if (uid != NULL && !number_parse(uid, &number))
        return cli_usage(cli, "--uid needs a UID, a whole number");
    if (option_given(cli, "count") && following.left == 0)
        return cli_usage(cli, "--count begins with 1");
    if (following.recent > RECENT_MOST)
        return cli_usage(cli, "--recent is at most %d", RECENT_MOST);
    if (timeout > 1000000000)
        return cli_usage(cli, "that is too long");
    following.until_ms = option_given(cli, "timeout") ? time_mono_ms() + timeout * 1000 : 0;
    (void)snprintf(following.place, sizeof following.place, "%s",
                   following.recent > 0 ? "recent" : "new");
    return follow(&following);
}

static const struct option_row options[] = {
    {"types", "LIST", VALUE_TEXT,
     "Only these, with commas between: connected, disconnected, joined, left, stored, delivered, "
     "acknowledged, expired."},
    OPTION_UID,
    {"recent", "N", VALUE_NUMBER,
     "First the newest N that are there, 500 at most: 10. 0: only new ones."},
    {"count", "N", VALUE_NUMBER, "End after N events. Fewer in --timeout: exit code 6."},
    {"timeout", "TIME", VALUE_SECONDS, "End after this time. 0: after one look."},
    {0},
};

const struct command command_events = {
    .name = "events",
    .arguments = "",
    .summary = "who comes and goes, and what becomes of messages: as it happens",
    .doc =
        "Prints a line for each event: when, what, which user, and what is known of it. With "
        "--json each line is a CloudEvent. docs/events.md lists the events, and how a cluster is "
        "told to make them.\n\nThis is for looking on. A logic keeps the newest events in memory "
        "while somebody asks. If some are missing, because they were too many or the logic "
        "began anew, a line on standard error says so. A business that must not miss any reads "
        "the topic itself.\n\nA logic that goes away is asked until it is back.",
    .example = "imc events\nimc events --uid 7 --types connected,disconnected --recent 0\n"
               "imc events --json --count 1 --timeout 30s",
    .options = options,
    .run = events,
};
