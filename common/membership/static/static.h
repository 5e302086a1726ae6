/* static.h - what the files of this folder share. Owner loop only.
 *
 *     entry "comet:8093" ─resolve─► address 10.0.0.7:8093 ─GET /member─► record ─► peer (comet, id)
 *     entry.c                       address.c                                      peer.c
 *
 *   static.c: decides what we are; the clock, and the order of steps */
#ifndef IMC_COMMON_MEMBERSHIP_STATIC_STATIC_H
#define IMC_COMMON_MEMBERSHIP_STATIC_STATIC_H

#include "common/http/client.h"
#include "common/membership/internal.h"
#include "common/net/address.h"

#include <netinet/in.h>

enum {
    ENTRY_HOST_MAX = 254,
    ADDRESSES_MAX = 1024, /* further addresses that DNS answers are ignored */
    RESOLVE_MS = 5000,    /* how often names are looked up */
    TOLD_MS = 10000,      /* how often a trouble that goes on is logged again */
};

struct static_entry {
    struct static_members *members;
    char host[ENTRY_HOST_MAX], port[6];
    bool literal; /* HOST is an IP address, which is never looked up */
    bool decided; /* DNS has answered, perhaps that there is no such name */
    bool busy, failing;
    uv_getaddrinfo_t request;
    uint64_t due_ms;
    union endpoint *found;
    size_t n_found;
};

struct static_address {
    struct static_address *next;
    struct static_members *members;
    union endpoint endpoint;
    char text[ENTRY_HOST_MAX + 64]; /* "comet:8093 (10.0.0.7)", for the log */
    struct http_client *ask;
    struct static_peer *peer; /* the peer that answered there last; NULL: none yet, ourselves, or a
                               * double */
    bool listed;              /* an entry of the list stands for it now */
    bool decided;             /* it has answered, or no daemon listens there */
    bool silent;              /* the last question was not answered */
    bool odd;                 /* the last answer was not a record */
    bool parting;             /* we are telling it that we leave */
    uint64_t since_ms;        /* when it was asked first */
    unsigned asked_round;     /* members->round at the last question */
    unsigned done_round;      /* members->round of the last question that was answered or refused */
};

enum peer_state {
    PEER_GONE,    /* it has lapsed or left */
    PEER_SEEKING, /* it answers, but is not a member */
    PEER_HELD,
};

/* A daemon that has answered, by its (kind, id). */
struct static_peer {
    struct static_peer *next;
    struct member_record record; /* what it answered last */
    enum peer_state state;
    uint64_t seen_ms;    /* when it answered last */
    uint64_t dead_epoch; /* the epoch in which it was taken for dead or left; 0: none */
    struct static_address *address;
    bool asked;       /* it has asked us while we were a member, so it knows us */
    bool told_double; /* it was logged that another process claims its id */
};

struct static_members {
    struct membership base;
    char *list;
    struct tls_client *tls; /* NULL: plain HTTP */
    char *authorization;    /* the header that is sent with each question; NULL: none */
    uv_timer_t timer;
    struct static_entry *entries;
    size_t n_entries;
    struct static_address *addresses;
    size_t n_addresses;
    struct static_peer *peers;

    uint64_t ticked_ms, epoch_ms; /* by members_now(): the last tick, the beginning of our epoch */
    uint64_t told_ms;
    unsigned round; /* goes up when everyone has to be asked again before we decide */
    bool looked;    /* the first round is over */
    bool claimed;   /* logic: self.node is ours, or we have claimed it */
    bool claiming;  /* we have claimed it in this round, which is not over */
    bool shown;     /* we are in our list of our own kind */
    bool stale;     /* the published lists are older than the peers */
    bool met_self;  /* an address of the list is our own */
    bool told_rival, told_full, told_crowd, told_self;
    bool parted; /* done() of membership_leave() was called */

    unsigned refs; /* callbacks that are still to come: of the timer and of look-ups */
    struct membership_stats counts;
};

/* Milliseconds since boot; time in which the machine slept counts. */
uint64_t members_now(void);
/* Has a KIND to be told that we took it for dead? When we take a comet or router for dead, we
 * forget what is registered by it or with it, and it has to register again. Logics and jobs have
 * nothing registered. */
bool members_bury(const struct static_members *members, enum member_kind kind);
/* ADDRESS has answered with RECORD. */
void members_take(struct static_members *members, struct static_address *address,
                  const struct member_record *record);
/* Something has changed that may decide what we are. */
void members_step(struct static_members *members);
void members_unref(struct static_members *members);

/* --- entry.c --- */
void entries_open(struct static_members *members);
/* Looks up the names that are due. */
void entries_resolve(struct static_members *members, uint64_t now_ms);
bool entries_decided(const struct static_members *members);
/* Starts no further look-up, and gives up those under way. */
void entries_close(struct static_members *members);
void entries_free(struct static_members *members);

/* --- address.c --- */
/* Marks the addresses that entries stand for. Makes new ones and asks them. */
void addresses_update(struct static_members *members);
/* Asks every address that is not busy with an earlier question. */
void addresses_ask(struct static_members *members);
/* Drops addresses that no entry stands for and where no living peer answers. */
void addresses_prune(struct static_members *members);
/* Was every address asked in this round, and has it answered or failed? */
bool addresses_done(const struct static_members *members, uint64_t now_ms);
/* Tells every address that we leave. Calls members_parted() when all know. */
void addresses_part(struct static_members *members);
void members_parted(struct static_members *members);
void addresses_close(struct static_members *members);
/* Is IP, as http_peer() returns it, the IP address of ADDRESS? */
bool address_is(const struct static_address *address, const char *ip);
/* Is IP that of any address in the list? */
bool addresses_have(const struct static_members *members, const char *ip);

/* --- peer.c --- */
struct static_peer *peers_find(const struct static_members *members, enum member_kind kind,
                               const char *id);
void peers_take(struct static_members *members, struct static_address *address,
                const struct member_record *record, uint64_t now_ms);
void peers_lapse(struct static_members *members, uint64_t now_ms);
/* This process slept for SLEPT_MS. That time does not count against any peer. */
void peers_shift(struct static_members *members, uint64_t slept_ms);
/* PEER says that it leaves. */
void peer_leaves(struct static_members *members, struct static_peer *peer);
/* ADDRESS is about to be freed. */
void peers_forget_address(struct static_members *members, const struct static_address *address);
/* The members of KIND, with ourselves if members->shown. */
struct member_list peers_list(const struct static_members *members, enum member_kind kind);
/* Another logic that has NODE or claims it. With EVER, also one that had it before it was gone.
 * NULL: none. */
const struct static_peer *peers_with_node(const struct static_members *members, uint32_t node,
                                          bool ever);
/* A member that has not asked us since we are one; NULL: none. */
const struct static_peer *peers_ignorant(const struct static_members *members);
void peers_free(struct static_members *members);

#endif
