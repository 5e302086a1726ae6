/* members.h - GET /v1/rooms/members, and what stands in its cursor: "0300001267.comet-1" is loop 3
 * and slot 0x1267 of comet-1. Main loop only. */
#ifndef IMC_LOGIC_HTTP_V1_MEMBERS_H
#define IMC_LOGIC_HTTP_V1_MEMBERS_H

enum { MEMBERS_CURSOR_DIGITS = 10 }; /* two of the loop, eight of the slot */

#endif
