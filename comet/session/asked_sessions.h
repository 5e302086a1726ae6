/* asked_sessions.h - answers what a logic asks about sessions of this loop, for GET /v1/sessions
 * and /v1/rooms/members. Owner loop only. */
#ifndef IMC_COMET_SESSION_ASKED_SESSIONS_H
#define IMC_COMET_SESSION_ASKED_SESSIONS_H

#include "comet/logic/questions.h"

struct worker;
struct room_pages;

/* question_fn. */
void asked_sessions_take(struct worker *worker, struct question *question);

/* --- who is in a room: room_pages.c ---
 *
 * A question wants the members with the lowest slots of the handle table, from one slot on. A small
 * room's members are sorted. In a large room they would have to be sorted for each page, so the
 * table is walked instead: there every so many slots have a member. The walk does a slice per turn
 * of the loop. */

enum {
    ROOM_PAGES_SORTED = 4096,
    ROOM_PAGES_SLICE = 4096,
};

/* Rooms with more members than SORTED are walked, at most SLICE slots per turn, of all questions
 * together. */
struct room_pages *room_pages_open(struct worker *worker, uint32_t sorted, size_t slice);
/* Call it when the loop is closed, and the links to logic are. */
void room_pages_close(struct room_pages *pages);
void room_pages_take(struct room_pages *pages, struct question *question);

#endif
