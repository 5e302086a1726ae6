/* keys.h - API keys: whose each is, and what it may do. A set of keys does not change once it is
 * read, so any thread may look into it.
 *
 *   # who      scopes       what sha256sum says of the key
 *   billing    push,read    sha256:9f86d081…
 *
 * A file has a key a line: its name, its scopes, and a digest of it, parted by blanks. Lines that
 * are empty or begin with # are skipped. The key itself is not in the file. One round of SHA-256 is
 * enough to hide it, without salt, because keys are random (new_key.h): of 2^256 keys nobody can
 * try enough. A password that a person thought of would need a slow hash. */
#ifndef IMC_COMMON_AUTH_KEYS_H
#define IMC_COMMON_AUTH_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum key_scope {
    KEY_PUSH = 1 << 0,  /* pushes */
    KEY_READ = 1 << 1,  /* asks what there is, and changes nothing */
    KEY_ADMIN = 1 << 2, /* changes something; it includes the others */
};

enum {
    KEY_NAME_MAX = 65, /* with the NUL */
    KEY_DIGEST_LEN = 32,
    KEYS_MOST = 1000,           /* of one set: each costs a comparison with each request */
    KEYS_FILE_MAX = 256 * 1024, /* bytes */
    KEYS_ERROR_MAX = 512,       /* bytes that the ERR of these functions should have */
};

struct key {
    char name[KEY_NAME_MAX];
    unsigned scopes; /* enum key_scope */
    uint8_t digest[KEY_DIGEST_LEN];
};

struct keys;

/* An empty set. */
struct keys *keys_new(void);
void keys_free(struct keys *keys); /* NULL is fine */
/* Adds the keys of file PATH. 0; or -E…, KEYS is to be freed, and ERR says which line is wrong. ERR
 * quotes nothing of a line: somebody may have written the key itself there. Blocks for the file. */
int keys_read(struct keys *keys, const char *path, char *err, size_t errlen);
/* The same with the LEN bytes of TEXT in place of the file's. */
int keys_parse(struct keys *keys, const char *path, const char *text, size_t len, char *err,
               size_t errlen);
/* Adds the keys of LIST, separated by commas, as they are. All have NAME and SCOPES. A key that is
 * there already is left out. 0; -E2BIG: there are more than KEYS_MOST. */
int keys_add_list(struct keys *keys, const char *list, const char *name, unsigned scopes);
size_t keys_count(const struct keys *keys);
/* Key number INDEX, from 0. */
const struct key *keys_at(const struct keys *keys, size_t index);
/* The number of the key that PRESENTED is; -1: none. Compares its digest with all others. So the
 * time shows neither whether it is right nor whose it is. */
ssize_t keys_find(const struct keys *keys, const char *presented);

/* The same for a key with DIGEST. */
ssize_t keys_find_digest(const struct keys *keys, const uint8_t digest[KEY_DIGEST_LEN]);

/* Does KEY include SCOPE? */
static inline bool key_may(const struct key *key, enum key_scope scope)
{
    return (key->scopes & ((unsigned)scope | KEY_ADMIN)) != 0;
}

/* "push". */
const char *key_scope_name(enum key_scope scope);
/* Reads the LEN bytes of TEXT: "push,read". 0: a word is unknown, or there is none. */
unsigned key_scopes_parse(const char *text, size_t len);
/* May a key be called so: 1 to 64 letters, digits, -, _ and dots, the first one no dot? */
bool key_name_is_fine(const char *name, size_t len);
void key_digest(const char *key, size_t len, uint8_t digest[KEY_DIGEST_LEN]);

#endif
