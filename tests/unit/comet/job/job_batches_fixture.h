/* job_batches_fixture.h - the answering end of Push: two real loops in threads, sessions and rooms
 * that do what the test says, and a job on the other end of a real stream. */
#ifndef IMC_TESTS_UNIT_COMET_JOB_JOB_BATCHES_FIXTURE_H
#define IMC_TESTS_UNIT_COMET_JOB_JOB_BATCHES_FIXTURE_H

#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/fanout/room.h"
#include "comet/job/broadcast_gaps.h"
#include "comet/job/job_batches.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/session.h"
#include "common/base/mem.h"
#include "proto/push.pb-c.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum {
    LOOPS = 2,
    EPOCH = 77,
    PROCESS = 555,
    KEPT_MAX = 1024,
    ITEMS_MAX = 20000,
    PATIENCE_MS = 60000
};

/* What a session does with a push: its uid says. TAKES_SOON: once the other loop's session has
 * taken something, which is when that loop is answering the batch. */
enum { TAKES = 1, DROPS = 2, KEEPS = 3, TAKES_SOON = 4, UIDS = 5 };

struct kept {
    struct ticket ticket;
    struct push push;
};

struct side {
    struct worker worker;
    struct conn conns[UIDS]; /* by uid */
    struct kept kept[KEPT_MAX];
    int n_kept;
    struct loop_task tell_soon, walk;
    _Atomic int pushes, pokes, rooms, alls;
    uint64_t poked[4];
    _Atomic enum { ROOM_TAKES, ROOM_KEEPS, ROOM_WALKS } room;
};

static struct {
    struct rpc *rpc;
    struct rpc_server *server;
    struct rpc_channel *channel;
    struct rpc_stream *stream;
    struct comet comet;
    struct daemon daemon;
    struct worker *workers; /* contiguous, as comet has them; sides[i] is where the rest is */
    struct side *sides;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t came;
    Imc__V1__PushReply *replies[8192];
    int n_replies;
    bool closed;
    struct logic_confirm waived;
    uint64_t waived_ids[4];
    int n_waived;
    int recalls, recalls_all;
} w;

static inline struct side *side_of(const struct worker *worker)
{
    return &w.sides[worker->loop.index];
}

/* --- fakes: sessions and rooms, on the loops --- */

static inline void keep(struct side *side, const struct push *push, struct ticket ticket)
{
    assert_true(side->n_kept < KEPT_MAX);
    side->kept[side->n_kept++] = (struct kept){ticket, *push};
    if (push->backing != NULL)
        backing_ref(push->backing);
}

static inline void tell(struct side *side, int from, enum ticket_result result)
{
    for (int i = from; i < side->n_kept; i++) {
        struct push push;
        assert_true(ticket_push(&side->kept[i].ticket, &push));
        assert_int_equal(push.id, side->kept[i].push.id);
        ticket_done(&side->kept[i].ticket, NULL, result);
        backing_unref(side->kept[i].push.backing);
    }
    side->n_kept = from;
}

static inline void on_tell_soon(struct loop *loop, struct loop_task *task)
{
    struct side *side = container_of(task, struct side, tell_soon);
    if (atomic_load(&w.sides[1 - loop->index].pushes) < side->pushes) {
        loop_defer(loop, task);
        return;
    }
    for (uint64_t start = uv_hrtime(); uv_hrtime() - start < 30000;)
        continue;
    tell(side, 0, TICKET_WRITTEN);
}

static inline void on_walk(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    tell(container_of(task, struct side, walk), 0, TICKET_WRITTEN);
}

void session_push(struct conn *conn, const struct push *push, struct ticket ticket)
{
    struct side *side = side_of(conn->worker);
    if (conn->uid == TAKES) {
        ticket_done(&ticket, conn, TICKET_WRITTEN);
    } else if (conn->uid == DROPS) {
        ticket_done(&ticket, conn, TICKET_DROPPED);
    } else {
        keep(side, push, ticket);
        if (conn->uid == TAKES_SOON)
            loop_defer(&conn->worker->loop, &side->tell_soon);
    }
    atomic_fetch_add(&side->pushes, 1);
}

