/* origin.h - which web pages may connect: the Origin of a handshake (RFC 6454) against the list
 * ws.allowed_origins. Pure; any thread.
 *
 * An item is * (any Origin), null (pages without one: files, sandboxed frames), or SCHEME://HOST,
 * with or without :PORT. Of the latter
 *
 *   HOST   example.com      this host only
 *          *.example.com    any host below it, however deep; not example.com itself
 *   PORT   8443             this port only
 *          *                any port
 *          none             the scheme's own
 *
 * Case does not matter. An Origin with anything else in it than scheme, host and port, such as a
 * user's name or a path, fits no item but *. */
#ifndef IMC_COMET_WIRE_ORIGIN_H
#define IMC_COMET_WIRE_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

/* Is the LEN bytes of ORIGIN one of LIST? NULL or "" is the list of all. Items that
 * origin_check_list() refuses fit nothing. */
bool origin_is_allowed(const char *list, const char *origin, size_t len);
/* 0, or -EINVAL, and ERR names the item that makes no sense. */
int origin_check_list(const char *list, char *err, size_t errlen);

#endif
