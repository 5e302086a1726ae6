/* presented.h - the key that an HTTP request presents. Pure. */
#ifndef IMC_COMMON_AUTH_PRESENTED_H
#define IMC_COMMON_AUTH_PRESENTED_H

struct http_request;

/* The key in "Authorization: Bearer KEY" or "X-API-Key: KEY" of REQUEST, whose it stays; NULL:
 * neither is there. Another scheme of Authorization counts as none. */
const char *presented_key(const struct http_request *request);

#endif
