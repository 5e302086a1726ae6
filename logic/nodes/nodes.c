#include "logic/nodes/nodes.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/net/address.h"
#include "logic/nodes/balance.h"
#include "logic/nodes/regions.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGH_MS = 500, SECOND_MS = 1000, TURNS_PASSED = 8 };

/* The comets as clients of one region see them. */
struct view {
    uint64_t stamp;      /* nodes->stamp when it was built; another one: it is out of date */
    uint64_t weighed_ms; /* loop time */
    size_t n;
    struct balance_comet *comets;
    size_t *members; /* the index in nodes->list of each */
};

struct nodes {
    struct loop *loop;
    const struct logic_config *config;
    _Atomic int64_t *counters;
    struct regions *regions;
    const struct member_list *list;
    uint64_t stamp;     /* goes up with each nodes_update() */
    struct view *views; /* one for each region, and one for clients that are in none */
};

/* --- settings --- */

int nodes_check(const struct logic_config *config, char *err, size_t errlen)
{
    enum { SUFFIX_MOST = NODES_NAME_MAX - sizeof(((struct member *)NULL)->host) };
    struct regions *regions;

    if (!address_is_host_text(config->nodes_domain, NODES_NAME_MAX - 1) ||
        !address_is_host_text(config->nodes_host_domain, SUFFIX_MOST)) {
        snprintf(err, errlen,
                 "nodes.domain, nodes.host_domain: want letters, digits, - and ., without a port");
        return -EINVAL;
    }
    if (config->nodes_base_delay_ms > config->nodes_max_delay_ms) {
        snprintf(err, errlen,
                 "nodes.backoff_base_delay must not be more than "
                 "nodes.backoff_max_delay");
        return -EINVAL;
    }
    if (regions_parse(config->nodes_regions, &regions, err, errlen) != 0)
        return -EINVAL;
    regions_free(regions);
    return 0;
}

/* --- life --- */

struct nodes *nodes_open(struct loop *loop, const struct logic_config *config,
                         _Atomic int64_t *counters)
{
    static const struct member_list nobody = {0};
    struct nodes *nodes = mem_zalloc(sizeof *nodes);
    char err[256];

    loop_assert_owner(loop);
    nodes->loop = loop;
    nodes->config = config;
    nodes->counters = counters;
    nodes->list = &nobody;
    nodes->stamp = 1; /* no view has been built yet */
    int failed = regions_parse(config->nodes_regions, &nodes->regions, err, sizeof err);
    assert(failed == 0); /* nodes_check() has read it */
    (void)failed;
    nodes->views = mem_zalloc((regions_count(nodes->regions) + 1) * sizeof *nodes->views);
    return nodes;
}

void nodes_close(struct nodes *nodes)
{
    if (nodes == NULL)
        return;
    for (size_t i = 0; i <= regions_count(nodes->regions); i++) {
        free(nodes->views[i].comets);
        free(nodes->views[i].members);
    }
    free(nodes->views);
    regions_free(nodes->regions);
    free(nodes);
}

void nodes_update(struct nodes *nodes, const struct member_list *comets)
{
    loop_assert_owner(nodes->loop);
    nodes->list = comets;
    nodes->stamp++;
}

const struct member_list *nodes_comets(const struct nodes *nodes)
{
    loop_assert_owner(nodes->loop);
    return nodes->list;
}

void nodes_scrape(const struct nodes *nodes)
{
    int64_t n = 0;

    for (size_t i = 0; i < nodes->list->n; i++)
        n += !nodes->list->members[i].refuses_clients;
    metric_set(nodes->counters, LOGIC_NODES, n);
}

/* --- views --- */

static void view_weigh(struct nodes *nodes, struct view *view)
{
    for (size_t i = 0; i < view->n; i++)
        view->comets[i].connections = nodes->list->members[view->members[i]].connections;
    balance_weigh(view->comets, view->n);
    view->weighed_ms = loop_now_ms(nodes->loop);
}

static void view_build(struct nodes *nodes, struct view *view, const char *region)
{
    size_t most = nodes->list->n + 1;

    view->n = 0;
    view->comets = mem_realloc(view->comets, most * sizeof *view->comets);
    view->members = mem_realloc(view->members, most * sizeof *view->members);
    for (size_t i = 0; i < nodes->list->n; i++) {
        const struct member *member = &nodes->list->members[i];
        bool near = region != NULL && strcmp(member->region, region) == 0;
        int64_t share = member->weight * (near ? nodes->config->nodes_region_weight : 100);
        if (member->refuses_clients)
            continue;
        share = share < 1 ? 1 : share > BALANCE_MOST_SHARE ? BALANCE_MOST_SHARE : share;
        view->members[view->n] = i;
        view->comets[view->n++] = (struct balance_comet){.share = share};
    }
    view_weigh(nodes, view);
    /* So that several logics do not send their first clients to the same comet. */
    for (size_t i = 0; i < view->n; i++)
        view->comets[i].current =
            (int64_t)(random_number() % ((uint64_t)view->comets[i].weight + 1));
    view->stamp = nodes->stamp;
}

/* The view of a client at IP, up to date. */
static struct view *view_of(struct nodes *nodes, const char *ip)
{
    size_t nowhere = regions_count(nodes->regions);
    struct ip address;
    int found = -1;

