#include "comet/wire/origin.h"
#include "common/config/config.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct text {
    const char *at;
    size_t len;
};

/* A scheme, a host and a port, as they stand in an origin. */
struct parts {
    struct text scheme, host;
    unsigned port; /* 0: none, and the scheme has none of its own */
    bool below;    /* item: of any host below `host` */
    bool any_port; /* item */
};

static bool text_same(struct text a, struct text b)
{
    return a.len == b.len && strncasecmp(a.at, b.at, a.len) == 0;
}

static bool text_is(struct text a, const char *b)
{
    return text_same(a, (struct text){b, strlen(b)});
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Only letters, digits and what is in OTHERS. */
static bool text_has_only(struct text text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_alnum(text.at[i]) && (text.at[i] == '\0' || strchr(others, text.at[i]) == NULL))
            return false;
    }
    return true;
}

/* A name has no empty label: "a..b", ".a" and "a." are none. */
static bool is_host(struct text host)
{
    bool dot = true;

    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        return text_has_only((struct text){host.at + 1, host.len - 2}, ":.");
    for (size_t i = 0; i < host.len; i++) {
        if (host.at[i] == '.' && dot)
            return false;
        dot = host.at[i] == '.';
    }
    return host.len == 0 || (!dot && text_has_only(host, "-._"));
}

static bool read_port(struct text text, unsigned *port)
{
    *port = 0;
    if (text.len == 0 || text.len > 5 || text.at[0] == '0')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        *port = *port * 10 + (unsigned)(text.at[i] - '0');
    }
    return *port <= UINT16_MAX;
}

static unsigned default_port(struct text scheme)
{
    return text_is(scheme, "https") ? 443 : text_is(scheme, "http") ? 80 : 0;
}

/* Cuts a port off the end of HOST. False: what is behind the colon is none. */
static bool cut_port(struct text *host, bool is_item, struct parts *parts)
{
    const char *colon = host->len > 0 ? memrchr(host->at, ':', host->len) : NULL;
    bool v6 = host->len > 0 && host->at[host->len - 1] == ']';

    parts->port = default_port(parts->scheme);
    if (colon == NULL || v6)
        return true;
    struct text port = {colon + 1, host->len - (size_t)(colon + 1 - host->at)};
    host->len = (size_t)(colon - host->at);
    parts->any_port = is_item && text_is(port, "*");
    return host->len > 0 && (parts->any_port || read_port(port, &parts->port));
}

static bool read_parts(const char *text, size_t len, bool is_item, struct parts *out)
{
    const char *end = len > 0 ? memmem(text, len, "://", 3) : NULL;
    struct parts parts = {0};

    if (end == NULL || end == text)
        return false;
    parts.scheme = (struct text){text, (size_t)(end - text)};
    parts.host = (struct text){end + 3, len - parts.scheme.len - 3};
    if (!text_has_only(parts.scheme, "+-.") || !cut_port(&parts.host, is_item, &parts))
        return false;
    parts.below = is_item && parts.host.len > 2 && memcmp(parts.host.at, "*.", 2) == 0;
    if (parts.below) {
        parts.host.at += 2;
        parts.host.len -= 2;
    }
    *out = parts;
    return is_host(parts.host);
}

static bool host_fits(const struct parts *item, struct text host)
{
    if (!item->below)
        return text_same(item->host, host);
    if (host.len <= item->host.len + 1)
        return false;
    struct text tail = {host.at + host.len - item->host.len, item->host.len};
    return tail.at[-1] == '.' && text_same(item->host, tail);
}

struct search {
    struct text origin;
    struct parts parts;
    bool parsed; /* the origin has parts */
    bool any, found;
};

static void compare(const char *text, size_t len, void *arg)
{
    struct search *search = arg;
    struct text item = {text, len};
    struct parts parts;

    search->any = true;
    if (text_is(item, "*") || (text_is(item, "null") && text_same(item, search->origin))) {
        search->found = true;
        return;
    }
    if (!search->parsed || !read_parts(text, len, true, &parts))
        return;
    search->found |= text_same(parts.scheme, search->parts.scheme) &&
                     host_fits(&parts, search->parts.host) &&
                     (parts.any_port || parts.port == search->parts.port);
}

bool origin_is_allowed(const char *list, const char *origin, size_t len)
{
    struct search search = {.origin = {origin, len}};

    if (list == NULL)
        return true;
    search.parsed = read_parts(origin, len, false, &search.parts);
    config_list_each(list, compare, &search);
    return search.found || !search.any;
}

struct check {
    char *err;
    size_t errlen;
    bool bad;
};

static void check_item(const char *text, size_t len, void *arg)
{
    struct check *check = arg;
    struct text item = {text, len};
    struct parts parts;

    if (check->bad || text_is(item, "*") || text_is(item, "null") ||
        read_parts(text, len, true, &parts))
        return;
    check->bad = true;
    snprintf(check->err, check->errlen,
             "ws.allowed_origins: %.*s is none of *, null, https://example.com, "
             "https://*.example.com, http://localhost:8000, http://localhost:*",
             (int)(len < 128 ? len : 128), text);
}

int origin_check_list(const char *list, char *err, size_t errlen)
{
    struct check check = {err, errlen, false};

    if (list != NULL)
        config_list_each(list, check_item, &check);
    return check.bad ? -EINVAL : 0;
}
