/* router_answer.h - what logic tells a router about a session, and what the router answers. Main
 * loop only.
 *
 * Sessions stay in the form in which they were unpacked. So push.c can put them into a message for
 * Kafka, and settle_requests.c into a reply, without copying. */
#ifndef IMC_LOGIC_ROUTER_ROUTER_ANSWER_H
#define IMC_LOGIC_ROUTER_ROUTER_ANSWER_H

#include "common/base/text.h"
#include "proto/router.pb-c.h"

#include <stdbool.h>

enum router_result {
    ROUTER_OK,
    ROUTER_MISMATCH, /* the router sees another ring than we do: it ignored puts, and an empty
                      * lookup proves nothing */
    ROUTER_AWAY,     /* no router, or no answer in time: the request may or may not have been
                      * carried out */
};

struct router_reply; /* a decoded MapReply, reference-counted */

struct router_counted {
    const char *name; /* of a room, or a comet's id */
    uint64_t sessions;
};

struct router_answer {
    enum router_result result;
    uint64_t ring;     /* ring_hash() when the request was sent */
    bool complete;     /* lookup: if there are no sessions, the user is away */
    uint32_t status;   /* put: PutStatus */
    size_t n_sessions; /* lookup: all that the router knows, also with ROUTER_MISMATCH */
    Imc__V1__Session **sessions;
    uint64_t room_total; /* room: sessions of the room on all comets */
    size_t n_counts;     /* of a count */
    const struct router_counted *counts;
    struct router_reply *reply; /* owns sessions and counts: take a reference to use them after the
                                 * call. May be NULL */
};
typedef void (*router_fn)(void *arg, const struct router_answer *answer);

/* Leaves only those of N sessions that have one of the keys, which are in the order of strcmp().
 * Returns how many; they come first. SESSIONS is that of one answer, which nobody else looks at. */
static inline size_t router_sessions_with_keys(Imc__V1__Session **sessions, size_t n,
                                               const char *const *keys, size_t n_keys)
{
    size_t left = 0;

    for (size_t i = 0; i < n; i++) {
        if (text_is_among(sessions[i]->key, keys, n_keys))
            sessions[left++] = sessions[i];
    }
    return left;
}

struct router_reply *router_reply_ref(struct router_reply *reply);
void router_reply_unref(struct router_reply *reply);

/* What a loop of a comet says of a room. Strings have to stay valid until the answer. */
struct router_room {
    const char *comet, *room;
    bool foreign;   /* COMET is one of goim's, which holds no lease; EPOCH and LOOP are 0 */
    uint64_t epoch; /* of the comet */
    uint32_t loop, sessions;
    uint64_t number; /* rises with every word of the loop */
};

/* A session as a router is told of it. Strings have to stay valid until the answer. */
struct router_session {
    const char *comet;
    uint64_t epoch, handle;
    int64_t uid;
    const char *key, *room;
    bool acked;            /* an acknowledged session */
    bool again;            /* put: it was open before */
    uint32_t max_sessions; /* put: refused if the uid has so many other sessions; 0: no limit */
};

#endif
