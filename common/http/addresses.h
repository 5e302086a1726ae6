/* addresses.h - the addresses that the host of a URL has. Owner loop only.
 *
 * A name is looked up at the start, every HTTP_ADDRESSES_KEEP_MS while somebody asks, and sooner if
 * an address fails. While DNS does not answer, its last answer stays in force. */
#ifndef IMC_COMMON_HTTP_ADDRESSES_H
#define IMC_COMMON_HTTP_ADDRESSES_H

#include "common/base/loop.h"
#include "common/http/url.h"

enum { HTTP_ADDRESSES_MOST = 16, HTTP_ADDRESSES_KEEP_MS = 30000, HTTP_ADDRESSES_SOON_MS = 1000 };

struct http_addresses;

/* KNOWN is called after each look-up; ERR is 0, or UV_EAI_…. URL has to outlive it. */
struct http_addresses *http_addresses_open(struct loop *loop, const struct http_url *url,
                                           void (*known)(void *arg, int err), void *arg);
void http_addresses_close(struct http_addresses *addresses); /* NULL is fine */
/* Looks the name up again if it is time. */
void http_addresses_refresh(struct http_addresses *addresses);
/* The one to use now; NULL: none is known. */
const union endpoint *http_addresses_current(const struct http_addresses *addresses);
/* How many there are. */
size_t http_addresses_count(const struct http_addresses *addresses);
bool http_addresses_resolving(const struct http_addresses *addresses);
/* ADDRESS could not be reached, or did not answer: the next one is the one to use. */
void http_addresses_failed(struct http_addresses *addresses, const union endpoint *address);

#endif
