/* streams.h - the streams that comets and jobs keep open to us: batches in, one reply each out, in
 * any order.
 *
 *   rpc thread                          main loop
 *   message ─► unpacked ──inbox──► session_requests, settle_requests ─► … ─► stream_reply()
 *
 * A batch that cannot be decoded closes its stream, with a log line and a counter. Main loop
 * only. */
#ifndef IMC_LOGIC_PEERS_STREAMS_H
#define IMC_LOGIC_PEERS_STREAMS_H

#include "common/base/mem.h"
#include "logic/base/logic.h"

struct stream;

/* Whoever handles it answers it exactly once; the arena is his to use until then. */
struct stream_batch {
    struct inbox_item item;
    struct stream *stream;
    struct logic *logic;
    struct arena arena;
    ProtobufCMessage *message;
    size_t held; /* bytes of the arena that are counted for the peer */
};

/* Items in each list of a batch. A comet puts 1,000 requests into one; job.ini's logic.items may be
 * as many as STREAM_SETTLES_MAX. */
enum { STREAM_SESSIONS_MAX = 4096, STREAM_SETTLES_MAX = 8192 };

/* Who handles the batches of comets and of jobs. */
struct stream_services {
    void (*sessions)(struct stream_batch *batch);
    void (*settles)(struct stream_batch *batch);
};
/* Opens the gRPC server on rpc.listen. -E… after logging. */
int streams_open(struct logic *logic, const struct stream_services *services, struct streams **out);
/* No further batch is taken; a stream closes as soon as it has no unanswered one. */
void streams_drain(struct streams *service);
/* Open streams. */
size_t streams_count(const struct streams *service);
/* Ends all streams; only after the main loop has ended. Unanswered batches may still be answered,
 * so the service's memory stays. NULL is fine. */
void streams_close(struct streams *service);

/* The comet that BATCH came from says who it is. */
void stream_name(struct stream_batch *batch, const char *comet, uint64_t epoch);
/* Sends MESSAGE, which has no seq, to every stream of COMET, and to those that have not said whose
 * they are. */
void stream_tell(struct streams *service, const char *comet, uint64_t epoch,
                 const ProtobufCMessage *message);
/* False: the peer has gone and will not see the answer; it is asking elsewhere. */
bool stream_is_open(const struct stream_batch *batch);
/* Sends REPLY and frees the batch with its arena. */
void stream_reply(struct stream_batch *batch, const ProtobufCMessage *reply);

#endif
