/* What was typed, by the table of commands: the real one, and the table itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/base/arguments.h"

enum { MOST = 16 };

/* Reads LINE, words parted by blanks; argv[0] is PROGRAM. */
static enum arguments_result read_line(struct cli *cli, const char *program, const char *line)
{
    static char copy[512];
    char *argv[MOST + 1] = {NULL}, *at = copy, *word;
    int argc = 0;

    *cli = (struct cli){0};
    (void)snprintf(copy, sizeof copy, "%s%s%s", program, line[0] != '\0' ? " " : "", line);
    while ((word = strsep(&at, " ")) != NULL)
        argv[argc++] = word;
    return arguments_read(cli, argc, argv);
}

static void commands_have_one_word_or_two(void **state)
{
    struct cli cli;

    (void)state;
    assert_int_equal(read_line(&cli, "imc", "rooms --limit 3"), ARGUMENTS_RUN);
    assert_string_equal(cli.command->name, "rooms");
    assert_string_equal(cli.program, "imc rooms");
    assert_int_equal(option_number(&cli, "limit", 0), 3);
    arguments_free(&cli);
    assert_int_equal(read_line(&cli, "/usr/bin/imc", "rooms join 1 live://7"), ARGUMENTS_RUN);
    assert_string_equal(cli.command->name, "rooms join");
    assert_int_equal(cli.n_arguments, 2);
    assert_string_equal(cli.arguments[1], "live://7");
    arguments_free(&cli);
    assert_int_equal(read_line(&cli, "bin/imc-client", "--token t"), ARGUMENTS_RUN);
    assert_string_equal(cli.command->name, "watch");
    assert_string_equal(cli.program, "imc-client");
    arguments_free(&cli);
}

static void options_may_stand_anywhere_and_come_again(void **state)
{
    struct cli cli;

    (void)state;
    assert_int_equal(read_line(&cli, "imc", "push hello --uid 1 --uid=2 --json --ttl 2h"),
                     ARGUMENTS_RUN);
    assert_string_equal(cli.arguments[0], "hello");
    assert_string_equal(option_nth(&cli, "uid", 0), "1");
    assert_string_equal(option_text(&cli, "uid"), "2");
    assert_null(option_nth(&cli, "uid", 2));
    assert_true(cli.json);
    assert_false(option_given(&cli, "all"));
    assert_int_equal(option_number(&cli, "ttl", 0), 7200);
    assert_int_equal(option_number(&cli, "op", 5), 5);
    arguments_free(&cli);
    assert_int_equal(read_line(&cli, "imc", "sessions -- -5"), ARGUMENTS_RUN);
    assert_string_equal(cli.arguments[0], "-5");
    arguments_free(&cli);
}

static void what_is_wrong_is_refused(void **state)
{
    static const char *const lines[] = {
        "nonsense",         "token",
        "--json",           "push --uuid 1",
        "push --uid",       "rooms --limit -1",
        "rooms --limit 1x", "block 1 --for 1w",
        "sessions 1 2",     "mailbox",
        "default teapot",   "help --json",
        "sessions --all",
    };
    struct cli cli;

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(read_line(&cli, "imc", lines[i]), ARGUMENTS_WRONG);
        arguments_free(&cli);
    }
}

static void help_and_version(void **state)
{
    static const struct {
        const char *program, *line, *command;
        enum arguments_result result;
    } rows[] = {
        {"imc", "", NULL, ARGUMENTS_HELP},
        {"imc", "--help", NULL, ARGUMENTS_HELP},
        {"imc", "kick --help", "kick", ARGUMENTS_HELP},
        {"imc", "kick -h x y z", "kick", ARGUMENTS_HELP},
        {"imc", "--version", NULL, ARGUMENTS_VERSION},
        {"imc-client", "--version", "watch", ARGUMENTS_VERSION},
        {"imc-client", "--help", "watch", ARGUMENTS_HELP},
    };
    struct cli cli;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(read_line(&cli, rows[i].program, rows[i].line), rows[i].result);
        if (rows[i].command == NULL)
            assert_null(cli.command);
        else
            assert_string_equal(cli.command->name, rows[i].command);
        arguments_free(&cli);
    }
}

static void numbers_and_times(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } times[] = {{"0", 0},         {"90", 90},
                 {"90s", 90},      {"15m", 900},
                 {"12h", 43200},   {"7d", 604800},
                 {"", -1},         {"h", -1},
                 {"1w", -1},       {"1hh", -1},
                 {"-1", -1},       {"+1", -1},
                 {"1.5h", -1},     {"3660000d", 316224000000},
                 {"3660001d", -1}, {"99999999999999999999", -1}};
    int64_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        assert_int_equal(seconds_parse(times[i].text, &n), times[i].seconds >= 0);
        if (times[i].seconds >= 0)
            assert_int_equal(n, times[i].seconds);
    }
    assert_true(number_parse("-9223372036854775808", &n) && n == INT64_MIN);
    assert_true(number_parse("9223372036854775807", &n) && n == INT64_MAX);
    assert_false(number_parse("9223372036854775808", &n));
    assert_false(number_parse("+1", &n));
    assert_false(number_parse(" 1", &n));
    assert_false(number_parse("1 ", &n));
    assert_false(number_parse("", &n));
}

/* What help, man pages and completion take for granted. */
static void the_table_is_in_order(void **state)
{
    const struct option_row *row, *other;

    (void)state;
    for (const struct command *const *at = commands; *at != NULL; at++) {
        const struct command *command = *at;
        size_t n = 0;
        assert_ptr_equal(command_find(command->name), command); /* none is there twice */
        assert_non_null(command->run);
        assert_true(strlen(command->name) <= 20 && strlen(command->summary) <= 75);
        assert_true(islower((unsigned char)command->summary[0]));
        assert_true(command->doc[strlen(command->doc) - 1] == '.' ||
                    strstr(command->doc, "    ") != NULL);
        assert_true(command->min <= command->max);
        assert_int_equal(command->arguments[0] == '\0', command->max == 0);
        for (; (row = command_option(command, n)) != NULL; n++) {
            assert_true(strlen(row->doc) > 3 && row->doc[strlen(row->doc) - 1] == '.');
            for (size_t i = 0; i < n; i++) {
                other = command_option(command, i);
                assert_string_not_equal(other->name, row->name);
            }
        }
        assert_in_range(n, 1, COMMAND_OPTIONS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_have_one_word_or_two),
        cmocka_unit_test(options_may_stand_anywhere_and_come_again),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(help_and_version),
        cmocka_unit_test(numbers_and_times),
        cmocka_unit_test(the_table_is_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
