/* give_way.h - asks comets to end sessions of a user, so that another one of his has room or takes
 * the place of one. Main loop only. Comets carry it out later, or never, if they have gone. */
#ifndef IMC_LOGIC_PEERS_GIVE_WAY_H
#define IMC_LOGIC_PEERS_GIVE_WAY_H

#include "logic/base/logic.h"
#include "logic/router/router_answer.h"

#include <stdbool.h>

/* sessions.when_full is close_oldest, sessions.same_key is replace. */
bool give_way_closes_oldest(const struct logic_config *config);
bool give_way_replaces(const struct logic_config *config);

/* ANSWER has all sessions of UID, newest first, as a router lists them. One of them that has been
 * silent for long is to end: the first time (ASKS is 0) that is asked of the oldest session, then
 * of a few, then of all. So few sessions have to go, and soon. */
void give_way_silent(struct logic *logic, int64_t uid, const struct router_answer *answer,
                     int asks);
/* The oldest one is to end, so that there is room for one more with MOST. Or several, if there are
 * more than MOST already: sessions that are registered again are not limited. */
void give_way_oldest(struct logic *logic, int64_t uid, const struct router_answer *answer,
                     size_t most);
/* Those with the key of SELF that came before it are to end. A router lists them behind SELF. If
 * two come at the same time, only the older one is behind the other. So one of them stays. */
void give_way_same_key(struct logic *logic, const struct router_session *self,
                       const struct router_answer *answer);
/* Has another one with the key of SELF come after it? */
bool give_way_is_replaced(const struct router_session *self, const struct router_answer *answer);

#endif