void session_poke(struct conn *conn, const uint64_t *ids, size_t n)
{
    struct side *side = side_of(conn->worker);
    for (size_t i = 0; i < n && i < 4; i++)
        side->poked[i] = ids[i];
    atomic_fetch_add(&side->pokes, 1);
}

void logic_requests_confirm(struct logic_requests *link, const struct logic_confirm *confirm,
                            uint64_t id)
{
    assert_null(link);
    assert_int_equal(confirm->how, CONFIRM_WAIVED);
    pthread_mutex_lock(&w.lock);
    w.waived = *confirm;
    w.waived_ids[w.n_waived++ % 4] = id;
    pthread_mutex_unlock(&w.lock);
}

static inline void missed(struct comet *comet, unsigned what, const char *why)
{
    assert_ptr_equal(comet, &w.comet);
    assert_non_null(why);
    pthread_mutex_lock(&w.lock);
    w.recalls++;
    w.recalls_all += (what & MISSED_ALL) != 0;
    pthread_mutex_unlock(&w.lock);
}

static inline void room_takes(struct side *side, const struct push *push, struct ticket ticket)
{
    int room = atomic_load(&side->room);
    if (room == ROOM_TAKES)
        ticket_done(&ticket, NULL, TICKET_WRITTEN);
    else
        keep(side, push, ticket);
    if (room == ROOM_WALKS)
        loop_defer(&side->conns[TAKES].worker->loop, &side->walk);
}

void room_push(struct worker *worker, const char *name, size_t len, const struct push *push,
               struct ticket ticket)
{
    assert_int_equal(len, strlen(name));
    assert_string_equal(name, "lobby");
    room_takes(side_of(worker), push, ticket);
    atomic_fetch_add(&side_of(worker)->rooms, 1);
}

void room_push_all(struct worker *worker, const struct push *push, int32_t speed,
                   struct ticket ticket)
{
    assert_int_equal(speed, 9);
    room_takes(side_of(worker), push, ticket);
    atomic_fetch_add(&side_of(worker)->alls, 1);
}

/* --- calls into a loop's thread --- */

struct call {
    struct inbox_item item;
    struct side *side;
    enum ticket_result result;
    bool done; /* under w.lock */
};

static inline void on_call(struct loop *loop, struct inbox_item *item)
{
    (void)loop;
    struct call *call = container_of(item, struct call, item);
    tell(call->side, 0, call->result);
    pthread_mutex_lock(&w.lock);
    call->done = true;
    pthread_cond_broadcast(&w.came);
    pthread_mutex_unlock(&w.lock);
}

/* Everything that side INDEX keeps is told. */
static inline void side_tells(int index, enum ticket_result result)
{
    struct call call = {.item.run = on_call, .side = &w.sides[index], .result = result};
    assert_true(inbox_post(&w.workers[index].loop, &call.item));
    pthread_mutex_lock(&w.lock);
    while (!call.done)
        pthread_cond_wait(&w.came, &w.lock);
    pthread_mutex_unlock(&w.lock);
}

/* --- job --- */

static inline void job_message(struct rpc_stream *stream, void *arg, struct msg *msg)
{
    (void)stream, (void)arg;
    Imc__V1__PushReply *reply = imc__v1__push_reply__unpack(NULL, msg->len, msg->data);
    msg_unref(msg);
    assert_non_null(reply);
    pthread_mutex_lock(&w.lock);
    w.replies[w.n_replies++] = reply;
    pthread_cond_broadcast(&w.came);
    pthread_mutex_unlock(&w.lock);
}

static inline void job_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    (void)stream, (void)arg, (void)why;
    pthread_mutex_lock(&w.lock);
    w.closed = true;
    pthread_cond_broadcast(&w.came);
    pthread_mutex_unlock(&w.lock);
}

