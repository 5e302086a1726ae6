/* host_header.h - tells by the header Host whether a request that is let in without a key, since
 * it comes from this machine, may be a web page's. A page's name can be made to resolve to loopback
 * (DNS rebinding). The browser then takes the page for a daemon's own, and the page may read and
 * send everything. But the name stands in Host. Pure. */
#ifndef IMC_COMMON_AUTH_HOST_HEADER_H
#define IMC_COMMON_AUTH_HOST_HEADER_H

enum host_header {
    HOST_FOREIGN, /* another name, or no host at all */
    HOST_ADDRESS, /* an IP address: nobody can make that lead elsewhere */
    HOST_OURS,    /* localhost, a loopback address, or one of NAMES */
};

/* What HOST is, as it stands in the header, with a port or without. NAMES is a list as settings
 * have it; case does not matter. */
enum host_header host_header_is(const char *host, const char *names);

#endif
