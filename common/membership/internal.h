/* internal.h - what the files of this folder and of static/ share. Owner loop only.
 *
 *   membership.c     what both ways have in common: lists, epochs, events
 *   list.c           lists of members
 *   record.c         members as JSON
 *   serve.c          GET /member
 *   lease.c          leases; lease_*.lua: what Redis runs
 *   static/          a list of addresses that are asked: static/static.h */
#ifndef IMC_COMMON_MEMBERSHIP_INTERNAL_H
#define IMC_COMMON_MEMBERSHIP_INTERNAL_H

#include "common/membership/membership.h"

/* Who asks for our record, and what it says: the query of /member. What it says, by POST, is heard;
 * a GET is only a question. */
struct member_question {
    bool says;        /* by POST */
    const char *from; /* its IP address */
    enum member_kind kind;
    const char *id; /* NULL: not a daemon */
    uint64_t epoch;
    bool leaving;
    uint64_t dead; /* the epoch that it has taken for dead; 0 = none */
};

struct membership_ops {
    /* From a timer or later: no event before membership_open() has returned. */
    void (*start)(struct membership *membership);
    bool (*fresh)(const struct membership *membership);
    bool (*known)(const struct membership *membership);
    void (*heard)(struct membership *membership, const struct member_question *question);
    void (*leave)(struct membership *membership);
    /* Ends in membership_free(), once no callback can come any more. */
    void (*close)(struct membership *membership);
    void (*stats)(const struct membership *membership, struct membership_stats *stats);
};

/* First member of each backend's struct. */
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
    bool numbered;    /* self.node is ours, or claimed */
    unsigned read;    /* kinds that were read */
    uint64_t held_ms; /* loop time, first */
    struct member_list lists[MEMBER_KINDS];
    void (*left)(void *arg);
    void *left_arg;
    int64_t lives;
};

/* membership.c: for the backends */
struct membership *membership_lease_new(struct redis *redis);
struct membership *membership_static_new(const char *addresses);
uint64_t membership_random(void);
/* Takes LIST; the event comes if it differs in more than connections. */
void membership_take_list(struct membership *membership, enum member_kind kind,
                          struct member_list list);
/* We are a member now: the event. Nothing if we were. */
void membership_hold(struct membership *membership, uint32_t node);
/* We are none any more: what comes next is another life. */
void membership_give_up(struct membership *membership);
/* Calls done() of membership_leave(). */
void membership_tell_left(struct membership *membership);
void membership_free(struct membership *membership);

/* list.c: */
/* Adds to LIST what only OLD has. */
void member_list_keep(struct member_list *list, const struct member_list *old);
void member_list_sort(struct member_list *list);
/* But for the connections. */
bool member_same(const struct member *a, const struct member *b);
bool member_list_same(const struct member_list *a, const struct member_list *b);
struct member *member_list_find(const struct member_list *list, const char *id);
void member_list_free(struct member_list *list);

/* record.c: */
const char *member_kind_name(enum member_kind kind);
/* What goes into a lease; to be freed. */
char *member_encode(const struct member *member, int64_t ttl_ms);
/* From an array of id, JSON, id, JSON …; what cannot be read is left out and logged. Sorted. */
struct member_list member_list_decode(const redisReply *reply);

enum record_state {
    RECORD_SEEKING, /* not a member: it looks around, or another process has its id */
    RECORD_HELD,
    RECORD_LEAVING,
};

/* What GET /member answers. */
struct member_record {
    enum member_kind kind;
    enum record_state state;
    bool numbered; /* member.node is its number, or claimed */
    struct member member;
};

/* To be freed. */
char *member_record_encode(const struct member_record *record);
/* NULL, or what is wrong with TEXT. */
const char *member_record_decode(const char *text, size_t len, struct member_record *record);

/* serve.c: the request target, percent-encoded. */
enum { MEMBER_TARGET_MAX = 512 };
void member_question_encode(const struct member_question *question, char *buf, size_t len);

#endif
