/* Compares this machine's clock with Redis's. The difference is logged and shown as a metric.
 * Beyond clock.max_offset the daemon is not ready.
 *
 * Once Redis's time is known, no time in a message comes from this machine's clock
 * (redis_now_us()). So a wrong clock harms only the logs at first. But it shows that one of the two
 * machines is not looked after. */
#include "common/base/log.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { WARN_US = 1000000, SAY_AGAIN_MS = 60000 };

void daemon_clock_unknown(struct daemon *daemon)
{
    daemon_ready(daemon, "clock", false, "not compared with Redis's yet");
}

static void tell(struct daemon *daemon, int64_t offset_us)
{
    struct daemon_internal *in = daemon->internal;
    uint64_t now_ms = loop_now_ms(&daemon->loop);
    bool off = llabs(offset_us) > WARN_US;
    if (!off && in->clock_told_ms != 0)
        log_info("clock agrees with Redis's again", "offset=%.3fs", (double)offset_us / 1e6);
    if (off && (in->clock_told_ms == 0 || now_ms - in->clock_told_ms >= SAY_AGAIN_MS)) {
        log_warn("clock differs from Redis's",
                 "offset=%.3fs; set this machine's clock or Redis's, by NTP",
                 (double)offset_us / 1e6);
        in->clock_told_ms = now_ms;
    }
    if (!off)
        in->clock_told_ms = 0;
}

void daemon_clock_take(struct redis *redis, int64_t offset_us, void *arg)
{
    struct daemon *daemon = arg;
    const struct daemon_config *config = daemon->config;
    int64_t limit_ms = config->clock_max_offset_ms;
    char why[DAEMON_WHY_MAX];
    (void)redis;
    tell(daemon, offset_us);
    /* In whole seconds: a finer text would change, and be logged, at each comparison. */
    (void)snprintf(
        why, sizeof why,
        "this machine's clock is %lld s %s Redis's; set it, by NTP (clock.max_offset=%" PRId64
        "ms)",
        (llabs(offset_us) + 500000) / 1000000, offset_us > 0 ? "ahead of" : "behind", limit_ms);
    daemon_ready(daemon, "clock", llabs(offset_us) <= limit_ms * 1000, why);
}
