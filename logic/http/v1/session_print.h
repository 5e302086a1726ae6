/* session_print.h - how sessions stand in answers. Main loop only. */
#ifndef IMC_LOGIC_HTTP_V1_SESSION_PRINT_H
#define IMC_LOGIC_HTTP_V1_SESSION_PRINT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* {"session":"00000a0100000007.comet-1","server":"comet-1" */
void v1_print_session(FILE *out, uint64_t handle, const char *comet);
/* ,"NAME":"TEXT", unless TEXT is empty. */
void v1_print_name(FILE *out, const char *name, const char *text);
/* ,"unanswered":["comet-1"] */
void v1_print_unanswered(FILE *out, const char *const *comets, size_t n);

#endif
