/* clock.h - the clock of a unit test: time passes when the test says so.
 *
 * Everything that imc waits for is reckoned in a loop's time (loop_now_ms, uv's timers, wheel.h,
 * pace.h by its callers' now), which libuv asks of clock_gettime(). This file stands before libc's:
 * in the thread that has called clock_take() the monotonic clocks stand still, and move by
 * clock_move() alone, or by a turn of the loop that would sleep (UV_RUN_ONCE, UV_RUN_DEFAULT):
 * such a turn looks what is there, and if there is nothing, it is at once as late as it would have
 * woken. So a verdict is the same on a machine that has no time for the test, waiting costs
 * nothing, and the daemons have no code for it.
 *
 * For what happens in the test's own thread. What another thread or process does needs real time:
 * wait for its sign with until(), which has no opinion on how long that takes. Other threads see
 * the real clock, and so does who asks for CLOCK_REALTIME. Include it in one file per program. */
#ifndef IMC_TESTS_CLOCK_H
#define IMC_TESTS_CLOCK_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Real time after which until() gives up: for what will never come, not a measure of anything. */
#define CLOCK_HOPELESS_MS 60000

static _Thread_local struct {
    bool taken;
    uint64_t ns;
} clock_own;

static inline uint64_t clock_real_ms(void)
{
    struct timespec now;
    (void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* From now on, until clock_give_back(), this thread's clock stands still, at a whole millisecond.
 */
static inline void clock_take(void)
{
    clock_own.ns = clock_real_ms() * 1000000;
    clock_own.taken = true;
}

static inline void clock_move(uint64_t ms)
{
    clock_own.ns += ms * 1000000;
}

/* The real clock again: later than the own one or earlier, so only between two loops. */
static inline void clock_give_back(void)
{
    clock_own.taken = false;
}

/* What libuv, and everybody else in this program, calls. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    if (!clock_own.taken || id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE ||
        id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID)
        return (int)syscall(SYS_clock_gettime, id, now);
    now->tv_sec = (time_t)(clock_own.ns / 1000000000);
    now->tv_nsec = (long)(clock_own.ns % 1000000000);
    return 0;
}

int epoll_pwait(int fd, struct epoll_event *events, int max, int ms, const sigset_t *mask)
{
    enum { KERNEL_SIGSET = 8 };
    bool sleeps = clock_own.taken && ms > 0;
    int n = (int)syscall(SYS_epoll_pwait, fd, events, max, sleeps ? 0 : ms, mask, KERNEL_SIGSET);

    if (sleeps && n == 0)
        clock_move((uint64_t)ms);
    return n;
}

int epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
    return epoll_pwait(fd, events, max, ms, NULL);
}

/* Does ONCE until CONDITION holds; false if it has not within CLOCK_HOPELESS_MS of real time. The
 * pause leaves the processor to whom is waited for. */
#define until(condition, once)                                    \
    ({                                                            \
        uint64_t hopeless_ = clock_real_ms() + CLOCK_HOPELESS_MS; \
        while (!(condition) && clock_real_ms() < hopeless_) {     \
            once;                                                 \
            if (!(condition))                                     \
                (void)poll(NULL, 0, 1);                           \
        }                                                         \
        (condition);                                              \
    })

#endif
