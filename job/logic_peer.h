/* logic_peer.h - the stream of settles to one logic, and one on which it is told how far behind we
 * are. Owner loop only. */
#ifndef IMC_JOB_LOGIC_PEER_H
#define IMC_JOB_LOGIC_PEER_H

#include "common/membership/membership.h"
#include "job/message.h"
#include <stdbool.h>

struct job;
struct handover;
struct logic_peer;

struct logic_peer *logic_peer_open(struct job *job, struct handover *settle,
                                   const struct member *member);
/* Whatever it has is answered with NULL before this returns. */
void logic_peer_close(struct logic_peer *logic);
/* Takes the reference to TASK. */
void logic_peer_push(struct logic_peer *logic, struct message *message);
/* Sends job->report. */
void logic_peer_tell(struct logic_peer *logic);
bool logic_peer_is_up(const struct logic_peer *logic);
/* It has answered the last that it was told. False until it has been told something. */
bool logic_peer_answers(const struct logic_peer *logic);
/* The same process at the same address? */
bool logic_peer_is(const struct logic_peer *logic, const struct member *member);

#endif
