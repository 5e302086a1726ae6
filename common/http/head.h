/* head.h - the head of an HTTP/1 message: request line or status line, and headers. parser.c fills
 * it, and http_head_check() refuses what is wrong with it. Names, values and target are slices of
 * one buffer. Any thread, one at a time. */
#ifndef IMC_COMMON_HTTP_HEAD_H
#define IMC_COMMON_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEAD_MAX = 32768,  /* bytes of a request line, or status line, and headers */
    HTTP_FIELDS_MAX = 2000, /* headers */
    HTTP_FIELDS_FEW = 12,   /* need no allocation of their own */
};

/* TEXT is LEN bytes without a NUL, and a NUL follows them: it is a C string as well. */
struct http_slice {
    char *text;
    size_t len;
};

struct http_field {
    struct http_slice name, value; /* NAME in lower case; VALUE without blanks around it */
};

/* Slices point into TEXT. The event head() passes ownership to the receiver, who may write into the
 * slices. */
struct http_head {
    char *text;
    size_t len, size;
    struct http_field *fields; /* points to FEW, or is allocated */
    size_t n_fields, fields_size;
    uint64_t names, repeated; /* a bit for each name; REPEATED: for each whose bit was set before.
                               * See name_bit() */
    const char *method;       /* "GET"; NULL: the message is an answer */
    struct http_slice target;
    int status;    /* of an answer: 200 … */
    bool http_1_0; /* else 1.1 */
    bool chunked;  /* the body is chunked */
    bool keep_alive;
    bool has_length; /* Content-Length is there */
    uint64_t length;
    struct http_field few[HTTP_FIELDS_FEW];
};

struct http_head *http_head_new(void);
/* Overwrites the head before it is freed, because an API key may be in it. NULL is fine. */
void http_head_free(struct http_head *head);
/* The value of a header. NAME is in lower case. INDEX 0, 1, … for a header that comes several
 * times. NULL: there are fewer. */
const struct http_slice *http_head_get(const struct http_head *head, const char *name,
                                       size_t index);

/* --- for parser.c --- */

/* Extends SLICE by LEN bytes at DATA, which lie in HEAD's text. */
void http_head_slice(struct http_head *head, struct http_slice *slice, const char *data,
                     size_t len);
/* The header that was added last. There has to be one. */
struct http_field *http_head_last(struct http_head *head);
/* A new, empty header. NULL: there are HTTP_FIELDS_MAX already. */
struct http_field *http_head_add(struct http_head *head);
/* The head is complete: ends each slice with a NUL, turns names to lower case, and checks
 * everything. 0, or the status of a refusal (400 …) with *WHY in words. */
int http_head_check(struct http_head *head, const char **why);

#endif
