#include "logic/console/logins.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/base/text.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { TRIERS = 256 };

struct trier {
    uint64_t since_ms;
    unsigned tries;
};

struct logins {
    uint64_t lifetime_ms;
    size_t n;
    struct login items[LOGINS_MOST];
    struct trier triers[TRIERS];
};

struct logins *logins_new(uint64_t lifetime_ms)
{
    struct logins *logins = mem_zalloc(sizeof *logins);

    logins->lifetime_ms = lifetime_ms;
    return logins;
}

void logins_free(struct logins *logins)
{
    if (logins != NULL)
        mem_wiped_free(logins, sizeof *logins);
}

static void drop(struct logins *logins, size_t index)
{
    struct login *last = &logins->items[--logins->n];

    if (&logins->items[index] != last)
        logins->items[index] = *last;
    OPENSSL_cleanse(last, sizeof *last);
}

void logins_end(struct logins *logins, const struct login *login)
{
    drop(logins, (size_t)(login - logins->items));
}

static void drop_ended(struct logins *logins, uint64_t now_ms)
{
    for (size_t i = logins->n; i > 0; i--) {
        const struct login *login = &logins->items[i - 1];
        if (login->ends_ms <= now_ms || login->idle_ms <= now_ms)
            drop(logins, i - 1);
    }
}

/* If KEY, or NULL: any, has MOST logins, the one that was idle for the longest goes. */
static void make_room(struct logins *logins, const uint8_t *key, size_t most)
{
    size_t n = 0, oldest = 0;

    for (size_t i = 0; i < logins->n; i++) {
        const struct login *login = &logins->items[i];
        if (key != NULL && memcmp(login->key, key, KEY_DIGEST_LEN) != 0)
            continue;
        if (n++ == 0 || login->idle_ms < logins->items[oldest].idle_ms)
            oldest = i;
    }
    if (n >= most)
        drop(logins, oldest);
}

const struct login *logins_add(struct logins *logins, const uint8_t key[KEY_DIGEST_LEN],
                               uint64_t now_ms, char cookie[LOGINS_COOKIE_LEN + 1])
{
    uint8_t bytes[LOGINS_COOKIE_BYTES];

    drop_ended(logins, now_ms);
    make_room(logins, key, LOGINS_OF_KEY);
    make_room(logins, NULL, LOGINS_MOST);
    struct login *login = &logins->items[logins->n++];
    memcpy(login->key, key, KEY_DIGEST_LEN);
    random_wait(bytes, sizeof bytes);
    text_to_hex(bytes, sizeof bytes, login->csrf);
    random_wait(bytes, sizeof bytes);
    text_to_hex(bytes, sizeof bytes, cookie);
    OPENSSL_cleanse(bytes, sizeof bytes);
    key_digest(cookie, LOGINS_COOKIE_LEN, login->cookie);
    login->ends_ms = now_ms + logins->lifetime_ms;
    login->idle_ms = now_ms + LOGINS_IDLE_MS;
    return login;
}

const struct login *logins_find(struct logins *logins, const char *cookie, size_t len,
                                uint64_t now_ms)
{
    uint8_t digest[KEY_DIGEST_LEN];

    drop_ended(logins, now_ms);
    if (len != LOGINS_COOKIE_LEN)
        return NULL;
    key_digest(cookie, len, digest);
    for (size_t i = 0; i < logins->n; i++) {
        struct login *login = &logins->items[i];
        if (CRYPTO_memcmp(login->cookie, digest, sizeof digest) != 0)
            continue;
        login->idle_ms = now_ms + LOGINS_IDLE_MS;
        return login;
    }
    return NULL;
}

bool login_csrf_is(const struct login *login, const char *csrf)
{
    return csrf != NULL && strlen(csrf) == LOGINS_COOKIE_LEN &&
           CRYPTO_memcmp(csrf, login->csrf, LOGINS_COOKIE_LEN) == 0;
}

/* --- tries --- */

static size_t trier_of(const char *address)
{
    return hash_mix64(hash_fnv1a(HASH_FNV1A_BEGIN, address, strlen(address))) % TRIERS;
}

bool logins_may_try(const struct logins *logins, const char *address, uint64_t now_ms)
{
    const struct trier *trier = &logins->triers[trier_of(address)];

    return trier->tries < LOGINS_TRIES || now_ms - trier->since_ms >= LOGINS_TRIES_MS;
}

void logins_tried(struct logins *logins, const char *address, uint64_t now_ms)
{
    struct trier *trier = &logins->triers[trier_of(address)];

    if (trier->tries == 0 || now_ms - trier->since_ms >= LOGINS_TRIES_MS)
        *trier = (struct trier){now_ms, 0};
    trier->tries++;
}
