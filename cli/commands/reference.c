/* Help, man pages, completion. */
#include "cli/reference/reference.h"
#include "cli/commands/run.h"
#include "cli/reference/topics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* The command that the arguments name, of one word or two; EXIT_USAGE: there is none. */
static int named(const struct cli *cli, const struct command **command)
{
    char name[64];

    *command = NULL;
    if (cli->n_arguments == 0)
        return 0;
    (void)snprintf(name, sizeof name, "%s%s%s", cli->arguments[0], cli->n_arguments > 1 ? " " : "",
                   cli->n_arguments > 1 ? cli->arguments[1] : "");
    *command = command_find(name);
    return *command != NULL ? 0 : cli_usage(cli, "unknown command: %s", name);
}

static int help(struct cli *cli)
{
    const struct command *command;
    char program[80] = "imc";

    if (cli->n_arguments == 1 && strcmp(cli->arguments[0], "exit-codes") == 0) {
        for (const struct exit_code *code = exit_codes; code->doc != NULL; code++)
            printf("%2d  %s\n", code->code, code->doc);
        return EXIT_DONE;
    }
    if (cli->n_arguments == 1 && strcmp(cli->arguments[0], "context") == 0) {
        wrap_print(stdout, topic_context, 0, 80);
        putchar('\n');
        for (const struct variable *variable = variables; variable->name != NULL; variable++)
            printf("%-14s %s\n", variable->name, variable->doc);
        return EXIT_DONE;
    }
    int rc = named(cli, &command);
    if (rc != 0)
        return rc;
    if (command != NULL)
        (void)snprintf(program, sizeof program, "imc %s", command->name);
    help_print(command, program, stdout);
    return EXIT_DONE;
}

const struct command command_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .max = 2,
    .kind = VALUE_COMMAND,
    .summary = "what the commands do; exit-codes, context",
    .doc = "As COMMAND --help.",
    .offline = true,
    .no_json = true,
    .run = help,
};

/* --- man --- */

static int write_page(const struct cli *cli, const struct command *command, const char *directory)
{
    char name[MAN_NAME_MAX], path[4096];

    (void)snprintf(path, sizeof path, "%s/%s", directory, man_name(command, name));
    FILE *out = fopen(path, "we");
    if (out == NULL)
        return cli_fail(cli, EXIT_FAILED, "cannot write %s: %s", path, uv_strerror(-errno));
    man_print(command, out);
    bool wrong = ferror(out) != 0;
    if (fclose(out) != 0 || wrong)
        return cli_fail(cli, EXIT_FAILED, "cannot write %s", path);
    return 0;
}

static int man(struct cli *cli)
{
    const char *directory = option_text(cli, "all");
    const struct command *command;
    int rc = named(cli, &command);

    if (rc != 0)
        return rc;
    if (directory == NULL) {
        man_print(command, stdout);
        return EXIT_DONE;
    }
    rc = write_page(cli, NULL, directory);
    for (const struct command *const *at = commands; rc == 0 && *at != NULL; at++)
        rc = write_page(cli, *at, directory);
    return rc;
}

static const struct option_row man_options[] = {
    {"all", "DIR", VALUE_DIRECTORY, "Write the pages of all commands into this folder."},
    {"markdown", NULL, VALUE_TEXT, "Print all commands as Markdown."},
    {0},
};

static int man_or_markdown(struct cli *cli)
{
    if (!option_given(cli, "markdown"))
        return man(cli);
    markdown_print(stdout);
    return EXIT_DONE;
}

const struct command command_man = {
    .name = "man",
    .arguments = "[COMMAND]",
    .max = 2,
    .kind = VALUE_COMMAND,
    .summary = "print the man page of a command, or of imc",
    .doc = "In the form that man(1) reads. cmake --install puts the pages where it finds them.",
    .example = "imc man kick | man -l -",
    .options = man_options,
    .offline = true,
    .no_json = true,
    .run = man_or_markdown,
};

/* --- completion --- */

static int completion(struct cli *cli)
{
    if (strcmp(cli->arguments[0], "bash") == 0)
        completion_bash(stdout);
    else
        completion_zsh(stdout);
    return EXIT_DONE;
}

static const char *const shells[] = {"bash", "zsh", NULL};

const struct command command_completion = {
    .name = "completion",
    .arguments = "bash|zsh",
    .min = 1,
    .max = 1,
    .words = shells,
    .summary = "print a script by which the shell completes imc's commands and options",
    .doc = "cmake --install puts it where shells find it. Without that, for bash and zsh:\n\n"
           "    source <(imc completion bash)\n"
           "    source <(imc completion zsh)",
    .offline = true,
    .no_json = true,
    .run = completion,
};