static const struct rpc_stream_events job_events = {job_message, job_closed};

static inline void job_connects(void)
{
    w.closed = false;
    w.stream = rpc_stream_open(w.channel, "/imc.v1.Comet/Push", 2000, &job_events, NULL);
}

static inline bool wait_a_while(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    return pthread_cond_timedwait(&w.came, &w.lock, &until) == 0;
}

/* The reply number I since the start. */
static inline const Imc__V1__PushReply *reply_at(int i)
{
    pthread_mutex_lock(&w.lock);
    while (w.n_replies <= i && wait_a_while())
        continue;
    assert_true(w.n_replies > i);
    const Imc__V1__PushReply *reply = w.replies[i];
    pthread_mutex_unlock(&w.lock);
    return reply;
}

static inline void assert_stream_is_closed(void)
{
    pthread_mutex_lock(&w.lock);
    while (!w.closed && wait_a_while())
        continue;
    assert_true(w.closed);
    pthread_mutex_unlock(&w.lock);
    rpc_stream_unref(w.stream);
    job_connects();
}

/* A batch under construction. */
struct making {
    Imc__V1__PushBatch batch;
    Imc__V1__PushItem items[ITEMS_MAX], *list[ITEMS_MAX];
    Imc__V1__Waiting messages[ITEMS_MAX];
    uint64_t handles[ITEMS_MAX][4];
};

static struct making m;

static inline void make(uint64_t seq)
{
    imc__v1__push_batch__init(&m.batch);
    m.batch.seq = seq;
    m.batch.items = m.list;
}

static inline Imc__V1__PushItem *make_item(int kind, uint64_t id)
{
    size_t i = m.batch.n_items++;
    Imc__V1__PushItem *item = m.list[i] = &m.items[i];
    assert_true(i < ITEMS_MAX);
    imc__v1__push_item__init(item);
    imc__v1__waiting__init(&m.messages[i]);
    item->kind = (Imc__V1__PushItem__Kind)kind;
    item->epoch = EPOCH;
    item->offset = -1;
    item->message = &m.messages[i];
    item->message->id = id;
    item->handles = m.handles[i];
    return item;
}

static inline void aim(Imc__V1__PushItem *item, int side, int uid)
{
    item->handles[item->n_handles++] = w.sides[side].conns[uid].handle;
    item->uid = uid;
}

static inline Imc__V1__PushItem *make_uid(uint64_t id, int side, int uid)
{
    Imc__V1__PushItem *item = make_item(IMC__V1__PUSH_ITEM__KIND__UID, id);
    aim(item, side, uid);
    return item;
}

static inline void send_made(void)
{
    struct msg *msg = msg_new(imc__v1__push_batch__get_packed_size(&m.batch));
    imc__v1__push_batch__pack(&m.batch, msg->data);
    assert_int_equal(rpc_stream_send(w.stream, msg), 0);
}

static inline bool among(const uint32_t *list, size_t n, uint32_t index)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == index)
            return true;
    }
    return false;
}

enum { PENDING = 100 };

static inline int result_of(const Imc__V1__PushReply *reply, uint32_t index)
{
    if (among(reply->gone, reply->n_gone, index))
        return IMC__V1__PUSH_RESULT__GONE;
    if (among(reply->refused, reply->n_refused, index))
        return IMC__V1__PUSH_RESULT__REFUSED;
    return among(reply->pending, reply->n_pending, index) ? PENDING : IMC__V1__PUSH_RESULT__TAKEN;
}

