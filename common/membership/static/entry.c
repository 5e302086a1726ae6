/* Checks each item of the list, and looks its name up on libuv's thread pool.
 *
 *   "10.0.0.7:8093" ───────────────────────────► one address, for good
 *   "comet:8093" ─ uv_getaddrinfo, every 5 s ─► as many as DNS says; no answer: as before */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/config/config.h"
#include "common/membership/static/static.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- parsing --- */

static const char *parse_port(struct static_entry *entry, const char *text, size_t len)
{
    if (len == 0 || len >= sizeof entry->port || strspn(text, "0123456789") < len)
        return "its port is no number from 1 to 65535";
    memcpy(entry->port, text, len);
    long port = strtol(entry->port, NULL, 10);
    return port >= 1 && port <= 65535 ? NULL : "its port is no number from 1 to 65535";
}

static void keep_literal(struct static_entry *entry, const union endpoint *endpoint)
{
    entry->literal = entry->decided = true;
    entry->found = mem_alloc(sizeof *entry->found);
    *entry->found = *endpoint;
    entry->n_found = 1;
}

static const char *parse_host(struct static_entry *entry, const char *text, size_t len)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    union endpoint endpoint = {0};
    int port = (int)strtol(entry->port, NULL, 10);

    if (len == 0 || len >= sizeof entry->host)
        return len == 0 ? "the host before the colon is missing" : "its host is too long";
    memcpy(entry->host, text + bracketed, len - 2 * (size_t)bracketed);
    if (bracketed) {
        if (uv_ip6_addr(entry->host, port, &endpoint.v6) != 0)
            return "what is between the brackets is no IPv6 address";
        keep_literal(entry, &endpoint);
    } else if (memchr(text, ':', len) != NULL &&
               strspn(entry->host, "0123456789abcdefABCDEF:.") == len) {
        return "an IPv6 address is written [address]:port";
    } else if (uv_ip4_addr(entry->host, port, &endpoint.v4) == 0) {
        keep_literal(entry, &endpoint);
    } else if (strspn(entry->host, "0123456789.") == len) {
        return "its host is no IPv4 address";
    } else if (strspn(entry->host, letters) != len || text[0] == '-') {
        return "its host has characters that no name has";
    }
    return NULL;
}

/* Parses an item into the zeroed ENTRY. NULL, or what is wrong with it. ENTRY may own memory in
 * either case. */
static const char *parse(struct static_entry *entry, const char *text, size_t len)
{
    const char *colon = memrchr(text, ':', len);
    if (colon == NULL)
        return "host:port is wanted";
    const char *why = parse_port(entry, colon + 1, len - (size_t)(colon + 1 - text));
    return why != NULL ? why : parse_host(entry, text, (size_t)(colon - text));
}

struct entry_check {
    struct static_members members; /* only its entries are used */
    char *err;
    size_t errlen;
    int rc;
};

static bool is_repeated(const struct static_members *members, const struct static_entry *entry)
{
    for (size_t i = 0; i < members->n_entries; i++) {
        const struct static_entry *other = &members->entries[i];
        if (strcmp(other->host, entry->host) == 0 && strcmp(other->port, entry->port) == 0)
            return true;
    }
    return false;
}

static void check_item(const char *item, size_t len, void *arg)
{
    struct entry_check *check = arg;
    struct static_members *members = &check->members;
    struct static_entry entry = {0};

    if (check->rc != 0)
        return;
    const char *why = parse(&entry, item, len);
    if (why == NULL && is_repeated(members, &entry))
        why = "it is listed twice";
    if (why != NULL) {
        snprintf(check->err, check->errlen, "\"%.*s\": %s", (int)(len < 200 ? len : 200), item,
                 why);
        check->rc = -EINVAL;
        free(entry.found);
        return;
    }
    members->entries = mem_realloc(members->entries, (members->n_entries + 1) * sizeof entry);
    members->entries[members->n_entries++] = entry;
}

