#include "cli/base/arguments.h"
#include "common/base/array.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct option_row common_options[] = {
    {"json", NULL, VALUE_TEXT, "Print JSON: what the API answered, or one object."},
    {"help", NULL, VALUE_TEXT, "Print help, and exit."},
    {0},
};

const struct option_row context_options[] = {
    {"context", "NAME", VALUE_TEXT, "Use this section of the file of contexts (IMC_CONTEXT)."},
    {"address", "URL", VALUE_TEXT, "Where a logic serves its API (IMC_ADDRESS)."},
    {"key-file", "FILE", VALUE_FILE,
     "The API key, in a file that only its owner reads (IMC_KEY_FILE)."},
    {"ca", "FILE", VALUE_FILE, "Believe certificates that one in FILE (PEM) has signed (IMC_CA)."},
    {"insecure", NULL, VALUE_TEXT,
     "Believe any certificate, and show the key to another machine without TLS, too."},
    {"within", "TIME", VALUE_SECONDS, "Wait so long for each answer: 10s."},
    {0},
};

/* --- words on stderr --- */

static void say(const struct cli *cli, const char *format, va_list args, const char *end)
    __attribute__((format(printf, 2, 0)));
static void say(const struct cli *cli, const char *format, va_list args, const char *end)
{
    fprintf(stderr, "%s: ", cli->program);
    vfprintf(stderr, format, args);
    (void)fputs(end, stderr);
}

int cli_fail(const struct cli *cli, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(cli, format, args, "\n");
    va_end(args);
    return code;
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(cli, format, args, " (see --help)\n");
    va_end(args);
    return EXIT_USAGE;
}

/* --- the command --- */

const struct command *command_find(const char *name)
{
    for (const struct command *const *at = commands; *at != NULL; at++) {
        if (strcmp((*at)->name, name) == 0)
            return *at;
    }
    return NULL;
}

/* The command that ARGV begins with, of two words if there is one, else of one word. *WORDS is how
 * many it has. */
static const struct command *find(int argc, char **argv, int *words)
{
    const struct command *found = NULL;
    char both[64];

    *words = 2;
    if (argc > 1 && snprintf(both, sizeof both, "%s %s", argv[0], argv[1]) < (int)sizeof both)
        found = command_find(both);
    if (found != NULL)
        return found;
    *words = 1;
    return command_find(argv[0]);
}

/* Does a command of two words begin with WORD? Then says which. */
static bool say_group(const struct cli *cli, const char *word)
{
    size_t len = strlen(word);
    bool any = false;

    for (const struct command *const *at = commands; *at != NULL; at++) {
        const char *name = (*at)->name;
        if (strncmp(name, word, len) != 0 || name[len] != ' ')
            continue;
        if (any)
            fprintf(stderr, ", %s", name);
        else
            fprintf(stderr, "%s: one of %s", cli->program, name);
        any = true;
    }
    if (any)
        (void)fputs(" (see --help)\n", stderr);
    return any;
}

const struct option_row *command_option(const struct command *command, size_t index)
{
    const struct option_row *const lists[] = {
        command->options, command->offline ? NULL : context_options, common_options};

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const struct option_row *row = lists[i]; row != NULL && row->name != NULL; row++) {
            if (command->no_json && strcmp(row->name, "json") == 0)
                continue;
            if (index-- == 0)
                return row;
        }
    }
    return NULL;
}

/* --- values --- */

bool number_parse(const char *text, int64_t *out)
{
    char *end;
    long long n;

    errno = 0;
    n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || strchr("+ \t\n", text[0]) != NULL)
        return false;
    *out = n;
    return true;
}

bool seconds_parse(const char *text, int64_t *out)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    const int64_t most = INT64_C(10000) * 366 * 86400;
    size_t digits = strspn(text, "0123456789");
    int64_t n = 0;

    for (size_t i = 0; i < digits && n <= most; i++)
        n = n * 10 + (text[i] - '0');
    if (digits == 0 || (text[digits] != '\0' && text[digits + 1] != '\0'))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (text[digits] == units[i].unit && n <= most / units[i].seconds) {
            *out = n * units[i].seconds;
            return true;
        }
    }
    return false;
}

static int check_value(const struct cli *cli, const struct option_row *row, const char *text)
{
    int64_t number;

    if (row->value == NULL)
        return 0;
    if (row->kind == VALUE_NUMBER && (!number_parse(text, &number) || number < 0))
        return cli_usage(cli, "--%s takes a whole number from 0: %s", row->name, text);
    if (row->kind == VALUE_SECONDS && !seconds_parse(text, &number))
        return cli_usage(cli, "--%s takes a time, as in 90, 15m, 12h or 7d: %s", row->name, text);
    return 0;
}

static int add_value(struct cli *cli, const struct option_row *row, const char *text)
{
    int wrong = check_value(cli, row, text);

    if (wrong != 0)
        return wrong;
    ARRAY_ROOM(cli->values, cli->n_values, cli->cap_values, 8);
    cli->values[cli->n_values++] = (struct option_value){row, text};
    return 0;
}

