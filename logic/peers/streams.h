/* streams.h - the streams from comets and jobs, and the reports of all daemons. Each batch gets one
 * reply, in any order. Main loop only.
 *
 *   rpc thread                          main loop
 *   message ─► unpacked ──inbox──► session_requests, settle_requests ─► … ─► stream_reply()
 *
 * A batch that cannot be decoded closes its stream, with a log line and a counter. */
#ifndef IMC_LOGIC_PEERS_STREAMS_H
#define IMC_LOGIC_PEERS_STREAMS_H

#include "common/base/mem.h"
#include "logic/base/logic.h"

struct msg;
struct rpc_stream;
struct stream;

/* A service has to answer each batch exactly once. It may use the arena until then. */
struct stream_batch {
    struct inbox_item item;
    struct stream *stream;
    struct logic *logic;
    struct arena arena;
    ProtobufCMessage *message;
    size_t held; /* bytes of the arena that count against the peer */
};

/* The most items in each list of a batch. A comet sends 1,000 requests in one. The setting
 * logic.items in job.ini may be up to STREAM_SETTLES_MAX. */
enum { STREAM_SESSIONS_MAX = 4096, STREAM_SETTLES_MAX = 8192, STREAM_REPORT_MAX = 1024 };
enum { STREAM_CLOSED_WHY = 256 };

/* The handlers of batches from comets and from jobs. */
struct stream_services {
    void (*sessions)(struct stream_batch *batch);
    void (*settles)(struct stream_batch *batch);
    /* rpc thread: a unary call of goim.logic.Logic came. Takes both references. NULL: there are
     * none such here. */
    void (*called)(struct logic *logic, struct rpc_stream *call, struct msg *request);
    void (*reports)(struct stream_batch *batch); /* of daemons, for the console */
};
/* Opens the gRPC server on rpc.listen. 0, or -E… after logging. */
int streams_open(struct logic *logic, const struct stream_services *services, struct streams **out);
/* Takes no further batches. Closes each stream as soon as all its batches are answered. */
void streams_drain(struct streams *service);
/* The number of open streams. */
size_t streams_count(const struct streams *service);
/* Ends all streams. Call it after the main loop has ended. Batches may still be answered later, so
 * the memory is not freed. NULL is fine. */
void streams_close(struct streams *service);

/* BATCH says that its stream comes from COMET with EPOCH. */
void stream_name(struct stream_batch *batch, const char *comet, uint64_t epoch);
/* Sends MESSAGE, which has no seq, to every stream of COMET, and to those whose comet is not known
 * yet. Returns to how many. */
size_t stream_tell(struct streams *service, const char *comet, uint64_t epoch,
                   const ProtobufCMessage *message);
/* The same whatever epoch COMET has: for a question, which changes nothing. */
size_t stream_ask(struct streams *service, const char *comet, const ProtobufCMessage *message);
/* Tells every comet, if it has changed, whether this logic can do what they ask for. CLOSED: why
 * not; empty: it can. Comets then turn to other logics, and are not ready if there is none. */
void streams_admit(struct streams *service, const char *closed);
/* False: the peer's stream has ended. It will not see the reply, and asks another logic. */
bool stream_is_open(const struct stream_batch *batch);
/* Sends REPLY, then frees the batch and its arena. */
void stream_reply(struct stream_batch *batch, const ProtobufCMessage *reply);

#endif
