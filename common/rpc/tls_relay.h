/* tls_relay.h - TLS for the connections of a gRPC server. gRPC (1.51) takes sockets that somebody
 * else accepted only without TLS. So a thread of ours does the handshake, decrypts and encrypts,
 * and gRPC gets one end of a socket pair.
 *
 *   peer ══ TLS ══ wire ─► relay thread (tls/engine.h) ─► plain ══ socket pair ══ gRPC
 *
 * gRPC gets its end only after the handshake: a peer without a good certificate never reaches it.
 * Each direction is read only while the other side takes it, so a connection holds at most what an
 * engine holds, and one record. */
#ifndef IMC_COMMON_RPC_TLS_RELAY_H
#define IMC_COMMON_RPC_TLS_RELAY_H

#include "common/tls/engine.h"

struct rpc_relay;
struct rpc_tunnel;

/* relay thread: the handshake of a peer is done. FD, for gRPC, is the callee's. */
typedef void (*rpc_relay_ready_fn)(void *arg, int fd);

/* Starts the thread. 0 or -E…. */
int rpc_relay_open(struct tls_server *tls, rpc_relay_ready_fn ready, void *arg,
                   struct rpc_relay **out);
/* Takes over the accepted socket WIRE of PEER. *FD is the end that gRPC will get. It is the
 * relay's until then, and is closed if the handshake fails. Returns a reference, or NULL: no
 * descriptors; WIRE is closed. */
struct rpc_tunnel *rpc_relay_take(struct rpc_relay *relay, int wire, const char *peer, int *fd);
/* No handshake is completed any more, and READY is not called again. Blocks for a moment. */
void rpc_relay_stop(struct rpc_relay *relay);
/* After gRPC has closed its ends: what it wrote still goes out, for a second at most. NULL is
 * fine. */
void rpc_relay_close(struct rpc_relay *relay);

/* Bytes of plaintext that came from the peer. Any thread. */
uint64_t rpc_tunnel_arrived(const struct rpc_tunnel *tunnel);
void rpc_tunnel_unref(struct rpc_tunnel *tunnel);

#endif
