#include "common/base/file.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Up to SIZE bytes of FD. How many, or -E…. */
static ssize_t read_all(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t n = 1;
    while (n != 0 && len < size) {
        n = read(fd, text + len, size - len);
        if (n < 0 && errno != EINTR)
            return -errno;
        len += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)len;
}

ssize_t file_read(const char *path, size_t most, char **text)
{
    *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    char *bytes = mem_alloc(most + 1);
    ssize_t len = read_all(fd, bytes, most + 1);
    close(fd);
    if (len > (ssize_t)most)
        len = -EFBIG;
    if (len < 0) {
        mem_wiped_free(bytes, most + 1);
        return len;
    }
    bytes[len] = '\0';
    *text = bytes;
    return len;
}
