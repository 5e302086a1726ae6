#include "common/tls/kernel.h"
#include "common/base/mem.h"
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

const struct kernel_calls kernel_calls = {.setsockopt = setsockopt, .sendmsg = sendmsg};

static int set_ulp(const struct kernel_calls *calls, int fd)
{
    return calls->setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0 ? 0 : -errno;
}

/* What the kernel wants to know: the nonce's first bytes are the salt, the others the iv. */
union info {
    struct tls_crypto_info head;
    struct tls12_crypto_info_aes_gcm_128 aes_128;
    struct tls12_crypto_info_aes_gcm_256 aes_256;
    struct tls12_crypto_info_chacha20_poly1305 chacha;
};

#define FILL(of, type, keys)                                                           \
    do {                                                                               \
        (of)->info = (struct tls_crypto_info){TLS_1_3_VERSION, (type)};                \
        memcpy((of)->salt, (keys)->iv, sizeof((of)->salt));                            \
        memcpy((of)->iv, (keys)->iv + sizeof((of)->salt), sizeof((of)->iv));           \
        memcpy((of)->key, (keys)->key, sizeof((of)->key));                             \
        for (int i = 0; i < 8; i++)                                                    \
            (of)->rec_seq[7 - i] = (uint8_t)((keys)->number >> (8 * i)); /* big end */ \
    } while (0)

static socklen_t fill(union info *info, const struct records_keys *keys)
{
    switch (keys->suite) {
    case TLS1_3_CK_AES_128_GCM_SHA256:
        FILL(&info->aes_128, TLS_CIPHER_AES_GCM_128, keys);
        return sizeof(info->aes_128);
    case TLS1_3_CK_AES_256_GCM_SHA384:
        FILL(&info->aes_256, TLS_CIPHER_AES_GCM_256, keys);
        return sizeof(info->aes_256);
    default:
        FILL(&info->chacha, TLS_CIPHER_CHACHA20_POLY1305, keys);
        return sizeof(info->chacha);
    }
}

static int set_key(const struct kernel_calls *calls, int fd, struct records *records)
{
    struct records_keys keys;
    union info info;
    records_write_keys(records, &keys);
    socklen_t len = fill(&info, &keys);
    int rc = calls->setsockopt(fd, SOL_TLS, TLS_TX, &info, len) == 0 ? 0 : -errno;
    explicit_bzero(&keys, sizeof(keys));
    explicit_bzero(&info, sizeof(info));
    if (rc == 0)
        records_forget_write_key(records);
    return rc;
}

/* --- what it can do --- */

/* A connection within this process. 0, or -E…. */
static int connect_ends(int listener, int near, int *far)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    if (listener < 0 || near < 0 ||
        bind(listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&address, &len) != 0 ||
        connect(near, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return -errno;
    *far = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    return *far < 0 ? -errno : 0;
}

static int try_keys(const struct kernel_calls *calls, int fd)
{
    const struct records_keys keys = {.suite = TLS1_3_CK_AES_128_GCM_SHA256};
    union info info;
    socklen_t len = fill(&info, &keys);
    int rc = set_ulp(calls, fd);
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = calls->setsockopt(fd, SOL_TLS, TLS_TX, &info, len) == 0 ? 0 : -errno;
    return rc;
}

int kernel_probe(const struct kernel_calls *calls)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), far = -1;
    int rc = connect_ends(listener, near, &far);
    if (rc == 0)
        rc = try_keys(calls, near);
    const int all[] = {listener, near, far};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i] >= 0)
            close(all[i]);
    }
    return rc;
}

/* --- a connection --- */

int kernel_take_over(const struct kernel_calls *calls, int fd, struct records *records)
{
    int rc = set_ulp(calls, fd);
    return rc == 0 ? set_key(calls, fd, records) : rc;
}

int kernel_next_key(const struct kernel_calls *calls, int fd, struct records *records)
{
    return records_next_write_key(records) ? set_key(calls, fd, records) : -EIO;
}

int kernel_send(const struct kernel_calls *calls, int fd, enum records_type type, const void *bytes,
                size_t len)
{
    union {
        struct cmsghdr head;
        uint8_t bytes[CMSG_SPACE(1)];
    } control = {.bytes = {0}};
    struct iovec iov = {.iov_base = mem_unconst(bytes), .iov_len = len};
    const struct msghdr message = {.msg_iov = &iov,
                                   .msg_iovlen = 1,
                                   .msg_control = &control,
                                   .msg_controllen = sizeof(control.bytes)};
    control.head.cmsg_level = SOL_TLS;
    control.head.cmsg_type = TLS_SET_RECORD_TYPE;
    control.head.cmsg_len = CMSG_LEN(1);
    *CMSG_DATA(&control.head) = (uint8_t)type;
    ssize_t sent = calls->sendmsg(fd, &message, MSG_NOSIGNAL);
    return sent == (ssize_t)len ? 0 : sent < 0 ? -errno : -EIO;
}
