/* file.h - reads a small file whole, which may hold a secret. Any thread. */
#ifndef IMC_COMMON_BASE_FILE_H
#define IMC_COMMON_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Reads file PATH. Returns its length, at most MOST, and *TEXT, with a NUL behind. *TEXT is to be
 * freed by mem_wiped_free() or one of its kind. -E…, and *TEXT is NULL: -EFBIG: the file is longer.
 * No copy stays in a buffer. Blocks for a file, but not for a FIFO, which is empty. */
ssize_t file_read(const char *path, size_t most, char **text);

#endif
