/* log_sink.h - standard error as a place that takes a line at once or not at all. Any thread.
 *
 * Whoever reads the log may stand still: a full pipe, a terminal held by Ctrl-S. write() would then
 * hold the loop that has something to say, its heartbeats and its SIGTERM with it. */
#ifndef IMC_COMMON_BASE_LOG_SINK_H
#define IMC_COMMON_BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>

/* Descriptors 0 to 2 are open afterwards, on /dev/null where they were not: what is opened later
 * must not become standard error. Before anything else is opened. */
void log_sink_fill(void);
/* From here on nothing in this process waits for standard error, libraries and assert() included:
 * where it is a pipe or a terminal, descriptor 2 becomes one of our own. Once, before threads. */
void log_sink_open(void);
/* False: the line, or its end, is lost. LEN up to PIPE_BUF. */
bool log_sink_write(const char *line, size_t len);

#endif
