#include "logic/nodes/regions.h"
#include "common/base/mem.h"
#include "common/config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct region_network {
    struct network network;
    int region;
};

struct regions {
    size_t n, n_networks;
    char names[REGIONS_MOST][REGION_NAME_MAX];
    struct region_network networks[REGION_NETWORKS_MOST]; /* the smallest first */
};

struct parse {
    struct regions *regions;
    const char *why; /* NULL: nothing is wrong */
    char *err;
    size_t errlen;
};

static int region_named(const struct regions *regions, const char *name, size_t len)
{
    for (size_t i = 0; i < regions->n; i++) {
        if (strlen(regions->names[i]) == len && memcmp(regions->names[i], name, len) == 0)
            return (int)i;
    }
    return -1;
}

/* Adds ITEM. NULL, or what is wrong with it. */
static const char *add(struct regions *regions, const char *item, size_t len)
{
    const char *equals = memchr(item, '=', len);
    size_t name_len = equals != NULL ? (size_t)(equals - item) : 0;
    struct network network;

    if (name_len == 0)
        return "want REGION=NETWORK";
    if (name_len >= REGION_NAME_MAX)
        return "the region's name is longer than 31 bytes";
    if (!network_parse(equals + 1, len - name_len - 1, &network))
        return "behind the = want an address, or a network like 10.0.0.0/8";
    if (regions->n_networks == REGION_NETWORKS_MOST)
        return "there are more than 1024 networks";
    int region = region_named(regions, item, name_len);
    if (region < 0 && regions->n == REGIONS_MOST)
        return "there are more than 64 regions";
    if (region < 0) {
        region = (int)regions->n++;
        memcpy(regions->names[region], item, name_len); /* the rest is zero */
    }
    regions->networks[regions->n_networks++] = (struct region_network){network, region};
    return NULL;
}

static void parse_item(const char *item, size_t len, void *arg)
{
    enum { SHOWN = 80 };
    struct parse *parse = arg;

    if (parse->why != NULL)
        return;
    parse->why = add(parse->regions, item, len);
    if (parse->why != NULL)
        snprintf(parse->err, parse->errlen, "nodes.regions: \"%.*s\": %s",
                 (int)(len < SHOWN ? len : SHOWN), item, parse->why);
}

static int compare(const void *a, const void *b)
{
    const struct region_network *x = a, *y = b;

    if (x->network.bits != y->network.bits)
        return x->network.bits > y->network.bits ? -1 : 1;
    return x->region - y->region; /* of the same network: the region that was named first */
}

int regions_parse(const char *table, struct regions **out, char *err, size_t errlen)
{
    struct regions *regions = mem_zalloc(sizeof *regions);
    struct parse parse = {.regions = regions, .err = err, .errlen = errlen};

    config_list_each(table, parse_item, &parse);
    if (parse.why != NULL) {
        free(regions);
        return -EINVAL;
    }
    qsort(regions->networks, regions->n_networks, sizeof regions->networks[0], compare);
    *out = regions;
    return 0;
}

void regions_free(struct regions *regions)
{
    free(regions);
}

size_t regions_count(const struct regions *regions)
{
    return regions->n;
}

const char *regions_name(const struct regions *regions, size_t index)
{
    return regions->names[index];
}

int regions_find(const struct regions *regions, const struct ip *ip)
{
    for (size_t i = 0; i < regions->n_networks; i++) {
        if (network_has(&regions->networks[i].network, ip))
            return regions->networks[i].region;
    }
    return -1;
}
