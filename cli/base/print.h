/* print.h - what commands print: tables for people, and texts of others made harmless. One thread.
 *
 * A text that a client or a business chose may hold bytes that a terminal obeys. print_text() shows
 * them as \xNN. */
#ifndef IMC_CLI_BASE_PRINT_H
#define IMC_CLI_BASE_PRINT_H

#include "cli/base/api.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* Prints the LEN bytes of TEXT in one line: control characters, those of C1 and of direction among
 * them, and bytes that are no UTF-8 as \xNN; a backslash as it is. */
void print_bytes(FILE *out, const char *text, size_t len);
void print_text(FILE *out, const char *text);
/* A JSON value: a string as its text, without quotes; others as JSON. */
void print_json_value(FILE *out, const json_t *value);

/* "3d 4h", "12m 5s", "0s": two units at most. */
enum { PRINT_DURATION_MAX = 32 };
const char *print_duration(int64_t seconds, char buf[PRINT_DURATION_MAX]);
/* "2026-11-30 10:33:55Z" of a Unix time. */
enum { PRINT_TIME_MAX = 32 };
const char *print_time(int64_t unix_s, char buf[PRINT_TIME_MAX]);

/* Columns as wide as their widest cell, two spaces between. A column whose title begins with '>' is
 * to the right. */
struct table;
/* TITLES up to NULL. */
struct table *table_new(const char *const *titles);
/* The next cell, from the left; behind the last column a new row begins. NULL: "-". It is
 * copied. */
void table_text(struct table *table, const char *text);
void table_json(struct table *table, const json_t *value);
/* Prints it, and frees it. Lines are cut at WIDTH columns; 0: they are not. */
void table_print(struct table *table, FILE *out, size_t width);

/* With --json: prints what the API answered, frees ANSWER, and returns true. */
bool print_answer(struct cli *cli, struct api_answer *answer);

#endif
