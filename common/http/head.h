/* head.h - the head of an HTTP/1 message: how parser.c fills it, and what is refused of it. Names,
 * values and target are slices of one buffer, each with its length. Pure; any thread. */
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

/* TEXT also has a NUL behind it, and none inside. */
struct http_slice {
    char *text;
    size_t len;
};

struct http_field {
    struct http_slice name, value; /* NAME in lower case; VALUE without blanks around it */
};

/* Slices point into TEXT. Owned by whom head() gave it to, who may write into the slices. */
struct http_head {
    char *text;
    size_t len, size;
    struct http_field *fields; /* FEW, or allocated */
    size_t n_fields, fields_size;
    uint64_t names, repeated; /* a bit for each name, and for each that came before: head.c */
    const char *method;       /* "GET"; NULL: an answer */
    struct http_slice target;
    int status;    /* of an answer */
    bool http_1_0; /* else 1.1 */
    bool chunked;  /* the body is */
    bool keep_alive;
    bool has_length; /* Content-Length is there */
    uint64_t length;
    struct http_field few[HTTP_FIELDS_FEW];
};

struct http_head *http_head_new(void);
/* Wipes it: it may have held a key. NULL is fine. */
void http_head_free(struct http_head *head);
/* The INDEXth header of NAME (in lower case). NULL: there are fewer. */
const struct http_slice *http_head_get(const struct http_head *head, const char *name,
                                       size_t index);

/* --- for parser.c --- */

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
