/* comet_lives.h - the comets that a router knows: their epochs, whether they live, and the lives
 * their sessions belong to. Main loop only; no I/O, the time is an argument.
 *
 *      comet_lives_see()
 *        │                 shown                 no longer shown, or another epoch      _tick()
 *        ▼         comet_lives_members()              comet_lives_members()
 *      GUEST ───────────────────────────► MEMBER ──────────────────────────────► GONE ─► forgotten
 *        │                                   ▲    comet_lives_members():        │  ▲
 *        │                                   └────────── shown again ───────────┘  │
 *        └── comet_lives_tick(): not shown within the grace time, or a later ──────┘
 *            epoch was
 *
 * Each epoch of an id is a comet of its own here. A put names the epoch, and the router believes
 * it, because a comet may be quicker than membership. But only membership ends an epoch that it has
 * shown. Otherwise one put with an epoch of the far future would take all sessions from a living
 * comet. Sessions of an epoch that seems to be over are *doubted*: lookups find them, limits do not
 * count them.
 *
 * A *life* is a set of sessions that dies as a whole: when the comet goes, has a new epoch, or is
 * to be forgotten. A session names its life by 16 bits, so one flag kills a million sessions.
 * Lookups and counts of comets see that at once, and the sweep (session_map.h) takes the memory
 * back. The last epoch of a comet that is gone is kept for a while, so that what a slow logic still
 * sends for it is refused. */
#ifndef IMC_ROUTER_COMET_LIVES_H
#define IMC_ROUTER_COMET_LIVES_H

#include "common/membership/membership.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COMET_ID_MAX = 63, COMET_LOOPS_MAX = 1024, COMETS_MAX = 65536, LIFE_NONE = 0 };

enum comet_state { COMET_GUEST, COMET_MEMBER, COMET_GONE };

struct known_comet {
    char id[COMET_ID_MAX + 1];
    struct known_comet *next; /* another epoch of the same id */
    uint64_t epoch;
    uint64_t deadline_ms; /* when a GUEST is gone, and when a GONE comet is forgotten */
    enum comet_state state;
    bool shown;     /* membership has shown it at least once */
    bool doubted;   /* there is a guest with a later epoch */
    bool listed;    /* scratch of comet_lives_members() */
    uint16_t life;  /* the life that puts of this epoch go to; LIFE_NONE before the first put */
    uint32_t lives; /* its living life, and dead ones whose sessions are not swept yet */
    uint32_t loops; /* completeness.h: loops of this epoch, under the present ring; 0: none has
                       registered */
    uint32_t loops_registered;
    uint64_t registered[COMET_LOOPS_MAX / 64]; /* a bit per loop */
};

struct life {
    struct known_comet *comet; /* NULL: not in use */
    uint64_t epoch;
    uint32_t sessions;
    bool dead;
    uint16_t next_free;
};

struct comet_lives {
    struct strmap *by_id;
    struct known_comet **all;
    size_t n, capacity;
    struct life *lives; /* [0] is LIFE_NONE */
    uint32_t n_lives, lives_capacity;
    uint16_t free_life;
    uint64_t grace_ms;
    uint64_t deaths; /* lives that died with sessions; rises when there is something to sweep */
    size_t live_sessions, dead_sessions;
};

/* GRACE_MS: how long we believe in a comet that membership does not show. */
struct comet_lives *comet_lives_new(uint64_t grace_ms);
void comet_lives_free(struct comet_lives *comets);
struct known_comet *comets_find(const struct comet_lives *comets, const char *id, uint64_t epoch);
/* A batch names comet (ID, EPOCH). 0 with *COMET set, or: -ESTALE: membership has shown a newer
 * epoch, or this one is over; -EINVAL: the id is empty or too long, or the epoch is 0; -ENOSPC: too
 * many comets, or too many epochs of this one that membership does not show. */
int comet_lives_see(struct comet_lives *comets, const char *id, uint64_t epoch, uint64_t now_ms,
                    struct known_comet **comet);
/* The life that puts of COMET go to; LIFE_NONE if there are too many lives, unswept ones
 * included. */
uint16_t comet_lives_current(struct comet_lives *comets, struct known_comet *comet);
/* The living life of (ID, EPOCH); LIFE_NONE if it has none. */
uint16_t comet_lives_of(const struct comet_lives *comets, const char *id, uint64_t epoch);
/* Count a session that comes, and one that goes. */
void comet_lives_take(struct comet_lives *comets, uint16_t life);
void comet_lives_release(struct comet_lives *comets, uint16_t life);
/* LIST is what membership shows now. True if a comet came, went or changed its epoch. */
bool comet_lives_members(struct comet_lives *comets, const struct member_list *list,
                         uint64_t now_ms);
/* Forgets which loops have registered. */
void comet_lives_unregister(struct known_comet *comet);
/* Kills the sessions of ID, of every epoch. The comet itself lives on. */
void comet_lives_forget(struct comet_lives *comets, const char *id);
/* Does the same for every comet, and forgets which loops have registered. */
void comet_lives_forget_all(struct comet_lives *comets);
/* To be called now and then. READING is false while membership cannot be read (Redis is away): no
 * guest is given up meanwhile. */
void comet_lives_tick(struct comet_lives *comets, uint64_t now_ms, bool reading);
/* The number of living comets; each id counts once. */
size_t comet_lives_alive(const struct comet_lives *comets);
size_t comet_lives_bytes(const struct comet_lives *comets);

#endif
