/* events.h - calls of GET /v1/events that wait for an event. Main loop only.
 *
 *   v1_events ─► is there one already? ─► answered
 *                   │ no, and it waits      ▲
 *                   └─► followers ──────────┘ ten times a second: is there one for it now, is its
 *                                             time over, has its client gone, does logic end?
 *
 * A follower holds no events: it has a place in the feed's ring. So a slow one costs nothing, and
 * is told that it has missed some. */
#ifndef IMC_LOGIC_HTTP_V1_EVENTS_H
#define IMC_LOGIC_HTTP_V1_EVENTS_H

#include "logic/base/logic.h"

enum { EVENTS_WAIT_MOST_S = 30, EVENTS_LIMIT_MOST = 500, EVENTS_PLACE_MAX = 60 };

/* Answers those that wait. */
void v1_followers_close(struct logic *logic);

#endif
