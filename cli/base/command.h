/* command.h - a command of imc, and one call of it.
 *
 *   commands/table.c: all of them  ──┬─► arguments.c: what was typed
 *                                    ├─► reference/: help, man pages, completion, docs
 *                                    └─► run(): one file of commands/ for each group
 *
 * One thread. What functions return lives as long as the call. */
#ifndef IMC_CLI_BASE_COMMAND_H
#define IMC_CLI_BASE_COMMAND_H

#include "cli/base/context.h"
#include "cli/base/exit_codes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api;
struct cli;

/* What an option or an argument takes: for its check, and for completion. */
enum value_kind {
    VALUE_TEXT,
    VALUE_NUMBER,  /* a whole number from 0 */
    VALUE_SECONDS, /* 90, 90s, 15m, 12h, 7d */
    VALUE_FILE,
    VALUE_DIRECTORY,
    VALUE_COMMAND, /* the name of a command */
};

struct option_row {
    const char *name;
    const char *value; /* what it takes, as help calls it: "UID"; NULL: nothing */
    enum value_kind kind;
    const char *doc;
};

enum { COMMAND_OPTIONS_MAX = 24 };

struct command {
    const char *name;                 /* one or two words: "token new" */
    const char *arguments;            /* as help shows them: "UID [KEY]"; "": none */
    size_t min, max;                  /* how many there are */
    enum value_kind kind;             /* of the arguments */
    const char *const *words;         /* what the first one may be, up to NULL; NULL: anything */
    const char *summary;              /* one line */
    const char *doc;                  /* paragraphs, parted by empty lines */
    const char *example;              /* lines; NULL: none */
    const struct option_row *options; /* up to one without a name; NULL: none */
    bool offline;                /* it asks no cluster: the options of a context do not count */
    bool no_json;                /* --json does not count */
    int (*run)(struct cli *cli); /* returns the exit code */
};

/* Up to NULL, in the order of help. */
extern const struct command *const commands[];
/* Of every command, and of all that ask a cluster; up to one without a name. */
extern const struct option_row common_options[], context_options[];

struct option_value {
    const struct option_row *row;
    const char *text; /* "" if it takes nothing */
};

struct cli {
    const struct command *command;
    char program[64]; /* begins each line on stderr: "imc kick" */
    struct option_value *values;
    size_t n_values, cap_values;
    char **arguments;
    size_t n_arguments;
    bool json;
    struct context context;
    struct api *api; /* since the first call; NULL: there was none */
};

/* Prints "imc kick: FORMAT" to stderr. Returns CODE. */
int cli_fail(const struct cli *cli, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for EXIT_USAGE, with a hint at --help. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
