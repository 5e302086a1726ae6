/* online.c - goim.logic.Logic/RenewOnline: how many sessions of a goim comet are in which rooms.
 * Routers add them to those of our own comets. They forget a number that was not said again for
 * 30 s. */
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/protocol/json_scan.h"
#include "logic/goim/calls_internal.h"
#include "logic/router/routers.h"
#include "proto/goim/logic.pb-c.h"

#include <limits.h>
#include <string.h>

enum { ROOM_MAX = 128 };

struct renewal {
    struct goim_call *call;
    Goim__Logic__OnlineReply reply;
    size_t pending; /* rooms without an answer, and one more while they are asked for */
    bool failed;
};

/* A room of the renewal; its entry is one of the request's, with the number of all comets later. */
struct renewed {
    struct renewal *renewal;
    Goim__Logic__OnlineReply__AllRoomCountEntry entry;
};

static void renewal_drop(struct renewal *renewal)
{
    if (--renewal->pending > 0)
        return;
    if (renewal->failed)
        goim_call_refuse(renewal->call, RPC_UNAVAILABLE,
                         "a router does not answer: call again later");
    else
        goim_call_answer(renewal->call, &renewal->reply.base);
}

static void on_room(void *arg, const struct router_answer *answer)
{
    struct renewed *renewed = arg;
    uint64_t total = answer->room_total;

    renewed->renewal->failed |= answer->result != ROUTER_OK;
    renewed->entry.value = total < INT32_MAX ? (int32_t)total : INT32_MAX;
    renewal_drop(renewed->renewal);
}

static bool room_is_valid(const Goim__Logic__OnlineReq__RoomCountEntry *in)
{
    size_t len = strlen(in->key);

    return len > 0 && len <= ROOM_MAX && utf8_is_valid((const uint8_t *)in->key, len) &&
           !text_has_control(in->key, len) && in->value >= 0;
}

static void room_renew(struct renewed *renewed, const Goim__Logic__OnlineReq *in,
                       const Goim__Logic__OnlineReq__RoomCountEntry *count)
{
    struct logic *logic = renewed->renewal->call->batch.logic;
    const struct router_room room = {.comet = in->server,
                                     .foreign = true,
                                     .room = count->key,
                                     .sessions = (uint32_t)count->value,
                                     .number = logic_now_ms(logic)};

    goim__logic__online_reply__all_room_count_entry__init(&renewed->entry);
    renewed->entry.key = count->key;
    router_room(logic->routers, &room, on_room, renewed);
}

void goim_call_renew(struct goim_call *call)
{
    const Goim__Logic__OnlineReq *in = (const Goim__Logic__OnlineReq *)call->in;
    struct arena *arena = &call->batch.arena;
    struct renewal *renewal = arena_alloc(arena, sizeof *renewal);
    struct renewed *rooms = arena_alloc(arena, (in->n_roomcount + 1) * sizeof *rooms);

    if (!goim_call_names(call, "any", in->server))
        return;
    for (size_t i = 0; i < in->n_roomcount; i++) {
        if (!room_is_valid(in->roomcount[i])) {
            goim_call_refuse(
                call, RPC_INVALID,
                "roomCount: a room that is not 1 to 128 bytes of UTF-8 without control "
                "characters, or a negative number");
            return;
        }
    }
    *renewal = (struct renewal){
        .call = call, .reply = GOIM__LOGIC__ONLINE_REPLY__INIT, .pending = in->n_roomcount + 1};
    renewal->reply.allroomcount = arena_alloc(arena, (in->n_roomcount + 1) * sizeof(void *));
    renewal->reply.n_allroomcount = in->n_roomcount;
    size_t more = arena->bytes - call->batch.held;
    rpc_stream_hold(call->call, more);
    call->batch.held += more;
    for (size_t i = 0; i < in->n_roomcount; i++) {
        rooms[i].renewal = renewal;
        renewal->reply.allroomcount[i] = &rooms[i].entry;
        room_renew(&rooms[i], in, in->roomcount[i]);
    }
    renewal_drop(renewal);
}
