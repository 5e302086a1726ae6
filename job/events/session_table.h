/* session_table.h - the sessions of one partition of the log of sessions, as its records tell them.
 * Pure; owner only.
 *
 *              OPENED                    ENDED                    session_table_forget
 *   unknown ───────────► SESSION_OPEN ───────────► SESSION_CLOSED ─────────────────────► unknown
 *      │                  │        ▲                    ▲ ▲ │
 *      │                  │ its comet is dead           │ │ └─ OPENED: too late, nothing changes
 *      │                  ▼        │ not written        │ │
 *      │                SESSION_ENDING ─────────────────┘ │ its end is due, or its user came back
 *      │                  │ any of them: ENDED            │
 *      │                  └──► SESSION_ABSENT ────────────┤
 *      └──────────────────────────────────────────────────┘ ENDED, or its deletion
 *
 * A session is ABSENT if its end is not to be told yet (absences.h).
 *
 * A session opens once: handles are never used twice in a life. Closed sessions are remembered for
 * a while, because a logic that stood still may write that one was opened after its end.
 *
 * Memory: SESSION_TABLE_BYTES for a session, open or remembered. */
#ifndef IMC_JOB_EVENTS_SESSION_TABLE_H
#define IMC_JOB_EVENTS_SESSION_TABLE_H

#include "common/base/list.h"
#include "common/events/session_record.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SESSION_TABLE_BYTES = 90 };

enum session_state { SESSION_OPEN, SESSION_ENDING, SESSION_ABSENT, SESSION_CLOSED };

struct comet_life;

struct session {
    TAILQ_ENTRY(session)
    link; /* of its life's open ones, of the absent ones, or of the closed
           * ones, oldest first */
    struct comet_life *life;
    uint64_t handle;
    int64_t uid;
    uint64_t opened_ms : 56; /* Unix time */
    uint64_t state : 2;      /* enum session_state */
    uint64_t buried : 1;     /* CLOSED: its deletion is in the log, or on its way */
    uint64_t telling : 1;    /* CLOSED: the event of its end is on its way. The caller's */
};

/* One life of a comet: an epoch. */
struct comet_life {
    LIST_ENTRY(comet_life) link;
    char comet[64];
    uint64_t epoch;
    struct map64 *sessions;                 /* by handle */
    TAILQ_HEAD(session_list, session) open; /* ENDING, too */
    size_t n, n_open;
    uint64_t absent_ms; /* loop time since when no such comet lives; 0: it does. The caller's */
};

struct session_table {
    LIST_HEAD(comet_lives, comet_life) lives;
    struct slab *slab;
    struct session_list absent, closed;
    size_t n_open, n_closed;
};

void session_table_init(struct session_table *table);
void session_table_free(struct session_table *table);
/* NULL: unknown. */
struct session *session_table_find(struct session_table *table, const struct session_name *name);
/* NAME is unknown until now. */
struct session *session_table_open(struct session_table *table, const struct session_name *name,
                                   int64_t uid, uint64_t opened_ms);
/* SESSION is absent, which was open; or NAME, which was unknown. */
void session_table_leave(struct session_table *table, struct session *session);
struct session *session_table_add_absent(struct session_table *table,
                                         const struct session_name *name, int64_t uid);
/* SESSION is closed, which was open or absent; or NAME, which was unknown. */
void session_table_close(struct session_table *table, struct session *session);
struct session *session_table_add_closed(struct session_table *table,
                                         const struct session_name *name);
/* For tests: the memory of the maps. */
size_t session_table_map_bytes(const struct session_table *table);
/* Forgets the closed session that was closed first. There is one. */
void session_table_forget(struct session_table *table);
/* The name of SESSION. */
void session_table_name(const struct session *session, struct session_name *out);

#endif
