/* trace_mark.h - the mark of a message whose way somebody wants to know. The message carries it
 * through Kafka, the daemons and the mailbox. A message without a mark costs nothing anywhere.
 * Pure; any thread.
 *
 *   version (1 byte) | flags (1) | push (8, big-endian) | trace id (16) | span id (8)
 *
 * Trace and span id are those of W3C Trace Context. */
#ifndef IMC_COMMON_TRACE_TRACE_MARK_H
#define IMC_COMMON_TRACE_TRACE_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRACE_MARK_LEN = 34, TRACE_ID_LEN = 16, TRACE_SPAN_LEN = 8 };

enum trace_flag {
    TRACE_STEPS = 1 << 0,  /* each step is kept: GET /v1/messages */
    TRACE_COUNTS = 1 << 1, /* steps are counted for the push: GET /v1/pushes/funnel */
    TRACE_SPANS = 1 << 2,  /* steps become spans of OpenTelemetry */
};

struct trace_mark {
    uint8_t flags; /* enum trace_flag */
    uint64_t push; /* id of the push, which is that of its first message; 0: none */
    uint8_t trace_id[TRACE_ID_LEN]; /* of the caller, or made of the message's id */
    uint8_t parent[TRACE_SPAN_LEN]; /* the caller's span; all zero: it named none */
};

void trace_mark_write(const struct trace_mark *mark, uint8_t out[TRACE_MARK_LEN]);
/* False: LEN bytes at DATA are no mark that this version knows. Then the message has none. */
bool trace_mark_read(const void *data, size_t len, struct trace_mark *out);
/* The trace id of a message whose caller named none: the same in every daemon. */
void trace_mark_make_id(uint64_t id, uint8_t out[TRACE_ID_LEN]);

#endif
