/* client_ops.h - what a client may ask for: one row per operation. Owner loop only. */
#ifndef IMC_COMET_NET_CLIENT_OPS_H
#define IMC_COMET_NET_CLIENT_OPS_H

#include "comet/wire/client_request.h"

struct conn;

/* Carries it out, answers it, or kicks the connection: look at its state afterwards. */
void client_op_run(struct conn *conn, const struct client_request *request);

#endif
