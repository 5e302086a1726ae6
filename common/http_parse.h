/* http_parse.h - HTTP/1 requests, or answers, out of bytes: the library http_parser, whose names
 * clash with those of http.h, so that http_parse.c alone includes its header. Any thread, one at a
 * time. */
#ifndef IMC_COMMON_HTTP_PARSE_H
#define IMC_COMMON_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_parse_head {
    const char *method;    /* "GET"; NULL: an answer */
    int status;            /* of an answer */
    bool http_1, http_1_0; /* HTTP/1.x; of these, 1.0 */
    bool has_length;       /* Content-Length is there; chunked bodies have none */
    uint64_t length;
};

enum http_parse_text { HTTP_PARSE_URL, HTTP_PARSE_NAME, HTTP_PARSE_VALUE };

/* In order: begin, text…, head, body…, end. Texts come in pieces: pieces of one kind that follow
 * each other are one. A nonzero answer stops the parser for good, except that of end(), which
 * pauses it. */
struct http_parse_events {
    int (*begin)(void *arg);
    int (*text)(void *arg, enum http_parse_text kind, const char *data, size_t len);
    int (*head)(void *arg, const struct http_parse_head *head);
    int (*body)(void *arg, const char *data, size_t len);
    int (*end)(void *arg, bool keep_alive);
};

enum http_parse_result {
    HTTP_PARSE_MORE,    /* all consumed */
    HTTP_PARSE_PAUSED,  /* by end(); feed the rest after http_parse_resume() */
    HTTP_PARSE_STOPPED, /* by an event */
    HTTP_PARSE_BAD,     /* malformed, see http_parse_why() */
};

struct http_parse;
struct http_parse *http_parse_new(const struct http_parse_events *events, void *arg);
/* The same for what a server answers to GETs; no text of kind HTTP_PARSE_URL comes. Feeding no
 * bytes says that the connection has ended. */
struct http_parse *http_parse_new_answers(const struct http_parse_events *events, void *arg);
void http_parse_free(struct http_parse *parse);
/* *USED: bytes consumed. */
enum http_parse_result http_parse_feed(struct http_parse *parse, const char *data, size_t len,
                                       size_t *used);
void http_parse_resume(struct http_parse *parse);
/* What was wrong, in words. */
const char *http_parse_why(const struct http_parse *parse);
/* Splits a request target, also an absolute one; offsets into URL. False: malformed. */
bool http_parse_target(const char *url, size_t len, size_t *path, size_t *path_len, size_t *query,
                       size_t *query_len);

#endif
