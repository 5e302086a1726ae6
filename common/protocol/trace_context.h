/* trace_context.h - the context of a trace that a caller has begun: the headers traceparent and
 * tracestate of W3C Trace Context (https://www.w3.org/TR/trace-context/, level 2). Pure; any
 * thread.
 *
 *   HTTP: traceparent, tracestate ─► trace_context_parse ─► checked ─► headers of a Kafka message
 */
#ifndef IMC_COMMON_PROTOCOL_TRACE_CONTEXT_H
#define IMC_COMMON_PROTOCOL_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TRACE_PARENT_LEN = 55,        /* "00-" trace id "-" parent id "-" flags */
    TRACE_STATE_MAX = 512,        /* bytes; a longer tracestate is left out as a whole */
    TRACE_STATE_MEMBERS_MAX = 32, /* as the standard has it */
    TRACE_SAMPLED = 1,            /* a flag: the caller may have recorded the trace */
    TRACE_RANDOM = 2,             /* a flag: the trace id's last 7 bytes are random */
};

struct trace_context {
    uint8_t trace_id[16];            /* not all 0 */
    uint8_t parent_id[8];            /* not all 0: the caller's span */
    uint8_t flags;                   /* TRACE_SAMPLED, TRACE_RANDOM; others are left out */
    char state[TRACE_STATE_MAX + 1]; /* tracestate, or "" */
};

/* Reads the header traceparent. False: it is none, and OUT means nothing. A version above 00 is
 * read as far as it is known, as the standard wants it. STATE becomes "". */
bool trace_parent_parse(const char *text, struct trace_context *out);
/* Adds a line of the header tracestate: there may be several. False: it is none, or all together
 * are too long. Then the state is "", and no further line may be added. */
bool trace_state_add(struct trace_context *context, const char *line);
/* Writes traceparent, version 00, and a NUL. */
void trace_parent_print(const struct trace_context *context, char out[TRACE_PARENT_LEN + 1]);

#endif
