/* Ten times a second, on the main loop: logs how many log lines were lost, tells the others which
 * conditions of readiness do not hold, looks at memory, gives free memory back to the kernel, and
 * takes samples for the console. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/memory_budget.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include "common/daemon/report.h"
#include <malloc.h>
#include <stdio.h>

#define WATCH_MS      100
#define TRIM_QUIET_MS 1000
#define TRIM_SHORT_MS 2000
#define MIB           (1u << 20)

static uint64_t budget_of(const struct daemon_config *config)
{
    return config->memory_limit > 0 ? (uint64_t)config->memory_limit : memory_budget_default("");
}

static void tell_level(struct daemon *daemon)
{
    const struct memory_budget *memory = &daemon->internal->memory;
    const unsigned long long budget = memory->budget / MIB, used = memory->used / MIB;
    char why[DAEMON_WHY_MAX];
    if (memory->level == MEMORY_OK) {
        log_info("memory is enough again", "used_mib=%llu limit_mib=%llu", used, budget);
        daemon_ready(daemon, "memory", true, NULL);
        return;
    }
    log_warn(memory->level == MEMORY_SHORT ? "memory is short" : "memory is nearly used up",
             "used_mib=%llu limit_mib=%llu; refused meanwhile: %s; see memory.limit", used, budget,
             daemon->spec->memory_refused);
    snprintf(why, sizeof(why), "little of memory.limit (%llu MiB) is left; refused: %s", budget,
             daemon->spec->memory_refused);
    daemon_ready(daemon, "memory", false, why);
}

/* Gives free memory back. Until then it counts as used by the process. While memory is short this
 * does not wait until things are quiet. */
static void trim(struct daemon_internal *in, uint64_t now_ms)
{
    if (now_ms < in->trim_due_ms)
        return;
    in->trim_due_ms = now_ms + TRIM_SHORT_MS;
    malloc_trim(0);
}

static void watch_memory(struct daemon *daemon)
{
    struct daemon_internal *in = daemon->internal;
    bool changed = memory_budget_see(&in->memory, memory_budget_resident());
    if (changed)
        tell_level(daemon);
    if (!changed && in->memory.level == MEMORY_OK)
        return;
    if (in->memory.level != MEMORY_OK)
        trim(in, loop_now_ms(&daemon->loop));
    if (daemon->spec->memory != NULL && daemon->state != NULL)
        daemon->spec->memory(daemon, in->memory.level);
}

/* The others learn with our lease what we lack. */
static void tell_unready(struct daemon *daemon)
{
    char names[sizeof(((struct member *)0)->unready)];
    if (daemon->internal->membership == NULL)
        return;
    daemon_name_unready(daemon, names, sizeof(names));
    membership_set_unready(daemon->internal->membership, names);
}

static void on_watch(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    (void)log_tell_lost();
    tell_unready(daemon);
    watch_memory(daemon);
    if (daemon->internal->reports != NULL)
        (void)reports_look(daemon->internal->reports);
    if (mem_trim(loop_now_ms(&daemon->loop), TRIM_QUIET_MS))
        log_debug("memory trimmed", "after=%dms", TRIM_QUIET_MS);
}

void daemon_took(struct daemon *daemon, uint64_t us)
{
    if (daemon->internal->reports != NULL)
        reports_took(daemon->internal->reports, us);
}

void daemon_report(struct daemon *daemon, uint64_t after, bool settings,
                   void (*fn)(struct Imc__V1__ReportBatch *batch, void *arg), void *arg)
{
    reports_make(daemon->internal->reports, after, settings, fn, arg);
}

void daemon_housekeeping_open(struct daemon *daemon)
{
    struct daemon_internal *in = daemon->internal;
    in->memory.budget = budget_of(daemon->config);
    in->watch.data = daemon;
    daemon_ready(daemon, "memory", true, NULL);
    log_info("memory budget", "limit_mib=%llu setting=memory.limit",
             (unsigned long long)in->memory.budget / MIB);
    uv_timer_init(&daemon->loop.uv, &in->watch);
    uv_timer_start(&in->watch, on_watch, 0, WATCH_MS);
}
