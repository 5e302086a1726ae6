/* rooms.c - the names of all rooms with members, for goim.comet.Comet/Rooms.
 *
 *   goim_rooms_ask ─► an answer that is fresh ─────────────────────────────────► answered
 *                  ├► gathering: waits ───────────────────────────────────────────▲
 *                  └► gather_begin ─► every loop: names ─► the last: gather_end ──┘
 *
 * Gathering goes over every room. So it is done once a second at most, however often who asks. */
#include "comet/base/comet.h"
#include "comet/fanout/room.h"
#include "comet/goim/calls.h"
#include "comet/goim/calls_internal.h"
#include "common/base/msg.h"
#include "common/base/time.h"
#include "common/containers/map.h"
#include "common/rpc/rpc.h"
#include "proto/goim/comet.pb-c.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAITING_MAX = 64,
    NAMES_MAX = 4 << 20, /* bytes of the names of a loop */
    AROUND_NAME = 8,     /* what a name takes in the answer besides its bytes */
};

static const char why_too_many[] = "more rooms than an answer of 4 MiB holds";

struct gather;

struct gather_share {
    struct inbox_item item;
    struct gather *gather;
    struct worker *worker;
    struct arena arena;
    struct goim_name *names; /* a list */
    size_t bytes;
};

struct goim_name {
    struct goim_name *next;
    uint8_t len;
    char text[];
};

struct gather {
    struct goim_rooms *rooms;
    _Atomic int left; /* loops without an answer, and one more while it is posted */
    int n;
    struct gather_share shares[];
};

struct goim_rooms {
    struct comet *comet;
    pthread_mutex_t lock; /* guards what follows */
    bool gathering;
    struct msg *answer; /* NULL: none yet, or there are too many rooms */
    int64_t made_ms;    /* 0: never */
    struct rpc_stream *waiting[WAITING_MAX];
    size_t n_waiting;
};

/* Answers CALL, and takes the reference to it. ANSWER NULL: there are too many rooms. */
static void rooms_answer(struct rpc_stream *call, struct msg *answer)
{
    if (answer != NULL)
        rpc_call_answer(call, msg_ref(answer));
    else
        rpc_call_refuse(call, RPC_EXHAUSTED, why_too_many);
}

/* --- loops --- */

static void share_take_names(struct gather_share *share)
{
    size_t pos = 0;
    const struct room *room;

    while ((room = rooms_next(share->worker, &pos)) != NULL && share->bytes <= NAMES_MAX) {
        size_t len;
        const char *text = room_name(room, &len);
        struct goim_name *name = arena_alloc(&share->arena, sizeof *name + len + 1);
        name->len = (uint8_t)len;
        memcpy(name->text, text, len);
        name->text[len] = '\0';
        name->next = share->names;
        share->names = name;
        share->bytes += len + AROUND_NAME;
    }
}

/* Each name once: a room may have members on several loops. */
static struct strmap *gather_merge(struct gather *gather, size_t *bytes)
{
    struct strmap *names = strmap_new();

    *bytes = 0;
    for (int i = 0; i < gather->n; i++) {
        for (struct goim_name *name = gather->shares[i].names; name != NULL; name = name->next) {
            if (strmap_get(names, name->text, name->len) != NULL)
                continue;
            strmap_set(names, name->text, name->len, name);
            *bytes += (size_t)name->len + AROUND_NAME;
        }
    }
    return names;
}

static struct msg *gather_pack(const struct strmap *names)
{
    size_t n = strmap_count(names), pos = 0;
    Goim__Comet__RoomsReply reply = GOIM__COMET__ROOMS_REPLY__INIT;
    Goim__Comet__RoomsReply__RoomsEntry *entries = mem_alloc((n + 1) * sizeof *entries);
    void *value;

    reply.rooms = mem_alloc((n + 1) * sizeof(void *));
    while (strmap_next(names, &pos, &value)) {
        Goim__Comet__RoomsReply__RoomsEntry *entry = &entries[reply.n_rooms];
        goim__comet__rooms_reply__rooms_entry__init(entry);
        entry->key = ((struct goim_name *)value)->text;
        entry->value = true;
        reply.rooms[reply.n_rooms++] = entry;
    }
    struct msg *msg = msg_pack(&reply.base);
    free(reply.rooms);
    free(entries);
    return msg;
}

