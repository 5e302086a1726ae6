/* log.h - key=value lines on stderr, or JSON objects, rate-limited per call site. Any thread.
 *
 *   log_warn("redis down", "server=%s err=\"%s\" retry_ms=%d", …);
 *   → 2026-11-22T10:00:00.123Z warn  comet redis down server=127.0.0.1:6379 err="…" retry_ms=100
 *
 * With log_set_format("json") the same line is an object with a member for each key (log_json.h).
 * So a format is `key=value key="value"`, and at its end there may be a remark: `; what to do`.
 *
 * A call site prints at most 10 lines a second. Its next line says suppressed=N if N were left out.
 * A level that is off costs one load and a branch.
 *
 * After log_sink_open() no caller waits for the reader of stderr. A line that cannot be written at
 * once is lost and counted. As soon as a line can be written again, one says how many were lost. */
#ifndef IMC_COMMON_BASE_LOG_H
#define IMC_COMMON_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_site {
    _Atomic uint64_t second;
    _Atomic uint32_t printed, suppressed;
};

extern _Atomic int log_threshold; /* set by log_set_level */

void log_open(const char *daemon);
/* LEVEL is "debug", "info", "warn" or "error"; -EINVAL for another word. */
int log_set_level(const char *level);
/* Would log_set_level() take it? */
bool log_level_is_known(const char *level);
/* FORMAT is "text" or "json"; -EINVAL for another word. Another thread may write a line in the old
 * form yet. */
int log_set_format(const char *format);
/* Would log_set_format() take it? */
bool log_format_is_known(const char *format);
/* Would a line of LEVEL be written? For callers that have to collect what they log. */
static inline bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log_threshold, memory_order_relaxed);
}
void log_write(struct log_site *site, enum log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Lines lost since the process began, because stderr did not take them. */
uint64_t log_lost(void);
/* Logs how many lines were lost, if that was not logged yet. False: stderr still takes nothing. */
bool log_tell_lost(void);

#define log_at(level, event, ...)                             \
    do {                                                      \
        static struct log_site log_site_;                     \
        if (log_is_on(level))                                 \
            log_write(&log_site_, level, event, __VA_ARGS__); \
    } while (0)
#define log_debug(event, ...) log_at(LOG_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)  log_at(LOG_INFO, event, __VA_ARGS__)
#define log_warn(event, ...)  log_at(LOG_WARN, event, __VA_ARGS__)
#define log_error(event, ...) log_at(LOG_ERROR, event, __VA_ARGS__)

#endif
