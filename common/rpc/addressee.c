/* addressee.c - each stream names the daemon that it is for. Any other daemon refuses the stream.
 *
 *   caller: rpc_channel_want ─► metadata "imc-to-bin" of each stream ─► callee: rpc_addressee_fits
 *                                                                       or FAILED_PRECONDITION */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/rpc/internal.h"
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define NAME_KEY "imc-to-bin" /* gRPC: the value of a key that ends in "-bin" may be any bytes */

static _Atomic uint64_t missed, turned_away; /* for the whole process */

/* Packs the epoch, big-endian, then the id. */
static void addressee_pack(struct rpc_addressee *want, const struct rpc_name *name)
{
    size_t len = strlen(name->id);

    for (int i = 0; i < RPC_EPOCH_LEN; i++)
        want->bytes[i] = (uint8_t)(name->epoch >> (56 - 8 * i));
    memcpy(want->bytes + RPC_EPOCH_LEN, name->id, len);
    want->len = (uint8_t)(RPC_EPOCH_LEN + len);
}

/* False: WANT is not a name. */
static bool addressee_unpack(const struct rpc_addressee *want, struct rpc_name *name)
{
    size_t len = want->len < RPC_EPOCH_LEN ? 0 : want->len - (size_t)RPC_EPOCH_LEN;

    if (len == 0)
        return false;
    name->epoch = 0;
    for (int i = 0; i < RPC_EPOCH_LEN; i++)
        name->epoch = name->epoch << 8 | want->bytes[i];
    memcpy(name->id, want->bytes + RPC_EPOCH_LEN, len);
    name->id[len] = '\0';
    return true;
}

void rpc_channel_want(struct rpc_channel *channel, const struct rpc_name *name)
{
    struct rpc_addressee want = {0};

    if (name->id[0] != '\0')
        addressee_pack(&want, name);
    pthread_mutex_lock(&channel->rpc->lock);
    channel->want = want;
    pthread_mutex_unlock(&channel->rpc->lock);
}

void rpc_addressee_copy(struct rpc_stream *stream)
{
    pthread_mutex_lock(&stream->rpc->lock);
    stream->want = stream->channel->want;
    pthread_mutex_unlock(&stream->rpc->lock);
}

bool rpc_addressee_send(struct rpc_stream *stream, grpc_metadata *entry)
{
    if (stream->want.len == 0)
        return false;
    *entry = (grpc_metadata){
        .key = grpc_slice_from_static_string(NAME_KEY),
        .value = grpc_slice_from_static_buffer(stream->want.bytes, stream->want.len),
    };
    return true;
}

void rpc_addressee_take(struct rpc_stream *stream, const grpc_metadata_array *metadata)
{
    for (size_t i = 0; i < metadata->count; i++) {
        const grpc_metadata *at = &metadata->metadata[i];
        size_t len = GRPC_SLICE_LENGTH(at->value);
        if (grpc_slice_str_cmp(at->key, NAME_KEY) != 0 || len > sizeof stream->want.bytes)
            continue;
        memcpy(stream->want.bytes, GRPC_SLICE_START_PTR(at->value), len);
        stream->want.len = (uint8_t)len;
    }
}

void rpc_be(struct rpc *rpc, const char *id, uint64_t epoch)
{
    pthread_mutex_lock(&rpc->lock);
    if (strcmp(rpc->self.id, id) != 0)
        rpc->first_epoch = epoch;
    snprintf(rpc->self.id, sizeof rpc->self.id, "%s", id);
    rpc->self.epoch = epoch;
    pthread_mutex_unlock(&rpc->lock);
}

bool rpc_addressee_fits(struct rpc_stream *stream)
{
    struct rpc *rpc = stream->rpc;
    struct rpc_name wanted, self;
    char text[256];

    if (!addressee_unpack(&stream->want, &wanted))
        return true;
    pthread_mutex_lock(&rpc->lock);
    self = rpc->self;
    uint64_t first = rpc->first_epoch;
    pthread_mutex_unlock(&rpc->lock);
    /* A stream that names an earlier epoch of this process is still for us. */
    if (self.id[0] == '\0' ||
        (strcmp(self.id, wanted.id) == 0 && wanted.epoch >= first && wanted.epoch <= self.epoch))
        return true;
    atomic_fetch_add_explicit(&turned_away, 1, memory_order_relaxed);
    snprintf(text, sizeof text, "this is %s (epoch %" PRIu64 "), not %s (epoch %" PRIu64 ")",
             self.id, self.epoch, wanted.id, wanted.epoch);
    stream->refusal_text = mem_strdup(text);
    log_warn("stream for somebody else",
             "peer=%s why=\"%s\"; two daemons with one rpc.advertise, or one of them has restarted",
             stream->peer, text);
    return false;
}

void rpc_addressee_missed(const struct rpc_stream *stream)
{
    if (stream->status == GRPC_STATUS_FAILED_PRECONDITION && stream->want.len > 0)
        atomic_fetch_add_explicit(&missed, 1, memory_order_relaxed);
}

uint64_t rpc_addressees_missed(void)
{
    return atomic_load_explicit(&missed, memory_order_relaxed);
}

uint64_t rpc_addressees_refused(void)
{
    return atomic_load_explicit(&turned_away, memory_order_relaxed);
}
