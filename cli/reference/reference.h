/* reference.h - what is written from the table of commands: help, man pages, docs, completion. So
 * none of them can differ from what the program takes. Pure but for the stream; one thread.
 *
 * COMMAND NULL is imc itself. */
#ifndef IMC_CLI_REFERENCE_REFERENCE_H
#define IMC_CLI_REFERENCE_REFERENCE_H

#include "cli/base/command.h"

#include <stdio.h>

/* For --help. PROGRAM is what it is called: "imc kick". */
void help_print(const struct command *command, const char *program, FILE *out);
/* A man page in the macros of man(7). */
void man_print(const struct command *command, FILE *out);
/* The name of its file: "imc-token-new.1". */
enum { MAN_NAME_MAX = 64 };
const char *man_name(const struct command *command, char buf[MAN_NAME_MAX]);
/* All commands as Markdown, for docs/. */
void markdown_print(FILE *out);
/* Scripts for a shell. */
void completion_bash(FILE *out);
void completion_zsh(FILE *out);

/* Prints TEXT, paragraphs parted by empty lines, with INDENT spaces before each line, of at most
 * WIDTH columns. A paragraph that begins with four spaces is not broken. */
void wrap_print(FILE *out, const char *text, size_t indent, size_t width);

#endif
