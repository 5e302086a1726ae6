/* operations.h - the table of /v1: each call with its path, scope, parameters, body and answer. It
 * is the only place where they stand. The routes, the checks and /openapi.json come from it.
 *
 *   operations.c ─┬─► v1_routes: which call is it, and who may make it?   (http/routes.c)
 *                 ├─► call.c: is what it says right?                      (schema.c)
 *                 └─► openapi.c: /openapi.json, docs/openapi.json */
#ifndef IMC_LOGIC_HTTP_V1_OPERATIONS_H
#define IMC_LOGIC_HTTP_V1_OPERATIONS_H

#include "logic/http/route.h"
#include "logic/http/v1/schema.h"

struct v1_call;

enum { OPERATION_QUERY_MAX = 8 };

struct operation {
    struct route route;
    void (*start)(struct v1_call *call);
    const char *id, *tag, *summary;
    const char *doc;                  /* may be NULL */
    const struct schema_field *path;  /* the names of route.path, in their order; NULL: none */
    const struct schema_field *query; /* with those at most OPERATION_QUERY_MAX; NULL: none */
    const struct schema *body;        /* NULL: none */
    bool takes_key;                   /* Idempotency-Key */
    bool not_found;                   /* it may answer 404 */
    bool is_secret;                   /* its answer is never compressed: BREACH */
    int status;                       /* of a good answer */
    const struct schema *answer;
};

extern const struct operation operations[];
extern const size_t operations_n;
extern const struct route_set v1_routes;

/* Goes over the names in PATH of a call of OPERATION: begin with *AT 0. Returns the segment of the
 * next one, *LEN bytes, as it stands in PATH; NULL at the end. */
const char *operation_segment(const struct operation *operation, const char *path, size_t *at,
                              size_t *len);
/* The operation of ROUTE, which is one of v1_routes. */
const struct operation *operation_of(const struct route *route);

extern const struct face v1_face;
/* Of every route. */
void v1_handle(struct logic *logic, struct http_request *request);
/* What they start. */
void v1_push(struct v1_call *call);
void v1_batch(struct v1_call *call);
void v1_scheduled_list(struct v1_call *call);
void v1_scheduled_cancel(struct v1_call *call);
void v1_message_trace(struct v1_call *call);
void v1_push_funnel(struct v1_call *call);
void v1_sessions_list(struct v1_call *call);
void v1_sessions_end(struct v1_call *call);
void v1_rooms_list(struct v1_call *call);
void v1_rooms_one(struct v1_call *call);
void v1_rooms_members(struct v1_call *call);
void v1_rooms_join(struct v1_call *call);
void v1_rooms_leave(struct v1_call *call);
void v1_mailbox_read(struct v1_call *call);
void v1_mailbox_delete(struct v1_call *call);
void v1_tokens_new(struct v1_call *call);
void v1_tokens_revoke(struct v1_call *call);
void v1_tokens_delete(struct v1_call *call);
void v1_users_block(struct v1_call *call);
void v1_users_unblock(struct v1_call *call);
void v1_comets_drain(struct v1_call *call);
void v1_comets_undrain(struct v1_call *call);
void v1_events(struct v1_call *call);
void v1_cluster(struct v1_call *call);
void v1_nodes(struct v1_call *call);
void v1_openapi(struct v1_call *call);

#endif
