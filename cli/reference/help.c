#include "cli/base/arguments.h"
#include "cli/reference/reference.h"

#include <string.h>

enum { WIDTH = 80, NAMES = 24 };

/* In characters. */
static size_t columns_of(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

/* Prints the words of the LEN bytes at TEXT. BEGUN: the first line has its indent already. */
static void fill(FILE *out, const char *text, size_t len, size_t indent, size_t width, bool begun)
{
    size_t column = 0;

    while (len > 0) {
        size_t blank = strspn(text, " "), word = strcspn(text + blank, " \n");
        if (word == 0 || blank + word > len)
            break;
        size_t columns = columns_of(text + blank, word);
        if (column > 0 && indent + column + 1 + columns > width) {
            (void)fputc('\n', out);
            column = 0;
        }
        if (column == 0 && !begun)
            fprintf(out, "%*s", (int)indent, "");
        begun = false;
        fprintf(out, "%s%.*s", column > 0 ? " " : "", (int)word, text + blank);
        column += columns + (column > 0);
        text += blank + word;
        len -= blank + word;
    }
    (void)fputc('\n', out);
}

void wrap_print(FILE *out, const char *text, size_t indent, size_t width)
{
    for (;;) {
        const char *end = strstr(text, "\n\n");
        size_t len = end != NULL ? (size_t)(end - text) : strlen(text);
        if (strncmp(text, "    ", 4) == 0)
            fprintf(out, "%*s%.*s\n", (int)indent, "", (int)len, text);
        else
            fill(out, text, len, indent, width, false);
        if (end == NULL)
            return;
        (void)fputc('\n', out);
        text = end + 2;
    }
}

/* "  NAME VALUE            TEXT …", the text on the next line if the name is long. */
static void print_entry(FILE *out, const char *dashes, const char *name, const char *value,
                        const char *text)
{
    fprintf(out, "  %s%s%s%s", dashes, name, value != NULL ? " " : "", value != NULL ? value : "");
    size_t used = 2 + strlen(dashes) + columns_of(name, strlen(name));
    used += value != NULL ? 1 + columns_of(value, strlen(value)) : 0;
    if (used + 2 > NAMES)
        fprintf(out, "\n%*s", NAMES, "");
    else
        fprintf(out, "%*s", (int)(NAMES - used), "");
    fill(out, text, strlen(text), NAMES, WIDTH, true);
}

static void print_options(FILE *out, const struct command *command)
{
    const struct option_row *row;

    (void)fputs("\nOptions:\n", out);
    for (size_t i = 0; (row = command_option(command, i)) != NULL; i++)
        print_entry(out, "--", row->name, row->value, row->doc);
}

/* Each line of TEXT, indented. */
static void print_lines(FILE *out, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        fprintf(out, "    %.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

static void print_command(const struct command *command, const char *program, FILE *out)
{
    char line[256];

    fprintf(out, "usage: %s [options]%s%s\n\n", program, command->arguments[0] != '\0' ? " " : "",
            command->arguments);
    (void)snprintf(line, sizeof line, "%s: %s", program, command->summary);
    wrap_print(out, line, 0, WIDTH);
    (void)fputc('\n', out);
    wrap_print(out, command->doc, 0, WIDTH);
    print_options(out, command);
    if (command->example != NULL) {
        (void)fputs("\nFor example:\n", out);
        print_lines(out, command->example);
    }
}

void help_print(const struct command *command, const char *program, FILE *out)
{
    if (command != NULL) {
        print_command(command, program, out);
        return;
    }
    (void)fputs("imc " IMC_VERSION " - asks an imc cluster, and changes it, by its API\n\n"
                "usage: imc COMMAND [options] [arguments]\n\n",
                out);
    for (const struct command *const *at = commands; *at != NULL; at++)
        print_entry(out, "", (*at)->name, NULL, (*at)->summary);
    (void)fputs("\nimc COMMAND --help says more of a command, imc help exit-codes what the exit "
                "codes are,\nimc help context how a cluster is chosen.\n",
                out);
}
