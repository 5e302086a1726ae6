/* SessionBatch ─► session_batch ─┬─ stores, confirms, fetches ─► mailbox
 *                                │    └─ a confirm of what others are owed ─► gone_receivers
 *                                ├─ connects ─► connect
 *                                ├─ renews ─► renew
 *                                ├─ disconnects, registers ─► routers ─► revoked
 *                                ├─ registered ─► routers, once all its registers were taken
 *                                ├─ ordered ─► room_orders: not answered
 *                                ├─ relocates ─► relocate_requests ─► nodes
 *                                ├─ upstreams ─► upstream_requests
 *                                └─ session_events ─► session_event_requests
 *     SessionReply ◄── the last item's session_batch_drop() */
#include "logic/peers/session_requests.h"
#include "common/events/event_types.h"
#include "common/events/session_record.h"
#include "common/protocol/ops.h"
#include "logic/base/pb.h"
#include "logic/mailbox/gone_receivers.h"
#include "logic/mailbox/mailbox.h"
#include "logic/mailbox/mailbox_trace.h"
#include "logic/mailbox/receivers.h"
#include "logic/peers/connect.h"
#include "logic/peers/give_way.h"
#include "logic/peers/questions.h"
#include "logic/peers/relocate_requests.h"
#include "logic/peers/renew.h"
#include "logic/peers/room_orders.h"
#include "logic/peers/session_batch.h"
#include "logic/peers/session_event_requests.h"
#include "logic/peers/upstream_requests.h"
#include "logic/peers/waiting.h"
#include "logic/router/routers.h"
#include "logic/tokens/device_keys.h"
#include "logic/tokens/revoked.h"

#include <stdio.h>
#include <string.h>

/* An item whose result is a single status. */
struct status_item {
    struct session_batch *sb;
    uint32_t *status;
    struct router_session session;
};

struct fetch_item {
    struct session_batch *sb;
    Imc__V1__FetchResult *result;
};

static struct status_item *status_item(struct session_batch *sb, uint32_t *status)
{
    struct status_item *item = arena_alloc(&sb->batch->arena, sizeof *item);

    *item = (struct status_item){.sb = sb, .status = status};
    sb->pending++;
    return item;
}

static void item_done(struct status_item *item, uint32_t status)
{
    *item->status = status;
    session_batch_drop(item->sb);
}

/* --- mailbox --- */

static void on_mailbox(void *arg, int err)
{
    item_done(arg, err == 0 ? IMC__V1__LOGIC_STATUS__OK : IMC__V1__LOGIC_STATUS__UNAVAILABLE);
}

/* A traced message that comet stores. */
struct traced_store {
    struct status_item *item;
    const Imc__V1__Store *in;
    struct mailbox_there there;
};

static void on_traced_stored(void *arg, int err)
{
    const struct traced_store *store = arg;
    struct mailbox_message message = mailbox_message_of(store->in->message);

    if (err == 0 && store->there.added)
        mailbox_trace(store->item->sb->logic, store->in->uid, &message, TRACE_STORED,
                      "the session's socket did not take it");
    on_mailbox(store->item, err);
}

static void store(struct status_item *item, const Imc__V1__Store *in, struct mailbox_put *put)
{
    struct session_batch *sb = item->sb;

    if (put->message.trace == NULL) {
        mailbox_store(sb->logic, put, on_mailbox, item);
        return;
    }
    struct traced_store *traced = arena_alloc(&sb->batch->arena, sizeof *traced);
    *traced = (struct traced_store){.item = item, .in = in};
    put->there = &traced->there;
    mailbox_store(sb->logic, put, on_traced_stored, traced);
}

