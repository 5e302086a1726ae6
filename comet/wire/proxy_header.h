/* proxy_header.h - the PROXY protocol, versions 1 and 2: what a proxy says before anything else of
 * the client that it speaks for. Pure; any thread. The protocol:
 * https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt */
#ifndef IMC_COMET_WIRE_PROXY_HEADER_H
#define IMC_COMET_WIRE_PROXY_HEADER_H

#include "common/net/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROXY_V1_MAX = 107,      /* with CR LF */
    PROXY_HEADER_MAX = 1024, /* of version 2, additions (TLV) included: they are skipped */
};

struct proxy_header {
    bool known;       /* false: LOCAL, UNKNOWN or UNSPEC, and the socket's own address stands */
    struct ip client; /* if known */
};

/* Reads the header at the beginning of the LEN bytes of BUF. Returns its length, 0 if more bytes
 * are needed, or -EPROTO: this is no header, or none of a TCP connection. OUT is set with a length
 * only. Never 0 with PROXY_HEADER_MAX bytes. */
long proxy_header_parse(const uint8_t *buf, size_t len, struct proxy_header *out);

#endif
