/* routes.h - the HTTP API: a table of routes, and who may call them. A face is a form of answers:
 * imgo's or goim's. Each route belongs to one. Main loop only.
 *
 *   http server ─► caller? ─► route, scope, limits ─► handler ─► exactly one of api_ok() …
 *                                   push.c, token.c, count.c, msg_get.c, goim_….c */
#ifndef IMC_LOGIC_HTTP_ROUTES_H
#define IMC_LOGIC_HTTP_ROUTES_H

#include "common/http/http.h"
#include "logic/base/logic.h"
#include "logic/http/callers.h"
#include "logic/http/goim_params.h"
#include "logic/http/params.h"
#include "logic/http/route.h"

/* Listens on api.listen. 0, or -E… after logging. */
int routes_open(struct logic *logic);

/* Answers that all went well, as the face of REQUEST's path says it: {"ret":1} of imgo's,
 * {"code":0,"message":""} of goim's. */
void api_ok(struct logic *logic, struct http_request *request);
struct api_answer {
    int status;
    const char *type;
    const void *body; /* copied */
    size_t len;
    const char *extra; /* NULL or "Name: value\r\n…" lines */
};
void api_respond(struct logic *logic, struct http_request *request,
                 const struct api_answer *answer);
/* Answers BODY as it is. */
void api_json(struct logic *logic, struct http_request *request, const void *body, size_t len);
/* Of goim's face: answers {"code":0,"message":"","data":DATA}. DATA is a JSON value of LEN bytes,
 * and is copied. */
void api_goim_data(struct logic *logic, struct http_request *request, const void *data, size_t len);
/* Answers ERROR in the form of the face that REQUEST's path belongs to. TEXT is for the caller. */
void api_error(struct logic *logic, struct http_request *request, enum api_error error,
               const char *text);
/* Why a call is refused. */
struct api_refusal {
    enum api_error error;
    enum logic_metric cause; /* the counter */
    unsigned retry_s;        /* the caller is told to try again after so many seconds; 0: not */
    const char *text;        /* for the caller */
};
void api_refuse(struct logic *logic, struct http_request *request,
                const struct api_refusal *refusal);
/* Answers API_UNAVAILABLE. CAUSE is the counter. */
void api_unavailable(struct logic *logic, struct http_request *request, enum logic_metric cause,
                     const char *text);

/* The same, and tells the caller to try again only after some seconds. */
void api_overloaded(struct logic *logic, struct http_request *request, enum logic_metric cause,
                    const char *text);

/* Is REQUEST beyond the limits of its caller? Then REFUSAL says so; its text is in WHY. */
bool api_is_beyond(const struct logic *logic, const struct http_request *request, bool push,
                   struct api_refusal *refusal, char why[CALLERS_WHY_MAX]);
/* Answers that the path has other methods: ALLOW. */
void api_refuse_method(struct logic *logic, struct http_request *request, const char *allow);
/* Answers a browser that asks (by OPTIONS) whether it may send a request. */
void api_preflight(struct logic *logic, struct http_request *request);
/* May the web page that sent REQUEST read its answer? Only calls without a key are for web pages.
 */
bool api_origin_may_read(const struct logic *logic, const struct http_request *request);

/* Is there room for REQUEST within the limits of its caller? PUSH: it is a push. False: there is
 * not, and it is answered. */
bool api_admit(struct logic *logic, struct http_request *request, bool push);

/* Reads a query parameter that may come once. *VALUE NULL: it is absent. 0, or -EINVAL: it comes
 * twice. */
int api_query(struct http_request *request, const char *name, const char **value,
              struct params_error *err);
/* The same for an integer. *OUT keeps its value if the parameter is absent. */
int api_query_int64(struct http_request *request, const char *name, int64_t min, int64_t max,
                    int64_t *out, struct params_error *err);

/* The same for goim's face, which takes an empty integer for an absent one. */
int api_goim_int32(struct http_request *request, const char *name, int32_t min, int32_t *out,
                   struct params_error *err);
/* Lists all values of parameter FIELD, up to one more than MOST. Returns LIST->texts, to be freed;
 * what they point to belongs to REQUEST. */
const char **api_goim_list(struct http_request *request, const char *field, size_t most,
                           struct goim_list *list);

/* The handlers of the routes. */
void api_push_uid(struct logic *logic, struct http_request *request);
void api_push_uids(struct logic *logic, struct http_request *request);
void api_push_room(struct logic *logic, struct http_request *request);
void api_push_all(struct logic *logic, struct http_request *request);
void api_goim_push_keys(struct logic *logic, struct http_request *request);
void api_goim_push_mids(struct logic *logic, struct http_request *request);
void api_goim_push_room(struct logic *logic, struct http_request *request);
void api_goim_push_all(struct logic *logic, struct http_request *request);
void api_goim_nodes_weighted(struct logic *logic, struct http_request *request);
void api_goim_nodes_instances(struct logic *logic, struct http_request *request);
void api_goim_online_top(struct logic *logic, struct http_request *request);
void api_goim_online_room(struct logic *logic, struct http_request *request);
void api_goim_online_total(struct logic *logic, struct http_request *request);
void api_token_new(struct logic *logic, struct http_request *request);
void api_token_del(struct logic *logic, struct http_request *request);
void api_revoke(struct logic *logic, struct http_request *request);
void api_unrevoke(struct logic *logic, struct http_request *request);
void api_count(struct logic *logic, struct http_request *request);
void api_server_del(struct logic *logic, struct http_request *request);
void api_room_join(struct logic *logic, struct http_request *request);
void api_room_leave(struct logic *logic, struct http_request *request);
void api_msg_get(struct logic *logic, struct http_request *request);
/* There is room for answers again. */
void api_msg_get_go_on(struct logic *logic);

#endif
