/* membership.h - knows which daemons are alive, by leases in Redis or by asking a list of
 * addresses. Owner loop only.
 *
 * Leases (lease.c): each daemon has a lease by its (kind, id). It renews the lease every
 * `renew_ms`; without that, the lease lapses after `ttl_ms`, by Redis's clock. One script does it
 * all in a round trip: it renews, removes leases that lapsed, and reads the members of the watched
 * kinds. While Redis does not answer, the last lists stay in force. When Redis is back, leases that
 * were alive before get their full `ttl_ms` again.
 *
 * A list of addresses (static/static.c): every `renew_ms` a daemon asks each address for its
 * record, by GET /member at the admin listener (membership_serve()). A daemon that did not answer
 * for `ttl_ms` is taken for dead. When it answers again it is told so, and starts a new epoch, like
 * a daemon whose lease has lapsed. Redis is not used.
 *
 * An id belongs to one process. Another process that wants it waits, and logs that, until the first
 * has left or lapsed. Only a process with the same address replaces the first at once: it is the
 * same daemon, restarted. */
#ifndef IMC_COMMON_MEMBERSHIP_MEMBERSHIP_H
#define IMC_COMMON_MEMBERSHIP_MEMBERSHIP_H

#include "common/base/loop.h"
#include "common/http/http.h"
#include "common/redis/redis.h"
#include "common/rpc/rpc.h"
#include <string.h>

enum { MEMBER_EPOCH_RANDOM_BITS = 20, MEMBER_LOOPS_MAX = 256 };

enum member_kind { MEMBER_COMET, MEMBER_LOGIC, MEMBER_ROUTER, MEMBER_JOB, MEMBER_KINDS };
/* "comet" */
const char *member_kind_name(enum member_kind kind);
/* MEMBER_KINDS: NAME is none. */
enum member_kind member_kind_of(const char *name);

struct member {
    char id[64];
    uint64_t epoch;   /* the time of taking the lease, with random low bits: another epoch is
                       * another life */
    uint64_t process; /* a random number of the process, the same in all its epochs; 0: not said */
    uint32_t node; /* logic: 0 … 1023, unique among living logics, kept while the lease is held */
    uint32_t weight;
    /* comet: sessions, and from how many IP addresses they come, by its own estimate */
    int64_t connections, client_ips;
    bool refuses_clients; /* comet: it drains, or cannot take clients now */
    bool draining;        /* comet: it sends its clients elsewhere */
    char rpc[128];        /* host:port for gRPC; for a job: of its admin listener */
    /* comet: public addresses, tcps and wss those with TLS; may be empty */
    char tcp[128], ws[128], tcps[128], wss[128];
    char host[128]; /* comet: its machine's name for clients, may be empty */
    char ips[384];  /* comet: IP addresses for clients, separated by commas, may be empty */
    char region[32], zone[32];
    uint32_t loops;   /* comet: its loops, each of which answers questions (session.proto); 0: an
                       * earlier version, which answers none */
    char version[32]; /* empty: an earlier version, which does not say it */
    char unready[96]; /* names of the conditions that do not hold: "redis, bus"; empty: all do, or
                       * an earlier version */
};

/* The addressee of streams to MEMBER. */
static inline struct rpc_name member_name(const struct member *member)
{
    struct rpc_name name = {.epoch = member->epoch};

    memcpy(name.id, member->id, sizeof name.id);
    return name;
}

/* When MEMBER's present life began: Unix time in ms. */
static inline uint64_t member_since_ms(const struct member *member)
{
    return member->epoch >> MEMBER_EPOCH_RANDOM_BITS;
}

struct member_list {
    size_t n;
    struct member *members; /* sorted by id */
};

struct ring;
/* The ring of LIST's members, empty if there are none. Who sees the same lives of the same members
 * makes a ring with the same hash. The caller frees it with ring_free(). */
struct ring *member_list_ring(const struct member_list *list);

struct membership;

struct tls_client;

struct membership_options {
    enum member_kind kind;
    struct member self; /* id, rpc, …; membership sets epoch and node */
    unsigned watch;     /* a bit per member_kind to read */
    int64_t renew_ms, ttl_ms;
    /* Admin addresses of all daemons, see membership_check_addresses(); NULL or empty: use
     * leases. */
    const char *addresses;
    /* With addresses: the key that is shown to them. NULL: none. */
    const char *key;
    struct tls_client *tls; /* by which they are asked, the caller's; NULL: plain HTTP */
};

