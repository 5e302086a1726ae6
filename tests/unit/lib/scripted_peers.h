/* scripted_peers.h - a comet and a logic that answer as a test tells them to. Their callbacks run
 * on the rpc thread; what they saw is read under the lock by the fake_… functions. */
#ifndef IMC_TESTS_UNIT_LIB_SCRIPTED_PEERS_H
#define IMC_TESTS_UNIT_LIB_SCRIPTED_PEERS_H

#include "common/base/mem.h"
#include "common/rpc/rpc.h"
#include "proto/push.pb-c.h"
#include "proto/session.pb-c.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAKE_TAKEN, FAKE_GONE, FAKE_REFUSED, FAKE_PENDING };
enum { FAKE_TEXT = 65536 };

struct fake_comet {
    struct rpc_server *server;
    int port;
    pthread_mutex_t lock;
    struct rpc_stream *stream; /* the latest */
    char seen[FAKE_TEXT];      /* one word per item, see fake_describe() */
    uint64_t last_seq, process;
    uint64_t fence;      /* guarded by lock: what it says it has heard, with what it refuses */
    uint64_t link;       /* of the last Standing */
    uint64_t partitions; /* a bit for each that an item was of */
    int standings;
    bool missed_rooms, missed_all; /* of any */
    int streams;
    int questions;           /* about rooms, and the last of them: */
    uint64_t asked, applied; /* ASKED: of the last that was more than an acknowledgement */
    bool anew, gave_up;
    /* guarded by lock, set by the test */
    int result;    /* for every item */
    bool mute;     /* batches get no answer */
    int gone_from; /* items with an offset of at least this are GONE; -1: off */
};

struct fake_logic {
    struct rpc_server *server;
    int port;
    pthread_mutex_t lock;
    struct rpc_stream *stream;
    char seen[FAKE_TEXT];   /* one word per settle: UID/ID, [KEY][KEY] if it has keys, any */
    char behind[FAKE_TEXT]; /* one word per settle that is behind another: ID<BEHIND */
    char statuses[64]; /* per settle: S stored, U unknown, F failed, E too early; consumed from the
                          front, then S */
    int64_t bad_from;  /* nothing is stored for uids of at least this; 0: off */
    bool bad_mute;     /* batches with one of those get no answer */
    char comet[64];    /* where users are; "" = nowhere */
    char key[16];      /* of their sessions */
    uint64_t epoch;
    bool mute;
    int batches;
};

static inline void fake_note(char *text, const char *word)
{
    size_t len = strlen(text);

    if (len + strlen(word) + 2 < FAKE_TEXT)
        snprintf(text + len, FAKE_TEXT - len, "%s ", word);
}

/* u7@5:1,2 = message 5 for the sessions 1 and 2 of uid 7; p7#105:1 = poke; r:lobby@6; a@7/10 = all
 * with speed 10. */
static inline void fake_describe(const Imc__V1__PushItem *item, char *out, size_t size)
{
    int n;

    switch (item->kind) {
    case IMC__V1__PUSH_ITEM__KIND__UID:
        n = snprintf(out, size, "u%lld@%lld:", (long long)item->uid, (long long)item->offset);
        break;
    case IMC__V1__PUSH_ITEM__KIND__POKE:
        n = snprintf(out, size, "p%lld#%llu:", (long long)item->uid,
                     (unsigned long long)item->ids[0]);
        break;
    case IMC__V1__PUSH_ITEM__KIND__ROOM:
        n = snprintf(out, size, "r:%s@%lld", item->room, (long long)item->offset);
        break;
    default:
        n = snprintf(out, size, "a@%lld/%d", (long long)item->offset, item->speed);
    }
    for (size_t i = 0; i < item->n_handles; i++)
        n += snprintf(out + n, size - (size_t)n, i == 0 ? "%llu" : ",%llu",
                      (unsigned long long)item->handles[i]);
}

static inline void fake_send(struct rpc_stream *stream, const ProtobufCMessage *message)
{
    struct msg *msg = msg_new(protobuf_c_message_get_packed_size(message));

    protobuf_c_message_pack(message, msg->data);
    rpc_stream_send(stream, msg);
}

