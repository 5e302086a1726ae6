/* parser.h - parses HTTP/1 requests, or answers, strictly by RFC 9112. Any thread, one at a time.
 *
 * The library llhttp does the parsing. Its names clash with those of http.h, so only parser.c
 * includes its header. A head is collected whole (head.h) and checked line by line, and only then
 * given to llhttp. */
#ifndef IMC_COMMON_HTTP_PARSER_H
#define IMC_COMMON_HTTP_PARSER_H

#include "common/http/head.h"

/* Events come in this order: begin, head, any number of body, end. If one of the first three
 * returns nonzero, the parser stops for good. If end() does, the parser pauses. */
struct http_parser_events {
    int (*begin)(void *arg);
    int (*head)(void *arg, struct http_head *head); /* the receiver owns HEAD from now on */
    int (*body)(void *arg, const char *data, size_t len);
    int (*end)(void *arg, bool keep_alive);
};

enum { HTTP_PARSER_PATH_MAX = 63 };

enum http_parser_result {
    HTTP_PARSER_MORE,    /* all bytes were used; more are needed */
    HTTP_PARSER_PAUSED,  /* end() asked for it; feed the rest after http_parser_resume() */
    HTTP_PARSER_STOPPED, /* an event asked for it */
    HTTP_PARSER_BAD,     /* see http_parser_why() */
};

struct http_parser;
struct http_parser *http_parser_new(const struct http_parser_events *events, void *arg);
/* The same, for a server's answers to GET and POST. */
struct http_parser *http_parser_new_answers(const struct http_parser_events *events, void *arg);
void http_parser_free(struct http_parser *parse);
/* Bytes of memory that an incomplete head takes. */
size_t http_parser_held(const struct http_parser *parse);
/* *USED: how many of the LEN bytes were used. LEN 0 changes nothing. */
enum http_parser_result http_parser_feed(struct http_parser *parse, const char *data, size_t len,
                                         size_t *used);
/* The connection has ended. A body without a length is complete then, and end() is called. */
void http_parser_finish(struct http_parser *parse);
void http_parser_resume(struct http_parser *parse);
/* Forgets an incomplete head. */
void http_parser_drop(struct http_parser *parse);
/* The path in the head that was bad or was dropped, as far as it had come, and at most
 * HTTP_PARSER_PATH_MAX bytes of it. "": no path had come. */
const char *http_parser_path(const struct http_parser *parse);
/* After HTTP_PARSER_BAD: what was wrong, in words, and the status of a refusal (400, 431, 501,
 * 505). */
const char *http_parser_why(const struct http_parser *parse);
int http_parser_status(const struct http_parser *parse);

#endif
