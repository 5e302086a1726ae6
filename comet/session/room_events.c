#include "comet/session/room_events.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/fanout/room.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/session_log.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/containers/map.h"

#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 250,    /* between two tries */
    ASKED_MAX = 2048, /* unanswered at a time */
};

struct change {
    STAILQ_ENTRY(change) link;
    uint64_t number, at_ms; /* at_ms: loop time */
    bool entered;
    uint8_t len;
    char room[]; /* with a NUL */
};

enum mover_state { MOVER_DUE, MOVER_ASKED, MOVER_RESTING };

/* A session that has moved. */
struct mover {
    TAILQ_ENTRY(mover) link; /* in due or resting, by state */
    uint64_t handle;
    STAILQ_HEAD(, change) changes; /* the first one may be ASKED */
    struct session_event event;    /* of that one */
    enum mover_state state;
    bool ended;              /* its session has, while it was ASKED */
    void (*then)(void *arg); /* if `ended`; may be NULL */
    void *arg;
};

struct room_events {
    struct worker *worker;
    struct map64 *movers; /* by handle */
    TAILQ_HEAD(movers, mover) due, resting;
    size_t asked;
    uint64_t numbers; /* of changes, of all sessions of this loop */
    bool wanted;
    struct loop_task flush;
    uv_timer_t tick;
};

static struct mover *mover_find(const struct room_events *events, uint64_t handle)
{
    const uint64_t *value = map64_get(events->movers, handle);

    return value == NULL
               ? NULL
               : (struct mover *)(uintptr_t)*value; /* NOLINT(performance-no-int-to-ptr) */
}

static void changes_free(struct mover *mover)
{
    struct change *change;

    while ((change = STAILQ_TAKE(&mover->changes, link)) != NULL)
        free(change);
}

/* MOVER is in no list. */
static void mover_free(struct room_events *events, struct mover *mover)
{
    changes_free(mover);
    if (!mover->ended)
        map64_del(events->movers, mover->handle);
    free(mover);
}

static void mover_due(struct room_events *events, struct mover *mover)
{
    mover->state = MOVER_DUE;
    TAILQ_INSERT_TAIL(&events->due, mover, link);
    loop_defer(&events->worker->loop, &events->flush);
}

static void on_tick(uv_timer_t *timer);

static void mover_rest(struct room_events *events, struct mover *mover)
{
    mover->state = MOVER_RESTING;
    TAILQ_INSERT_TAIL(&events->resting, mover, link);
    if (!uv_is_active((uv_handle_t *)&events->tick))
        uv_timer_start(&events->tick, on_tick, TICK_MS, 0);
}

/* --- asking --- */

static void on_answer(struct worker *worker, struct logic_request *request,
                      const struct logic_answer *answer)
{
    struct room_events *events = worker->room_events;
    struct mover *mover = container_of(request->event, struct mover, event);
    bool ok = answer->answered && answer->status == LOGIC_OK;

    events->asked--;
    loop_defer(&worker->loop, &events->flush);
    metric_add(worker->counters, ok ? COMET_EVENTS_SAID : COMET_EVENTS_AGAIN, 1);
    if (mover->ended) {
        if (mover->then != NULL)
            mover->then(mover->arg);
        mover_free(events, mover);
        return;
    }
    if (ok)
        free(STAILQ_TAKE(&mover->changes, link));
    if (STAILQ_EMPTY(&mover->changes))
        mover_free(events, mover);
    else if (ok)
        mover_due(events, mover);
    else
        mover_rest(events, mover);
}

static void mover_ask(struct room_events *events, struct mover *mover)
{
    struct worker *worker = events->worker;
    const struct change *change = STAILQ_FIRST(&mover->changes);
    struct conn *conn = handle_table_find(worker->table, mover->handle);
    uint64_t epoch = conn != NULL ? session_log_epoch(worker->session_log, conn) : 0;

    if (epoch == 0) { /* the log does not have it in the present epoch yet */
        mover_rest(events, mover);
        return;
    }
    mover->event = (struct session_event){.uid = conn->uid,
                                          .epoch = epoch,
                                          .change = change->entered ? EVENT_ENTERED : EVENT_EXITED,
                                          .number = change->number,
                                          .opened_at_ms = change->at_ms,
                                          .ended_at_ms = change->at_ms,
                                          .address = "",
                                          .key = "",
                                          .room = change->room};
    struct logic_requests *link = worker_connects(worker);
    struct logic_request *request = logic_requests_new(link, REQUEST_SESSION_EVENT);
    request->handle = mover->handle;
    request->uid = conn->uid;
    request->event = &mover->event;
    request->done = on_answer;
    mover->state = MOVER_ASKED;
    events->asked++;
    logic_requests_send(link, request);
}

