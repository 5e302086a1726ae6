#include "logic/peers/upstream_requests.h"
#include "logic/upstream/upstream.h"

#include <errno.h>
#include <string.h>

enum { REPLIES_BYTES = 2 * 1024 * 1024 }; /* of the business's replies in a batch's reply */

struct upstream_item;

struct upstream_frame {
    struct upstream_ticket ticket;
    struct upstream_item *item;
    int err;    /* 0: taken */
    void *body; /* of the business's reply; NULL: none */
    size_t len;
};

/* The frames of one session. */
struct upstream_item {
    struct session_batch *sb;
    Imc__V1__UpstreamResult *result;
    size_t n;    /* frames that were sent */
    size_t left; /* of those without an answer, and 1 while they are being sent */
    struct upstream_frame *frames;
};

static uint32_t status_of(int err)
{
    return err == -EMSGSIZE  ? IMC__V1__LOGIC_STATUS__TOO_LARGE
           : err == -EBADMSG ? IMC__V1__LOGIC_STATUS__REFUSED
                             : IMC__V1__LOGIC_STATUS__UNAVAILABLE;
}

/* Adds the reply to frame number I. False: this batch's reply has no room for it. */
static bool item_reply(struct upstream_item *item, size_t i)
{
    struct session_batch *sb = item->sb;
    const struct upstream_frame *frame = &item->frames[i];
    Imc__V1__UpstreamResult *result = item->result;

    if (frame->body == NULL)
        return true;
    if (frame->len > sb->replies_left)
        return false;
    sb->replies_left -= frame->len;
    if (result->replies == NULL)
        result->replies = arena_alloc(&sb->batch->arena, item->n * sizeof(void *));
    Imc__V1__UpstreamReply *reply = arena_alloc(&sb->batch->arena, sizeof *reply);
    imc__v1__upstream_reply__init(reply);
    reply->frame = (uint32_t)i;
    reply->body.data = frame->body;
    reply->body.len = frame->len;
    result->replies[result->n_replies++] = reply;
    return true;
}

/* Only what all frames before it are taken for counts as taken. A frame whose reply has no room
 * here does not, either: comet sends it again, and the business knows it by its id. */
static void item_drop(struct upstream_item *item)
{
    Imc__V1__UpstreamResult *result = item->result;

    if (--item->left > 0)
        return;
    while (result->taken < item->n && item->frames[result->taken].err == 0 &&
           item_reply(item, result->taken))
        result->taken++;
    if (result->taken < item->n)
        result->status = status_of(item->frames[result->taken].err);
    session_batch_drop(item->sb);
}

static void on_done(struct upstream_ticket *ticket, int err, const void *body, size_t len)
{
    struct upstream_frame *frame = container_of(ticket, struct upstream_frame, ticket);

    frame->err = err;
    if (err == 0 && len > 0) {
        frame->body = arena_alloc(&frame->item->sb->batch->arena, len);
        frame->len = len;
        memcpy(frame->body, body, len);
    }
    item_drop(frame->item);
}

/* 0, or why the frame was not sent: then those after it must not be, either. */
static int frame_send(struct upstream_item *item, const Imc__V1__Upstream *in)
{
    const Imc__V1__UpstreamFrame *from = in->frames[item->n];
    struct upstream_frame *frame = &item->frames[item->n];
    const struct upstream_event event = {
        .comet = item->sb->in->comet,
        .epoch = in->epoch,
        .handle = in->handle,
        .number = in->first + item->n,
        .uid = in->uid,
        .key = in->key,
        .room = from->room,
        .address = in->address,
        .time_ms = from->time_ms,
        .op = from->op,
        .json = from->json,
        .body = from->body.data,
        .len = from->body.len,
    };

    *frame = (struct upstream_frame){.ticket.done = on_done, .item = item};
    return upstream_send(item->sb->logic, &event, &frame->ticket);
}

static void item_start(struct upstream_item *item, const Imc__V1__Upstream *in)
{
    int err = 0;

    item->left = 1;
    while (item->n < in->n_frames && (err = frame_send(item, in)) == 0) {
        item->n++;
        item->left++;
    }
    if (err != 0)
        item->result->status = status_of(err);
    item_drop(item);
}

void upstreams_start(struct session_batch *sb)
{
    struct arena *arena = &sb->batch->arena;

    sb->pending += sb->in->n_upstreams;
    sb->replies_left = REPLIES_BYTES;
    for (size_t i = 0; i < sb->in->n_upstreams; i++) {
        const Imc__V1__Upstream *in = sb->in->upstreams[i];
        struct upstream_item *item = arena_alloc(arena, sizeof *item);
        *item = (struct upstream_item){.sb = sb, .result = sb->reply.upstreams[i]};
        if (sb->logic->upstream == NULL) {
            item->result->status = IMC__V1__LOGIC_STATUS__NOT_CONFIGURED;
            session_batch_drop(sb);
            continue;
        }
        item->frames = arena_alloc(arena, in->n_frames * sizeof *item->frames);
        item_start(item, in);
    }
}
