/* log_sink.h - writes a line to standard error at once, or loses it. Any thread.
 *
 * The reader of the log may stop reading: the pipe is full, or somebody pressed Ctrl-S in the
 * terminal. A plain write() would then block the loop that logs. That loop would send no heartbeats
 * and not see SIGTERM. */
#ifndef IMC_COMMON_BASE_LOG_SINK_H
#define IMC_COMMON_BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>

/* Opens /dev/null for each of the descriptors 0 to 2 that is closed. Otherwise a socket that is
 * opened later could become standard error. Every program that logs has done so before main(), and
 * before the libraries that it loads open anything. */
void log_sink_fill(void);
/* From here on no write to standard error blocks, also none of libraries and assert(). If it is a
 * pipe or a terminal, descriptor 2 becomes an open file that only this process has. Call it once,
 * before there are threads. */
void log_sink_open(void);
/* LEN: at most PIPE_BUF bytes. False: the line, or its end, is lost. */
bool log_sink_write(const char *line, size_t len);

#endif
