/* local_callers.h - decides who may call the HTTP API while no API key is set: programs on this
 * machine or in a network of api.trusted. It refuses requests that come from a web page or through
 * a proxy. Pure.
 *
 * A web page in a browser on this machine can send POSTs to loopback. The request shows that:
 * Origin or Sec-Fetch-Site name another site. Or a name that was made to resolve to loopback (DNS
 * rebinding) is in Host. */
#ifndef IMC_LOGIC_HTTP_LOCAL_CALLERS_H
#define IMC_LOGIC_HTTP_LOCAL_CALLERS_H

#include "common/net/network.h"

#include <stdbool.h>
#include <stddef.h>

enum { LOCAL_CALLERS_IP_MAX = IP_TEXT_MAX };

struct local_callers;
struct http_request;

/* TRUSTED and HOSTS are the settings api.trusted and api.hosts. Items that are not networks are
 * left out, see local_callers_check(). */
struct local_callers *local_callers_open(const char *trusted, const char *hosts);
void local_callers_close(struct local_callers *local);
/* Checks api.trusted. 0, or -EINVAL, and ERR names the item that is not an address or a network. */
int local_callers_check(const char *trusted, char *err, size_t errlen);
/* Is PEER, as http_peer() has it, this machine? */
bool local_callers_is_loopback(const char *peer);
/* Why REQUEST is refused; NULL: it may be carried out without a key. */
const char *local_callers_refusal(const struct local_callers *local,
                                  const struct http_request *request);
/* Writes the IP address of the client that REQUEST comes from into IP. That is the peer's. If the
 * peer is on this machine or in a network of api.trusted, it is what that proxy says in
 * X-Forwarded-For: the last address there that is not one of those. Behind it may stand only what
 * clients made up. Anything odd in it, and the peer's address stands. */
void local_callers_client(const struct local_callers *local, const struct http_request *request,
                          char ip[LOCAL_CALLERS_IP_MAX]);
/* The same for a request from PEER with these N lines of X-Forwarded-For. Together they are one
 * list: some proxies add a line of their own behind that of the client. */
void local_callers_client_behind(const struct local_callers *local, const char *peer,
                                 const char *const *lines, size_t n, char ip[LOCAL_CALLERS_IP_MAX]);

#endif
