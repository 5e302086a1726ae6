#include "comet/logic/logic_reply.h"
#include "comet/logic/logic_batch.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/trace/trace_mark.h"

#include <stdatomic.h>
#include <stdlib.h>

static void reply_free(struct backing *backing)
{
    struct logic_reply *reply = container_of(backing, struct logic_reply, backing);
    decoded_end(&reply->decoded);
    free(reply);
}

void *logic_reply_decode(struct msg *msg)
{
    struct logic_reply *reply = mem_zalloc(sizeof *reply);

    atomic_init(&reply->backing.refs, 1);
    reply->backing.free = reply_free;
    if (!decoded_begin(&reply->decoded, &imc__v1__session_reply__descriptor, msg, "logic")) {
        free(reply);
        return NULL;
    }
    reply->proto = (const Imc__V1__SessionReply *)reply->decoded.message;
    return reply;
}

void logic_reply_drop(void *decoded)
{
    struct logic_reply *reply = decoded;
    backing_unref(&reply->backing);
}

/* Makes pushes of messages of the reply. They live as long as the reply. */
static struct push *reply_pushes(struct logic_reply *reply, Imc__V1__Waiting **waiting, size_t n)
{
    struct push *pushes = arena_alloc(&reply->decoded.arena, n * sizeof *pushes);

    for (size_t i = 0; i < n; i++)
        pushes[i] = (struct push){
            .backing = &reply->backing,
            .body = waiting[i]->body.data,
            .body_len = (uint32_t)waiting[i]->body.len,
            .op = waiting[i]->op,
            .id = waiting[i]->id,
            .expires_ms = waiting[i]->expires_ms,
            .trace = waiting[i]->trace.len == TRACE_MARK_LEN ? waiting[i]->trace.data : NULL,
        };
    return pushes;
}

static const struct mailbox_page *reply_page(struct logic_reply *reply,
                                             const Imc__V1__FetchResult *result)
{
    struct mailbox_page *page = arena_alloc(&reply->decoded.arena, sizeof *page);

    page->waiting = reply_pushes(reply, result->waiting, result->n_waiting);
    page->n_waiting = result->n_waiting;
    page->more = result->more;
    page->last = result->last;
    return page;
}

static const struct admission *reply_admission(struct logic_reply *reply,
                                               const Imc__V1__ConnectResult *result)
{
    struct admission *admission = arena_alloc(&reply->decoded.arena, sizeof *admission);

    admission->uid = result->uid;
    admission->logged = result->logged;
    admission->put = result->put;
    admission->room = result->room;
    admission->rooms = result->rooms;
    admission->reason = result->reason;
    admission->lifetime_ms = result->lifetime_ms;
    admission->token = (struct token_marks){result->token, result->token_id, result->issued_s};
    admission->key = result->key;
    admission->platform = result->platform;
    admission->accepts_all = result->accepts_all;
    admission->accepts = result->accepts;
    admission->n_accepts = result->n_accepts;
    admission->hello = result->hello;
    admission->acked = result->acked;
    admission->page = (struct mailbox_page){
        .waiting = reply_pushes(reply, result->waiting, result->n_waiting),
        .n_waiting = result->n_waiting,
        .more = result->more,
    };
    return admission;
}

/* NULL: logic is of an earlier version, and knows no renews. */
static const struct admission *reply_renewal(struct logic_reply *reply, size_t i)
{
    if (i >= reply->proto->n_renews)
        return NULL;
    const Imc__V1__RenewResult *result = reply->proto->renews[i];
    struct admission *admission = arena_alloc(&reply->decoded.arena, sizeof *admission);
    *admission = (struct admission){
        .reason = result->reason,
        .lifetime_ms = result->lifetime_ms,
        .token = {result->token, result->token_id, result->issued_s},
        .hello = result->hello,
    };
    return admission;
}

/* NULL: logic is of an earlier version, and knows no relocates. */
static const struct relocation *reply_relocation(struct logic_reply *reply, size_t i)
{
    const Imc__V1__RelocateBackoff *backoff = reply->proto->backoff;

    if (i >= reply->proto->n_relocates)
        return NULL;
    const Imc__V1__RelocateResult *result = reply->proto->relocates[i];
    struct relocation *relocation = arena_alloc(&reply->decoded.arena, sizeof *relocation);
    *relocation = (struct relocation){.nodes = result->nodes,
                                      .n_nodes = result->n_nodes,
                                      .tcps = result->tcps,
                                      .n_tcps = result->n_tcps,
                                      .wss = result->wss,
                                      .n_wss = result->n_wss};
    if (backoff != NULL) {
        relocation->max_delay_s = backoff->max_delay_s;
        relocation->base_delay_s = backoff->base_delay_s;
        relocation->factor = backoff->factor;
        relocation->jitter = backoff->jitter;
    }
    return relocation;
}

static void reply_revoked(const struct logic_reply *reply, size_t i, struct logic_answer *answer)
{
    for (size_t k = 0; k < reply->proto->n_revoked; k++) {
        const Imc__V1__Revoked *revoked = reply->proto->revoked[k];
        if (revoked->index != i)
            continue;
        answer->revoked = revoked->code;
        answer->revoked_why = revoked->reason;
    }
}

static void reply_upstream(struct logic_reply *reply, const Imc__V1__UpstreamResult *result,
                           struct logic_answer *answer)
{
    struct upstream_reply *replies =
        arena_alloc(&reply->decoded.arena, result->n_replies * sizeof *replies);

    for (size_t i = 0; i < result->n_replies; i++) {
        const Imc__V1__UpstreamReply *from = result->replies[i];
        replies[i] = (struct upstream_reply){from->frame, from->body.data, from->body.len};
    }
    answer->taken = result->taken;
    answer->replies = replies;
    answer->n_replies = result->n_replies;
}

void logic_reply_answer(struct logic_reply *reply, enum logic_request_kind kind, size_t i,
                        struct logic_answer *answer)
{
    answer->ring = reply->proto->ring;
    answer->backing = &reply->backing;
    answer->status = logic_batch_status(reply->proto, kind, i);
    if (kind == REQUEST_CONNECT)
        answer->connect = reply_admission(reply, reply->proto->connects[i]);
    else if (kind == REQUEST_FETCH)
        answer->fetch = reply_page(reply, reply->proto->fetches[i]);
    else if (kind == REQUEST_REGISTER)
        reply_revoked(reply, i, answer);
    else if (kind == REQUEST_ROOM)
        answer->room_total = reply->proto->rooms[i]->sessions;
    else if (kind == REQUEST_UPSTREAM)
        reply_upstream(reply, reply->proto->upstreams[i], answer);
    else if (kind == REQUEST_RENEW)
        answer->connect = reply_renewal(reply, i);
    else if (kind == REQUEST_RELOCATE)
        answer->relocation = reply_relocation(reply, i);
}
