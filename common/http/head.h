/* head.h - the head of an HTTP/1 message: how parser.c fills it, and what is refused of
 * it. Pure; any thread. */
#ifndef IMC_COMMON_HTTP_HEAD_H
#define IMC_COMMON_HTTP_HEAD_H

#include "common/http/parser.h"

/* DATA lies in HEAD's text. */
void http_head_slice(struct http_head *head, struct http_slice *slice, const char *data,
                     size_t len);
/* The header that came last; there is one. */
struct http_field *http_head_last(struct http_head *head);
/* NULL beyond HTTP_FIELDS_MAX. */
struct http_field *http_head_add(struct http_head *head);
/* All is there: ends the slices, lowers the names. 0, or the status to refuse it with and *WHY. */
int http_head_check(struct http_head *head, const char **why);
/* Is there a byte below a space, or a DEL? */
bool http_has_control(const char *text, size_t len);

#endif
