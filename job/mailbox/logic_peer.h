/* logic_peer.h - two streams to one logic: on one it is asked to store messages, on the other it is
 * told how far behind we are. Main loop only.
 *
 * A batch is for one shard of Redis, and each shard may have as many batches unanswered as
 * logic.window says. So a shard that does not answer holds up only its own. */
#ifndef IMC_JOB_MAILBOX_LOGIC_PEER_H
#define IMC_JOB_MAILBOX_LOGIC_PEER_H

#include "common/membership/membership.h"
#include "job/base/message.h"
#include "proto/session.pb-c.h"
#include <stdbool.h>

struct job;
struct logic_peer;

struct logic_peer_events {
    /* Logic answered for MESSAGE, whose reference it hands back. RESULT NULL: no answer. */
    void (*answered)(struct message *message, const Imc__V1__SettleResult *result, void *arg);
    /* Why settles on SHARD failed, as logic said or as we know. */
    void (*failed)(size_t shard, const char *why, void *arg);
    /* logic_peer_answers() has changed. */
    void (*changed)(void *arg);
};

/* EVENTS are borrowed. */
struct logic_peer *logic_peer_open(struct job *job, const struct member *member,
                                   const struct logic_peer_events *events, void *arg);
/* Whatever it has is answered with NULL before this returns. */
void logic_peer_close(struct logic_peer *logic);
/* Takes the reference to MESSAGE. */
void logic_peer_push(struct logic_peer *logic, struct message *message);
/* Sends job->report. */
void logic_peer_tell(struct logic_peer *logic);
bool logic_peer_is_up(const struct logic_peer *logic);
/* Did it answer the last report? False until the first one was sent. */
bool logic_peer_answers(const struct logic_peer *logic);
/* The same process at the same address? */
bool logic_peer_is(const struct logic_peer *logic, const struct member *member);

#endif
