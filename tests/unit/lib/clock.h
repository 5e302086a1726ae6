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
 * Where another thread or process answers, clock_share(): a turn that would sleep lets it finish
 * first, and only if there is nothing to do then, the clock moves, by a step. What it does by
 * itself needs real time: wait for its sign with until(), which has no opinion on how long that
 * takes. Where nobody can say when it has finished, clock_share_slowly().
 *
 * Where the loop runs in a thread of its own, clock_follow() there.
 *
 * Other threads see the real clock, and so does who asks for CLOCK_REALTIME, unless
 * clock_share_day() was called. Include it in one file per program. */
#ifndef IMC_TESTS_UNIT_LIB_CLOCK_H
#define IMC_TESTS_UNIT_LIB_CLOCK_H

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
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
    uint64_t step_ms; /* 0: nobody else answers */
    int real_ms;      /* waited for an answer in each step, unless OTHERS says when there is one */
    void (*others)(void);
    _Atomic int64_t *day_us;
    const _Atomic uint64_t *ahead_s;
    uint64_t found; /* events, by all turns */
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

/* Takes the clock; a turn that would sleep calls OTHERS, which returns when they have done what
 * they were asked for (NULL: it waits a real millisecond for them), and moves the clock by STEP_MS
 * at most. An answer that is waited for N ms may take N / STEP_MS calls of OTHERS. */
static inline void clock_share(uint64_t step_ms, void (*others)(void))
{
    clock_take();
    clock_own.step_ms = step_ms;
    clock_own.others = others;
    clock_own.real_ms = 1;
}

/* While nothing comes, a millisecond passes for every REAL_MS: a deadline leaves so many times its
 * length to those who answer, on a machine that is busy with something else. */
static inline void clock_share_slowly(int real_ms)
{
    clock_share(1, NULL);
    clock_own.real_ms = real_ms;
}

/* The time of day, too, is the test's: *US, µs since 1970, moves along, where a process that is
 * started with tests/tools/clock_shift sees it. */
static inline void clock_share_day(_Atomic int64_t *us)
{
    struct timespec now;
    (void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    if (*us == 0)
        *us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000000 * 1000;
    clock_own.day_us = us;
}

static inline void clock_move(uint64_t ms)
{
    clock_own.ns += ms * 1000000;
    if (clock_own.day_us != NULL)
        *clock_own.day_us += (int64_t)ms * 1000;
}

/* In another thread of this program: its clock is the real one and *AHEAD_S more, which the test
 * may raise, so that what the thread waits for in poll() or in a turn of its loop comes sooner. */
static inline void clock_follow(const _Atomic uint64_t *ahead_s)
{
    clock_own.ahead_s = ahead_s;
}

/* The real clock again: later than the own one or earlier, so only between two loops. */
static inline void clock_give_back(void)
{
    clock_own.taken = false;
    clock_own.step_ms = 0;
    clock_own.day_us = NULL;
}

static inline bool clock_is_of_day(clockid_t id)
{
    return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
}

/* What libuv, and everybody else in this program, calls. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    bool own = clock_is_of_day(id) ? clock_own.day_us != NULL
                                   : clock_own.taken && id != CLOCK_PROCESS_CPUTIME_ID &&
                                         id != CLOCK_THREAD_CPUTIME_ID;
    if (!own) {
        int err = (int)syscall(SYS_clock_gettime, id, now);
        if (clock_own.ahead_s != NULL && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE))
            now->tv_sec += (time_t)atomic_load(clock_own.ahead_s);
        return err;
    }
    uint64_t ns = clock_is_of_day(id) ? (uint64_t)*clock_own.day_us * 1000 : clock_own.ns;
    now->tv_sec = (time_t)(ns / 1000000000);
    now->tv_nsec = (long)(ns % 1000000000);
    return 0;
}

static inline int clock_epoll(int fd, struct epoll_event *events, int max, int ms,
                              const sigset_t *mask)
{
    enum { KERNEL_SIGSET = 8 };
    return (int)syscall(SYS_epoll_pwait, fd, events, max, ms, mask, KERNEL_SIGSET);
}

enum { CLOCK_GLANCE_MS = 5 };

/* Somebody else may move the clock: early, now and then. */
static inline bool clock_glances(int ms)
{
    return clock_own.ahead_s != NULL && (ms < 0 || ms > CLOCK_GLANCE_MS);
}

/* A turn that was cut short for a look at the clock, which libuv takes for a signal. */
static inline int clock_epoll_glance(int fd, struct epoll_event *events, int max,
                                     const sigset_t *mask)
{
    int n = clock_epoll(fd, events, max, CLOCK_GLANCE_MS, mask);
    if (n != 0)
        return n;
    errno = EINTR;
    return -1;
}

int epoll_pwait(int fd, struct epoll_event *events, int max, int ms, const sigset_t *mask)
{
    bool sleeps = clock_own.taken && ms > 0;
    if (clock_glances(ms))
        return clock_epoll_glance(fd, events, max, mask);
    int n = clock_epoll(fd, events, max, sleeps ? 0 : ms, mask);
    uint64_t later_ms = (uint64_t)ms;

    if (sleeps && n == 0 && clock_own.step_ms != 0) {
        if (clock_own.others != NULL)
            clock_own.others();
        n = clock_epoll(fd, events, max, clock_own.others != NULL ? 0 : clock_own.real_ms, mask);
        later_ms = later_ms < clock_own.step_ms ? later_ms : clock_own.step_ms;
    }
    if (sleeps && n == 0)
        clock_move(later_ms);
    clock_own.found += n > 0 ? (uint64_t)n : 0;
    return n;
}

int epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
    return epoll_pwait(fd, events, max, ms, NULL);
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
    int wait_ms = clock_glances(ms) ? CLOCK_GLANCE_MS : ms;
    struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000L};

    return (int)syscall(SYS_ppoll, fds, n, wait_ms < 0 ? NULL : &wait, NULL, 0);
}

/* Does ONCE until CONDITION holds; false if it has not within CLOCK_HOPELESS_MS of real time. The
 * pause leaves the processor to whom is waited for. */
#define until(condition, once)                                    \
    ({                                                            \
        uint64_t hopeless_ = clock_real_ms() + CLOCK_HOPELESS_MS; \
        bool holds_ = (condition);                                \
        while (!holds_ && clock_real_ms() < hopeless_) {          \
            once;                                                 \
            holds_ = (condition);                                 \
            if (!holds_)                                          \
                (void)poll(NULL, 0, 1);                           \
        }                                                         \
        holds_;                                                   \
    })

#endif
