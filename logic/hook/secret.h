/* secret.h - the secret by which the business knows logic: a file. Any thread. */
#ifndef IMC_LOGIC_HOOK_SECRET_H
#define IMC_LOGIC_HOOK_SECRET_H

#include <stddef.h>

enum { HOOK_SECRET_MAX = 4096 };

/* Reads PATH into a header, "Authorization: Bearer SECRET\r\n", which mem_wiped_free_text() frees.
 * White space around the secret does not count. Blocks: at start and on reload. NULL, and ERR says
 * why. */
char *hook_secret_read(const char *path, char *err, size_t errlen);

#endif