static void start_stores(struct session_batch *sb)
{
    char token[RECEIVERS_TOKEN_MAX];

    for (size_t i = 0; i < sb->in->n_stores; i++) {
        const Imc__V1__Store *in = sb->in->stores[i];
        struct status_item *item = status_item(sb, &sb->reply.stores[i]);
        if (in->message == NULL || in->message->id == 0) {
            item_done(item, IMC__V1__LOGIC_STATUS__OK); /* there is no message to store */
            continue;
        }
        receivers_token(sb->in->comet, in->handle, token);
        struct mailbox_put put = {
            .by = MAILBOX_SPILL,
            .uid = in->uid,
            .message = mailbox_message_of(in->message),
            .behind = in->behind,
            .owed = token,
        };
        if (!mailbox_refuses(sb->logic, &put.message))
            store(item, in, &put);
        else if (mailbox_tells(sb->logic, EVENT_EXPIRED))
            mailbox_tell(sb->logic, &(struct mailbox_fact){in->uid, in->message->id, EVENT_EXPIRED},
                         on_mailbox, item);
        else
            item_done(item, IMC__V1__LOGIC_STATUS__OK);
    }
}

/* A confirm is done. The reply does not wait for gone_receivers. */
static void on_confirmed(void *arg, int err, const struct mailbox_debts *left)
{
    struct status_item *item = arg;

    gone_receivers_take(item->sb->logic, left);
    on_mailbox(item, err);
}

/* The session as the business is told of it; NULL: it wants to know nothing of messages. */
static const char *told_session(const struct session_batch *sb, const Imc__V1__Confirm *in,
                                char out[SESSION_NAME_MAX])
{
    struct session_name name = {.epoch = sb->in->epoch, .handle = in->handle};

    if ((sb->logic->event_types & EVENTS_OF_MESSAGES) == 0)
        return NULL;
    (void)snprintf(name.comet, sizeof name.comet, "%s", sb->in->comet);
    session_name_write(&name, out);
    return out;
}

static void start_confirms(struct session_batch *sb)
{
    char token[RECEIVERS_TOKEN_MAX], device[RECEIVERS_DEVICE_MAX], session[SESSION_NAME_MAX];

    for (size_t i = 0; i < sb->in->n_confirms; i++) {
        const Imc__V1__Confirm *in = sb->in->confirms[i];
        struct status_item *item = status_item(sb, &sb->reply.confirms[i]);
        struct mailbox_debts debts = {.uid = in->uid,
                                      .n = in->n_ids,
                                      .ids = in->ids,
                                      .owed = token,
                                      .device = device,
                                      .session = told_session(sb, in, session),
                                      .acked = in->how == IMC__V1__CONFIRM__HOW__ACKNOWLEDGED};
        receivers_token(sb->in->comet, in->handle, token);
        receivers_device(in->key, device);
        if (in->how == IMC__V1__CONFIRM__HOW__WAIVED)
            mailbox_waive(sb->logic, &debts, on_mailbox, item);
        else
            mailbox_confirm(sb->logic, &debts, on_confirmed, item);
    }
}

static void on_page(void *arg, int err, const struct mailbox_page *page)
{
    struct fetch_item *item = arg;
    Imc__V1__FetchResult *result = item->result;

    if (err != 0)
        result->status = IMC__V1__LOGIC_STATUS__UNAVAILABLE;
    else
        result->more = session_batch_page(item->sb, page, &result->waiting, &result->n_waiting);
    if (err == 0 && result->n_waiting == page->n)
        result->last = page->last;
    session_batch_drop(item->sb);
}

static void start_fetches(struct session_batch *sb)
{
    char token[RECEIVERS_TOKEN_MAX], device[RECEIVERS_DEVICE_MAX];

    for (size_t i = 0; i < sb->in->n_fetches; i++) {
        const Imc__V1__Fetch *in = sb->in->fetches[i];
        struct fetch_item *item = arena_alloc(&sb->batch->arena, sizeof *item);
        *item = (struct fetch_item){sb, sb->reply.fetches[i]};
        sb->pending++;
        receivers_token(sb->in->comet, in->handle, token);
        receivers_device(in->key, device);
        struct mailbox_read read = {
            .uid = in->uid, .after = in->after, .limit = in->limit, .own = token, .device = device};
        mailbox_fetch(sb->logic, &read, on_page, item);
    }
}

/* --- router --- */

static uint32_t status_of(const struct router_answer *answer)
{
    if (answer->result == ROUTER_MISMATCH)
        return IMC__V1__LOGIC_STATUS__RING_MISMATCH;
    if (answer->result == ROUTER_AWAY || answer->status != IMC__V1__PUT_STATUS__PUT_OK)
        return IMC__V1__LOGIC_STATUS__UNAVAILABLE;
    return IMC__V1__LOGIC_STATUS__OK;
}

