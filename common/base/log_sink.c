/* What O_NONBLOCK is set on is not the descriptor but the open file behind it, which the parent,
 * its shell and the other daemons of a cluster share: they would get EAGAIN in writes that never
 * fail. So the pipe or terminal is opened once more, by /proc/self/fd/2, and that one takes the
 * place of descriptor 2: libraries, assert() and sanitizers write to it too.
 *
 * A thread of its own that may block would need a queue, and what is in it when the process aborts
 * is what one wants to read. */
#include "common/base/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* How a write is kept from blocking. */
static enum {
    SINK_WRITE, /* a file, or an open pipe of our own: it does not */
    SINK_SEND,  /* a socket (systemd's journal): by each call's flag; it cannot be opened again */
    SINK_POLL,  /* a pipe that we may not open again: it is asked first. Another process that fills
                   it between the two calls makes us wait; not more can be done about it. */
} sink;
static bool torn; /* atomic: the last line's end is missing */

void log_sink_fill(void)
{
    int fd;
    do { /* the lowest free one is what open() gives */
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

void log_sink_open(void)
{
    struct stat st;
    if (fstat(STDERR_FILENO, &st) != 0)
        return;
    if (S_ISSOCK(st.st_mode)) {
        sink = SINK_SEND;
        return;
    }
    if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return;
    int own = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own < 0) {
        sink = SINK_POLL;
        return;
    }
    dup2(own, STDERR_FILENO);
    close(own);
}

static ssize_t put(const char *bytes, size_t len)
{
    struct pollfd ask = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t n;
    if (sink == SINK_POLL && (poll(&ask, 1, 0) != 1 || (ask.revents & POLLOUT) == 0))
        return -1;
    do {
        n = sink == SINK_SEND ? send(STDERR_FILENO, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL)
                              : write(STDERR_FILENO, bytes, len);
    } while (n < 0 && errno == EINTR);
    return n;
}

bool log_sink_write(const char *line, size_t len)
{
    if (__atomic_exchange_n(&torn, false, __ATOMIC_RELAXED) && put("\n", 1) != 1) {
        __atomic_store_n(&torn, true, __ATOMIC_RELAXED);
        return false;
    }
    ssize_t n = put(line, len);
    if (n > 0 && (size_t)n < len)
        __atomic_store_n(&torn, true, __ATOMIC_RELAXED);
    return n == (ssize_t)len;
}