/* --- comet --- */

static inline void fake_comet_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    struct fake_comet *comet = arg;
    Imc__V1__PushBatch *batch = imc__v1__push_batch__unpack(NULL, msg->len, msg->data);
    Imc__V1__PushReply reply;
    uint32_t *indexes[4];
    size_t n[4] = {0};
    char word[128];

    assert(batch != NULL);
    pthread_mutex_lock(&comet->lock);
    for (int r = 0; r < 4; r++)
        indexes[r] = mem_alloc((batch->n_items + 1) * sizeof(uint32_t));
    for (size_t i = 0; i < batch->n_items; i++) {
        const Imc__V1__PushItem *item = batch->items[i];
        int result =
            comet->gone_from >= 0 && item->offset >= comet->gone_from ? FAKE_GONE : comet->result;
        fake_describe(item, word, sizeof word);
        fake_note(comet->seen, word);
        comet->partitions |= UINT64_C(1) << item->partition % 64;
        indexes[result][n[result]++] = (uint32_t)i;
    }
    comet->last_seq = batch->seq;
    comet->process = batch->process;
    if (batch->standing != NULL && !comet->mute) {
        comet->standings++;
        comet->link = batch->standing->link;
        comet->missed_rooms |= batch->standing->missed_rooms;
        comet->missed_all |= batch->standing->missed_all;
    }
    if (batch->rooms != NULL) {
        comet->questions++;
        comet->asked = batch->rooms->asked != 0 ? batch->rooms->asked : comet->asked;
        comet->applied = batch->rooms->applied;
        comet->anew = batch->rooms->anew;
        comet->gave_up |= batch->rooms->gives_up;
    }
    imc__v1__push_reply__init(&reply);
    reply.seq = batch->seq;
    reply.n_gone = n[FAKE_GONE];
    reply.gone = indexes[FAKE_GONE];
    reply.n_refused = n[FAKE_REFUSED];
    reply.refused = indexes[FAKE_REFUSED];
    reply.fence = n[FAKE_REFUSED] > 0 ? comet->fence : 0;
    reply.n_pending = n[FAKE_PENDING];
    reply.pending = indexes[FAKE_PENDING];
    if (!comet->mute)
        fake_send(stream, &reply.base);
    pthread_mutex_unlock(&comet->lock);
    for (int r = 0; r < 4; r++)
        free(indexes[r]);
    imc__v1__push_batch__free_unpacked(batch, NULL);
    msg_unref(msg);
}

static inline void fake_comet_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    struct fake_comet *comet = arg;

    (void)why;
    pthread_mutex_lock(&comet->lock);
    if (comet->stream == stream)
        comet->stream = NULL;
    pthread_mutex_unlock(&comet->lock);
    rpc_stream_unref(stream);
}

static inline void fake_comet_opened(struct rpc_stream *stream, void *arg)
{
    static const struct rpc_stream_events events = {fake_comet_message, fake_comet_closed};
    struct fake_comet *comet = arg;

    pthread_mutex_lock(&comet->lock);
    comet->stream = rpc_stream_ref(stream);
    comet->streams++;
    pthread_mutex_unlock(&comet->lock);
    rpc_stream_accept(stream, &events, comet);
}

static inline struct fake_comet *fake_comet_open(struct rpc *rpc)
{
    static const struct rpc_method methods[] = {{"/imc.v1.Comet/Push", fake_comet_opened, NULL},
                                                {0}};
    struct fake_comet *comet = mem_zalloc(sizeof *comet);

    comet->gone_from = -1;
    pthread_mutex_init(&comet->lock, NULL);
    int err = rpc_server_open(rpc, "127.0.0.1:0", methods, comet, &comet->server);
    assert(err == 0);
    comet->port = rpc_server_port(comet->server);
    return comet;
}

static inline void fake_comet_close(struct fake_comet *comet)
{
    if (comet == NULL)
        return;
    rpc_server_close(comet->server, 0);
    pthread_mutex_destroy(&comet->lock);
    free(comet);
}

