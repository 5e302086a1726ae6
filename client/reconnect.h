/* reconnect.h - where a client connects next, and after which pause. Does no I/O. One thread.
 *
 *   op 6, code 9 ─reconnect_take─► nodes, backoff ─reconnect_next─► each node, then home */
#ifndef IMC_CLIENT_RECONNECT_H
#define IMC_CLIENT_RECONNECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { RECONNECT_NODES = 3, RECONNECT_ADDRESS = 262 };

struct reconnect {
    const char *home; /* the address of the command line */
    const char *list; /* the member of operation 6 whose addresses we can reach: nodes, tcps,
                       * wss */
    char nodes[RECONNECT_NODES][RECONNECT_ADDRESS];
    int n_nodes, next; /* nodes[next] is the next one; next == n_nodes: home */
    int tries;         /* since the last success */
    double base_delay, max_delay, factor, jitter; /* seconds */
};

void reconnect_init(struct reconnect *reconnect, const char *home, const char *list);
/* BODY is that of an operation 6; NULL: it is no JSON. What it says of nodes and backoff is taken,
 * if it makes sense. */
void reconnect_take(struct reconnect *reconnect, const json_t *body);
/* Is it of use to connect again after an operation 6 with CODE? */
bool reconnect_helps(int64_t code);
/* The address to try now. Valid until reconnect_take(). */
const char *reconnect_next(struct reconnect *reconnect);
/* How long to wait before that, in ms. RANDOM is from 0 to 1. */
int64_t reconnect_pause_ms(const struct reconnect *reconnect, double random);
/* A connection was let in. */
void reconnect_succeeded(struct reconnect *reconnect);

#endif
