/* new_key.h - makes a key: for the command --new-key. Any thread. */
#ifndef IMC_COMMON_AUTH_NEW_KEY_H
#define IMC_COMMON_AUTH_NEW_KEY_H

#include <stddef.h>
#include <stdio.h>

enum {
    NEW_KEY_BYTES = 32,                  /* random ones in a key */
    NEW_KEY_MAX = 4 + 2 * NEW_KEY_BYTES, /* "imc_", 43 digits of base64url, the NUL, and room */
};

/* Writes a random key into KEY: "imc_" and base64url (RFC 4648), so that scanners for secrets know
 * it, and no header or shell needs quotes around it. The caller overwrites it. */
void new_key_make(char key[NEW_KEY_MAX]);
/* Makes a key for NAME with SCOPES ("push,read"), and prints two lines to OUT: the key, and what
 * goes into the file of keys. 0; or -EINVAL, with a line on stderr. */
int new_key_print(const char *name, const char *scopes, FILE *out);

#endif
