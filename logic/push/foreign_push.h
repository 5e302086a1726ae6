/* foreign_push.h - a message to a user who has sessions on goim's comets (goim.comets). goim's job,
 * a consumer group of its own on our topic, delivers it there: it gets an envelope of goim's for
 * each of these comets, with the server's name and the keys. Main loop only.
 *
 *   foreign_push_find ─► Redis (logic/foreign/) ─► found ─► foreign_push_send ─► Kafka ─► sent */
#ifndef IMC_LOGIC_PUSH_FOREIGN_PUSH_H
#define IMC_LOGIC_PUSH_FOREIGN_PUSH_H

#include "logic/base/logic.h"
#include "logic/push/push_message.h"

struct foreign_push;

/* PUSH is the caller's; NULL: the user has no such session, or Redis does not answer. */
typedef void (*foreign_found_fn)(void *arg, struct foreign_push *push);
/* ERR and WHY as of struct kafka_ticket; of one that failed, if any did. */
typedef void (*foreign_sent_fn)(void *arg, int err, const char *why);

/* Looks for the sessions of UID, with KEYS (NULL: with any key). FN runs once, never before this
 * returns. KEYS have to stay until then. */
void foreign_push_find(struct logic *logic, int64_t uid, const struct push_keys *keys,
                       foreign_found_fn fn, void *arg);
/* Was a comet of these sessions heard of lately? Otherwise they may all have ended. */
bool foreign_push_lives(const struct foreign_push *push);
/* Produces the envelopes. FN runs once, never before this returns. Takes *FROM. */
void foreign_push_send(struct foreign_push **from, const struct push_message *message,
                       foreign_sent_fn fn, void *arg);
/* Takes *PUSH, which may be NULL. */
void foreign_push_drop(struct foreign_push **push);

#endif
