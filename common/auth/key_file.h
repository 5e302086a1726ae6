/* key_file.h - a file with one key, which this process presents to others. Any thread. */
#ifndef IMC_COMMON_AUTH_KEY_FILE_H
#define IMC_COMMON_AUTH_KEY_FILE_H

#include <stddef.h>

enum { KEY_FILE_MAX = 512 }; /* bytes of a key */

/* Reads the key in file PATH, without blanks and line breaks around it, into *KEY, which the caller
 * frees by mem_wiped_free_text(). 0; or -E…, and ERR says what is wrong. ERR quotes nothing of the
 * file. Blocks for it. */
int key_file_read(const char *path, char **key, char *err, size_t errlen);

#endif