#define assert_result(reply, index, wanted) \
    assert_int_equal(result_of(reply, index), IMC__V1__PUSH_RESULT__##wanted)

/* Sends what was made, returns its answer: the next reply. */
static inline const Imc__V1__PushReply *exchange(void)
{
    pthread_mutex_lock(&w.lock);
    int at = w.n_replies;
    pthread_mutex_unlock(&w.lock);
    send_made();
    const Imc__V1__PushReply *reply = reply_at(at);
    assert_int_equal(reply->seq, m.batch.seq);
    return reply;
}

static inline int total(size_t offset)
{
    int sum = 0;
    for (int i = 0; i < LOOPS; i++)
        sum += atomic_load((_Atomic int *)(void *)((char *)&w.sides[i] + offset));
    return sum;
}

#define TOTAL(field) total(offsetof(struct side, field))

/* --- the world --- */

static inline void side_open(int index)
{
    struct side *side = &w.sides[index];
    struct worker *worker = &w.workers[index];
    assert_int_equal(loop_init(&worker->loop, "test", index), 0);
    worker->comet = &w.comet;
    worker->counters = metrics_block(w.daemon.metrics);
    worker->table = handle_table_open(index);
    worker->late = job_results_open(worker);
    side->tell_soon.run = on_tell_soon;
    side->walk.run = on_walk;
    for (int uid = 1; uid < UIDS; uid++) {
        struct conn *conn = &side->conns[uid];
        conn->worker = worker;
        conn->uid = uid;
        conn->counted = true;
        conn->state = CONN_OPEN;
        conn->handle = handle_table_add(worker->table, conn);
    }
    assert_int_equal(loop_start(&worker->loop), 0);
}

static const struct rpc_method methods[] = {{"/imc.v1.Comet/Push", job_batches_opened, NULL},
                                            {.path = NULL}};

static inline int setup(void **state)
{
    char address[32];
    (void)state;
    memset(&w, 0, sizeof w);
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.came, NULL);
    w.daemon.metrics = metrics_open(comet_metric_rows, COMET_METRIC_ROWS);
    w.sides = mem_zalloc(LOOPS * sizeof *w.sides);
    w.workers = mem_zalloc(LOOPS * sizeof *w.workers);
    w.comet.daemon = &w.daemon;
    w.comet.workers = w.workers;
    w.comet.n_workers = LOOPS;
    w.comet.epoch = EPOCH;
    w.comet.process = PROCESS;
    w.comet.standings = broadcast_gaps_new();
    broadcast_gaps_epoch(w.comet.standings, EPOCH, 0);
    w.comet.jobs = job_batches_open(&w.comet, missed);
    for (int i = 0; i < LOOPS; i++)
        side_open(i);
    assert_int_equal(rpc_open(&w.rpc, 4 << 20), 0);
    assert_int_equal(rpc_server_open(w.rpc, "127.0.0.1:0", methods, w.comet.jobs, &w.server), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", rpc_server_port(w.server));
    w.channel = rpc_channel_open(w.rpc, address);
    job_connects();
    return 0;
}

static inline void loops_stop(void)
{
    for (int i = 0; i < LOOPS; i++) {
        loop_stop(&w.workers[i].loop);
        loop_join(&w.workers[i].loop);
        w.workers[i].closed = true;
    }
}

/* As comet_stop() does it: what sessions still keep is told by the main thread. */
static inline int teardown(void **state)
{
    (void)state;
    if (w.server != NULL)
        rpc_server_close(w.server, 0);
    if (!w.workers[0].closed)
        loops_stop();
    for (int i = 0; i < LOOPS; i++)
        tell(&w.sides[i], 0, TICKET_DROPPED);
    for (int i = 0; i < LOOPS; i++) {
        loop_close(&w.workers[i].loop);
        job_results_close(w.workers[i].late);
        handle_table_close(w.workers[i].table);
    }
    job_batches_close(w.comet.jobs);
    broadcast_gaps_free(w.comet.standings);
    rpc_stream_close(w.stream);
    rpc_stream_unref(w.stream);
    rpc_channel_close(w.channel);
    rpc_close(w.rpc);
    for (int i = 0; i < w.n_replies; i++)
        imc__v1__push_reply__free_unpacked(w.replies[i], NULL);
    metrics_close(w.daemon.metrics);
    free(w.sides);
    free(w.workers);
    pthread_cond_destroy(&w.came);
    pthread_mutex_destroy(&w.lock);
    return 0;
}

#endif
