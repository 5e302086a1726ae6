/* membership.h - leases in Redis: who is alive. Owner loop only.
 *
 * Each daemon holds a lease per (kind, id), renewed every `renew_ms`, `ttl_ms` to live, on Redis's
 * clock; the same round trip (one script) prunes what lapsed and reads the members of the watched
 * kinds. While Redis does not answer the last known membership stays in force, and leases that were
 * alive when it went away get their whole time again when it is back.
 *
 * An id belongs to one process. Another one that wants it waits (and says so in the log) until the
 * first has left or lapsed; only one with the same rpc address, that is a restarted daemon, takes
 * the lease over at once. */
#ifndef IMC_COMMON_MEMBERSHIP_H
#define IMC_COMMON_MEMBERSHIP_H

#include "common/loop.h"
#include "common/redis.h"

enum member_kind { MEMBER_COMET, MEMBER_LOGIC, MEMBER_ROUTER, MEMBER_JOB, MEMBER_KINDS };

struct member {
    char id[64];
    uint64_t epoch; /* start of this life, random low bits: another epoch is another life */
    uint32_t node;  /* logic: 0 … 1023, unique among live logics, kept while the lease is held */
    uint32_t weight;
    int64_t connections;
    char rpc[128];                    /* host:port for gRPC */
    char tcp[128], ws[128], wss[128]; /* comet: public addresses, may be empty */
    char region[32], zone[32];
};

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
};

struct membership_events {
    /* The list of KIND changed (someone came, left, has another epoch, address or weight;
     * connections do not count). */
    void (*changed)(struct membership *membership, enum member_kind kind, void *arg);
    /* We hold the lease, first or again. LOST: it had lapsed meanwhile, so others may have taken us
     * for dead; the epoch is a new one and everything registered under the old one is forgotten. */
    void (*held)(struct membership *membership, bool lost, void *arg);
};

struct membership *membership_open(struct loop *loop, struct redis *redis,
                                   const struct membership_options *options,
                                   const struct membership_events *events, void *arg);
/* Copied lists are not needed: the pointer is valid until the next changed() of that kind. */
const struct member_list *membership_list(const struct membership *membership,
                                          enum member_kind kind);
/* NULL = not alive. */
const struct member *membership_find(const struct membership *membership, enum member_kind kind,
                                     const char *id);
const struct member *membership_self(const struct membership *membership);
/* True once every watched kind has been read at least once and the own lease is held. */
bool membership_ready(const struct membership *membership);
void membership_set_connections(struct membership *membership, int64_t connections);
/* Gives the lease back, so that the others know at once; DONE (may be NULL) runs when Redis has it
 * or did not answer, never before this returns and not after membership_close(). No renewal after
 * this. */
void membership_leave(struct membership *membership, void (*done)(void *arg), void *arg);
/* Without leaving: the lease lapses by itself. No event comes after this. NULL is fine. Before
 * redis_close(). */
void membership_close(struct membership *membership);

#endif
