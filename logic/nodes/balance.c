#include "logic/nodes/balance.h"

#include <stdbool.h>

enum {
    UNIT = 1000, /* the weight for a share of 1 that is just used up */
    /* While there are few connections in all, one more or less has to mean little. So we count as
     * if there were so many more, spread by the shares. */
    PRIOR = 64,
};

/* A comet that has far too many connections still gets some clients. They find out whether it
 * works, and the others are not flooded when they all are new. */
static const double LEAST = 0.05, MOST = 2;

void balance_weigh(struct balance_comet *comets, size_t n)
{
    double shares = 0, connections = PRIOR;

    for (size_t i = 0; i < n; i++) {
        shares += (double)comets[i].share;
        connections += (double)comets[i].connections;
    }
    for (size_t i = 0; i < n; i++) {
        double fair = (double)comets[i].share / shares;
        double load = ((double)comets[i].connections / fair + PRIOR) / connections;
        double factor = MOST - load < LEAST ? LEAST : MOST - load;
        int64_t weight = (int64_t)((double)comets[i].share * UNIT * factor);
        comets[i].weight = weight > 0 ? weight : 1;
    }
}

static bool is_chosen(const size_t *chosen, size_t n, size_t index)
{
    for (size_t i = 0; i < n; i++) {
        if (chosen[i] == index)
            return true;
    }
    return false;
}

/* The comet with the highest current that is not among the first N of CHOSEN. */
static size_t best_of(const struct balance_comet *comets, size_t n_comets, const size_t *chosen,
                      size_t n)
{
    size_t best = n_comets;

    for (size_t i = 0; i < n_comets; i++) {
        if ((best == n_comets || comets[i].current > comets[best].current) &&
            !is_chosen(chosen, n, i))
            best = i;
    }
    return best;
}

size_t balance_choose(struct balance_comet *comets, size_t n, size_t *chosen, size_t most)
{
    int64_t sum = 0;
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        comets[i].current += comets[i].weight;
        sum += comets[i].weight;
    }
    for (; found < most && found < n; found++)
        chosen[found] = best_of(comets, n, chosen, found);
    if (found > 0)
        comets[chosen[0]].current -= sum;
    return found;
}
