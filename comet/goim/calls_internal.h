/* calls_internal.h - a call on its way, for calls.c (rpc thread), deliver.c and rooms.c (loops). */
#ifndef IMC_COMET_GOIM_CALLS_INTERNAL_H
#define IMC_COMET_GOIM_CALLS_INTERNAL_H

#include "comet/wire/push.h"
#include "common/base/list.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include <pthread.h>

struct comet;
struct goim_call;
struct goim_rooms;
struct msg;
struct rpc_stream;
struct worker;

struct goim_calls {
    struct comet *comet;
    _Atomic int64_t *counters; /* the rpc thread's block */
    struct goim_rooms *rooms;
};

/* What one loop has to do for a call. */
struct goim_share {
    struct inbox_item item;
    struct loop_task task; /* goes on in the next turn */
    struct goim_call *call;
    struct worker *worker;
    size_t key;     /* of a push: the next one to look for */
    uint32_t open;  /* tickets that are not done, and one more while the share is delivered */
    uint32_t found; /* keys that a session here has */
};

enum goim_kind { GOIM_CALL_PUSH, GOIM_CALL_BROADCAST, GOIM_CALL_ROOM };

/* Lives until its answer is given and no walk refers to its messages. */
struct goim_call {
    struct backing backing;
    struct arena arena;
    struct goim_calls *service;
    struct rpc_stream *call;
    enum goim_kind kind;
    char **keys; /* of a push */
    size_t n_keys;
    const char *room; /* of a push to a room */
    int32_t accept_op, speed;
    struct push *pushes;
    size_t n_pushes;
    bool bare; /* the one push keeps VERSION and SEQ, and is not wrapped in operation 9 */
    uint16_t version;
    int32_t seq;
    struct goim_share *shares;   /* one per loop */
    _Atomic uint32_t loops_left; /* loops that are not done, and one more while it is posted */
    _Atomic uint32_t found;
    size_t held; /* bytes of the arena, as counted for the peer */
};

/* deliver.c: begins a share, on its loop. */
void goim_share_arrived(struct loop *loop, struct inbox_item *item);
/* calls.c, any thread: a loop has done its share, or will not. The last one answers. Drops a
 * reference. */
void goim_call_loop_done(struct goim_call *call);

/* rooms.c */
struct goim_rooms *goim_rooms_open(struct comet *comet);
void goim_rooms_close(struct goim_rooms *rooms);
/* rpc thread: answers CALL with the names of all rooms, soon. */
void goim_rooms_ask(struct goim_rooms *rooms, struct rpc_stream *call);

#endif
