/* router_answer.h - what routers are told of a session, and what they answer.
 *
 * Sessions and counts stay as they were unpacked: push.c puts the sessions into a message for
 * Kafka, and settle_requests.c into a reply, without a copy per uid. */
#ifndef IMC_LOGIC_ROUTER_ROUTER_ANSWER_H
#define IMC_LOGIC_ROUTER_ROUTER_ANSWER_H

#include "proto/router.pb-c.h"

#include <stdbool.h>

enum router_result {
    ROUTER_OK,
    ROUTER_MISMATCH, /* it sees another ring than we do: puts were not applied, a lookup proves
                        nothing */
    ROUTER_AWAY,     /* no router, or no answer in time; it may or may not have been carried out */
};

struct router_reply; /* a decoded MapReply, counted references */

struct router_answer {
    enum router_result result;
    uint64_t ring;     /* ring_hash() it was sent under */
    bool complete;     /* lookup: an empty answer means that nobody is there */
    uint32_t status;   /* put: PutStatus */
    size_t n_sessions; /* lookup; given whatever is known, also with ROUTER_MISMATCH */
    Imc__V1__Session **sessions;
    size_t n_counts; /* count */
    Imc__V1__Count **counts;
    struct router_reply
        *reply; /* keeps the two alive: take a reference to use them after the call. May be NULL */
};
typedef void (*router_fn)(void *arg, const struct router_answer *answer);

struct router_reply *router_reply_ref(struct router_reply *reply);
void router_reply_unref(struct router_reply *reply);

/* Strings are borrowed until the answer. */
struct router_session {
    const char *comet;
    uint64_t epoch, handle;
    int64_t uid;
    const char *key, *room;
    uint32_t max_sessions; /* put: refuse when the uid has as many others; 0 = no limit */
};

#endif