int membership_check_addresses(const char *list, char *err, size_t errlen)
{
    struct entry_check check = {.err = err, .errlen = errlen};

    config_list_each(list, check_item, &check);
    if (check.rc == 0 && check.members.n_entries == 0 && list[0] != '\0') {
        snprintf(err, errlen, "\"%s\": host:port, host:port … is wanted", list);
        check.rc = -EINVAL;
    }
    entries_free(&check.members);
    return check.rc;
}

void entries_open(struct static_members *members)
{
    char err[512];
    struct entry_check check = {.err = err, .errlen = sizeof err};

    config_list_each(members->list, check_item, &check);
    if (check.rc != 0) /* a daemon refuses such a list before it gets here */
        log_error("bad address", "%s; it and what follows is left out", err);
    members->entries = check.members.entries;
    members->n_entries = check.members.n_entries;
    for (size_t i = 0; i < members->n_entries; i++)
        members->entries[i].members = members;
}

/* --- looking up --- */

static void take_addresses(struct static_entry *entry, const struct addrinfo *list)
{
    size_t n = 0;
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next)
        n++;
    free(entry->found);
    entry->found = mem_zalloc((n + 1) * sizeof *entry->found);
    entry->n_found = 0;
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        union endpoint *endpoint = &entry->found[entry->n_found];
        if (at->ai_addrlen > sizeof *endpoint ||
            (at->ai_family != AF_INET && at->ai_family != AF_INET6))
            continue;
        memcpy(endpoint, at->ai_addr, at->ai_addrlen);
        entry->n_found++;
    }
}

static void tell_failure(struct static_entry *entry, int err)
{
    entry->members->counts.unresolved++;
    if (!entry->failing)
        log_warn("name not resolved", "name=%s err=\"%s\"; %s", entry->host, uv_strerror(err),
                 err == UV_EAI_NONAME || err == UV_EAI_NODATA ? "nobody is there"
                 : entry->decided                             ? "its last addresses stay in force"
                                                              : "not ready before DNS answers");
    entry->failing = true;
}

static void on_resolved(uv_getaddrinfo_t *request, int err, struct addrinfo *list)
{
    struct static_entry *entry = request->data;
    struct static_members *members = entry->members;

    entry->busy = false;
    if (!members->base.closed && !members->base.leaving) {
        bool none = err == UV_EAI_NONAME || err == UV_EAI_NODATA;
        if (err != 0)
            tell_failure(entry, err);
        else if (entry->failing)
            log_info("name resolved again", "name=%s", entry->host);
        if (err == 0 || none) {
            entry->decided = true;
            entry->failing = none;
            take_addresses(entry, list);
            addresses_update(members);
            members_step(members);
        }
    }
    uv_freeaddrinfo(list);
    members_unref(members);
}

static void resolve(struct static_entry *entry)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    struct static_members *members = entry->members;

    entry->request.data = entry;
    int err = uv_getaddrinfo(&members->base.loop->uv, &entry->request, on_resolved, entry->host,
                             entry->port, &hints);
    if (err != 0) {
        tell_failure(entry, err);
        return;
    }
    entry->busy = true;
    members->refs++;
}

void entries_resolve(struct static_members *members, uint64_t now_ms)
{
    for (size_t i = 0; i < members->n_entries; i++) {
        struct static_entry *entry = &members->entries[i];
        if (entry->literal || entry->busy || now_ms < entry->due_ms)
            continue;
        entry->due_ms = now_ms + RESOLVE_MS;
        resolve(entry);
    }
}

bool entries_decided(const struct static_members *members)
{
    for (size_t i = 0; i < members->n_entries; i++) {
        if (!members->entries[i].decided)
            return false;
    }
    return true;
}

void entries_close(struct static_members *members)
{
    /* A look-up that a thread works on cannot be cancelled. Its callback comes when the resolver
     * gives up, and a loop that is being closed waits for that. */
    for (size_t i = 0; i < members->n_entries; i++) {
        if (members->entries[i].busy)
            uv_cancel((uv_req_t *)&members->entries[i].request);
    }
}

void entries_free(struct static_members *members)
{
    for (size_t i = 0; i < members->n_entries; i++)
        free(members->entries[i].found);
    free(members->entries);
    members->entries = NULL;
    members->n_entries = 0;
}