    if (ip != NULL && ip_parse(ip, strlen(ip), &address))
        found = regions_find(nodes->regions, &address);
    size_t index = found >= 0 ? (size_t)found : nowhere;
    struct view *view = &nodes->views[index];
    if (view->stamp != nodes->stamp)
        view_build(nodes, view, found >= 0 ? regions_name(nodes->regions, index) : NULL);
    else if (loop_now_ms(nodes->loop) - view->weighed_ms >= WEIGH_MS)
        view_weigh(nodes, view);
    return view;
}

size_t nodes_choose(struct nodes *nodes, const char *ip, const struct member **chosen, size_t most)
{
    size_t indexes[NODES_MOST];

    loop_assert_owner(nodes->loop);
    assert(most <= NODES_MOST);
    struct view *view = view_of(nodes, ip);
    size_t n = balance_choose(view->comets, view->n, indexes, most);
    for (size_t i = 0; i < n; i++)
        chosen[i] = &nodes->list->members[view->members[indexes[i]]];
    return n;
}

size_t nodes_choose_other(struct nodes *nodes, const char *ip, const char *left,
                          const struct member **chosen, size_t most)
{
    const struct member *all[NODES_MOST];
    size_t found = 0, n = 0;

    /* The turns that are its own are passed over. If they went to whoever is second then, the
     * others would not get what their weights say. */
    for (int tries = 0; tries < TURNS_PASSED; tries++) {
        n = nodes_choose(nodes, ip, all, NODES_MOST);
        if (n == 0 || strcmp(all[0]->id, left) != 0)
            break;
    }
    for (size_t i = 0; i < n && found < most; i++) {
        if (strcmp(all[i]->id, left) != 0)
            chosen[found++] = all[i];
    }
    return found;
}

/* --- answers --- */

static void add_name(struct nodes_answer *out, const char *name, size_t len, const char *suffix)
{
    char *to = out->names[out->n];

    if (len == 0 || out->n == NODES_NAMES_MOST || len + strlen(suffix) >= NODES_NAME_MAX)
        return;
    snprintf(to, NODES_NAME_MAX, "%.*s%s", (int)len, name, suffix);
    for (size_t i = 0; i < out->n; i++) {
        if (strcmp(out->names[i], to) == 0)
            return; /* another comet of the same machine */
    }
    out->n++;
}

static void add_host_of(struct nodes_answer *out, const char *public)
{
    struct address address;

    if (address_parse(public, strlen(public), &address) == 0)
        add_name(out, address.host, strlen(address.host), "");
}

static void add_ips(struct nodes_answer *out, const char *ips)
{
    while (*ips != '\0') {
        size_t len = strcspn(ips, ",");
        add_name(out, ips, len, "");
        ips += len + (ips[len] == ',');
    }
}

/* A comet that says nothing of its name or addresses is reached as it advertises itself. goim's
 * clients do not say whether they speak TLS. They are told of comets that have nothing else, too:
 * nodes.tcp_port then is that of TLS. */
static void add_comet(struct nodes_answer *out, const struct nodes *nodes,
                      const struct member *comet, bool web, bool tls)
{
    const char *plain = web ? comet->ws : comet->tcp;
    const char *with_tls = web ? comet->wss : comet->tcps;

    if (web && comet->host[0] != '\0')
        add_name(out, comet->host, strlen(comet->host), nodes->config->nodes_host_domain);
    else if (!web && !tls && comet->ips[0] != '\0')
        add_ips(out, comet->ips);
    else
        add_host_of(out, tls || plain[0] == '\0' ? with_tls : plain);
}

static int seconds(int64_t ms)
{
    return (int)((ms + SECOND_MS - 1) / SECOND_MS);
}

void nodes_backoff(const struct nodes *nodes, struct nodes_backoff *out)
{
    const struct logic_config *config = nodes->config;

    *out = (struct nodes_backoff){
        .max_delay_s = seconds(config->nodes_max_delay_ms),
        .base_delay_s = seconds(config->nodes_base_delay_ms),
        .factor = (double)config->nodes_factor / 100,
        .jitter = (double)config->nodes_jitter / 100,
    };
}

void nodes_answer(struct nodes *nodes, const char *platform, const char *ip, bool tls,
                  struct nodes_answer *out)
{
    const struct logic_config *config = nodes->config;
    const struct member *chosen[NODES_MOST];
    bool web = platform != NULL && strcmp(platform, "web") == 0;

    out->domain = config->nodes_domain;
    out->tcp_port = (int)config->nodes_tcp_port;
    out->ws_port = (int)config->nodes_ws_port;
    out->tcps_port = (int)config->nodes_tcps_port;
    out->wss_port = (int)config->nodes_wss_port;
    out->heartbeat_s = seconds(config->nodes_heartbeat_ms);
    out->heartbeat_max = (int)config->nodes_heartbeat_max;
    nodes_backoff(nodes, &out->backoff);
    out->n = 0;
    size_t n = nodes_choose(nodes, ip, chosen, NODES_MOST);
    for (size_t i = 0; i < n; i++)
        add_comet(out, nodes, chosen[i], web, tls);
    metric_add(nodes->counters, out->n > 0 ? LOGIC_NODES_CHOSEN : LOGIC_NODES_NONE, 1);
}
