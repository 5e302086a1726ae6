/* regions.h - finds the region of an IP address in the table of nodes.regions. Pure.
 *
 *   "sh=10.1.0.0/16, sh=2001:db8::/32, bj=10.2.0.0/16" ──regions_parse──► struct regions
 *   10.1.9.9 ──regions_find──► 0, which regions_name() calls "sh"
 *
 * Where networks overlap, the smaller one wins. */
#ifndef IMC_LOGIC_NODES_REGIONS_H
#define IMC_LOGIC_NODES_REGIONS_H

#include "common/net/network.h"

struct regions;

enum {
    REGIONS_MOST = 64,
    REGION_NETWORKS_MOST = 1024, /* all of them are looked at for an address */
    REGION_NAME_MAX = 32,        /* with the NUL, as in struct member */
};

/* Reads TABLE: items REGION=NETWORK, separated by commas. 0 with *OUT, which the caller frees. Or
 * -EINVAL, and ERR names the item that is wrong, and says why. An empty TABLE has no regions. */
int regions_parse(const char *table, struct regions **out, char *err, size_t errlen);
void regions_free(struct regions *regions);
/* Regions are numbered from 0 in the order of their first networks. */
size_t regions_count(const struct regions *regions);
const char *regions_name(const struct regions *regions, size_t index);
/* The number of the region of IP; -1: it is in no network. */
int regions_find(const struct regions *regions, const struct ip *ip);

#endif
