#include "common/http/addresses.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct http_addresses {
    struct loop *loop;
    const struct http_url *url;
    void (*known)(void *arg, int err);
    void *arg;
    uv_getaddrinfo_t request;
    bool literal, busy, closed;
    uint64_t due_ms;
    size_t n, current;
    union endpoint list[HTTP_ADDRESSES_MOST];
};

static void take(struct http_addresses *addresses, const struct addrinfo *found)
{
    union endpoint before = addresses->list[addresses->current];

    addresses->n = 0;
    for (const struct addrinfo *at = found; at != NULL && addresses->n < HTTP_ADDRESSES_MOST;
         at = at->ai_next) {
        union endpoint *to = &addresses->list[addresses->n];
        if (at->ai_family != AF_INET && at->ai_family != AF_INET6)
            continue;
        memset(to, 0, sizeof *to);
        memcpy(to, at->ai_addr, at->ai_addrlen < sizeof *to ? at->ai_addrlen : sizeof *to);
        addresses->n++;
    }
    addresses->current = 0;
    for (size_t i = 0; i < addresses->n; i++) {
        if (endpoint_same(&before, &addresses->list[i]))
            addresses->current = i;
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int err, struct addrinfo *found)
{
    struct http_addresses *addresses = container_of(request, struct http_addresses, request);

    addresses->busy = false;
    if (addresses->closed) {
        uv_freeaddrinfo(found);
        free(addresses);
        return;
    }
    if (err == 0)
        take(addresses, found);
    else
        addresses->due_ms = loop_now_ms(addresses->loop) + HTTP_ADDRESSES_SOON_MS;
    uv_freeaddrinfo(found);
    addresses->known(addresses->arg, err);
}

void http_addresses_refresh(struct http_addresses *addresses)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    const struct address *to = &addresses->url->address;
    uint64_t now = loop_now_ms(addresses->loop);

    loop_assert_owner(addresses->loop);
    if (addresses->literal || addresses->busy || now < addresses->due_ms)
        return;
    addresses->due_ms = now + HTTP_ADDRESSES_KEEP_MS;
    addresses->busy = uv_getaddrinfo(&addresses->loop->uv, &addresses->request, on_resolved,
                                     to->host, to->port_text, &hints) == 0;
}

struct http_addresses *http_addresses_open(struct loop *loop, const struct http_url *url,
                                           void (*known)(void *arg, int err), void *arg)
{
    struct http_addresses *addresses = mem_zalloc(sizeof *addresses);

    loop_assert_owner(loop);
    addresses->loop = loop;
    addresses->url = url;
    addresses->known = known;
    addresses->arg = arg;
    addresses->literal = endpoint_parse(url->address.host, url->address.port, addresses->list);
    addresses->n = addresses->literal ? 1 : 0;
    http_addresses_refresh(addresses);
    return addresses;
}

void http_addresses_close(struct http_addresses *addresses)
{
    if (addresses == NULL)
        return;
    loop_assert_owner(addresses->loop);
    addresses->closed = true;
    if (addresses->busy)
        (void)uv_cancel((uv_req_t *)&addresses->request); /* on_resolved() frees it */
    else
        free(addresses);
}

const union endpoint *http_addresses_current(const struct http_addresses *addresses)
{
    return addresses->n == 0 ? NULL : &addresses->list[addresses->current];
}

size_t http_addresses_count(const struct http_addresses *addresses)
{
    return addresses->n;
}

bool http_addresses_resolving(const struct http_addresses *addresses)
{
    return addresses->busy;
}

void http_addresses_failed(struct http_addresses *addresses, const union endpoint *address)
{
    uint64_t soon = loop_now_ms(addresses->loop) + HTTP_ADDRESSES_SOON_MS;

    if (addresses->due_ms > soon)
        addresses->due_ms = soon;
    if (addresses->n > 0 && endpoint_same(address, &addresses->list[addresses->current]))
        addresses->current = (addresses->current + 1) % addresses->n;
}
