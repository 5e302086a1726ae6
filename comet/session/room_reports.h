/* room_reports.h - tells the routers how many sessions of this loop are in each room, and asks how
 * many there are on all comets. Owner loop only.
 *
 *   fanout/room: members changed ─► timer, 100 ms ─► a word per room ─► logic ─► the room's router
 *                                     ▲                                   │
 *                                     └──────── not taken: once more ◄────┤
 *   heartbeat of a goim client ─► the total, if younger than a second     │
 *                              └► asks, and answers then ◄── total ◄──────┘
 *
 * Many changes of a room make one word. After routers have changed, every room is told anew. */
#ifndef IMC_COMET_SESSION_ROOM_REPORTS_H
#define IMC_COMET_SESSION_ROOM_REPORTS_H

#include <stdint.h>

struct conn;
struct room_reports;
struct worker;

/* rooms_open() has to come before. */
struct room_reports *room_reports_open(struct worker *worker);
void room_reports_close(struct room_reports *reports);
/* Other routers count now, or ours have forgotten us. */
void room_reports_restate(struct room_reports *reports);
/* Answers a heartbeat of CONN with the number of sessions in its room (4 bytes, big-endian; 0
 * without a room), as soon as that is known. */
void room_reports_heartbeat(struct room_reports *reports, struct conn *conn, uint16_t version,
                            int32_t seq);

#endif
