/* msg.h - an immutable, reference-counted run of bytes: what travels between threads, streams and
 * sockets.
 *
 * Fill it between msg_new() and the first msg_ref(), never later. References may be taken and
 * dropped on any thread. */
#ifndef IMC_COMMON_BASE_MSG_H
#define IMC_COMMON_BASE_MSG_H

#include <stddef.h>
#include <stdint.h>

struct msg {
    uint32_t refs; /* atomic; with MSG_SECRET */
    uint32_t len;  /* bytes in data */
    uint8_t data[];
};

enum { MSG_SECRET = 1 << 30 };

/* Never NULL: memory is not expected to run out, and the process aborts if it does. */
struct msg *msg_new(size_t len);
struct msg *msg_copy(const void *data, size_t len);
struct msg *msg_ref(struct msg *msg);
/* NULL is fine. */
void msg_unref(struct msg *msg);
/* A token is in it: the bytes are overwritten when the last reference goes. */
void msg_is_secret(struct msg *msg);

#endif