struct membership_events {
    /* The list of KIND has changed: a member came, left, has another epoch, address or weight, or
     * refuses clients, or drains, from now on or no more. A change of connections and client_ips
     * alone does not count. */
    void (*changed)(struct membership *membership, enum member_kind kind, void *arg);
    /* We are a member (we hold the lease), for the first time or again. LOST: others may have taken
     * us for dead meanwhile. Then we have a new epoch, and everybody forgets what was registered
     * under the old one. */
    void (*held)(struct membership *membership, bool lost, void *arg);
};

/* Never NULL. OPTIONS are copied. If they have addresses, REDIS is not used and may be NULL. */
struct membership *membership_open(struct loop *loop, struct redis *redis,
                                   const struct membership_options *options,
                                   const struct membership_events *events, void *arg);
/* Checks LIST: host:port, host:port …. A name stands for every address that it resolves to. 0, or
 * -EINVAL, and ERR says which item is wrong, and why. */
int membership_check_addresses(const char *list, char *err, size_t errlen);
/* The members of KIND. The pointer is valid until the next changed() of KIND. */
const struct member_list *membership_list(const struct membership *membership,
                                          enum member_kind kind);
/* The member of KIND with ID; NULL: it is not alive. */
const struct member *membership_find(const struct membership *membership, enum member_kind kind,
                                     const char *id);
const struct member *membership_self(const struct membership *membership);
/* Has every watched kind been read at least once, and do we hold our lease? */
bool membership_ready(const struct membership *membership);
/* False while Redis is away: the lists may be out of date. Always true for a list of addresses. */
bool membership_fresh(const struct membership *membership);
/* Do all living daemons know that we are a member? Leases: they have had the time to read ours. A
 * list of addresses: they have asked us. */
bool membership_known(const struct membership *membership);
/* The others learn this with the next renewal. */
void membership_set_connections(struct membership *membership, int64_t connections);
/* For a comet: the same. If it begins to refuse clients, or begins or ends a drain, its lease is
 * renewed at once, so that the others know within a renewal of their own. */
struct member_clients {
    int64_t ips; /* client_ips */
    bool refuses, draining;
};
void membership_set_clients(struct membership *membership, const struct member_clients *clients);
/* Conditions of ours do not hold, see struct member; "": all do. The others learn it with the next
 * renewal. */
void membership_set_unready(struct membership *membership, const char *unready);
/* /member of the admin listener: answers REQUEST with our record. The query says who asks (kind,
 * id, epoch). A POST also says that the asker leaves (leaving), and which epoch of ours it has
 * taken for dead (dead). We believe that only from an address of the list, and never from a web
 * page. MEMBERSHIP may be NULL: the answer is 503. */
void membership_serve(struct membership *membership, struct http_request *request);
/* From now on KEY is shown to the list of addresses; NULL: none. */
void membership_set_key(struct membership *membership, const char *key);
/* Gives the lease back, so that the others know at once. There is no renewal after this. DONE (may
 * be NULL) runs when they know or do not answer. It never runs before this returns, nor after
 * membership_close(). */
void membership_leave(struct membership *membership, void (*done)(void *arg), void *arg);
/* Ends without leaving: the lease lapses by itself. No event comes after this. Call it before
 * redis_close(). NULL is fine. */
void membership_close(struct membership *membership);

/* Counted since membership_open(). */
struct membership_stats {
    int64_t lives; /* in how many epochs we were a member */
    /* With a list of addresses: */
    int64_t asked, unanswered, malformed; /* questions; those without an answer; answers that are no
                                           * record */
    int64_t lapsed;                       /* daemons taken for dead */
    int64_t doubles;                      /* answers with an id that another process has */
    int64_t disbelieved;                  /* what others said that we did not believe */
    int64_t unresolved;                   /* look-ups of names that failed */
    int64_t addresses, silent;            /* now: addresses in the list; those of them that do not
                                           * answer */
};
void membership_stats(const struct membership *membership, struct membership_stats *stats);

#endif
