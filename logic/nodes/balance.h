/* balance.h - spreads clients over comets by weight and connections. Pure.
 *
 *   share: what the comet ought to get of all clients     ┐
 *   connections: what it has                              ┴─balance_weigh──► weight
 *   weights ──balance_choose, once per client──► the comets to try, the best one first
 *
 * Choosing is smooth weighted round robin, as nginx has it: each time every `current` grows by its
 * weight, and the first choice pays the sum of all weights. So over some time each comet is the
 * first choice as often as its weight says, and never many times in a row. */
#ifndef IMC_LOGIC_NODES_BALANCE_H
#define IMC_LOGIC_NODES_BALANCE_H

#include <stddef.h>
#include <stdint.h>

struct balance_comet {
    int64_t share; /* 1 to BALANCE_MOST_SHARE, relative to the other comets */
    int64_t connections;
    int64_t weight;  /* relative to the other comets: at least 1, at most 2,000 × share */
    int64_t current; /* starts anywhere from 0 to weight */
};

#define BALANCE_MOST_SHARE INT64_C(10000000)

/* Sets the weights of N comets. A comet with its share of all connections gets its share as weight.
 * With none it gets double that, and with twice its share next to nothing. */
void balance_weigh(struct balance_comet *comets, size_t n);
/* Writes the indexes of the comets that one client shall try into CHOSEN, at most MOST of them, the
 * best one first. Returns how many. */
size_t balance_choose(struct balance_comet *comets, size_t n, size_t *chosen, size_t most);

#endif
