/* logins.h - who has logged in at the console with an API key, and how often somebody tried in
 * vain. Pure; one thread.
 *
 *   key, right ─► logins_add() ─► cookie (to the browser), csrf (to the page)
 *   request with the cookie ─► logins_find() ─► whose key it is, if it is still good
 *
 * A login ends LOGINS_IDLE_MS after its last request, and in any case after the lifetime. Of the
 * cookie only a digest is kept. The key itself is not kept: whoever uses a login looks by the
 * digest whether the key is still valid. */
#ifndef IMC_LOGIC_CONSOLE_LOGINS_H
#define IMC_LOGIC_CONSOLE_LOGINS_H

#include "common/auth/keys.h"

enum {
    LOGINS_MOST = 256,        /* the one that was idle for the longest gives way */
    LOGINS_OF_KEY = 32,       /* likewise */
    LOGINS_IDLE_MS = 900000,  /* an open page asks every few seconds */
    LOGINS_COOKIE_BYTES = 32, /* random; the cookie has two digits for each */
    LOGINS_COOKIE_LEN = 2 * LOGINS_COOKIE_BYTES,
    LOGINS_TRIES = 10, /* in vain, within LOGINS_TRIES_MS, from addresses with one hash */
    LOGINS_TRIES_MS = 60000,
};

struct login {
    uint8_t cookie[KEY_DIGEST_LEN], key[KEY_DIGEST_LEN]; /* digests */
    char csrf[LOGINS_COOKIE_LEN + 1];
    uint64_t ends_ms, idle_ms; /* when it ends; when it ends if no request comes */
};

struct logins;

struct logins *logins_new(uint64_t lifetime_ms);
void logins_free(struct logins *logins); /* NULL is fine */
/* COOKIE gets what the browser is told. Valid until the next call with these LOGINS. */
const struct login *logins_add(struct logins *logins, const uint8_t key[KEY_DIGEST_LEN],
                               uint64_t now_ms, char cookie[LOGINS_COOKIE_LEN + 1]);
/* The login of COOKIE, LEN bytes, which goes on being used; NULL: there is none. */
const struct login *logins_find(struct logins *logins, const char *cookie, size_t len,
                                uint64_t now_ms);
void logins_end(struct logins *logins, const struct login *login);
/* Is CSRF, which may be NULL, that of LOGIN? Takes the same time whatever it is. */
bool login_csrf_is(const struct login *login, const char *csrf);

/* May somebody at ADDRESS try a key? */
bool logins_may_try(const struct logins *logins, const char *address, uint64_t now_ms);
/* He has tried a wrong one. */
void logins_tried(struct logins *logins, const char *address, uint64_t now_ms);

#endif