static void on_disconnected(void *arg, const struct router_answer *answer)
{
    struct status_item *item = arg;
    uint32_t status = status_of(answer);

    if (status == IMC__V1__LOGIC_STATUS__OK)
        logic_count(item->sb->logic, LOGIC_DISCONNECTS, 1);
    item_done(item, status);
}

static void start_disconnects(struct session_batch *sb)
{
    for (size_t i = 0; i < sb->in->n_disconnects; i++) {
        const Imc__V1__Disconnect *in = sb->in->disconnects[i];
        struct status_item *item = status_item(sb, &sb->reply.disconnects[i]);
        item->session = (struct router_session){
            .comet = sb->in->comet, .epoch = sb->in->epoch, .handle = in->handle, .uid = in->uid};
        router_del(sb->logic->routers, &item->session, on_disconnected, item);
    }
}

static void on_router_registered(void *arg, const struct router_answer *answer)
{
    struct session_batch *sb = arg;
    uint32_t status = status_of(answer);

    if (status != IMC__V1__LOGIC_STATUS__OK)
        sb->reply.registered = status;
    if (--sb->routers_pending == 0)
        session_batch_drop(sb);
}

/* The worst result of the registers. `registered` may be sent only if all of them succeeded. */
static uint32_t worst_register(const struct session_batch *sb)
{
    for (size_t i = 0; i < sb->reply.n_registers; i++) {
        if (sb->reply.registers[i] != IMC__V1__LOGIC_STATUS__OK)
            return sb->reply.registers[i];
    }
    return IMC__V1__LOGIC_STATUS__OK;
}

static void start_registered(struct session_batch *sb)
{
    const Imc__V1__Registered *in = sb->in->registered;
    struct routers *routers = sb->logic->routers;
    struct router_session comet = {.comet = sb->in->comet, .epoch = sb->in->epoch};
    uint32_t status = worst_register(sb);

    if (sb->in->ring != routers_ring(routers))
        status = IMC__V1__LOGIC_STATUS__RING_MISMATCH;
    else if (routers_count(routers) == 0)
        status = IMC__V1__LOGIC_STATUS__UNAVAILABLE;
    sb->reply.registered = status;
    if (status != IMC__V1__LOGIC_STATUS__OK) {
        session_batch_drop(sb);
        return;
    }
    sb->routers_pending =
        router_registered(routers, &comet, in->loop, in->loops, on_router_registered, sb);
}

static void register_done(struct status_item *item, uint32_t status)
{
    struct session_batch *sb = item->sb;

    logic_count(sb->logic,
                status == IMC__V1__LOGIC_STATUS__OK ? LOGIC_REGISTERS : LOGIC_REGISTERS_REFUSED, 1);
    *item->status = status;
    if (--sb->registers_pending == 0 && sb->in->registered != NULL)
        start_registered(sb);
    session_batch_drop(sb);
}

/* The session is registered, and must not stay: its comet is told to end it. */
static void must_end(const struct status_item *item, uint32_t code, const char *why)
{
    struct session_batch *sb = item->sb;
    Imc__V1__Revoked *revoked = arena_alloc(&sb->batch->arena, sizeof *revoked);

    imc__v1__revoked__init(revoked);
    revoked->index = (uint32_t)(item->status - sb->reply.registers);
    revoked->code = code;
    revoked->reason = pb_text(why);
    sb->reply.revoked[sb->reply.n_revoked++] = revoked;
}

static void on_judged(void *arg, int err, uint32_t code, const char *why)
{
    struct status_item *item = arg;

    if (err == 0 && code != CLOSE_NONE) {
        must_end(item, code, why);
        logic_count(item->sb->logic, LOGIC_REVOKED_SESSIONS, 1);
    }
    register_done(item, err == 0 ? IMC__V1__LOGIC_STATUS__OK : IMC__V1__LOGIC_STATUS__UNAVAILABLE);
}

static void judge(struct status_item *item)
{
    const struct session_batch *sb = item->sb;
    const Imc__V1__Register *in = sb->in->registers[item->status - sb->reply.registers];
    const struct revoked_session session = {in->token, in->token_id, in->issued_s};

    revoked_judge(sb->logic, in->uid, &session, on_judged, item);
}

