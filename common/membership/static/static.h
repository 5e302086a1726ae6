/* static.h - what the parts of the list of addresses share. Owner loop only.
 *
 *     entry "comet:8093" ─resolve─► address 10.0.0.7:8093 ─GET /member─► record ─► peer (comet, id)
 *     entry.c                       address.c                                      peer.c
 *
 *   static.c: what we are ourselves, the clock, the order of things */
#ifndef IMC_COMMON_MEMBERSHIP_STATIC_STATIC_H
#define IMC_COMMON_MEMBERSHIP_STATIC_STATIC_H

#include "common/http/client.h"
#include "common/membership/internal.h"
#include "common/net/address.h"

#include <netinet/in.h>

enum {
    ENTRY_HOST_MAX = 254,
    ADDRESSES_MAX = 1024, /* beyond that DNS's answers are left out */
    RESOLVE_MS = 5000,    /* names are looked up so often */
    TOLD_MS = 10000,      /* what goes on being wrong is repeated so often */
};

struct static_entry {
    struct static_members *members;
    char host[ENTRY_HOST_MAX], port[6];
    bool literal; /* an IP address: never looked up */
    bool decided; /* DNS has answered, be it that there is no such name */
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
    char text[ENTRY_HOST_MAX + 64]; /* for the log: "comet:8093 (10.0.0.7)" */
    struct http_client *ask;
    struct static_peer
        *peer;            /* whom it answered for last; NULL: nobody yet, ourselves, or a double */
    bool listed;          /* an entry stands for it, now */
    bool decided;         /* it answered, or nobody listens there */
    bool silent;          /* no answer to the last question */
    bool odd;             /* the last answer was no record */
    bool parting;         /* is being told that we leave */
    uint64_t since_ms;    /* first asked */
    unsigned asked_round; /* members->round when the question was asked */
    unsigned done_round;  /* of the last one that was answered, or refused */
};

enum peer_state {
    PEER_GONE,    /* lapsed or left */
    PEER_SEEKING, /* answers, but is no member */
    PEER_HELD,
};

/* Another process with its (kind, id). */
struct static_peer {
    struct static_peer *next;
    struct member_record record; /* the last one */
    enum peer_state state;
    uint64_t seen_ms;    /* when it answered last */
    uint64_t dead_epoch; /* under this it is a member no more; 0 = none */
    struct static_address *address;
    bool asked;       /* it has asked us while we were a member: so it knows us */
    bool told_double; /* the log has that another process claims its id */
};

struct static_members {
    struct membership base;
    char *list;
    uv_timer_t timer;
    struct static_entry *entries;
    size_t n_entries;
    struct static_address *addresses;
    size_t n_addresses;
    struct static_peer *peers;

    uint64_t ticked_ms, epoch_ms; /* clock of members_now(): the last tick, the epoch's beginning */
    uint64_t told_ms;
    unsigned round; /* everyone is to be asked once more before we believe what we see */
    bool looked;    /* the first round is over */
    bool claimed;   /* logic: self.node is ours, or claimed … */
    bool claiming;  /* … in this round, that is not over */
    bool shown;     /* we are in the list of our own kind */
    bool stale;     /* the lists differ from the peers */
    bool met_self;  /* an address of the list is our own */
    bool told_rival, told_full, told_crowd, told_self;
    bool parted; /* done() was called */

    unsigned refs; /* timer, lookups: callbacks that are still to come */
    struct membership_stats counts;
};

/* Milliseconds since boot, also while the machine slept. */
uint64_t members_now(void);
/* What is registered with, or by, a KIND that we watch is forgotten when it is taken for dead: so
 * it has to hear of it. Logics and jobs have nothing to forget. */
bool members_bury(const struct static_members *members, enum member_kind kind);
/* RECORD was answered by ADDRESS. */
void members_take(struct static_members *members, struct static_address *address,
                  const struct member_record *record);
/* Something that may decide what we are has changed. */
void members_step(struct static_members *members);
void members_unref(struct static_members *members);

/* --- entry.c --- */
void entries_open(struct static_members *members);
/* Looks up what is due. */
void entries_resolve(struct static_members *members, uint64_t now_ms);
bool entries_decided(const struct static_members *members);
/* No lookup begins any more; those under way are given up. */
void entries_close(struct static_members *members);
void entries_free(struct static_members *members);

/* --- address.c --- */
/* Marks what the entries stand for, makes and asks what is new. */
void addresses_update(struct static_members *members);
/* Asks everyone who has answered the former question. */
void addresses_ask(struct static_members *members);
/* Drops those that no entry stands for and nobody alive answers at. */
void addresses_prune(struct static_members *members);
/* Everyone has been asked in this round, and has answered or will not. */
bool addresses_done(const struct static_members *members, uint64_t now_ms);
/* Tells everyone that we leave; members_parted() when all know. */
void addresses_part(struct static_members *members);
void members_parted(struct static_members *members);
void addresses_close(struct static_members *members);
/* Is IP, as http_peer() has it, that of ADDRESS? */
bool address_is(const struct static_address *address, const char *ip);
/* … of any in the list? */
bool addresses_have(const struct static_members *members, const char *ip);

/* --- peer.c --- */
struct static_peer *peers_find(const struct static_members *members, enum member_kind kind,
                               const char *id);
void peers_take(struct static_members *members, struct static_address *address,
                const struct member_record *record, uint64_t now_ms);
void peers_lapse(struct static_members *members, uint64_t now_ms);
/* We slept: nobody was given the time to answer. */
void peers_shift(struct static_members *members, uint64_t slept_ms);
/* It says that it leaves. */
void peer_leaves(struct static_members *members, struct static_peer *peer);
/* Address is about to be freed. */
void peers_forget_address(struct static_members *members, const struct static_address *address);
/* The members of KIND, ourselves among them if we are shown. */
struct member_list peers_list(const struct static_members *members, enum member_kind kind);
/* Another logic that has NODE, or claims it, or (EVER) had it before it was gone; NULL = none. */
const struct static_peer *peers_with_node(const struct static_members *members, uint32_t node,
                                          bool ever);
/* A member that has not asked us since we are one; NULL = none. */
const struct static_peer *peers_ignorant(const struct static_members *members);
void peers_free(struct static_members *members);

#endif
