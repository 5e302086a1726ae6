/* route.h - a call of the HTTP API, and the face that it belongs to: the form of its answers. Main
 * loop only. */
#ifndef IMC_LOGIC_HTTP_ROUTE_H
#define IMC_LOGIC_HTTP_ROUTE_H

#include "common/http/http.h"

struct logic;

enum api_error {
    API_PARAMETER,   /* a parameter is wrong */
    API_TOKEN,       /* the token is not known, or belongs to another uid */
    API_NO_SERVER,   /* there is no such comet */
    API_KEY,         /* the API key is missing or wrong */
    API_SCOPE,       /* the API key lacks the scope of the call */
    API_RATE,        /* the API key calls too often, or too much at a time */
    API_NOT_FOUND,   /* there is no such path */
    API_METHOD,      /* the path has another method */
    API_CONFLICT,    /* the id is that of another push */
    API_TOO_LARGE,   /* a smaller call would be accepted */
    API_ENCODING,    /* the body is compressed, or of a kind that is not taken */
    API_UNAVAILABLE, /* Redis, Kafka or a router did not answer, or this logic drains: try again */
    API_ERRORS,
};

struct face {
    const char *ok;      /* the answer that all went well; NULL: each call has its own */
    const char *problem; /* the type of answers that say what went wrong */
    const int *statuses; /* an array of API_ERRORS items */
    /* Writes what went wrong. TEXT is for the caller. STATUS need not be that of ERROR. Returns how
     * many bytes; if OUTLEN (at least 512) is too small, TEXT is cut. */
    size_t (*write)(enum api_error error, int status, const char *text, char *out, size_t outlen);
};

struct route {
    enum http_method method;
    const char *path;
    void (*handle)(struct logic *logic, struct http_request *request);
    unsigned scope; /* that the caller's key needs (enum key_scope); 0: no key is needed. Browsers
                     * make this call, with a user's token */
    bool may_open;  /* no key is needed if nodes.open is set: clients and browsers make this call */
};

/* "GET"; routes have no other methods than these. */
static inline const char *route_method(const struct route *route)
{
    return route->method == HTTP_POST ? "POST" : route->method == HTTP_DELETE ? "DELETE" : "GET";
}

/* Routes of another folder, which have a face of their own. */
struct route_set {
    const struct face *face;
    bool (*owns)(const char *path); /* does PATH belong to this face? It need not exist */
    /* The route of PATH with METHOD, or else another one of PATH; NULL: there is no such path. PATH
     * may have percent-escapes where a route has a {name}, and nowhere else. */
    const struct route *(*find)(enum http_method method, const char *path);
    /* Writes the methods of PATH into OUT: "GET, DELETE". */
    void (*allow)(const char *path, char *out, size_t outlen);
};

/* The routes of another folder to which PATH belongs; NULL: none. */
const struct route_set *route_set_of(const struct logic *logic, const char *path);
/* NULL: there is no such path. If the path has other methods, a route with one of these. */
const struct route *route_of(const struct logic *logic, const struct http_request *request);
/* The path of REQUEST need not have a route. */
const struct face *face_of(const struct logic *logic, const struct http_request *request);
/* Is ROUTE for callers without an API key too? */
bool route_is_open(const struct logic *logic, const struct route *route);

#endif