/* Every loop has given its names: answers all who wait. */
static void gather_end(struct gather *gather)
{
    struct goim_rooms *rooms = gather->rooms;
    struct rpc_stream *waiting[WAITING_MAX];
    size_t bytes, n;
    struct strmap *names = gather_merge(gather, &bytes);
    struct msg *answer = bytes <= NAMES_MAX ? gather_pack(names) : NULL;

    pthread_mutex_lock(&rooms->lock);
    msg_unref(rooms->answer);
    rooms->answer = answer != NULL ? msg_ref(answer) : NULL;
    rooms->made_ms = time_mono_ms();
    rooms->gathering = false;
    n = rooms->n_waiting;
    memcpy(waiting, rooms->waiting, sizeof waiting);
    rooms->n_waiting = 0;
    pthread_mutex_unlock(&rooms->lock);
    for (size_t i = 0; i < n; i++)
        rooms_answer(waiting[i], answer);
    msg_unref(answer);
    strmap_free(names);
    for (int i = 0; i < gather->n; i++)
        arena_free(&gather->shares[i].arena);
    free(gather);
}

static void gather_drop(struct gather *gather, int n)
{
    if (atomic_fetch_sub_explicit(&gather->left, n, memory_order_acq_rel) == n)
        gather_end(gather);
}

static void share_arrived(struct loop *loop, struct inbox_item *item)
{
    struct gather_share *share = container_of(item, struct gather_share, item);

    (void)loop;
    if (!share->worker->closed)
        share_take_names(share);
    gather_drop(share->gather, 1);
}

/* --- rpc thread --- */

static void gather_begin(struct goim_rooms *rooms)
{
    struct comet *comet = rooms->comet;
    struct gather *gather =
        mem_zalloc(sizeof *gather + (size_t)comet->n_workers * sizeof gather->shares[0]);
    int silent = 0; /* loops that will never give their names */

    gather->rooms = rooms;
    gather->n = comet->n_workers;
    atomic_init(&gather->left, gather->n + 1);
    for (int i = 0; i < gather->n; i++) {
        struct gather_share *share = &gather->shares[i];
        share->item.run = share_arrived;
        share->gather = gather;
        share->worker = &comet->workers[i];
        arena_init(&share->arena);
        if (!inbox_post(&share->worker->loop, &share->item))
            silent++; /* the process is ending */
    }
    gather_drop(gather, 1 + silent);
}

void goim_rooms_ask(struct goim_rooms *rooms, struct rpc_stream *call)
{
    pthread_mutex_lock(&rooms->lock);
    bool fresh = rooms->made_ms != 0 && time_mono_ms() - rooms->made_ms < GOIM_ROOMS_EVERY_MS;
    bool waits = !fresh && rooms->n_waiting < WAITING_MAX;
    bool begin = waits && !rooms->gathering;
    struct msg *answer = fresh && rooms->answer != NULL ? msg_ref(rooms->answer) : NULL;
    if (waits)
        rooms->waiting[rooms->n_waiting++] = call;
    rooms->gathering = rooms->gathering || begin;
    pthread_mutex_unlock(&rooms->lock);
    if (begin)
        gather_begin(rooms);
    if (fresh)
        rooms_answer(call, answer);
    else if (!waits)
        rpc_call_refuse(call, RPC_EXHAUSTED, "too many calls to Rooms wait: call again later");
    msg_unref(answer);
}

/* --- life --- */

struct goim_rooms *goim_rooms_open(struct comet *comet)
{
    struct goim_rooms *rooms = mem_zalloc(sizeof *rooms);

    rooms->comet = comet;
    pthread_mutex_init(&rooms->lock, NULL);
    return rooms;
}

void goim_rooms_close(struct goim_rooms *rooms)
{
    msg_unref(rooms->answer);
    pthread_mutex_destroy(&rooms->lock);
    free(rooms);
}
