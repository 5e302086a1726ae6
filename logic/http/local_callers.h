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

struct api_local;
struct http_request;

/* TRUSTED and HOSTS as in the settings; networks that are none are left out, see
 * api_local_check(). */
struct api_local *api_local_open(const char *trusted, const char *hosts);
void api_local_close(struct api_local *local);
/* 0, or -EINVAL and which item of api.trusted is no address or network. */
int api_local_check(const char *trusted, char *err, size_t errlen);
/* NULL: REQUEST may be carried out without a key. Else why not. */
const char *api_local_refusal(const struct api_local *local, const struct http_request *request);

#endif