/* While others took its comet for dead, nobody could ask the session to give way to a newer one. */
static void on_same_key(void *arg, const struct router_answer *answer)
{
    struct status_item *item = arg;

    if (answer->result != ROUTER_OK || !give_way_is_replaced(&item->session, answer)) {
        judge(item);
        return;
    }
    must_end(item, CLOSE_REPLACED, "a newer session of the same key took the place of this one");
    register_done(item, IMC__V1__LOGIC_STATUS__OK);
}

static void on_registered(void *arg, const struct router_answer *answer)
{
    struct status_item *item = arg;
    struct session_batch *sb = item->sb;
    uint32_t status = status_of(answer);

    if (status == IMC__V1__LOGIC_STATUS__OK)
        session_batch_put(sb, answer->ring);
    const Imc__V1__Register *in = sb->in->registers[item->status - sb->reply.registers];
    if (status != IMC__V1__LOGIC_STATUS__OK || !in->judge)
        register_done(item, status);
    else if (in->key[0] != '\0' && give_way_replaces(sb->logic->config))
        router_lookup(sb->logic->routers, in->uid, (uint64_t)sb->logic->config->router_timeout_ms,
                      on_same_key, item);
    else
        judge(item);
}

/* Registers sessions that are open already, so the limit of sessions does not apply. */
static void start_registers(struct session_batch *sb)
{
    struct routers *routers = sb->logic->routers;
    uint64_t timeout = (uint64_t)sb->logic->config->router_timeout_ms;
    bool agreed = sb->in->ring == routers_ring(routers);

    if (sb->in->registered != NULL)
        sb->pending++;
    sb->registers_pending = sb->in->n_registers;
    if (sb->in->n_registers > 0)
        sb->reply.keys_refresh_ms = device_keys_refresh_ms(sb->logic);
    for (size_t i = 0; i < sb->in->n_registers; i++) {
        const Imc__V1__Register *in = sb->in->registers[i];
        struct status_item *item = status_item(sb, &sb->reply.registers[i]);
        item->session = (struct router_session){
            .comet = sb->in->comet,
            .epoch = sb->in->epoch,
            .handle = in->handle,
            .uid = in->uid,
            .key = in->key,
            .room = in->room,
            .acked = in->acked,
            .again = true,
        };
        device_keys_keep(sb->logic, in->key, in->uid);
        if (agreed)
            router_put(routers, &item->session, timeout, on_registered, item);
        else
            register_done(item, IMC__V1__LOGIC_STATUS__RING_MISMATCH);
    }
    if (sb->in->n_registers == 0 && sb->in->registered != NULL)
        start_registered(sb);
}

/* --- rooms --- */

struct room_item {
    struct session_batch *sb;
    Imc__V1__RoomTotal *total;
};

static void on_room(void *arg, const struct router_answer *answer)
{
    struct room_item *item = arg;

    item->total->status = status_of(answer);
    item->total->sessions = answer->room_total;
    session_batch_drop(item->sb);
}

/* Comet tells every room once for a ring. If we have not seen that ring yet, our words would go to
 * routers that lose the room with it, and the next ones would never hear of it. So comet has to say
 * it again. */
static void refuse_rooms(struct session_batch *sb)
{
    for (size_t i = 0; i < sb->in->n_rooms; i++)
        sb->reply.rooms[i]->status = IMC__V1__LOGIC_STATUS__RING_MISMATCH;
}

static void start_rooms(struct session_batch *sb)
{
    if (sb->in->ring != routers_ring(sb->logic->routers)) {
        refuse_rooms(sb);
        return;
    }
    sb->pending += sb->in->n_rooms;
    for (size_t i = 0; i < sb->in->n_rooms; i++) {
        const Imc__V1__RoomCount *in = sb->in->rooms[i];
        struct room_item *item = arena_alloc(&sb->batch->arena, sizeof *item);
        const struct router_room room = {.comet = sb->in->comet,
                                         .room = in->room,
                                         .epoch = sb->in->epoch,
                                         .loop = sb->in->loop,
                                         .sessions = in->sessions,
                                         .number = in->number};
        *item = (struct room_item){sb, sb->reply.rooms[i]};
        router_room(sb->logic->routers, &room, on_room, item);
    }
}

