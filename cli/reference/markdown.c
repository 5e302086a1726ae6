#include "cli/base/arguments.h"
#include "cli/reference/reference.h"

#include <ctype.h>
#include <string.h>

enum { WIDTH = 119 }; /* lint takes 120 */

/* A cell of a table: '|' would end it. */
static void print_cell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            (void)fputc('\\', out);
        (void)fputc(*text, out);
    }
}

static void print_lines(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        fprintf(out, "    %.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

/* Its own options only: the others stand once, at the head of the page. */
static void print_command(FILE *out, const struct command *command)
{
    fprintf(out, "\n## imc %s\n\n", command->name);
    fprintf(out, "    imc %s [options]%s%s\n\n", command->name,
            command->arguments[0] != '\0' ? " " : "", command->arguments);
    fprintf(out, "%c%s.\n\n", toupper((unsigned char)command->summary[0]), command->summary + 1);
    wrap_print(out, command->doc, 0, WIDTH);
    if (command->options != NULL) {
        (void)fputs("\n| option | |\n| --- | --- |\n", out);
        for (const struct option_row *row = command->options; row->name != NULL; row++) {
            fprintf(out, "| --%s%s", row->name, row->value != NULL ? " " : "");
            print_cell(out, row->value != NULL ? row->value : "");
            (void)fputs(" | ", out);
            print_cell(out, row->doc);
            (void)fputs(" |\n", out);
        }
    }
    if (command->example != NULL) {
        (void)fputs("\nFor example:\n\n", out);
        print_lines(out, command->example);
    }
}

static void print_shared(FILE *out, const char *title, const struct option_row *rows)
{
    fprintf(out, "| %s | |\n| --- | --- |\n", title);
    for (; rows->name != NULL; rows++)
        fprintf(out, "| --%s%s%s | %s |\n", rows->name, rows->value != NULL ? " " : "",
                rows->value != NULL ? rows->value : "", rows->doc);
    (void)fputc('\n', out);
}

void markdown_print(FILE *out)
{
    print_shared(out, "every command", common_options);
    print_shared(out, "that asks a cluster", context_options);
    (void)fputs("| exit code | |\n| --- | --- |\n", out);
    for (const struct exit_code *code = exit_codes; code->doc != NULL; code++)
        fprintf(out, "| %d | %s |\n", code->code, code->doc);
    for (const struct command *const *at = commands; *at != NULL; at++)
        print_command(out, *at);
}
