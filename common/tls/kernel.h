/* kernel.h - Linux seals what a connection sends (kTLS; the kernel's module "tls"). Any thread.
 *
 *   open, by records.h ─► kernel_take_over() ─► the user sends plaintext on the socket itself
 *                                          └──► alerts, KeyUpdates: kernel_send(), with their type
 *
 * Only what is sent: what comes is opened by records.h, because alerts and KeyUpdates are in it. */
#ifndef IMC_COMMON_TLS_KERNEL_H
#define IMC_COMMON_TLS_KERNEL_H

#include "common/tls/records.h"
#include <sys/socket.h>

/* The system calls that are used; tests have their own. */
struct kernel_calls {
    int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t len);
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
};
extern const struct kernel_calls kernel_calls;

/* Tries on a connection of its own what this kernel can do. 0: it has TLS, and changes keys.
 * -EBUSY: it has TLS, and cannot change keys (Linux before 6.14). -ENOENT: it has no TLS, or the
 * module is not loaded. Or another -E…. */
int kernel_probe(const struct kernel_calls *calls);
/* From now on the kernel seals what is sent on FD, with the key that RECORDS has for writing. Their
 * key is overwritten then. 0, or -E…: nothing has changed. */
int kernel_take_over(const struct kernel_calls *calls, int fd, struct records *records);
/* As kernel_take_over(), with the next key, for a socket that the kernel seals for. -EBUSY: it
 * cannot change keys (Linux before 6.14). */
int kernel_next_key(const struct kernel_calls *calls, int fd, struct records *records);
/* Sends a record of TYPE, as whole as it is. 0, or -E…: nothing is sent. */
int kernel_send(const struct kernel_calls *calls, int fd, enum records_type type, const void *bytes,
                size_t len);

#endif
