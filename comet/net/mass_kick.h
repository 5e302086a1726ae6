/* mass_kick.h - kicks many connections without a stampede: so many a second that the last one is
 * kicked within the given time. Owner loop only. */
#ifndef IMC_COMET_NET_MASS_KICK_H
#define IMC_COMET_NET_MASS_KICK_H

#include "common/protocol/ops.h"
#include <stdbool.h>
#include <stdint.h>

struct conn;
struct frontend;
struct worker;

#define MASS_KICK_WHENEVER UINT64_MAX

/* CODE and REASON are for operation 6. */
struct mass_kick_plan {
    enum close_code code;
    const char *reason; /* kept */
    uint64_t over_ms;   /* all are kicked within this time; MASS_KICK_WHENEVER: at drain.rate */
    /* Is called in place of a kick, for what is or may become a session. It sees to it that
     * conn_send_away() is called soon. When OVER_MS has passed nobody is asked any more. May be
     * NULL. */
    void (*ask)(struct conn *conn);
    void (*done)(struct worker *worker); /* no connection is left; may be NULL */
};

/* Kicks every connection, spread over the plan's time, but at least drain.rate a second. Another
 * plan takes the place of one that is under way. */
void mass_kick_all(struct worker *worker, const struct mass_kick_plan *plan);
/* Whoever is not told yet stays. */
void mass_kick_stop(struct worker *worker);
/* Kicks the sessions that are in a room now, or with ALL every session there is now, because they
 * missed a message. The code is 12, the pace as above. */
void mass_kick_recall(struct worker *worker, bool all, uint64_t over_ms);
/* Once per frontend. */
void mass_kick_open(struct frontend *frontend);
/* To be called before the last turns of the loop. */
void mass_kick_close(struct frontend *frontend);

#endif
