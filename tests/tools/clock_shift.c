/* clock_shift.c - LD_PRELOAD: sets another time of day for one process of a test.
 *
 * The file named by CLOCK_SHIFT_FILE holds a number of eight bytes, in native order: microseconds,
 * which are added to CLOCK_REALTIME. If a second number follows that is not zero, the clock stands
 * still at that time, in microseconds since 1970. When the test writes other numbers, they hold at
 * once. Monotonic clocks, and so timers, stay as they are. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t *shift; /* two; the second is 0 if the file has one */

__attribute__((constructor)) static void open_shift(void)
{
    const char *path = getenv("CLOCK_SHIFT_FILE");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped =
        fd >= 0 ? mmap(NULL, 2 * sizeof *shift, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (mapped == MAP_FAILED)
        abort();
    shift = mapped;
    close(fd);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    int rc = (int)syscall(SYS_clock_gettime, id, now);

    if (rc != 0 || shift == NULL || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
        return rc;
    int64_t stands = shift[1];
    if (stands != 0) {
        now->tv_sec = stands / 1000000;
        now->tv_nsec = stands % 1000000 * 1000;
        return 0;
    }
    int64_t ns = now->tv_nsec + *shift % 1000000 * 1000;
    now->tv_sec += *shift / 1000000 + (ns < 0 ? -1 : ns / 1000000000);
    now->tv_nsec = (ns + 1000000000) % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec ts;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &ts);
    *now = (struct timeval){.tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    if (out != NULL)
        *out = ts.tv_sec;
    return ts.tv_sec;
}
