/* addresses.h - the addresses that the host of auth.url has. Main loop only.
 *
 * A name is looked up at the start, every ADDRESSES_KEEP_MS while somebody asks, and sooner if an
 * address fails. While DNS does not answer, its last answer stays in force. */
#ifndef IMC_LOGIC_HOOK_ADDRESSES_H
#define IMC_LOGIC_HOOK_ADDRESSES_H

#include "common/base/loop.h"
#include "logic/hook/url.h"

enum { ADDRESSES_MOST = 16, ADDRESSES_KEEP_MS = 30000, ADDRESSES_SOON_MS = 1000 };

struct hook_addresses;

/* KNOWN is called after each look-up; ERR is 0, or UV_EAI_…. URL has to outlive it. */
struct hook_addresses *hook_addresses_open(struct loop *loop, const struct hook_url *url,
                                           void (*known)(void *arg, int err), void *arg);
void hook_addresses_close(struct hook_addresses *addresses); /* NULL is fine */
/* Looks the name up again if it is time. */
void hook_addresses_refresh(struct hook_addresses *addresses);
/* The one to use now; NULL: none is known. */
const union endpoint *hook_addresses_current(const struct hook_addresses *addresses);
/* How many there are. */
size_t hook_addresses_count(const struct hook_addresses *addresses);
bool hook_addresses_resolving(const struct hook_addresses *addresses);
/* ADDRESS could not be reached, or did not answer: the next one is the one to use. */
void hook_addresses_failed(struct hook_addresses *addresses, const union endpoint *address);

#endif
