/* push_message.h - what a business pushes, and to which devices of a user. */
#ifndef IMC_LOGIC_PUSH_PUSH_MESSAGE_H
#define IMC_LOGIC_PUSH_PUSH_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct push_message {
    int32_t op;
    uint64_t expires_ms; /* Unix time; 0: no limit of its own */
    bool any;            /* the first device that has it ends it for all */
    const void *body;    /* has to stay valid until push_fn */
    size_t len;
};

/* Keys of devices that belong to one user. */
struct push_keys {
    const char *const *list; /* in the order of strcmp(), each once */
    size_t n;
};

#endif
