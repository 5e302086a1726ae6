/* call.h - a call of /v1 from its check to its answer. Main loop only.
 *
 *   v1_handle ─► parameters, body: right? ─► operation.start ─► v1_end(), v1_refuse() …
 *                     │ no
 *                     └─► 400, with all that is wrong
 *
 * An operation ends its call exactly once. The request owns the body until it is answered. */
#ifndef IMC_LOGIC_HTTP_V1_CALL_H
#define IMC_LOGIC_HTTP_V1_CALL_H

#include "logic/http/routes.h"
#include "logic/http/v1/operations.h"

#include <stdio.h>

struct v1_call {
    struct logic *logic;
    struct http_request *request;
    const struct operation *operation;
    struct arena arena;
    struct schema_value query[OPERATION_QUERY_MAX]; /* in the order of the operation's: those of its
                                                     * path, then those of its query */
    struct schema_value body;
    const char *key; /* of Idempotency-Key; NULL: there is none */
    FILE *out;       /* the answer, since v1_begin() */
    char *text;
    size_t len;
};

/* Parameter NAME of the path or the query, which the operation has; NULL: it is absent. */
const struct schema_value *v1_query(const struct v1_call *call, const char *name);

/* Begins the answer: write JSON to it. */
FILE *v1_begin(struct v1_call *call);
/* Answers what was written. CALL is freed, as by those below. EXTRA: header lines, or NULL. */
void v1_end(struct v1_call *call, int status, const char *extra);
/* An answer that is always the same. */
struct v1_document {
    char *text;
    size_t len;
    uint8_t *packed; /* in gzip's form; NULL: that would not be shorter */
    size_t packed_len;
};
/* Answers DOCUMENT, which is copied. */
void v1_end_document(struct v1_call *call, const struct v1_document *document);
void v1_refuse(struct v1_call *call, const struct api_refusal *refusal);
/* 404 to a look-up: what TEXT says. That is no refusal, and not counted as one. */
void v1_nothing_found(struct v1_call *call, const char *text);
/* API_PARAMETER. */
void v1_refuse_errors(struct v1_call *call, const struct schema_errors *errors);
/* API_UNAVAILABLE; try again after a second. */
void v1_unavailable(struct v1_call *call, enum logic_metric cause, const char *text);
/* room_order() takes no more. */
void v1_too_many_orders(struct v1_call *call);
/* Redis did not answer. */
void v1_no_redis(struct v1_call *call);

/* The detail of a problem with ERRORS: its first one, in words. */
enum { V1_DETAIL_MAX = SCHEMA_WHERE_MAX + 208 };
void v1_detail(const struct schema_errors *errors, char *out, size_t outlen);

#endif
