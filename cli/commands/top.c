/* A live screen of the cluster: what cluster and rooms print, every few seconds.
 *
 *   look ─► lines that fit the screen ─► drawn over the last ones ─► wait: time, q, a new size
 *
 * ANSI sequences only; terminfo is not asked. Where standard output is no terminal, the lines
 * follow each other. The terminal is given back at the end, whatever ends it. */
#include "cli/base/rows.h"
#include "cli/commands/run.h"
#include "common/base/mem.h"
#include "common/base/time.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { INTERVAL_S = 2, ROOMS = 10, COLUMNS = 80, LINES = 24 };

static volatile sig_atomic_t ended, resized;

static void on_end(int number)
{
    ended = number;
}

static void on_resize(int number)
{
    resized = number;
}

/* --- the terminal --- */

struct screen {
    bool is_terminal, has_keys;
    struct termios before;
    size_t columns, lines;
};

static void screen_measure(struct screen *screen)
{
    struct winsize size;

    screen->columns = COLUMNS;
    screen->lines = LINES;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        screen->columns = size.ws_col;
        screen->lines = size.ws_row;
    }
}

static void screen_open(struct screen *screen)
{
    struct sigaction end = {.sa_handler = on_end}, resize = {.sa_handler = on_resize};
    struct termios raw;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment */
    const char *term = getenv("TERM");

    (void)sigaction(SIGINT, &end, NULL);
    (void)sigaction(SIGTERM, &end, NULL);
    (void)sigaction(SIGHUP, &end, NULL);
    (void)sigaction(SIGWINCH, &resize, NULL);
    screen->is_terminal = isatty(STDOUT_FILENO) != 0 && term != NULL && strcmp(term, "dumb") != 0;
    if (!screen->is_terminal)
        return;
    screen->has_keys = tcgetattr(STDIN_FILENO, &screen->before) == 0;
    if (screen->has_keys) {
        raw = screen->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    (void)fputs("\033[?1049h\033[?25l\033[2J", stdout); /* the other screen, no cursor */
}

static void screen_close(struct screen *screen)
{
    if (!screen->is_terminal)
        return;
    (void)fputs("\033[?25h\033[?1049l", stdout);
    (void)fflush(stdout);
    if (screen->has_keys)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

/* Draws the lines of TEXT over those that are there. */
static void screen_draw(const struct screen *screen, const char *text)
{
    size_t row = 0;

    if (!screen->is_terminal) {
        (void)fputs(text, stdout);
        (void)fflush(stdout);
        return;
    }
    (void)fputs("\033[H", stdout);
    while (*text != '\0' && row < screen->lines - 1) {
        size_t len = strcspn(text, "\n");
        fprintf(stdout, "%.*s\033[K\n", (int)len, text);
        text += len + (text[len] == '\n');
        row++;
    }
    (void)fputs("\033[J", stdout);
    (void)fflush(stdout);
}

/* Waits MS for a key. True: it is q, or a signal ends it. */
static bool screen_wait(const struct screen *screen, int64_t ms)
{
    struct pollfd input = {.fd = screen->has_keys ? STDIN_FILENO : -1, .events = POLLIN};
    int64_t until = time_mono_ms() + ms, left;
    char key = '\0';

    while (ended == 0 && resized == 0 && (left = until - time_mono_ms()) > 0) {
        int n = poll(&input, 1, (int)left);
        if (n > 0 && read(STDIN_FILENO, &key, 1) == 1 && (key == 'q' || key == 'Q'))
            return true;
        if (n > 0 && key == '\0')
            input.fd = -1; /* the input has ended */
        if (key == ' ')
            return false;
    }
    return ended != 0;
}

/* --- what is shown --- */

struct top {
    struct cli *cli;
    struct api_answer cluster, rooms;
    char why[API_WHY_MAX]; /* the last call failed */
};

static int look(struct top *top)
{
    const struct api_call cluster = {"GET", "/v1/cluster", NULL, 0};
    const struct api_call rooms = {"GET", "/v1/rooms?limit=10", NULL, 0};
    char why[API_WHY_MAX];

    api_answer_free(&top->cluster);
    api_answer_free(&top->rooms);
    int rc = api_try(top->cli, &cluster, &top->cluster, top->why);
    if (rc == EXIT_DONE)
        (void)api_try(top->cli, &rooms, &top->rooms, why);
    return rc;
}

/* How many daemons of KIND live, and their sessions. */
static int64_t count(const json_t *daemons, const char *kind, int64_t *sessions)
{
    const json_t *daemon;
    size_t index;
    int64_t n = 0;

    json_array_foreach(daemons, index, daemon) {
        const char *is = json_string_value(json_object_get(daemon, "kind"));
        if (is == NULL || strcmp(is, kind) != 0)
            continue;
        n++;
        *sessions += json_integer_value(json_object_get(daemon, "sessions"));
    }
    return n;
}

static void print_head(FILE *out, const struct top *top)
{
    const json_t *cluster = top->cluster.json, *daemons = json_object_get(cluster, "daemons");
    int64_t sessions = 0, none = 0;
    char date[PRINT_TIME_MAX];
    int64_t comets = count(daemons, "comet", &sessions);

    fprintf(out, "imc top - %s  %s\n", print_time((int64_t)(time_unix_ms() / 1000), date),
            top->cli->context.address);
    fprintf(out, "%lld sessions  %lld comets  %lld logics  %lld routers  %lld jobs  %lld pending\n",
            (long long)sessions, (long long)comets, (long long)count(daemons, "logic", &none),
            (long long)count(daemons, "router", &none), (long long)count(daemons, "job", &none),
            (long long)json_integer_value(json_object_get(cluster, "pending")));
    if (json_is_false(json_object_get(cluster, "takes_pushes"))) {
        (void)fputs("PUSHES ARE REFUSED: ", out);
        print_json_value(out, json_object_get(cluster, "why"));
        (void)fputc('\n', out);
    }
    rows_print_gone(out, json_object_get(cluster, "gone"));
    if (json_is_false(json_object_get(cluster, "fresh")))
        (void)fputs("REDIS DOES NOT ANSWER: the list may be old\n", out);
    (void)fputc('\n', out);
}

static void print_table(FILE *out, const json_t *rows, const char *const *order, size_t width)
{
    struct table *table = rows_table(rows, order);

    if (table != NULL)
        table_print(table, out, width);
    (void)fputc('\n', out);
}

/* Everything as one text, to be freed. */
static char *render(const struct top *top, size_t width)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        abort(); /* no memory */
    if (top->cluster.json == NULL || top->why[0] != '\0') {
        fprintf(out, "imc top\n\n%s\n", top->why);
    } else {
        print_head(out, top);
        print_table(out, json_object_get(top->cluster.json, "daemons"), rows_daemons, width);
        print_table(out, json_object_get(top->rooms.json, "rooms"), rows_rooms, width);
    }
    (void)fclose(out);
    return text;
}

static void print_json(const struct top *top)
{
    json_t *whole =
        json_pack("{s:I, s:O*, s:O*}", "time", (json_int_t)(time_unix_ms() / 1000), "cluster",
                  top->cluster.json, "rooms", json_object_get(top->rooms.json, "rooms"));

    (void)json_dumpf(whole, stdout, JSON_COMPACT);
    putchar('\n');
    (void)fflush(stdout);
    json_decref(whole);
}

/* May the next look go better? */
static bool is_passing(int rc)
{
    return rc == EXIT_CONNECT || rc == EXIT_LOST || rc == EXIT_UNAVAILABLE;
}

static void draw(const struct top *top, struct screen *screen)
{
    resized = 0;
    screen_measure(screen);
    if (top->cli->json) {
        print_json(top);
        return;
    }
    char *text = render(top, screen->is_terminal ? screen->columns : 0);
    screen_draw(screen, text);
    free(text);
}

/* The first look was taken. */
static int show(struct top *top, struct screen *screen)
{
    int64_t every_ms = option_number(top->cli, "every", INTERVAL_S) * 1000;
    int64_t left = option_number(top->cli, "count", 0);
    int rc = EXIT_DONE;

    while (rc == EXIT_DONE || is_passing(rc)) {
        draw(top, screen);
        if (ferror(stdout) || (left > 0 && --left == 0) || screen_wait(screen, every_ms))
            return EXIT_DONE;
        rc = look(top);
    }
    return rc;
}

static int top(struct cli *cli)
{
    struct top top = {.cli = cli};
    struct screen screen = {0};

    if (option_given(cli, "every") && option_number(cli, "every", 0) == 0)
        return cli_usage(cli, "--every begins with 1");
    int rc = look(&top);
    if (rc == EXIT_DONE) {
        if (!cli->json && !option_given(cli, "plain"))
            screen_open(&screen);
        rc = show(&top, &screen);
        screen_close(&screen);
    }
    if (rc != EXIT_DONE && top.why[0] != '\0')
        (void)cli_fail(cli, rc, "%s", top.why);
    api_answer_free(&top.cluster);
    api_answer_free(&top.rooms);
    return rc;
}

static const struct option_row options[] = {
    {"every", "TIME", VALUE_SECONDS, "Look that often: 2s."},
    {"count", "N", VALUE_NUMBER, "End after N looks."},
    {"plain", NULL, VALUE_TEXT, "One look below the other, as where no terminal is."},
    {0},
};

const struct command command_top = {
    .name = "top",
    .arguments = "",
    .summary = "a live screen of the cluster: daemons, sessions, the largest rooms",
    .doc = "q ends it, the space bar looks at once. Where standard output is no terminal, one look "
           "is printed below the other; with --json each is a line.\n\nA logic that goes away is "
           "asked until it is back.",
    .options = options,
    .run = top,
};
