/* push_message.h - what a business pushes, and to which devices of a user. */
#ifndef IMC_LOGIC_PUSH_PUSH_MESSAGE_H
#define IMC_LOGIC_PUSH_PUSH_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct push_trace;
struct trace_context;

enum { PUSH_COLLAPSE_MAX = 128 };

struct push_message {
    int32_t op;
    uint64_t expires_ms;  /* Unix time; 0: no limit of its own */
    bool any;             /* the first device that has it ends it for all */
    const char *collapse; /* of a user's messages that wait with this key, 1 to PUSH_COLLAPSE_MAX
                           * bytes, the newest stays; NULL: none. As long valid as the body */
    const void *body;     /* has to stay valid until push_fn */
    size_t len;
    struct push_trace *traced; /* trace/traces.h, valid until push_fn; NULL: nobody asked for it */
    const struct trace_context *context; /* of the caller, valid until push_fn; NULL: none. It goes
                                          * with each message, unless Kafka's topic takes no message
                                          * of that size */
};

/* Keys of devices that belong to one user. */
struct push_keys {
    const char *const *list; /* in the order of strcmp(), each once */
    size_t n;
};

#endif
