/* calls.h - goim.comet.Comet, the gRPC service by which goim's job brings messages to a comet. So
 * goim's job can serve imc's comets.
 *
 *   goim's job ──► rpc thread: unpack, check, take apart (raw_frames.h)
 *                     └─► every loop: find its sessions, or its members of the room, and write
 *   goim's job ◄── answer: every loop has written the messages, or begun to
 *
 * The answer comes late while sockets are behind, and goim's job then waits. These calls carry no
 * offsets. So a message is delivered at most once, as with goim itself: what a session cannot take
 * is dropped and counted, and nothing is put into a mailbox. */
#ifndef IMC_COMET_GOIM_CALLS_H
#define IMC_COMET_GOIM_CALLS_H

#include "common/rpc/rpc.h"

struct comet;
struct goim_calls;

enum {
    GOIM_KEYS_MAX = 65536,       /* keys of a call */
    GOIM_DELIVERIES_MAX = 65536, /* keys times frames of a call */
    GOIM_ROOMS_EVERY_MS = 1000,  /* an answer to Rooms is given again for so long */
};

struct goim_calls *goim_calls_open(struct comet *comet);
/* Call it after the loops are closed. NULL is fine. */
void goim_calls_close(struct goim_calls *service);

/* rpc thread: for struct rpc_method.called, with the struct comet as ARG. */
void goim_push_called(struct rpc_stream *stream, void *arg, struct msg *request);
void goim_broadcast_called(struct rpc_stream *stream, void *arg, struct msg *request);
void goim_room_called(struct rpc_stream *stream, void *arg, struct msg *request);
void goim_rooms_called(struct rpc_stream *stream, void *arg, struct msg *request);

#endif
