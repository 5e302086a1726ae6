#include "cli/base/arguments.h"
#include "cli/reference/reference.h"
#include "cli/reference/topics.h"

#include <ctype.h>
#include <string.h>

/* When the pages last got another form: man(7) wants a date, and builds are to be repeatable. */
#define MAN_DATE "2026-11-30"

/* --- text --- */

/* Prints the LEN bytes at TEXT so that roff shows them as they are. LINE: they begin a line. */
static void print_roff(FILE *out, const char *text, size_t len, bool line)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (line && (c == '.' || c == '\''))
            (void)fputs("\\&", out);
        line = c == '\n';
        if (c == '\\')
            (void)fputs("\\e", out);
        else if (c == '-')
            (void)fputs("\\-", out);
        else if (c == '\'')
            (void)fputs("\\(aq", out);
        else if (c == '`')
            (void)fputs("\\(ga", out);
        else if (c == '~')
            (void)fputs("\\(ti", out);
        else if (c == '^')
            (void)fputs("\\(ha", out);
        else if (strncmp(text + i, "…", strlen("…")) == 0) {
            (void)fputs("\\&...", out);
            i += strlen("…") - 1;
        } else
            (void)fputc(c, out);
    }
}

static void print_all(FILE *out, const char *text)
{
    print_roff(out, text, strlen(text), false);
}

static void print_example(FILE *out, const char *text, size_t len)
{
    (void)fputs(".RS 4\n.nf\n", out);
    print_roff(out, text, len, true);
    (void)fputs("\n.fi\n.RE\n", out);
}

/* Without the four spaces before each line. */
static void print_literal(FILE *out, const char *text, size_t len)
{
    (void)fputs(".PP\n.RS 4\n.nf\n", out);
    while (len > 0) {
        size_t blank = strspn(text, " "), line = strcspn(text, "\n");
        blank = blank < 4 ? blank : 4;
        line = line < len ? line : len;
        print_roff(out, text + blank, line - blank, true);
        (void)fputc('\n', out);
        len -= line;
        text += line;
        if (len > 0) {
            len--;
            text++;
        }
    }
    (void)fputs(".fi\n.RE\n", out);
}

/* FIRST: no macro before the first paragraph. */
static void print_paragraphs(FILE *out, const char *text)
{
    for (bool first = true;; first = false) {
        const char *end = strstr(text, "\n\n");
        size_t len = end != NULL ? (size_t)(end - text) : strlen(text);
        if (strncmp(text, "    ", 4) == 0) {
            print_literal(out, text, len);
        } else {
            (void)fputs(first ? "" : ".PP\n", out);
            print_roff(out, text, len, true);
            (void)fputc('\n', out);
        }
        if (end == NULL)
            return;
        text = end + 2;
    }
}

/* --- pages --- */

const char *man_name(const struct command *command, char buf[MAN_NAME_MAX])
{
    (void)snprintf(buf, MAN_NAME_MAX, command != NULL ? "imc-%s.1" : "imc.1",
                   command != NULL ? command->name : "");
    for (char *at = buf; *at != '\0'; at++) {
        if (*at == ' ')
            *at = '-';
    }
    return buf;
}

/* "imc-token-new", without ".1". */
static void print_name(FILE *out, const struct command *command, bool upper)
{
    char name[MAN_NAME_MAX];

    man_name(command, name);
    name[strlen(name) - 2] = '\0';
    for (char *at = name; *at != '\0' && upper; at++)
        *at = (char)toupper((unsigned char)*at);
    print_all(out, name);
}

static void print_head(FILE *out, const struct command *command)
{
    (void)fputs(".\\\" Made by imc man.\n.TH ", out);
    print_name(out, command, true);
    (void)fputs(" 1 " MAN_DATE " \"imc " IMC_VERSION "\" \"imc\"\n.SH NAME\n", out);
    print_name(out, command, false);
    (void)fputs(" \\- ", out);
    print_all(out, command != NULL ? command->summary
                                   : "asks an imc cluster, and changes it, by its API");
    (void)fputc('\n', out);
}

static void print_option(FILE *out, const struct option_row *row)
{
    (void)fputs(".TP\n\\fB\\-\\-", out);
    print_all(out, row->name);
    (void)fputs("\\fR", out);
    if (row->value != NULL) {
        (void)fputs(" \\fI", out);
        print_all(out, row->value);
        (void)fputs("\\fR", out);
    }
    (void)fputc('\n', out);
    print_roff(out, row->doc, strlen(row->doc), true);
    (void)fputc('\n', out);
}

static void print_exit_codes(FILE *out)
{
    (void)fputs(".SH EXIT STATUS\n", out);
    for (const struct exit_code *code = exit_codes; code->doc != NULL; code++) {
        fprintf(out, ".TP\n%d\n", code->code);
        print_roff(out, code->doc, strlen(code->doc), true);
        (void)fputc('\n', out);
    }
}

static void print_command(const struct command *command, FILE *out)
{
    const struct option_row *row;

    (void)fputs(".SH SYNOPSIS\n\\fBimc ", out);
    print_all(out, command->name);
    (void)fputs("\\fR [\\fIoptions\\fR]", out);
    if (command->arguments[0] != '\0') {
        (void)fputc(' ', out);
        print_all(out, command->arguments);
    }
    (void)fputs("\n.SH DESCRIPTION\n", out);
    print_paragraphs(out, command->doc);
    (void)fputs(".SH OPTIONS\n", out);
    for (size_t i = 0; (row = command_option(command, i)) != NULL; i++)
        print_option(out, row);
    if (command->example != NULL) {
        (void)fputs(".SH EXAMPLES\n", out);
        print_example(out, command->example, strlen(command->example));
    }
    (void)fputs(".SH SEE ALSO\n\\fBimc\\fR(1)\n", out);
}

static void print_overview(FILE *out)
{
    (void)fputs(".SH SYNOPSIS\n\\fBimc\\fR \\fIcommand\\fR [\\fIoptions\\fR] "
                "[\\fIarguments\\fR]\n.SH DESCRIPTION\n"
                "imc is the command line of an imc cluster. All that it does it does by the API at "
                "/v1, and, as a device, by the client protocol.\n"
                ".SH COMMANDS\n",
                out);
    for (const struct command *const *at = commands; *at != NULL; at++) {
        (void)fputs(".TP\n\\fB", out);
        print_all(out, (*at)->name);
        (void)fputs("\\fR\n", out);
        print_all(out, (*at)->summary);
        (void)fputs(" (\\fB", out);
        print_name(out, *at, false);
        (void)fputs("\\fR(1))\n", out);
    }
    (void)fputs(".SH CONTEXT\n", out);
    print_paragraphs(out, topic_context);
    (void)fputs(".SH ENVIRONMENT\n", out);
    for (const struct variable *variable = variables; variable->name != NULL; variable++) {
        fprintf(out, ".TP\n\\fB%s\\fR\n", variable->name);
        print_roff(out, variable->doc, strlen(variable->doc), true);
        (void)fputc('\n', out);
    }
}

void man_print(const struct command *command, FILE *out)
{
    print_head(out, command);
    if (command != NULL)
        print_command(command, out);
    else
        print_overview(out);
    if (command == NULL)
        print_exit_codes(out);
}