static inline void fake_comet_tell(struct fake_comet *comet, int result, bool mute)
{
    pthread_mutex_lock(&comet->lock);
    comet->result = result;
    comet->mute = mute;
    pthread_mutex_unlock(&comet->lock);
}

/* Ends the stream from its side. */
static inline void fake_comet_break(struct fake_comet *comet)
{
    pthread_mutex_lock(&comet->lock);
    if (comet->stream != NULL)
        rpc_stream_close(comet->stream);
    pthread_mutex_unlock(&comet->lock);
}

static inline void fake_comet_late(struct fake_comet *comet, uint64_t seq, uint32_t index,
                                   uint32_t result)
{
    Imc__V1__LateResult late;
    Imc__V1__LateResult *list[] = {&late};
    Imc__V1__PushReply reply;

    imc__v1__late_result__init(&late);
    late.seq = seq;
    late.index = index;
    late.result = result;
    imc__v1__push_reply__init(&reply);
    reply.n_late = 1;
    reply.late = list;
    pthread_mutex_lock(&comet->lock);
    if (comet->stream != NULL)
        fake_send(comet->stream, &reply.base);
    pthread_mutex_unlock(&comet->lock);
}

static inline void fake_comet_news(struct fake_comet *comet, Imc__V1__RoomNews *news)
{
    Imc__V1__PushReply reply;

    imc__v1__push_reply__init(&reply);
    reply.rooms = news;
    pthread_mutex_lock(&comet->lock);
    if (comet->stream != NULL)
        fake_send(comet->stream, &reply.base);
    pthread_mutex_unlock(&comet->lock);
}

static inline uint64_t fake_comet_seq(struct fake_comet *comet)
{
    pthread_mutex_lock(&comet->lock);
    uint64_t seq = comet->last_seq;
    pthread_mutex_unlock(&comet->lock);
    return seq;
}

/* --- logic --- */

static inline Imc__V1__SettleResult *fake_settle(struct fake_logic *logic,
                                                 const Imc__V1__Settle *settle)
{
    Imc__V1__SettleResult *result = mem_alloc(sizeof *result);
    bool bad = logic->bad_from != 0 && settle->uid >= logic->bad_from;
    char word[64], status = bad ? 'F' : logic->statuses[0];

    int len = snprintf(word, sizeof word, "%lld/%llu", (long long)settle->uid,
                       (unsigned long long)settle->message->id);
    for (size_t i = 0; i < settle->n_keys; i++)
        len += snprintf(word + len, sizeof word - (size_t)len, "[%s]", settle->keys[i]);
    if (settle->any)
        len += snprintf(word + len, sizeof word - (size_t)len, "any");
    for (size_t i = 0; i < settle->n_devices; i++)
        len += snprintf(word + len, sizeof word - (size_t)len, "/%s", settle->devices[i]);
    if (settle->collapse[0] != '\0')
        len += snprintf(word + len, sizeof word - (size_t)len, "=%s", settle->collapse);
    fake_note(logic->seen, word);
    snprintf(word, sizeof word, "%llu<%llu", (unsigned long long)settle->message->id,
             (unsigned long long)settle->behind);
    if (settle->behind != 0)
        fake_note(logic->behind, word);
    if (!bad && status != '\0')
        memmove(logic->statuses, logic->statuses + 1, strlen(logic->statuses));
    imc__v1__settle_result__init(result);
    result->status = status == 'U'   ? IMC__V1__SETTLE_RESULT__STATUS__UNKNOWN
                     : status == 'F' ? IMC__V1__SETTLE_RESULT__STATUS__FAILED
                     : status == 'D' ? IMC__V1__SETTLE_RESULT__STATUS__FAILED
                     : status == 'E' ? IMC__V1__SETTLE_RESULT__STATUS__TOO_EARLY
                                     : IMC__V1__SETTLE_RESULT__STATUS__STORED;
    if ((result->status != IMC__V1__SETTLE_RESULT__STATUS__STORED && status != 'D') ||
        logic->comet[0] == '\0')
        return result;
    Imc__V1__Session *session = mem_alloc(sizeof *session);
    imc__v1__session__init(session);
    session->comet = mem_strdup(logic->comet);
    session->epoch = logic->epoch;
    session->key = mem_strdup(logic->key);
    session->handle = 77;
    result->n_sessions = 1;
    result->sessions = mem_alloc(sizeof(Imc__V1__Session *));
    result->sessions[0] = session;
    return result;
}