const char *option_nth(const struct cli *cli, const char *name, size_t index)
{
    for (size_t i = 0; i < cli->n_values; i++) {
        if (strcmp(cli->values[i].row->name, name) == 0 && index-- == 0)
            return cli->values[i].text;
    }
    return NULL;
}

const char *option_text(const struct cli *cli, const char *name)
{
    const char *last = NULL, *text;

    for (size_t i = 0; (text = option_nth(cli, name, i)) != NULL; i++)
        last = text;
    return last;
}

bool option_given(const struct cli *cli, const char *name)
{
    return option_nth(cli, name, 0) != NULL;
}

int64_t option_number(const struct cli *cli, const char *name, int64_t otherwise)
{
    const char *text = option_text(cli, name);
    int64_t number = otherwise;

    if (text != NULL && !number_parse(text, &number))
        (void)seconds_parse(text, &number);
    return number;
}

/* --- the line --- */

enum { FIRST_OPTION = 256 };

static void fill(const struct command *command, struct option *longs)
{
    const struct option_row *row;
    size_t n = 0;

    while ((row = command_option(command, n)) != NULL) {
        assert(n < COMMAND_OPTIONS_MAX);
        longs[n] = (struct option){row->name, row->value != NULL ? required_argument : no_argument,
                                   NULL, FIRST_OPTION + (int)n};
        n++;
    }
    longs[n] = (struct option){0};
}

static enum arguments_result read_options(struct cli *cli, int argc, char **argv)
{
    struct option longs[COMMAND_OPTIONS_MAX + 1];
    int c;

    fill(cli->command, longs);
    opterr = 0;
    optind = 0; /* begins anew, whatever was read before */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread yet */
    while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
        const struct option_row *row =
            c >= FIRST_OPTION ? command_option(cli->command, (size_t)(c - FIRST_OPTION)) : NULL;
        if (c == 'h' || (row != NULL && strcmp(row->name, "help") == 0))
            return ARGUMENTS_HELP;
        if (c == ':')
            (void)cli_usage(cli, "a value is missing after %s", argv[optind - 1]);
        else if (row == NULL)
            (void)cli_usage(cli, "unknown option: %s", argv[optind - 1]);
        else if (add_value(cli, row, optarg != NULL ? optarg : "") == 0)
            continue;
        return ARGUMENTS_WRONG;
    }
    cli->arguments = argv + optind;
    cli->n_arguments = (size_t)(argc - optind);
    cli->json = option_given(cli, "json");
    return ARGUMENTS_RUN;
}

static enum arguments_result check_arguments(const struct cli *cli)
{
    const struct command *command = cli->command;
    const char *const *word = command->words;

    if (cli->n_arguments > command->max)
        (void)cli_usage(cli, "unexpected argument: %s", cli->arguments[command->max]);
    else if (cli->n_arguments < command->min)
        (void)cli_usage(cli, "it needs %s", command->arguments);
    else if (word == NULL || cli->n_arguments == 0)
        return ARGUMENTS_RUN;
    else {
        for (; *word != NULL; word++) {
            if (strcmp(*word, cli->arguments[0]) == 0)
                return ARGUMENTS_RUN;
        }
        (void)cli_usage(cli, "it needs %s, not %s", command->arguments, cli->arguments[0]);
    }
    return ARGUMENTS_WRONG;
}

static enum arguments_result read_first(struct cli *cli, const char *first)
{
    if (first == NULL || strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
        return ARGUMENTS_HELP;
    if (strcmp(first, "--version") == 0)
        return ARGUMENTS_VERSION;
    if (!say_group(cli, first))
        (void)cli_usage(cli,
                        first[0] == '-' ? "unknown option, or it belongs behind the command: %s"
                                        : "unknown command: %s",
                        first);
    return ARGUMENTS_WRONG;
}

/* --version is of the old name, too. */
static enum arguments_result read_command(struct cli *cli, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        return ARGUMENTS_VERSION;
    enum arguments_result result = read_options(cli, argc, argv);
    return result == ARGUMENTS_RUN ? check_arguments(cli) : result;
}

enum arguments_result arguments_read(struct cli *cli, int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *base = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "";
    int words = 0;

    if (strcmp(base, "imc-client") == 0) {
        (void)snprintf(cli->program, sizeof cli->program, "%s", base);
        cli->command = command_find("watch");
        return read_command(cli, argc, argv);
    }
    (void)snprintf(cli->program, sizeof cli->program, "imc");
    cli->command = argc > 1 ? find(argc - 1, argv + 1, &words) : NULL;
    if (cli->command == NULL)
        return read_first(cli, argc > 1 ? argv[1] : NULL);
    (void)snprintf(cli->program, sizeof cli->program, "imc %s", cli->command->name);
    return read_command(cli, argc - words, argv + words);
}

void arguments_free(struct cli *cli)
{
    free(cli->values);
    cli->values = NULL;
    cli->n_values = cli->cap_values = 0;
}
