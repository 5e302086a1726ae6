/* internal.h - what the files of this folder and of static/ share. Owner loop only.
 *
 *   membership.c what leases and a list of addresses share: lists, epochs, events
 *   list.c           lists of members
 *   record.c         members as JSON
 *   serve.c          GET /member
 *   lease.c leases in Redis; lease_*.lua are the scripts that Redis runs
 *   static/ the list of addresses, each of which is asked: static/static.h */
#ifndef IMC_COMMON_MEMBERSHIP_INTERNAL_H
#define IMC_COMMON_MEMBERSHIP_INTERNAL_H

#include "common/membership/membership.h"

/* The query of a request to /member: who asks for our record, and what the asker says about itself.
 * Only what is said by POST counts; a GET is only a question. */
struct member_question {
    bool says;        /* the request was a POST */
    const char *from; /* the asker's IP address */
    enum member_kind kind;
    const char *id; /* NULL: the asker is not a daemon */
    uint64_t epoch;
    bool leaving;
    uint64_t dead; /* the epoch of ours that the asker has taken for dead; 0: none */
};

struct membership_ops {
    /* Begins. Events come from a timer or later, never before membership_open() has returned. */
    void (*start)(struct membership *membership);
    bool (*fresh)(const struct membership *membership);
    bool (*known)(const struct membership *membership);
    void (*heard)(struct membership *membership, const struct member_question *question);
    void (*leave)(struct membership *membership);
    /* The others ought to see our record soon. NULL: they ask for it every renew_ms. */
    void (*renew)(struct membership *membership);
    /* Shows KEY to the others; NULL: nobody is asked for it. */
    void (*set_key)(struct membership *membership, const char *key);
    /* Ends in membership_free(), when no callback can come any more. */
    void (*close)(struct membership *membership);
    void (*stats)(const struct membership *membership, struct membership_stats *stats);
};

/* The first member of each backend's struct. */
struct membership {
    const struct membership_ops *ops;
    struct loop *loop;
    enum member_kind kind;
    unsigned watch;
    int64_t renew_ms, ttl_ms;
    struct member self;
    struct membership_events events;
    void *arg;
    bool holding, ever_held, leaving, closed;
    bool numbered;    /* self.node is ours, or we have claimed it */
    unsigned read;    /* a bit for each kind that was read */
    uint64_t held_ms; /* loop time at which we became a member first */
    struct member_list lists[MEMBER_KINDS];
    void (*left)(void *arg);
    void *left_arg;
    int64_t lives;
};

/* membership.c, for the backends */
struct membership *membership_lease_new(struct redis *redis);
struct membership *membership_static_new(const char *addresses, struct tls_client *tls);
/* Takes ownership of LIST. If it differs in more than connections and client_ips, the event
 * changed() comes. */
void membership_take_list(struct membership *membership, enum member_kind kind,
                          struct member_list list);
/* We are a member now, with NODE: the event held() comes. If we were one already, nothing
 * happens. */
void membership_hold(struct membership *membership, uint32_t node);
/* We are not a member any more. A new epoch begins. */
void membership_give_up(struct membership *membership);
/* Begins the first life at NOW_MS (Unix time) of a clock that all daemons share. The epoch has to
 * be above that of the daemon's earlier processes, which may have run under another clock. */
void membership_date(struct membership *membership, uint64_t now_ms);
/* Calls done() of membership_leave(). */
void membership_tell_left(struct membership *membership);
void membership_free(struct membership *membership);

/* list.c: */
/* Adds to LIST the members that only OLD has. */
void member_list_keep(struct member_list *list, const struct member_list *old);
void member_list_sort(struct member_list *list);
/* Both compare everything except connections and client_ips. */
bool member_same(const struct member *a, const struct member *b);
bool member_list_same(const struct member_list *a, const struct member_list *b);
/* Takes what member_same() leaves out. */
void member_take_counts(struct member *member, const struct member *from);
struct member *member_list_find(const struct member_list *list, const char *id);
void member_list_free(struct member_list *list);

/* record.c: */
/* The JSON text of a lease. The caller frees it. */
char *member_encode(const struct member *member, int64_t ttl_ms);
/* A sorted list from an array of id, JSON, id, JSON …. What cannot be read is left out and
 * logged. */
struct member_list member_list_decode(const redisReply *reply);

enum record_state {
    RECORD_SEEKING, /* not a member: it still asks the others, or another process has its id */
    RECORD_HELD,
    RECORD_LEAVING,
};

/* The answer to GET /member. */
struct member_record {
    enum member_kind kind;
    enum record_state state;
    bool numbered; /* member.node is its number, or it has claimed it */
    struct member member;
};

/* The JSON text of RECORD. The caller frees it. */
char *member_record_encode(const struct member_record *record);
/* Reads TEXT into RECORD. NULL, or what is wrong with TEXT. */
const char *member_record_decode(const char *text, size_t len, struct member_record *record);

/* serve.c: writes the request target for QUESTION, percent-encoded. */
enum { MEMBER_TARGET_MAX = 512 };
void member_question_encode(const struct member_question *question, char *buf, size_t len);

#endif
