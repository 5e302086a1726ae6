/* advertise.h - what clients have to know to reach this comet: the public addresses and names of
 * the settings tcp.advertise, ws.advertise, tcps.advertise, wss.advertise and node.… Pure. */
#ifndef IMC_COMET_ADVERTISE_H
#define IMC_COMET_ADVERTISE_H

#include "comet/base/config.h"

enum { ADVERTISE_IPS_MOST = 8 };

/* Checks them: 0, or -EINVAL, and ERR says which one is wrong, and why. */
int advertise_check(const struct comet_config *config, char *err, size_t errlen);
/* Writes them into SELF. RPC is the address that other daemons are told; where a setting is empty,
 * its host stands in. CONFIG has passed advertise_check(). */
void advertise_fill(const struct comet_config *config, const char *rpc, struct member *self);

#endif
