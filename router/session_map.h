/* session_map.h - the session map: uid → sessions. Lives die at once, and a sweep takes their
 * sessions out later. Main loop only; no I/O.
 *
 *   put, del ──► uid_index ──► session_pool    lookup: the chain of the uid, without dead sessions
 *                                  ▲
 *   sweep ─────────────────────────┘           takes out dead sessions, and those of moved uids
 *
 * Counts of live sessions, in all and per comet, are exact at any time. Counts per room and the
 * number of uids include dead sessions until a sweep has taken them out (docs/router.md tells how
 * long that takes). */
#ifndef IMC_ROUTER_SESSION_MAP_H
#define IMC_ROUTER_SESSION_MAP_H

#include "router/comet_lives.h"
#include "router/interned_strings.h"
#include "router/session_pool.h"
#include "router/uid_index.h"

enum session_map_put { SESSION_MAP_OK, SESSION_MAP_TOO_MANY, SESSION_MAP_FULL };

typedef bool session_map_owns_fn(int64_t uid, void *arg);

struct sweep {
    bool active;
    bool owners;              /* this pass also takes out sessions that others own now */
    bool again, owners_again; /* something changed since the pass began: another pass follows, of
                                 that kind */
    uint32_t cursor;          /* slot */
    uint64_t deaths;          /* `deaths` of comet_lives.h when the last pass was ordered */
};

struct session_map {
    struct comet_lives *comets;
    struct session_pool pool;
    struct uid_index index;
    struct interned_strings *rooms, *keys;
    size_t uids;
    struct sweep sweep;
    session_map_owns_fn *owns;
    void *owns_arg;
    uint64_t sweeps, swept_dead, swept_moved; /* passes that ended, and sessions they took out */
};

/* OWNS is asked during the sweeps that session_map_moved() orders. */
struct session_map *session_map_new(struct comet_lives *comets, session_map_owns_fn *owns,
                                    void *arg);
void session_map_free(struct session_map *sessions);

struct session_new {
    int64_t uid;
    uint64_t handle;
    uint16_t life;
    const char *key, *room; /* "" = none; copied */
    bool acked;
    bool again;          /* it was open before: it stands behind those that came meanwhile */
    uint32_t max_others; /* SESSION_MAP_TOO_MANY if the uid has so many other live sessions; 0: no
                            limit */
};
/* Adds a session, or updates the one with the same uid, life and handle. */
enum session_map_put session_map_put(struct session_map *sessions, const struct session_new *put);
/* False: there was no such session. */
bool session_map_del(struct session_map *sessions, int64_t uid, uint16_t life, uint64_t handle);
/* Walk over the live sessions of UID, the newest first; NULL at the end. Valid until the next put,
 * del or sweep. */
const struct session_row *session_map_first(const struct session_map *sessions, int64_t uid);
const struct session_row *session_map_next(const struct session_map *sessions,
                                           const struct session_row *session);

/* The ring changed: orders a sweep that drops the sessions that are no longer ours. */
void session_map_moved(struct session_map *sessions);
/* Sweeps up to N slots. True: there is more to do. To be called while session_map_sweep_waits(). */
bool session_map_sweep(struct session_map *sessions, uint32_t n);
static inline bool session_map_sweep_waits(const struct session_map *sessions)
{
    return sessions->sweep.active || sessions->sweep.deaths != sessions->comets->deaths;
}
/* Ends at once the sweep that session_map_moved() ordered. To be called before the ring is
 * replaced. */
void session_map_sweep_moved(struct session_map *sessions, uint32_t slice);
/* Bytes of memory of the whole map, comets included. */
size_t session_map_bytes(const struct session_map *sessions);

#endif
