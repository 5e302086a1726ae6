#include "comet/fanout/room_claims.h"
#include "comet/base/config.h"
#include "comet/base/worker.h"
#include "common/base/array.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/containers/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINGER_LOOK_MS = 500,
    CHANGES_KEPT = 4096, /* room for so many changes is kept from post to post */
};

struct claim {
    TAILQ_ENTRY(claim) link; /* among those that linger; set while `rooms` is 0 */
    uint64_t room;
    uint64_t number;  /* of the post that tells of it */
    uint64_t idle_ms; /* loop time, since when nobody needs it */
    uint32_t rooms;   /* with this hash and members; 0: it lingers */
};

struct room_claims {
    struct worker *worker;
    room_claims_tell_fn tell;
    room_claims_known_fn known;
    struct map64 *by_room; /* struct claim */
    TAILQ_HEAD(claims, claim) lingering;
    size_t n_lingering;
    struct claim_change *changes; /* of the next post */
    size_t n, cap;
    uint64_t next;     /* number of the next post */
    uint64_t released; /* posts up to this one are known to all jobs */
    struct loop_task post;
    uv_timer_t linger; /* runs while some linger */
};

static struct claim *claim_find(struct room_claims *claims, uint64_t room)
{
    const uint64_t *found = map64_get(claims->by_room, room);

    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the map holds numbers */
    return found == NULL ? NULL : (struct claim *)(uintptr_t)*found;
}

/* --- telling --- */

static void claims_post(struct loop *loop, struct loop_task *task)
{
    struct room_claims *claims = container_of(task, struct room_claims, post);
    size_t bytes = claims->n * sizeof *claims->changes;

    (void)loop;
    if (claims->tell == NULL)
        return;
    struct claims_post *post = mem_alloc(sizeof *post + bytes);
    *post =
        (struct claims_post){.worker = claims->worker, .number = claims->next++, .n = claims->n};
    memcpy(post->changes, claims->changes, bytes);
    claims->n = 0;
    if (claims->cap > CHANGES_KEPT) {
        free(claims->changes);
        claims->changes = NULL;
        claims->cap = 0;
    }
    claims->tell(claims->worker, post);
}

static void claims_note(struct room_claims *claims, uint64_t room, bool dropped)
{
    ARRAY_ROOM(claims->changes, claims->n, claims->cap, 16);
    claims->changes[claims->n++] = (struct claim_change){room, dropped};
    loop_defer(&claims->worker->loop, &claims->post);
}

/* --- lingering --- */

static void claim_end_linger(struct room_claims *claims, struct claim *claim)
{
    TAILQ_REMOVE(&claims->lingering, claim, link);
    if (--claims->n_lingering == 0)
        uv_timer_stop(&claims->linger);
}

static void claim_give_up(struct room_claims *claims, struct claim *claim)
{
    claim_end_linger(claims, claim);
    claims_note(claims, claim->room, true);
    map64_del(claims->by_room, claim->room);
    free(claim);
}

static void claims_look(uv_timer_t *timer)
{
    struct room_claims *claims = timer->data;
    uint64_t now = loop_now_ms(&claims->worker->loop);
    uint64_t most = (uint64_t)claims->worker->config->rooms_linger_ms;
    struct claim *claim;

    while ((claim = TAILQ_FIRST(&claims->lingering)) != NULL && now - claim->idle_ms >= most)
        claim_give_up(claims, claim);
}

/* --- claims --- */

uint64_t room_claims_take(struct worker *worker, uint64_t room)
{
    struct room_claims *claims = worker->claims;

    loop_assert_owner(&worker->loop);
    if (claims == NULL)
        return 0;
    struct claim *claim = claim_find(claims, room);
    if (claim == NULL) {
        claim = mem_alloc(sizeof *claim);
        *claim = (struct claim){.room = room, .number = claims->next};
        map64_set(claims->by_room, room, (uintptr_t)claim);
        claims_note(claims, room, false);
    } else if (claim->rooms == 0) {
        claim_end_linger(claims, claim);
    }
    claim->rooms++;
    return claim->number;
}

void room_claims_drop(struct worker *worker, uint64_t room)
{
    struct room_claims *claims = worker->claims;

    loop_assert_owner(&worker->loop);
    if (claims == NULL)
        return;
    struct claim *claim = claim_find(claims, room);
    assert(claim != NULL && claim->rooms > 0);
    if (--claim->rooms > 0)
        return;
    claim->idle_ms = loop_now_ms(&worker->loop);
    TAILQ_INSERT_TAIL(&claims->lingering, claim, link);
    if (claims->n_lingering++ == 0)
        uv_timer_start(&claims->linger, claims_look, LINGER_LOOK_MS, LINGER_LOOK_MS);
    if (claims->n_lingering > CLAIMS_LINGER_MAX)
        claim_give_up(claims, TAILQ_FIRST(&claims->lingering));
}

bool room_claims_known(const struct worker *worker, uint64_t number)
{
    return worker->claims == NULL || number <= worker->claims->released;
}

void room_claims_release(struct worker *worker, uint64_t number, bool outwaited)
{
    struct room_claims *claims = worker->claims;

    loop_assert_owner(&worker->loop);
    if (claims == NULL || number <= claims->released)
        return;
    assert(number < claims->next);
    claims->released = number;
    claims->known(worker, outwaited);
}

/* --- life --- */

void room_claims_open(struct worker *worker, room_claims_tell_fn tell, room_claims_known_fn known)
{
    struct room_claims *claims = mem_zalloc(sizeof *claims);

    loop_assert_owner(&worker->loop);
    claims->worker = worker;
    claims->tell = tell;
    claims->known = known;
    claims->next = 1;
    claims->by_room = map64_new();
    TAILQ_INIT(&claims->lingering);
    claims->post.run = claims_post;
    uv_timer_init(&worker->loop.uv, &claims->linger);
    claims->linger.data = claims;
    worker->claims = claims;
}

static void claims_closed(uv_handle_t *timer)
{
    struct room_claims *claims = timer->data;

    free(claims->changes);
    free(claims);
}

/* A post that is deferred still runs, in the loop's last turn. The object lives until then. */
void room_claims_close(struct worker *worker)
{
    struct room_claims *claims = worker->claims;
    struct claim *claim;

    loop_assert_owner(&worker->loop);
    worker->claims = NULL;
    if (claims == NULL)
        return;
    claims->tell = NULL;
    while ((claim = TAILQ_FIRST(&claims->lingering)) != NULL) {
        TAILQ_REMOVE(&claims->lingering, claim, link);
        map64_del(claims->by_room, claim->room);
        free(claim);
    }
    assert(map64_count(claims->by_room) == 0);
    map64_free(claims->by_room);
    uv_close((uv_handle_t *)&claims->linger, claims_closed);
}
