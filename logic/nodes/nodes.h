/* nodes.h - tells a client which comets to connect to. Has nothing of HTTP or gRPC in it. Main loop
 * only.
 *
 *   membership ─nodes_update─► comets that take clients ─┐
 *   the client's IP address ─regions_find─► its region  ─┴─► balance_choose ─► nodes_answer
 *
 * Everything comes from memory: the list of comets as membership has it, with the connections that
 * each told with its last renewal. A comet that drains, lacks something or is full is left out. */
#ifndef IMC_LOGIC_NODES_NODES_H
#define IMC_LOGIC_NODES_NODES_H

#include "common/membership/membership.h"
#include "logic/base/config.h"
#include "logic/base/metrics.h"

struct nodes;

enum {
    NODES_MOST = 5,        /* comets in an answer, as goim has it */
    NODES_NAMES_MOST = 40, /* names in an answer: a comet may have several addresses */
    NODES_NAME_MAX = 256,  /* with the NUL */
};

/* How clients are to wait between their tries. */
struct nodes_backoff {
    int max_delay_s, base_delay_s;
    double factor, jitter;
};

/* What clients are told. Seconds and ports are those that goim's clients read. */
struct nodes_answer {
    const char *domain; /* nodes.domain; valid as long as the configuration */
    int tcp_port, ws_port, tcps_port, wss_port; /* 0: none */
    int heartbeat_s, heartbeat_max;             /* send one so often; so many may stay unanswered */
    struct nodes_backoff backoff;
    size_t n;                                     /* 0: no comet takes clients now */
    char names[NODES_NAMES_MOST][NODES_NAME_MAX]; /* the best one first, none twice */
};

/* Checks nodes.…: 0, or -EINVAL, and ERR says which setting is wrong, and why. */
int nodes_check(const struct logic_config *config, char *err, size_t errlen);
/* All are kept, and have to stay. CONFIG has passed nodes_check(). */
struct nodes *nodes_open(struct loop *loop, const struct logic_config *config,
                         _Atomic int64_t *counters);
/* NULL is fine. */
void nodes_close(struct nodes *nodes);
/* The list of comets has changed, or is there for the first time. The struct COMETS is kept: it has
 * to stay, and its members up to the next call. */
void nodes_update(struct nodes *nodes, const struct member_list *comets);
/* Sets the gauges. */
void nodes_scrape(const struct nodes *nodes);
/* The list as last given; an empty one before that. */
const struct member_list *nodes_comets(const struct nodes *nodes);
/* Chooses comets for one client, at most MOST (≤ NODES_MOST), the best one first. IP is the
 * client's address, or NULL. Returns how many. The pointers are valid until nodes_update(). */
size_t nodes_choose(struct nodes *nodes, const char *ip, const struct member **chosen, size_t most);
/* Chooses comets for a client that the comet with the id LEFT sends away: as nodes_choose(), but
 * never that one. Its own word that it takes no clients may still be under way. */
size_t nodes_choose_other(struct nodes *nodes, const char *ip, const char *left,
                          const struct member **chosen, size_t most);
/* The settings nodes.backoff_…. */
void nodes_backoff(const struct nodes *nodes, struct nodes_backoff *out);
/* Chooses for one client, as goim's clients want it. PLATFORM "web" gets host names, any other (or
 * NULL) IP addresses. TLS: the names by which comets are reached with TLS, as certificates have
 * them, and only of those comets that are. */
void nodes_answer(struct nodes *nodes, const char *platform, const char *ip, bool tls,
                  struct nodes_answer *out);

#endif
