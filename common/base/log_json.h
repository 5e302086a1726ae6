/* log_json.h - a line of the log as a JSON object. Any thread.
 *
 *   log_warn("redis down", "server=%s retry_ms=%d; see redis.servers", …);
 *   → {"time":"2026-11-22T10:00:00.123Z","level":"warn","daemon":"comet","msg":"redis down",
 *      "server":"127.0.0.1:6379","retry_ms":100,"detail":"see redis.servers"}
 *
 * The fields are those of the format, never those of a value: whatever a peer's text has in it, it
 * cannot add a field or end one. A field whose format is one conversion of a number is a number;
 * one that no int64_t holds, or that has a unit, is a string. What is no field, to the end of the
 * format, is "detail". */
#ifndef IMC_COMMON_BASE_LOG_JSON_H
#define IMC_COMMON_BASE_LOG_JSON_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_JSON_LEAST = 256 };

struct log_json_head {
    const char *second; /* "2026-11-22T10:00:00" */
    unsigned ms;
    const char *level, *daemon, *event;
    uint32_t suppressed; /* 0: not told */
};

/* Writes a line with its line feed, and no NUL. SIZE is at least LOG_JSON_LEAST. A line that does
 * not fit ends early, says so by "cut":true, and is JSON all the same. Bytes that are not UTF-8
 * become U+FFFD. Returns the length. */
size_t log_json_write(char *out, size_t size, const struct log_json_head *head, const char *fmt,
                      va_list list) __attribute__((format(printf, 4, 0)));

#endif
