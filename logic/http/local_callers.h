/* local_callers.h - who may call while api.keys is empty: programs on this machine, or in a network
 * of api.trusted, that no web page and no proxy has sent. Pure.
 *
 * A page that somebody opens in a browser here can send POSTs to loopback, from here. The browser
 * says so: Origin and Sec-Fetch-Site name another site; a name that was made to resolve to loopback
 * (DNS rebinding) stands in Host. */
#ifndef IMC_LOGIC_HTTP_LOCAL_CALLERS_H
#define IMC_LOGIC_HTTP_LOCAL_CALLERS_H

#include <stdbool.h>
#include <stddef.h>

struct local_callers;
struct http_request;

/* TRUSTED and HOSTS as in the settings; networks that are none are left out, see
 * local_callers_check(). */
struct local_callers *local_callers_open(const char *trusted, const char *hosts);
void local_callers_close(struct local_callers *local);
/* 0, or -EINVAL and which item of api.trusted is no address or network. */
int local_callers_check(const char *trusted, char *err, size_t errlen);
/* NULL: REQUEST may be carried out without a key. Else why not. */
const char *local_callers_refusal(const struct local_callers *local,
                                  const struct http_request *request);

#endif
