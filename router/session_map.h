/* session_map.h - the session map: uid → sessions, with lives that die at once and a sweep that
 * cleans up behind them. Main loop only; no I/O.
 *
 *   put, del ──► buckets ──► slots     lookup: the chain of the uid, without sessions of dead lives
 *                             ▲
 *   sweep ────────────────────┘        takes out dead sessions and those whose uid moved elsewhere
 *
 * Counts: live sessions, and those per comet, are exact at any time. Counts per room and the number
 * of uids include dead sessions until the sweep that runs then has ended (docs/router.md tells how
 * long that is). */
#ifndef IMC_ROUTER_SESSION_MAP_H
#define IMC_ROUTER_SESSION_MAP_H

#include "router/comet_lives.h"
#include "router/interned_strings.h"
#include "router/session_pool.h"
#include "router/uid_index.h"

enum sessions_put { SESSIONS_OK, SESSIONS_TOO_MANY, SESSIONS_FULL };

typedef bool sessions_owns_fn(int64_t uid, void *arg);

struct sweep {
    bool active;
    bool owners;              /* this pass asks for the owner, too */
    bool again, owners_again; /* something changed since the pass began: do another one */
    uint32_t cursor;          /* slot */
    uint64_t deaths;          /* of comet_lives.h, when the last pass was ordered */
};

struct session_map {
    struct comet_lives *comets;
    struct slots slots;
    struct buckets buckets;
    struct names *rooms, *keys;
    size_t uids;
    struct sweep sweep;
    sessions_owns_fn *owns;
    void *owns_arg;
    uint64_t sweeps, swept_dead, swept_moved; /* passes ended, sessions taken out */
};

/* OWNS is asked during the sweeps that sessions_moved() orders. */
struct session_map *sessions_new(struct comet_lives *comets, sessions_owns_fn *owns, void *arg);
void sessions_free(struct session_map *sessions);

struct session_new {
    int64_t uid;
    uint64_t handle;
    uint16_t life;
    const char *key, *room; /* "" = none; copied */
    uint32_t
        max_others; /* SESSIONS_TOO_MANY if the uid has as many other live ones; 0 = no limit */
};
/* The same (life, handle) of the uid again updates it. */
enum sessions_put sessions_put(struct session_map *sessions, const struct session_new *put);
/* False: there was none. */
bool sessions_del(struct session_map *sessions, int64_t uid, uint16_t life, uint64_t handle);
/* The live sessions of UID, one after the other; NULL at the end. Valid until the next put, del or
 * sweep. */
const struct session_row *sessions_first(const struct session_map *sessions, int64_t uid);
const struct session_row *sessions_next(const struct session_map *sessions,
                                        const struct session_row *session);

/* The ring changed: a sweep is to drop what is no longer ours. */
void sessions_moved(struct session_map *sessions);
/* Looks at up to N slots. True: there is more to do. Call it while sessions_sweep_waits(). */
bool sessions_sweep(struct session_map *sessions, uint32_t n);
bool sessions_sweep_waits(const struct session_map *sessions);
/* Ends what sessions_moved() ordered, at once: before the ring that it goes by is replaced. */
void sessions_sweep_moved(struct session_map *sessions, uint32_t slice);
/* Memory of the whole map, comets included. */
size_t sessions_bytes(const struct session_map *sessions);

#endif
