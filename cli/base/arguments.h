/* arguments.h - reads a command line by the table of commands. One thread. */
#ifndef IMC_CLI_BASE_ARGUMENTS_H
#define IMC_CLI_BASE_ARGUMENTS_H

#include "cli/base/command.h"

enum arguments_result {
    ARGUMENTS_RUN,
    ARGUMENTS_HELP, /* --help, of cli->command, or of imc itself if that is NULL */
    ARGUMENTS_VERSION,
    ARGUMENTS_WRONG, /* a line on stderr says what */
};

/* Finds the command in ARGV, and its options and arguments, which may stand in any order. A program
 * that is called imc-client is the command watch. What CLI points to is ARGV's. */
enum arguments_result arguments_read(struct cli *cli, int argc, char **argv);
void arguments_free(struct cli *cli);

/* The command of this name; NULL: there is none. */
const struct command *command_find(const char *name);
/* Row number INDEX of all options that COMMAND takes: its own, those of a context, those of all;
 * NULL: there are fewer. */
const struct option_row *command_option(const struct command *command, size_t index);

/* The value of option NAME, the last one if it came several times; NULL: it was not given. */
const char *option_text(const struct cli *cli, const char *name);
/* The value number INDEX, from 0; NULL: there are fewer. */
const char *option_nth(const struct cli *cli, const char *name, size_t index);
bool option_given(const struct cli *cli, const char *name);
/* Of VALUE_NUMBER and VALUE_SECONDS. OTHERWISE: what it is if it was not given. */
int64_t option_number(const struct cli *cli, const char *name, int64_t otherwise);

/* Reads "-12", "12": 64 bits. False: it is something else. */
bool number_parse(const char *text, int64_t *out);
/* Reads "90", "90s", "15m", "12h", "7d". */
bool seconds_parse(const char *text, int64_t *out);

#endif
