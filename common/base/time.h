/* time.h - what time it is, by which clock. Any thread.
 *
 *     unix   the time of day: may be set, so it may jump       what is dated: ids, ages, leases
 *     mono   since some moment: never set, stands while the    deadlines, pauses
 *            machine sleeps
 *     boot   the same, but goes on while the machine sleeps    what has lapsed elsewhere meanwhile
 *
 * On a loop, loop_now_ms() is cheaper. */
#ifndef IMC_COMMON_BASE_TIME_H
#define IMC_COMMON_BASE_TIME_H

#include <stdint.h>
#include <time.h>

uint64_t time_unix_us(void);
uint64_t time_unix_ms(void);
int64_t time_mono_ms(void);
int64_t time_boot_us(void);
/* The time on CLOCK in MS from now, as pthread_cond_timedwait() takes it. */
struct timespec time_in(clockid_t clock, uint64_t ms);

#endif
