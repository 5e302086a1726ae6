/* routes.h - the HTTP API: a table of routes, who may call, and how each face says no. Main loop
 * only.
 *
 *   http server ─► api_handle ─► key? ─► route ─► handler ─► exactly one of api_ok(), api_error() …
 *                                               push.c, token.c, count.c, mailbox.c */
#ifndef IMC_LOGIC_HTTP_ROUTES_H
#define IMC_LOGIC_HTTP_ROUTES_H

#include "common/http/http.h"
#include "logic/base/logic.h"
#include "logic/http/params.h"

/* Listens on api.listen. -E… after logging. */
int routes_open(struct logic *logic);

enum api_error {
    API_PARAMETER,   /* the caller's fault */
    API_TOKEN,       /* a token that is not known, or another uid's */
    API_NO_SERVER,   /* no such comet */
    API_KEY,         /* api.keys */
    API_NOT_FOUND,   /* path */
    API_METHOD,      /* wrong method */
    API_TOO_LARGE,   /* a limit that a smaller call would keep */
    API_ENCODING,    /* a body that is compressed */
    API_UNAVAILABLE, /* Redis, bus or router did not answer, or we drain: try again */
    API_ERRORS,
};

/* {"ret":1} */
void api_ok(struct logic *logic, struct http_request *request);
void api_json(struct logic *logic, struct http_request *request, const void *body, size_t len);
/* In the form of the face that REQUEST's path belongs to. REASON: which counter; TEXT for the
 * caller. */
void api_error(struct logic *logic, struct http_request *request, enum api_error error,
               const char *text);
/* API_UNAVAILABLE by cause, for the counters. */
void api_unavailable(struct logic *logic, struct http_request *request, enum logic_metric cause,
                     const char *text);

/* The same for what may be tried again only after some seconds. */
void api_overloaded(struct logic *logic, struct http_request *request, enum logic_metric cause,
                    const char *text);

/* A query parameter that may be given once. *VALUE NULL = absent. -EINVAL: it is there twice. */
int api_query(struct http_request *request, const char *name, const char **value,
              struct params_error *err);
/* The same for an integer; *OUT keeps its value if the parameter is absent. */
int api_query_int64(struct http_request *request, const char *name, int64_t min, int64_t max,
                    int64_t *out, struct params_error *err);

/* Handlers. */
void api_push_uid(struct logic *logic, struct http_request *request);
void api_push_uids(struct logic *logic, struct http_request *request);
void api_push_room(struct logic *logic, struct http_request *request);
void api_push_all(struct logic *logic, struct http_request *request);
void api_token_new(struct logic *logic, struct http_request *request);
void api_token_del(struct logic *logic, struct http_request *request);
void api_count(struct logic *logic, struct http_request *request);
void api_server_del(struct logic *logic, struct http_request *request);
void api_msg_get(struct logic *logic, struct http_request *request);

#endif
