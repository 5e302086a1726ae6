/* room_members.h - who is in a room, page by page. The comets know. Main loop only.
 *
 *   loops of all comets, by the comet's id, then the loop's index: a row of *units*
 *
 *     … │ comet-1/3 │ comet-2/0 │ comet-2/1 │ …      room_members_page asks one unit, then two,
 *            ▲ the page begins here                  then four …, until the page is full
 *
 * In a unit members stand by their slot of its handle table. A session keeps comet, loop and slot
 * as long as it lives. So the place behind the last member of a page is a cursor that stays right:
 * whoever asks on from it sees each session that stays in the room once, whoever else comes and
 * goes.
 *
 * A small room costs a question to each loop of each comet, some rounds of them. A page of a large
 * one costs one or two questions, and no more members are fetched than it takes. */
#ifndef IMC_LOGIC_PEERS_ROOM_MEMBERS_H
#define IMC_LOGIC_PEERS_ROOM_MEMBERS_H

#include "logic/base/logic.h"

struct room_members;

/* Where a page begins: before the member with that SLOT, or the next one behind it. */
struct members_place {
    char comet[64]; /* "": before all */
    uint32_t loop, slot;
};

struct room_member {
    const char *comet;
    uint64_t handle;
    int64_t uid;
    const char *key; /* "": it has none */
};

/* Valid during the call of FN. */
struct members_page {
    size_t n;
    const struct room_member *members;
    bool more; /* ask on from NEXT. A page may be short, or empty, and have more behind it */
    struct members_place next;
    /* Comets that did not answer within rooms.timeout, or have no connection to this logic: their
     * members are left out. */
    size_t n_unanswered;
    const char *const *unanswered;
    bool too_many; /* nothing was asked: too many questions are under way */
};
typedef void (*members_fn)(void *arg, const struct members_page *page);

/* Asks for up to LIMIT members (1 … QUESTION_MEMBERS_MAX) of ROOM, which is copied. FN runs once,
 * perhaps before this returns. */
void room_members_page(struct logic *logic, const char *room, const struct members_place *from,
                       uint32_t limit, members_fn fn, void *arg);

#endif
