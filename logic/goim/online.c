/* online.c - goim.logic.Logic/RenewOnline: how many sessions of a goim comet are in which rooms.
 * Routers add them to those of our own comets. They forget a number that was not said again for
 * 30 s. */
#include "common/base/mem.h"
#include "common/protocol/name.h"
#include "logic/goim/calls_internal.h"
#include "logic/router/routers.h"
#include "proto/goim/logic.pb-c.h"

#include <limits.h>
#include <string.h>

struct renewal {
    struct goim_call *call;
    Goim__Logic__OnlineTotals reply;
    size_t pending; /* rooms without an answer, and one more while they are asked for */
    bool failed;
};

/* A room of the renewal; its entry is that of the request, with the number of all comets later. */
struct renewed {
    struct renewal *renewal;
    Goim__Logic__OnlineRoom entry;
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
    renewed->entry.sessions = total < INT32_MAX ? (int32_t)total : INT32_MAX;
    renewal_drop(renewed->renewal);
}

/* Tells the routers of a room. */
static void room_tell(struct renewed *renewed, const char *server)
{
    struct goim_call *call = renewed->renewal->call;
    const ProtobufCBinaryData *name = &renewed->entry.name;
    char *room = arena_strndup(&call->batch.arena, (const char *)name->data, name->len);
    const struct router_room told = {.comet = server,
                                     .foreign = true,
                                     .room = room,
                                     .sessions = (uint32_t)renewed->entry.sessions,
                                     .number = logic_now_ms(call->batch.logic)};

    router_room(call->batch.logic->routers, &told, on_room, renewed);
}

/* A client may be in a room with a name that none of ours can have. Nobody else is there, so its
 * entry stays as it is. To refuse it would let that client keep all other rooms from being
 * counted. */
static void room_renew(struct renewed *renewed, const char *server)
{
    const ProtobufCBinaryData *name = &renewed->entry.name;

    if (room_name_is_valid(name->data, name->len)) {
        room_tell(renewed, server);
        return;
    }
    logic_count(renewed->renewal->call->batch.logic, LOGIC_GOIM_ROOMS_ODD, 1);
    renewal_drop(renewed->renewal);
}

static bool numbers_are_good(const Goim__Logic__OnlineRooms *in)
{
    for (size_t i = 0; i < in->n_rooms; i++) {
        if (in->rooms[i]->sessions < 0)
            return false;
    }
    return true;
}

void goim_call_renew(struct goim_call *call)
{
    const Goim__Logic__OnlineRooms *in = (const Goim__Logic__OnlineRooms *)call->in;
    struct arena *arena = &call->batch.arena;

    if (!goim_call_names(call, "any", in->server))
        return;
    if (!numbers_are_good(in)) {
        goim_call_refuse(call, RPC_INVALID, "roomCount: a negative number");
        return;
    }
    foreign_heard(call->batch.logic, in->server);
    struct renewal *renewal = arena_alloc(arena, sizeof *renewal);
    struct renewed *rooms = arena_alloc(arena, (in->n_rooms + 1) * sizeof *rooms);
    *renewal = (struct renewal){
        .call = call, .reply = GOIM__LOGIC__ONLINE_TOTALS__INIT, .pending = in->n_rooms + 1};
    renewal->reply.rooms = arena_alloc(arena, (in->n_rooms + 1) * sizeof(void *));
    renewal->reply.n_rooms = in->n_rooms;
    size_t more = arena->bytes - call->batch.held;
    rpc_stream_hold(call->call, more);
    call->batch.held += more;
    for (size_t i = 0; i < in->n_rooms; i++) {
        rooms[i] = (struct renewed){renewal, *in->rooms[i]};
        renewal->reply.rooms[i] = &rooms[i].entry;
        room_renew(&rooms[i], in->server);
    }
    renewal_drop(renewal);
}
