/* audit.h - a line in the log for each call that changes something, and for each that was refused
 * for who made it. Any thread.
 *
 *   … info  logic audit listener=api who=billing address=10.1.2.3 method=POST
 *       route=/1/admin/token/new outcome=200 why=ok request_id=5e8bb2a0c3f1d977
 *
 * Nothing else that a caller wrote is logged than its request id: the route is ours, and neither
 * query nor body is there. */
#ifndef IMC_COMMON_AUTH_AUDIT_H
#define IMC_COMMON_AUTH_AUDIT_H

struct http_request;

struct audit {
    const char *listener;   /* "api", "admin" */
    const char *who;        /* the name of a key; "loopback", "trusted"; NULL: nobody knows */
    const char *address;    /* IP address of the caller */
    const char *method;     /* "GET" */
    const char *route;      /* of our table; NULL: the path is none of ours */
    int outcome;            /* the status of the answer; 0: let in, the answer comes later */
    const char *why;        /* of a refusal, one word: "key", "scope"; NULL: it was carried out */
    const char *request_id; /* http_request_id() */
};

void audit_log(const struct audit *audit);
/* "GET", of REQUEST. Methods that we do not know are "other". */
const char *audit_method(const struct http_request *request);

#endif