static inline void fake_logic_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    struct fake_logic *logic = arg;
    Imc__V1__SettleBatch *batch = imc__v1__settle_batch__unpack(NULL, msg->len, msg->data);
    Imc__V1__SettleReply *reply = mem_alloc(sizeof *reply);

    assert(batch != NULL);
    pthread_mutex_lock(&logic->lock);
    imc__v1__settle_reply__init(reply);
    reply->seq = batch->seq;
    reply->n_results = batch->n_settles;
    reply->results = mem_alloc(batch->n_settles * sizeof(Imc__V1__SettleResult *));
    bool mute = logic->mute;
    for (size_t i = 0; i < batch->n_settles; i++) {
        reply->results[i] = fake_settle(logic, batch->settles[i]);
        mute |= logic->bad_mute && batch->settles[i]->uid >= logic->bad_from;
    }
    logic->batches++;
    if (!mute)
        fake_send(stream, &reply->base);
    pthread_mutex_unlock(&logic->lock);
    imc__v1__settle_reply__free_unpacked(reply, NULL);
    imc__v1__settle_batch__free_unpacked(batch, NULL);
    msg_unref(msg);
}

static inline void fake_logic_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    (void)arg;
    (void)why;
    rpc_stream_unref(stream);
}

static inline void fake_logic_opened(struct rpc_stream *stream, void *arg)
{
    static const struct rpc_stream_events events = {fake_logic_message, fake_logic_closed};

    rpc_stream_ref(stream);
    rpc_stream_accept(stream, &events, arg);
}

static inline struct fake_logic *fake_logic_open(struct rpc *rpc)
{
    static const struct rpc_method methods[] = {{"/imc.v1.Logic/Settle", fake_logic_opened, NULL},
                                                {0}};
    struct fake_logic *logic = mem_zalloc(sizeof *logic);

    pthread_mutex_init(&logic->lock, NULL);
    int err = rpc_server_open(rpc, "127.0.0.1:0", methods, logic, &logic->server);
    assert(err == 0);
    logic->port = rpc_server_port(logic->server);
    return logic;
}

static inline void fake_logic_close(struct fake_logic *logic)
{
    if (logic == NULL)
        return;
    rpc_server_close(logic->server, 0);
    pthread_mutex_destroy(&logic->lock);
    free(logic);
}

static inline void fake_logic_tell(struct fake_logic *logic, const char *statuses,
                                   const char *comet, uint64_t epoch)
{
    pthread_mutex_lock(&logic->lock);
    snprintf(logic->statuses, sizeof logic->statuses, "%s", statuses);
    snprintf(logic->comet, sizeof logic->comet, "%s", comet);
    logic->epoch = epoch;
    pthread_mutex_unlock(&logic->lock);
}

/* Nothing is stored for uids from FROM on; 0: all is. MUTE: batches with them get no answer. */
static inline void fake_logic_refuse(struct fake_logic *logic, int64_t from, bool mute)
{
    pthread_mutex_lock(&logic->lock);
    logic->bad_from = from;
    logic->bad_mute = mute;
    pthread_mutex_unlock(&logic->lock);
}

/* What a peer has seen since the last call, into OUT of FAKE_TEXT bytes. */
static inline void fake_read(pthread_mutex_t *lock, char *seen, char *out, bool clear)
{
    pthread_mutex_lock(lock);
    memcpy(out, seen, FAKE_TEXT);
    if (clear)
        seen[0] = '\0';
    pthread_mutex_unlock(lock);
}

#endif
