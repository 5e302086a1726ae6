/* membership.h - who is alive: by leases in Redis, or by asking a list of addresses. Owner loop
 * only.
 *
 * Leases (lease.c): each daemon holds one per (kind, id), renewed every `renew_ms`,
 * `ttl_ms` to live, on Redis's clock; the same round trip (one script) prunes what lapsed and reads
 * the members of the watched kinds. While Redis does not answer the last known membership stays in
 * force, and leases that were alive when it went away get their whole time again when it is back.
 *
 * A list (static/static.c): every `renew_ms` each address is asked for its record (GET /member
 * of its admin listener, membership_serve()); who did not answer for `ttl_ms` is taken for dead,
 * and told so when it answers again: it then starts a new life, just as one whose lease had lapsed.
 * Redis is not used.
 *
 * An id belongs to one process. Another one that wants it waits (and says so in the log) until the
 * first has left or lapsed; only one with the same address, that is a restarted daemon, takes its
 * place at once. */
#ifndef IMC_COMMON_MEMBERSHIP_MEMBERSHIP_H
#define IMC_COMMON_MEMBERSHIP_MEMBERSHIP_H

#include "common/base/loop.h"
#include "common/http/http.h"
#include "common/redis/redis.h"
#include "common/rpc/rpc.h"
#include <string.h>

enum member_kind { MEMBER_COMET, MEMBER_LOGIC, MEMBER_ROUTER, MEMBER_JOB, MEMBER_KINDS };

struct member {
    char id[64];
    uint64_t epoch;   /* start of this life, random low bits: another epoch is another life */
    uint64_t process; /* random: alike in all lives of one process; 0 = it did not say */
    uint32_t node; /* logic: 0 … 1023, unique among live logics, kept while the lease is held */
    uint32_t weight;
    int64_t connections;
    char rpc[128];                    /* host:port for gRPC; of a job: of its admin listener */
    char tcp[128], ws[128], wss[128]; /* comet: public addresses, may be empty */
    char region[32], zone[32];
};

/* For streams to it. */
static inline struct rpc_name member_name(const struct member *member)
{
    struct rpc_name name = {.epoch = member->epoch};

    memcpy(name.id, member->id, sizeof name.id);
    return name;
}

struct member_list {
    size_t n;
    struct member *members; /* sorted by id */
};

struct membership;

struct membership_options {
    enum member_kind kind;
    struct member self; /* id, rpc, …; epoch and node are given by membership */
    unsigned watch;     /* bit per member_kind */
    int64_t renew_ms, ttl_ms;
    /* Admin addresses of all daemons, see membership_check_addresses(); NULL or empty: leases. */
    const char *addresses;
};

struct membership_events {
    /* The list of KIND changed (someone came, left, has another epoch, address or weight;
     * connections do not count). */
    void (*changed)(struct membership *membership, enum member_kind kind, void *arg);
    /* We are a member ("hold the lease"), first or again. LOST: others may have taken us for dead
     * meanwhile; the epoch is a new one and everything registered under the old one is forgotten.
     */
    void (*held)(struct membership *membership, bool lost, void *arg);
};

/* REDIS is not used, and may be NULL, if OPTIONS have addresses. */
struct membership *membership_open(struct loop *loop, struct redis *redis,
                                   const struct membership_options *options,
                                   const struct membership_events *events, void *arg);
/* LIST: host:port, host:port …; a name stands for every address it resolves to. -EINVAL: ERR says
 * which one is wrong, and what about it. */
int membership_check_addresses(const char *list, char *err, size_t errlen);
/* Copied lists are not needed: the pointer is valid until the next changed() of that kind. */
const struct member_list *membership_list(const struct membership *membership,
                                          enum member_kind kind);
/* NULL = not alive. */
const struct member *membership_find(const struct membership *membership, enum member_kind kind,
                                     const char *id);
const struct member *membership_self(const struct membership *membership);
/* True once every watched kind has been read at least once and the own lease is held. */
bool membership_ready(const struct membership *membership);
/* False while nobody can be asked who is alive, so that the lists may be out of date: Redis is
 * away. */
bool membership_fresh(const struct membership *membership);
/* True once everyone who is alive has had the time to see that we are (leases), or has asked us
 * (a list). */
bool membership_known(const struct membership *membership);
void membership_set_connections(struct membership *membership, int64_t connections);
/* /member of the admin listener: answers REQUEST with the own record. Its query says who asks
 * (kind, id, epoch); by POST also that the asker leaves (leaving), and which epoch of ours it has
 * taken for dead (dead). That is believed only from an address of the list, and no web page.
 * MEMBERSHIP may be NULL: 503. */
void membership_serve(struct membership *membership, struct http_request *request);
/* Gives the lease back, so that the others know at once; DONE (may be NULL) runs when they know, or
 * do not answer, never before this returns and not after membership_close(). No renewal after
 * this. */
void membership_leave(struct membership *membership, void (*done)(void *arg), void *arg);
/* Without leaving: the lease lapses by itself. No event comes after this. NULL is fine. Before
 * redis_close(). */
void membership_close(struct membership *membership);

/* Since membership_open(). */
struct membership_stats {
    int64_t lives; /* epochs under which we were a member */
    /* With a list: */
    int64_t asked, unanswered, malformed; /* questions; without answer; answered by no record */
    int64_t lapsed;                       /* daemons taken for dead */
    int64_t doubles;                      /* answers with an id that another process has */
    int64_t disbelieved;                  /* what was said by others, or cannot be true */
    int64_t unresolved;                   /* names that DNS did not resolve, each try */
    int64_t addresses, silent;            /* now: in the list; of these, without answer */
};
void membership_stats(const struct membership *membership, struct membership_stats *stats);

#endif
