/* problem.h - what went wrong, as RFC 9457 has it: application/problem+json. Pure.
 *
 *   {"title":"Bad Request","status":400,"code":"invalid","detail":"…",
 *    "errors":[{"pointer":"/to/uids/0","detail":"must be an integer between … and …"}]} */
#ifndef IMC_LOGIC_HTTP_V1_PROBLEM_H
#define IMC_LOGIC_HTTP_V1_PROBLEM_H

#include "logic/http/route.h"
#include "logic/http/v1/schema.h"

#include <stdio.h>

extern const char problem_type[];
extern const int problem_statuses[API_ERRORS];

/* Writes the members of a problem, without braces; ERRORS may be NULL. */
void problem_print(FILE *out, enum api_error error, int status, const char *text,
                   const struct schema_errors *errors);
/* As struct face wants it. */
size_t problem_write(enum api_error error, int status, const char *text, char *out, size_t outlen);
/* "Bad Request"; "Problem" for a status that we do not answer. */
const char *problem_title(int status);

#endif
