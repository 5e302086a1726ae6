/* absences.h - sessions of a partition that have ended, and whose ends are not told yet: their
 * users may come back within events.debounce. Main loop only.
 *
 *   absences_add ─► WAITING ─absences_asked─► ASKED: the log is to say that the end is due
 *                     ▲  │                      │
 *                     └──┼── absences_unasked ──┤ it could not be written
 *                        └──────────────────────┴─► absences_remove: it is due, the user came back,
 *                                                   or the end was told already
 *
 * Everything here follows from the log's records, so the next owner of the partition finds the
 * same. Memory: some 150 bytes and the record for each. */
#ifndef IMC_JOB_EVENTS_ABSENCES_H
#define IMC_JOB_EVENTS_ABSENCES_H

#include "common/base/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

struct absence {
    TAILQ_ENTRY(absence) link;
    struct absence *next; /* of the same uid, younger */
    struct session *session;
    int64_t uid;
    uint64_t ended_ms; /* Unix time */
    bool asked;
    size_t len;
    uint8_t record[]; /* the ENDED, as bytes */
};

struct absences {
    struct map64 *users; /* uid → its oldest absence */
    TAILQ_HEAD(absence_list, absence) waiting, asked;
    size_t n;
};

void absences_init(struct absences *absences);
void absences_free(struct absences *absences);
/* ABSENCE, with all but its links filled in, from malloc(), is taken. */
void absences_add(struct absences *absences, struct absence *absence);
/* The oldest one of UID, or NULL. */
struct absence *absences_of(const struct absences *absences, int64_t uid);
/* That of SESSION, which has one. */
struct absence *absences_find(const struct absences *absences, const struct session *session);
/* ABSENCE is over, and freed. */
void absences_remove(struct absences *absences, struct absence *absence);
void absences_asked(struct absences *absences, struct absence *absence);
void absences_unasked(struct absences *absences, struct absence *absence);

#endif