static void on_flush(struct loop *loop, struct loop_task *task)
{
    struct room_events *events = container_of(task, struct room_events, flush);
    struct mover *mover;

    (void)loop;
    while (events->asked < ASKED_MAX && (mover = TAILQ_TAKE(&events->due, link)) != NULL) {
        if (STAILQ_EMPTY(&mover->changes)) /* they have cancelled each other */
            mover_free(events, mover);
        else
            mover_ask(events, mover);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct room_events *events = container_of(timer, struct room_events, tick);
    struct mover *mover;

    while ((mover = TAILQ_TAKE(&events->resting, link)) != NULL)
        mover_due(events, mover);
}

/* --- what sessions do --- */

/* The change of the room NAME that is not ASKED. */
static struct change *unsaid_find(const struct mover *mover, const char *name, size_t len)
{
    struct change *change = STAILQ_FIRST(&mover->changes);

    if (change != NULL && mover->state == MOVER_ASKED)
        change = STAILQ_NEXT(change, link);
    while (change != NULL && (change->len != len || memcmp(change->room, name, len) != 0))
        change = STAILQ_NEXT(change, link);
    return change;
}

static void change_add(struct room_events *events, struct mover *mover, const struct room *room,
                       bool entered)
{
    size_t len;
    const char *name = room_name(room, &len);
    struct change *change = mem_alloc(sizeof *change + len + 1);

    change->number = ++events->numbers;
    change->at_ms = loop_now_ms(&events->worker->loop);
    change->entered = entered;
    change->len = (uint8_t)len;
    memcpy(change->room, name, len);
    change->room[len] = '\0';
    STAILQ_INSERT_TAIL(&mover->changes, change, link);
}

static struct mover *mover_of(struct room_events *events, uint64_t handle)
{
    struct mover *mover = mover_find(events, handle);

    if (mover != NULL)
        return mover;
    mover = mem_zalloc(sizeof *mover);
    mover->handle = handle;
    STAILQ_INIT(&mover->changes);
    map64_set(events->movers, handle, (uint64_t)(uintptr_t)mover);
    mover_due(events, mover);
    return mover;
}

/* CONN has entered or left ROOM. */
static void on_moved(struct conn *conn, const struct room *room, bool entered)
{
    struct room_events *events = conn->worker->room_events;
    bool first = conn->state == CONN_CONNECTING && room == conn->main.room;
    size_t len;
    const char *name = room_name(room, &len);

    if (!conn->logged || first || conn->state >= CONN_CLOSING)
        return;
    struct mover *mover = mover_of(events, conn->handle);
    struct change *change = unsaid_find(mover, name, len);
    if (change == NULL) {
        change_add(events, mover, room, entered);
        return;
    }
    STAILQ_REMOVE(&mover->changes, change, change, link);
    free(change); /* if it was the last one, on_flush() frees the mover */
}

void room_events_want(struct worker *worker)
{
    loop_assert_owner(&worker->loop);
    if (worker->closed || worker->room_events->wanted)
        return;
    worker->room_events->wanted = true;
    rooms_watch_members(worker, on_moved);
}

void room_events_anew(struct worker *worker, struct conn *conn)
{
    struct room_events *events = worker->room_events;

    loop_assert_owner(&worker->loop);
    if (!events->wanted)
        return;
    struct mover *mover = mover_find(events, conn->handle);
    struct change *asked = NULL;
    if (mover != NULL && mover->state == MOVER_ASKED)
        asked = STAILQ_TAKE(&mover->changes, link);
    if (mover != NULL)
        changes_free(mover);
    if (asked != NULL)
        STAILQ_INSERT_TAIL(&mover->changes, asked, link);
    for (uint32_t i = 0; conn->seats != NULL && i < conn->seats->n; i++)
        change_add(events, mover_of(events, conn->handle), conn->seats->list[i].room, true);
}

bool room_events_end(struct worker *worker, uint64_t handle, void (*then)(void *arg), void *arg)
{
    struct room_events *events = worker->room_events;
    struct mover *mover = mover_find(events, handle);

    loop_assert_owner(&worker->loop);
    if (mover == NULL)
        return false;
    if (mover->state == MOVER_ASKED) {
        mover->ended = true;
        mover->then = then;
        mover->arg = arg;
        map64_del(events->movers, handle);
        return true;
    }
    if (mover->state == MOVER_DUE)
        TAILQ_REMOVE(&events->due, mover, link);
    else
        TAILQ_REMOVE(&events->resting, mover, link);
    mover_free(events, mover);
    return false;
}

/* --- life --- */

struct room_events *room_events_open(struct worker *worker)
{
    struct room_events *events = mem_zalloc(sizeof *events);

    loop_assert_owner(&worker->loop);
    events->worker = worker;
    events->movers = map64_new();
    TAILQ_INIT(&events->due);
    TAILQ_INIT(&events->resting);
    events->flush.run = on_flush;
    uv_timer_init(&worker->loop.uv, &events->tick);
    return events;
}

static void on_tick_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct room_events, tick));
}

void room_events_close(struct room_events *events)
{
    struct mover *mover;

    loop_assert_owner(&events->worker->loop);
    TAILQ_CONCAT(&events->due, &events->resting, link);
    while ((mover = TAILQ_TAKE(&events->due, link)) != NULL)
        mover_free(events, mover);
    map64_free(events->movers);
    uv_close((uv_handle_t *)&events->tick, on_tick_closed);
}
