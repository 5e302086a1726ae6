/* parser.h - HTTP/1 requests, or answers, out of bytes: strictly as RFC 9112 has it. Any
 * thread, one at a time.
 *
 * The library llhttp reads them. Its names clash with those of http.h, so that parser.c alone
 * includes its header. A head is collected whole (head.h), looked at line by line and only then
 * given to the library. */
#ifndef IMC_COMMON_HTTP_PARSER_H
#define IMC_COMMON_HTTP_PARSER_H

#include "common/http/head.h"

/* In order: begin, head, body…, end. A nonzero answer stops the parser for good, except that of
 * end(), which pauses it. */
struct http_parser_events {
    int (*begin)(void *arg);
    int (*head)(void *arg, struct http_head *head); /* HEAD is the receiver's from now on */
    int (*body)(void *arg, const char *data, size_t len);
    int (*end)(void *arg, bool keep_alive);
};

enum http_parser_result {
    HTTP_PARSER_MORE,    /* all consumed */
    HTTP_PARSER_PAUSED,  /* by end(); feed the rest after http_parser_resume() */
    HTTP_PARSER_STOPPED, /* by an event */
    HTTP_PARSER_BAD,     /* see http_parser_why() */
};

struct http_parser;
struct http_parser *http_parser_new(const struct http_parser_events *events, void *arg);
/* The same for what a server answers to GETs. */
struct http_parser *http_parser_new_answers(const struct http_parser_events *events, void *arg);
void http_parser_free(struct http_parser *parse);
/* Memory of a head that is under way. */
size_t http_parser_held(const struct http_parser *parse);
/* *USED: bytes consumed. LEN 0 changes nothing. */
enum http_parser_result http_parser_feed(struct http_parser *parse, const char *data, size_t len,
                                         size_t *used);
/* The connection has ended: so may a body without a length have, and end() is called. */
void http_parser_finish(struct http_parser *parse);
void http_parser_resume(struct http_parser *parse);
/* Forgets a head that is under way. */
void http_parser_drop(struct http_parser *parse);
/* Of HTTP_PARSER_BAD: what was wrong, in words, and the status that says so (400, 431, 501, 505).
 */
const char *http_parser_why(const struct http_parser *parse);
int http_parser_status(const struct http_parser *parse);

#endif