/* What the comet has done of our orders. */
static void take_ordered(const struct session_batch *sb)
{
    for (size_t i = 0; i < sb->in->n_ordered; i++)
        room_orders_done(sb->logic->room_orders, sb->in->comet, sb->in->ordered[i]);
}

/* What the comet knows that we asked for. */
static void take_answers(const struct session_batch *sb)
{
    for (size_t i = 0; i < sb->in->n_answers; i++)
        questions_answered(sb->logic->questions, sb->in->comet, sb->in->answers[i]);
}

/* --- the batch --- */

static uint32_t *status_list(struct session_batch *sb, size_t n, size_t *out)
{
    uint32_t *list = arena_alloc(&sb->batch->arena, n * sizeof *list);

    memset(list, 0, n * sizeof *list);
    *out = n;
    return list;
}

/* N messages of TYPE; *OUT is their number. */
static void *message_list(struct session_batch *sb, const ProtobufCMessageDescriptor *type,
                          size_t n, size_t *out)
{
    struct arena *arena = &sb->batch->arena;
    void **list = arena_alloc(arena, n * sizeof *list);

    for (size_t i = 0; i < n; i++) {
        list[i] = arena_alloc(arena, type->sizeof_message);
        protobuf_c_message_init(type, list[i]);
    }
    *out = n;
    return list;
}

static void alloc_results(struct session_batch *sb)
{
    Imc__V1__SessionReply *reply = &sb->reply;

    reply->connects = message_list(sb, &imc__v1__connect_result__descriptor, sb->in->n_connects,
                                   &reply->n_connects);
    reply->fetches =
        message_list(sb, &imc__v1__fetch_result__descriptor, sb->in->n_fetches, &reply->n_fetches);
    reply->rooms =
        message_list(sb, &imc__v1__room_total__descriptor, sb->in->n_rooms, &reply->n_rooms);
    reply->upstreams = message_list(sb, &imc__v1__upstream_result__descriptor, sb->in->n_upstreams,
                                    &reply->n_upstreams);
    reply->relocates = message_list(sb, &imc__v1__relocate_result__descriptor, sb->in->n_relocates,
                                    &reply->n_relocates);
    reply->renews =
        message_list(sb, &imc__v1__renew_result__descriptor, sb->in->n_renews, &reply->n_renews);
    reply->disconnects = status_list(sb, sb->in->n_disconnects, &reply->n_disconnects);
    reply->confirms = status_list(sb, sb->in->n_confirms, &reply->n_confirms);
    reply->session_events = status_list(sb, sb->in->n_session_events, &reply->n_session_events);
    reply->stores = status_list(sb, sb->in->n_stores, &reply->n_stores);
    reply->registers = status_list(sb, sb->in->n_registers, &reply->n_registers);
    reply->revoked = arena_alloc(&sb->batch->arena, sb->in->n_registers * sizeof(void *));
}

void session_requests_handle(struct stream_batch *batch)
{
    struct session_batch *sb = arena_alloc(&batch->arena, sizeof *sb);

    *sb = (struct session_batch){
        .batch = batch,
        .logic = batch->logic,
        .in = (const Imc__V1__SessionBatch *)batch->message,
        .reply = IMC__V1__SESSION_REPLY__INIT,
        .pending = 1,
        .bytes_left = (size_t)batch->logic->config->mailbox_page_bytes,
    };
    sb->reply.seq = sb->in->seq;
    stream_name(batch, sb->in->comet, sb->in->epoch);
    alloc_results(sb);
    start_stores(sb);
    start_confirms(sb);
    start_fetches(sb);
    sb->pending += sb->in->n_connects + sb->in->n_renews;
    connects_start(sb);
    renews_start(sb);
    start_disconnects(sb);
    start_registers(sb);
    start_rooms(sb);
    take_ordered(sb);
    take_answers(sb);
    relocates_start(sb);
    upstreams_start(sb);
    session_events_start(sb);
    session_batch_drop(sb);
}
