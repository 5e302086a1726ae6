#include "logic/http/local_callers.h"
#include "common/auth/host_header.h"
#include "common/base/mem.h"
#include "common/config/networks.h"
#include "common/http/http.h"
#include "common/net/forwarded.h"
#include "common/net/network.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct local_callers {
    char *hosts;
    struct networks trusted;
};

enum {
    LINES_MAX = 32, /* of X-Forwarded-For */
};

/* --- addresses --- */

/* Is TEXT one of the usual forms of loopback? Then it does not have to be parsed. */
static bool is_usual_loopback(const char *text)
{
    return strcmp(text, "127.0.0.1") == 0;
}

bool local_callers_is_loopback(const char *peer)
{
    struct ip ip;

    return is_usual_loopback(peer) || (ip_parse(peer, strlen(peer), &ip) && ip_is_loopback(&ip));
}

static bool peer_is_near(const struct local_callers *local, const char *peer)
{
    struct ip ip;

    if (is_usual_loopback(peer))
        return true;
    if (!ip_parse(peer, strlen(peer), &ip))
        return false;
    return ip_is_loopback(&ip) || networks_have(&local->trusted, &ip);
}

/* --- what browsers and proxies say --- */

static const char *browser_refusal(const struct http_request *request, const char *host)
{
    static const char scheme[] = "http://";
    const char *origin = http_header(request, "origin");
    const char *site = http_header(request, "sec-fetch-site");

    if (site != NULL && strcasecmp(site, "same-origin") != 0 && strcasecmp(site, "none") != 0)
        return "no keys are set (api.keys_file): requests of web pages are refused "
               "(Sec-Fetch-Site)";
    if (origin == NULL)
        return NULL;
    bool same = host != NULL && strncasecmp(origin, scheme, sizeof scheme - 1) == 0 &&
                strcasecmp(origin + sizeof scheme - 1, host) == 0;
    return same ? NULL
                : "no keys are set (api.keys_file): requests of web pages are refused (Origin)";
}

const char *local_callers_refusal(const struct local_callers *local,
                                  const struct http_request *request)
{
    /* Parts of names: each maker of proxies has some of his own. "X-Forwarded-For",
     * "X-Original-Forwarded-For", "Fastly-Client-IP", "X-Azure-ClientIP", "CF-Connecting-IP" … */
    static const char *const forwards[] = {"forwarded", "client-ip",     "clientip",
                                           "real-ip",   "connecting-ip", "external-address"};
    const char *host = http_header(request, "host");
    bool forwarded = http_header(request, "via") != NULL;

    if (!peer_is_near(local, http_peer(request)))
        return "no keys are set (api.keys_file): only loopback and the networks of api.trusted are "
               "let in";
    for (size_t i = 0; i < sizeof forwards / sizeof forwards[0] && !forwarded; i++)
        forwarded = http_has_header_like(request, forwards[i]);
    if (forwarded)
        return "no keys are set (api.keys_file): a request that a proxy forwards is not local";
    if (host != NULL && host_header_is(host, local->hosts) != HOST_OURS)
        return "no keys are set (api.keys_file): host has to be a loopback one, or one of "
               "api.hosts";
    return browser_refusal(request, host);
}

/* --- whom a proxy speaks for --- */

/* Goes back over LINE for as long as *IP is one of ours, and leaves the last item that it came to
 * in IP. False: an item is no address. */
static bool walk_back(const struct local_callers *local, const char *line,
                      char ip[LOCAL_CALLERS_IP_MAX])
{
    size_t len = strlen(line);
    struct ip address;
    const char *item;

    while (len > 0 && peer_is_near(local, ip)) {
        size_t n = forwarded_cut(line, &len, &item);
        if (n >= LOCAL_CALLERS_IP_MAX || !ip_parse(item, n, &address))
            return false;
        memcpy(ip, item, n);
        ip[n] = '\0';
    }
    return true;
}

void local_callers_client_behind(const struct local_callers *local, const char *peer,
                                 const char *const *lines, size_t n, char ip[LOCAL_CALLERS_IP_MAX])
{
    snprintf(ip, LOCAL_CALLERS_IP_MAX, "%s", peer);
    while (n > 0) {
        if (walk_back(local, lines[--n], ip))
            continue;
        snprintf(ip, LOCAL_CALLERS_IP_MAX, "%s", peer);
        return;
    }
}

/* Of more lines than LINES_MAX the last ones would be missing, so none is believed. */
void local_callers_client(const struct local_callers *local, const struct http_request *request,
                          char ip[LOCAL_CALLERS_IP_MAX])
{
    const char *lines[LINES_MAX + 1];
    size_t n = 0;

    while (n <= LINES_MAX && (lines[n] = http_header_line(request, "x-forwarded-for", n)) != NULL)
        n++;
    local_callers_client_behind(local, http_peer(request), lines, n <= LINES_MAX ? n : 0, ip);
}

/* --- settings --- */

struct local_callers *local_callers_open(const char *trusted, const char *hosts)
{
    struct local_callers *local = mem_zalloc(sizeof *local);

    local->hosts = mem_strdup(hosts);
    networks_read(&local->trusted, trusted);
    return local;
}

void local_callers_close(struct local_callers *local)
{
    if (local == NULL)
        return;
    networks_free(&local->trusted);
    free(local->hosts);
    free(local);
}

int local_callers_check(const char *trusted, char *err, size_t errlen)
{
    return networks_check("api.trusted", trusted, err, errlen) < 0 ? -EINVAL : 0;
}
