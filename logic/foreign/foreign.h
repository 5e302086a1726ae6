/* foreign.h - sessions on goim's own comets, which ask this logic by goim.logic.Logic. They hold no
 * lease, and routers know nothing of them. So these sessions are in Redis. Main loop only.
 *
 *   imc:goim:UID   hash: key → "EXPIRES SERVER"   goim.session_ttl after the last sign of life
 *
 *   imc:goim:at:SERVER   1         FOREIGN_SILENT_MS after the last word of that comet
 *
 * A key is at one server: the one that it connected to last. A comet that ends does not say that
 * its sessions have ended; but one that lives says every 10 s how many are in its rooms. */
#ifndef IMC_LOGIC_FOREIGN_FOREIGN_H
#define IMC_LOGIC_FOREIGN_FOREIGN_H

#include "logic/base/logic.h"

enum {
    FOREIGN_KEY_MAX = 128,       /* bytes */
    FOREIGN_SERVER_MAX = 128,    /* bytes */
    FOREIGN_SESSIONS_MAX = 4096, /* of a user; a longer list is not believed */
    FOREIGN_SILENT_MS = 60000,
};

struct foreign_session {
    int64_t uid;
    const char *key, *server;
    bool lives; /* found: its comet has been heard of lately */
};

/* Something has come from that comet. */
void foreign_heard(struct logic *logic, const char *server);

/* RESULT: 1: done; 0: the key has moved to another server, or (del) is unknown; -EUSERS: the user
 * has sessions.max_per_uid sessions; -EAGAIN: Redis did not answer. */
typedef void (*foreign_fn)(void *arg, int result);
/* SESSION connects, or lives on. FN runs once, never before this returns, as with all of these. */
void foreign_put(struct logic *logic, const struct foreign_session *session, bool connects,
                 foreign_fn fn, void *arg);
void foreign_del(struct logic *logic, const struct foreign_session *session, foreign_fn fn,
                 void *arg);

/* SESSIONS are valid during the call; those of one server stand together. ERR: 0 or -EAGAIN. */
typedef void (*foreign_find_fn)(void *arg, int err, const struct foreign_session *sessions,
                                size_t n);
void foreign_find(struct logic *logic, int64_t uid, foreign_find_fn fn, void *arg);

#endif
