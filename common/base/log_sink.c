/* Writes to descriptor 2 must not block, but we may not simply set O_NONBLOCK on it. The flag
 * belongs to the open file, not to the descriptor. The parent, its shell and other daemons share
 * that open file, and their writes would fail with EAGAIN. So log_sink_open() opens the pipe or
 * terminal once more, by /proc/self/fd/2. The new open file takes the place of descriptor 2, which
 * libraries, assert() and sanitizers write to as well.
 *
 * A thread that may block would be the alternative. It would need a queue, and an abort would lose
 * what is in it: the very lines that tell why. */
#include "common/base/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* What keeps a write from blocking. */
static enum {
    SINK_WRITE, /* a file, or a pipe or terminal that log_sink_open() opened again */
    SINK_SEND,  /* a socket (systemd's journal), which cannot be opened again: MSG_DONTWAIT */
    SINK_POLL,  /* a pipe that we may not open again: poll() says whether it has room. If another
                 * process fills it between poll() and write(), we wait; there is no way around
                 * that. */
} sink;
static _Atomic bool torn; /* the last line's end is missing */

void log_sink_fill(void)
{
    int fd;
    do { /* open() returns the lowest free descriptor */
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static void fill_early(int argc, char **argv, char **env)
{
    (void)argc;
    (void)argv;
    (void)env;
    log_sink_fill();
}

/* gRPC's library opens a descriptor while it is loaded. The dynamic linker calls what is in this
 * section before all libraries' constructors. */
typedef void early_function(int argc, char **argv, char **env);
__attribute__((section(".preinit_array"), used)) static early_function *const before_libraries =
    fill_early;

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
    if (atomic_exchange_explicit(&torn, false, memory_order_relaxed) && put("\n", 1) != 1) {
        atomic_store_explicit(&torn, true, memory_order_relaxed);
        return false;
    }
    ssize_t n = put(line, len);
    if (n > 0 && (size_t)n < len)
        atomic_store_explicit(&torn, true, memory_order_relaxed);
    return n == (ssize_t)len;
}
