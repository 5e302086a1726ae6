/* session_details.h - asks the comets what sessions of a user are like. Main loop only.
 *
 *   session_details_ask ─► for each comet: question_ask ─► answers of its loops ─► fn */
#ifndef IMC_LOGIC_PEERS_SESSION_DETAILS_H
#define IMC_LOGIC_PEERS_SESSION_DETAILS_H

#include "logic/base/logic.h"
#include "logic/router/router_answer.h"

struct session_details;

enum detail_state {
    DETAIL_AWAY, /* its comet did not answer */
    DETAIL_GONE, /* its comet does not have it: it has ended, or is still connecting */
    DETAIL_KNOWN,
};

/* Valid as long as the details are. */
struct session_detail {
    enum detail_state state;
    /* DETAIL_KNOWN: */
    uint64_t open_ms;
    bool websocket, tls, acked;
    const char *address, *platform; /* platform: "" if the client says none */
    bool chooses;                   /* it gets the operations of `ops`; false: all others */
    size_t n_ops;
    const int32_t *ops;
    uint32_t more_ops; /* that are not in `ops` */
    uint64_t unsent;   /* bytes that wait in comet and its kernel until the device takes them */
    size_t n_rooms;
    const char **rooms; /* the main one first, if it has one */
    uint32_t more_rooms;
};

/* FN may call session_details_free(). */
typedef void (*session_details_fn)(void *arg, struct session_details *details);

/* Asks about the sessions of UID that ANSWER has. Takes a reference to what owns them. FN runs
 * once, perhaps before this returns. */
void session_details_ask(struct logic *logic, int64_t uid, const struct router_answer *answer,
                         session_details_fn fn, void *arg);
size_t session_details_count(const struct session_details *details);
/* Session I, from 0, as the router has it. */
const Imc__V1__Session *session_details_session(const struct session_details *details, size_t i);
const struct session_detail *session_details_at(const struct session_details *details, size_t i);
void session_details_free(struct session_details *details);

#endif
