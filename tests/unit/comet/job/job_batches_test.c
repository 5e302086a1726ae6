/* The answering end of Push: two real loops in threads, sessions and rooms that do what the test
 * says, and a job on the other end of a real stream. */
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

static struct side *side_of(const struct worker *worker)
{
    return &w.sides[worker->loop.index];
}

/* --- fakes: sessions and rooms, on the loops --- */

static void keep(struct side *side, const struct push *push, struct ticket ticket)
{
    assert_true(side->n_kept < KEPT_MAX);
    side->kept[side->n_kept++] = (struct kept){ticket, *push};
    if (push->backing != NULL)
        backing_ref(push->backing);
}

static void tell(struct side *side, int from, enum ticket_result result)
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

static void on_tell_soon(struct loop *loop, struct loop_task *task)
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

static void on_walk(struct loop *loop, struct loop_task *task)
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

static void missed(struct comet *comet, unsigned what, const char *why)
{
    assert_ptr_equal(comet, &w.comet);
    assert_non_null(why);
    pthread_mutex_lock(&w.lock);
    w.recalls++;
    w.recalls_all += (what & MISSED_ALL) != 0;
    pthread_mutex_unlock(&w.lock);
}

static void room_takes(struct side *side, const struct push *push, struct ticket ticket)
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

static void on_call(struct loop *loop, struct inbox_item *item)
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
static void side_tells(int index, enum ticket_result result)
{
    struct call call = {.item.run = on_call, .side = &w.sides[index], .result = result};
    assert_true(inbox_post(&w.workers[index].loop, &call.item));
    pthread_mutex_lock(&w.lock);
    while (!call.done)
        pthread_cond_wait(&w.came, &w.lock);
    pthread_mutex_unlock(&w.lock);
}

/* --- job --- */

static void job_message(struct rpc_stream *stream, void *arg, struct msg *msg)
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

static void job_closed(struct rpc_stream *stream, void *arg, const char *why)
{
    (void)stream, (void)arg, (void)why;
    pthread_mutex_lock(&w.lock);
    w.closed = true;
    pthread_cond_broadcast(&w.came);
    pthread_mutex_unlock(&w.lock);
}

static const struct rpc_stream_events job_events = {job_message, job_closed};

static void job_connects(void)
{
    w.closed = false;
    w.stream = rpc_stream_open(w.channel, "/imc.v1.Comet/Push", 2000, &job_events, NULL);
}

static bool wait_a_while(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    return pthread_cond_timedwait(&w.came, &w.lock, &until) == 0;
}

/* The reply number I since the start. */
static const Imc__V1__PushReply *reply_at(int i)
{
    pthread_mutex_lock(&w.lock);
    while (w.n_replies <= i && wait_a_while())
        continue;
    assert_true(w.n_replies > i);
    const Imc__V1__PushReply *reply = w.replies[i];
    pthread_mutex_unlock(&w.lock);
    return reply;
}

static void assert_stream_is_closed(void)
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

static void make(uint64_t seq)
{
    imc__v1__push_batch__init(&m.batch);
    m.batch.seq = seq;
    m.batch.items = m.list;
}

static Imc__V1__PushItem *make_item(int kind, uint64_t id)
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

static void aim(Imc__V1__PushItem *item, int side, int uid)
{
    item->handles[item->n_handles++] = w.sides[side].conns[uid].handle;
    item->uid = uid;
}

static Imc__V1__PushItem *make_uid(uint64_t id, int side, int uid)
{
    Imc__V1__PushItem *item = make_item(IMC__V1__PUSH_ITEM__KIND__UID, id);
    aim(item, side, uid);
    return item;
}

static void send_made(void)
{
    struct msg *msg = msg_new(imc__v1__push_batch__get_packed_size(&m.batch));
    imc__v1__push_batch__pack(&m.batch, msg->data);
    assert_int_equal(rpc_stream_send(w.stream, msg), 0);
}

static bool among(const uint32_t *list, size_t n, uint32_t index)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == index)
            return true;
    }
    return false;
}

enum { PENDING = 100 };

static int result_of(const Imc__V1__PushReply *reply, uint32_t index)
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
static const Imc__V1__PushReply *exchange(void)
{
    pthread_mutex_lock(&w.lock);
    int at = w.n_replies;
    pthread_mutex_unlock(&w.lock);
    send_made();
    const Imc__V1__PushReply *reply = reply_at(at);
    assert_int_equal(reply->seq, m.batch.seq);
    return reply;
}

static int total(size_t offset)
{
    int sum = 0;
    for (int i = 0; i < LOOPS; i++)
        sum += atomic_load((_Atomic int *)(void *)((char *)&w.sides[i] + offset));
    return sum;
}
#define TOTAL(field) total(offsetof(struct side, field))

/* --- the world --- */

static void side_open(int index)
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

static const struct rpc_method methods[] = {{"/imc.v1.Comet/Push", job_batches_opened},
                                            {NULL, NULL}};

static int setup(void **state)
{
    char address[32];
    (void)state;
    memset(&w, 0, sizeof w);
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.came, NULL);
    w.daemon.metrics = metrics_open(comet_metric_rows, COMET_METRIC_COUNT);
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

static void loops_stop(void)
{
    for (int i = 0; i < LOOPS; i++) {
        loop_stop(&w.workers[i].loop);
        loop_join(&w.workers[i].loop);
        w.workers[i].closed = true;
    }
}

/* As comet_stop() does it: what sessions still keep is told by the main thread. */
static int teardown(void **state)
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

/* --- users --- */

static void sessions_take_drop_or_are_not_there(void **state)
{
    (void)state;
    make(1);
    make_uid(10, 0, TAKES);
    make_uid(11, 1, TAKES);
    make_uid(12, 0, DROPS);
    make_uid(13, 0, TAKES)->handles[0] += 1ULL << 24;   /* the slot's next life */
    make_uid(14, 1, TAKES)->handles[0] |= 200ULL << 56; /* no such loop */
    make_uid(15, 1, TAKES)->uid = DROPS;                /* somebody else's */
    make_item(IMC__V1__PUSH_ITEM__KIND__UID, 16);       /* for nobody */
    const Imc__V1__PushReply *reply = exchange();
    assert_result(reply, 0, TAKEN);
    assert_result(reply, 1, TAKEN);
    for (uint32_t i = 2; i < 7; i++)
        assert_result(reply, i, GONE);
    assert_int_equal(reply->n_pending + reply->n_refused + reply->n_late, 0);
    assert_int_equal(TOTAL(pushes), 3);
    assert_int_equal(metrics_sum(w.daemon.metrics, COMET_ITEMS_GONE), 5);
}

static void an_item_is_taken_if_one_session_takes_it(void **state)
{
    (void)state;
    make(1);
    aim(make_uid(10, 0, DROPS), 1, DROPS);
    Imc__V1__PushItem *item = make_uid(11, 0, DROPS);
    aim(item, 1, DROPS);
    item->handles[1] += 1ULL << 24;
    item = make_uid(12, 0, TAKES);
    aim(item, 1, TAKES);
    item->handles[0] += 1ULL << 24; /* only the other loop's */
    aim(make_uid(13, 0, TAKES), 1, TAKES);
    const Imc__V1__PushReply *reply = exchange();
    assert_result(reply, 0, GONE);
    assert_result(reply, 1, GONE);
    assert_result(reply, 2, TAKEN);
    assert_result(reply, 3, TAKEN);
    assert_int_equal(TOTAL(pushes), 2 + 1 + 1 + 2);
}

static void another_life_of_ours_is_gone(void **state)
{
    (void)state;
    make(1);
    make_uid(10, 0, TAKES)->epoch = EPOCH - 1;
    make_uid(11, 0, TAKES)->epoch = EPOCH + 1;
    const Imc__V1__PushReply *reply = exchange();
    assert_int_equal(reply->n_gone, 2);
    assert_int_equal(TOTAL(pushes), 0);
}

static void a_message_without_id_is_gone(void **state)
{
    (void)state;
    make(1);
    make_uid(0, 0, TAKES);
    assert_result(exchange(), 0, GONE);
    assert_int_equal(TOTAL(pushes), 0);
}

static void what_is_not_known_yet_is_told_late(void **state)
{
    (void)state;
    make(5);
    make_uid(10, 0, TAKES);
    make_uid(11, 0, KEEPS);
    make_uid(12, 1, KEEPS);
    aim(make_uid(13, 1, KEEPS), 0, KEEPS);
    const Imc__V1__PushReply *reply = exchange();
    assert_result(reply, 0, TAKEN);
    assert_int_equal(reply->n_pending, 3);
    side_tells(0, TICKET_WRITTEN);
    reply = reply_at(1);
    assert_int_equal(reply->seq, 0);
    assert_int_equal(reply->n_late, 1); /* item 3 waits for its other loop */
    assert_int_equal(reply->late[0]->seq, 5);
    assert_int_equal(reply->late[0]->index, 1);
    assert_int_equal(reply->late[0]->result, IMC__V1__PUSH_RESULT__TAKEN);
    side_tells(1, TICKET_DROPPED);
    reply = reply_at(2);
    assert_int_equal(reply->n_late, 2); /* one message for the whole turn */
    assert_int_equal(reply->late[0]->index, 2);
    assert_int_equal(reply->late[0]->result, IMC__V1__PUSH_RESULT__GONE);
    assert_int_equal(reply->late[1]->index, 3);
    assert_int_equal(reply->late[1]->result, IMC__V1__PUSH_RESULT__TAKEN);
}

/* The answer of a large batch takes its time; meanwhile the other loop tells what is pending in it.
 */
static void a_late_result_never_comes_before_its_answer(void **state)
{
    (void)state;
    int lates = 0;
    for (uint64_t round = 1; round <= 20; round++) {
        make(round);
        make_uid(1, 1, TAKES_SOON);
        while (m.batch.n_items < ITEMS_MAX - 1)
            make_uid(2, 0, TAKES)->handles[0] += 1ULL << 24;
        make_uid(3, 0, TAKES);
        const Imc__V1__PushReply *reply = exchange(); /* is the answer */
        assert_int_equal(reply->n_gone, ITEMS_MAX - 2);
        if (reply->n_pending == 0)
            continue; /* it was quicker than that */
        reply = reply_at((int)round + lates);
        lates++;
        assert_int_equal(reply->n_late, 1);
        assert_int_equal(reply->late[0]->seq, round);
    }
    print_message("%d of 20 came late\n", lates);
}

/* --- replays and fences --- */

static Imc__V1__PushItem *make_at(int64_t offset, uint64_t fence, int uid)
{
    Imc__V1__PushItem *item = make_uid(100, 0, uid);
    item->partition = 3;
    item->offset = offset;
    item->fence = fence;
    return item;
}

static void a_replay_gets_the_truth(void **state)
{
    (void)state;
    make(1);
    make_at(1, 1, TAKES);
    make_at(2, 1, DROPS);
    make_at(3, 1, KEEPS);
    exchange();
    assert_int_equal(TOTAL(pushes), 3);
    make(2);
    make_at(1, 2, TAKES);
    make_at(2, 2, DROPS);
    make_at(3, 2, KEEPS);
    const Imc__V1__PushReply *reply = exchange();
    assert_result(reply, 0, TAKEN);
    assert_result(reply, 1, GONE);
    assert_int_equal(result_of(reply, 2), PENDING);
    assert_int_equal(TOTAL(pushes), 5); /* the first was not delivered again */
    assert_int_equal(metrics_sum(w.daemon.metrics, COMET_ITEMS_REPEATED), 1);
    side_tells(0, TICKET_WRITTEN);
    assert_int_equal(reply_at(2)->n_late, 2);
    make(3);
    make_at(3, 2, KEEPS);
    assert_result(exchange(), 0, TAKEN);
    assert_int_equal(TOTAL(pushes), 5);
}

static void an_earlier_owner_is_refused(void **state)
{
    (void)state;
    make(1);
    make_at(1, 7, TAKES);
    make_at(2, 6, TAKES);
    Imc__V1__PushItem *item = make_item(IMC__V1__PUSH_ITEM__KIND__POKE, 0);
    aim(item, 0, TAKES);
    item->partition = 3;
    item->fence = 6;
    const Imc__V1__PushReply *reply = exchange();
    assert_result(reply, 0, TAKEN);
    assert_result(reply, 1, REFUSED);
    assert_result(reply, 2, REFUSED);
    assert_int_equal(TOTAL(pushes), 1);
    assert_int_equal(TOTAL(pokes), 0);
    assert_int_equal(metrics_sum(w.daemon.metrics, COMET_ITEMS_FENCED), 2);
}

/* --- pokes --- */

static void a_poke_reaches_sessions_that_can_fetch(void **state)
{
    (void)state;
    uint64_t ids[] = {8, 9};
    w.sides[1].conns[TAKES].state = CONN_CLOSING;
    make(1);
    for (int i = 0; i < 2; i++) {
        Imc__V1__PushItem *item = make_item(IMC__V1__PUSH_ITEM__KIND__POKE, 0);
        item->message = NULL;
        item->ids = ids;
        item->n_ids = 2;
        aim(item, i, TAKES);
    }
    const Imc__V1__PushReply *reply = exchange();
    assert_result(reply, 0, TAKEN);
    assert_result(reply, 1, GONE);
    assert_int_equal(TOTAL(pokes), 1);
    assert_int_equal(w.sides[0].poked[1], 9);
    /* One that is leaving, or has left, is owed nothing. */
    assert_int_equal(w.n_waived, 2);
    assert_int_equal(w.waived.handle, w.sides[1].conns[TAKES].handle);
    assert_int_equal(w.waived.uid, TAKES);
    assert_int_equal(w.waived_ids[0], 8);
    assert_int_equal(w.waived_ids[1], 9);
    make(2); /* pokes may be repeated */
    Imc__V1__PushItem *item = make_item(IMC__V1__PUSH_ITEM__KIND__POKE, 0);
    aim(item, 0, TAKES);
    exchange();
    assert_int_equal(TOTAL(pokes), 2);
}

/* --- rooms --- */

static void a_room_item_goes_once_to_each_loop(void **state)
{
    (void)state;
    static char lobby[] = "lobby";
    make(1);
    Imc__V1__PushItem *item = make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 1);
    item->room = lobby;
    item->epoch = 1; /* rooms are meant for whoever is here */
    item->offset = 4;
    item = make_item(IMC__V1__PUSH_ITEM__KIND__ALL, 2);
    item->speed = 9;
    item->offset = 5;
    make_uid(3, 0, TAKES);
    const Imc__V1__PushReply *reply = exchange();
    for (uint32_t i = 0; i < 3; i++)
        assert_result(reply, i, TAKEN);
    assert_int_equal(TOTAL(rooms), LOOPS);
    assert_int_equal(TOTAL(alls), LOOPS);
    assert_int_equal(metrics_sum(w.daemon.metrics, COMET_ITEMS_ROOM), LOOPS);
    make(2);
    item = make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 1);
    item->room = lobby;
    item->offset = 4;
    assert_result(exchange(), 0, TAKEN);
    assert_int_equal(TOTAL(rooms), LOOPS);
}

static void a_room_item_that_waits_for_its_walk_is_not_taken_twice(void **state)
{
    (void)state;
    static char lobby[] = "lobby";
    for (int i = 0; i < LOOPS; i++)
        atomic_store(&w.sides[i].room, ROOM_KEEPS);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        make(seq);
        make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 1)->room = lobby;
        m.items[0].offset = 70;
        make_item(IMC__V1__PUSH_ITEM__KIND__ALL, 2)->speed = 9;
        m.items[1].offset = 71;
        assert_int_equal(exchange()->n_pending, seq == 1 ? 2 : 0);
    }
    assert_int_equal(TOTAL(rooms), LOOPS);
    assert_int_equal(TOTAL(alls), LOOPS);
    for (int i = 0; i < LOOPS; i++)
        side_tells(i, TICKET_WRITTEN);
}

static void a_room_item_is_answered_when_every_loop_walks(void **state)
{
    (void)state;
    static char lobby[] = "lobby";
    atomic_store(&w.sides[1].room, ROOM_KEEPS);
    make(1);
    make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 1)->room = lobby;
    assert_int_equal(result_of(exchange(), 0), PENDING);
    side_tells(1, TICKET_WRITTEN);
    const Imc__V1__PushReply *reply = reply_at(1);
    assert_int_equal(reply->n_late, 1);
    assert_int_equal(reply->late[0]->result, IMC__V1__PUSH_RESULT__TAKEN);
}

/* What begins at the end of the turn is in the answer: most rooms' items need no second message. */
static void the_answer_waits_for_walks_of_the_same_turn(void **state)
{
    (void)state;
    static char lobby[] = "lobby";
    for (int i = 0; i < LOOPS; i++)
        atomic_store(&w.sides[i].room, ROOM_WALKS);
    for (uint64_t seq = 1; seq <= 20; seq++) {
        make(seq);
        make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 1)->room = lobby;
        make_item(IMC__V1__PUSH_ITEM__KIND__ALL, 2)->speed = 9;
        make_uid(3, 1, TAKES);
        const Imc__V1__PushReply *reply = exchange();
        assert_int_equal(reply->n_pending + reply->n_gone + reply->n_late, 0);
    }
}

/* --- what job can do wrong --- */

static void malformed_batches_close_the_stream(void **state)
{
    (void)state;
    static char empty[] = "", longest[ROOM_NAME_MAX + 2];
    memset(longest, 'x', ROOM_NAME_MAX + 1);
    rpc_stream_send(w.stream, msg_copy("\x0a\xff\xff", 3));
    assert_stream_is_closed();
    for (int wrong = 0; wrong < 6; wrong++) {
        make(wrong == 0 ? 0 : 1);
        make_uid(1, 0, TAKES);
        Imc__V1__PushItem *item = make_uid(2, 0, TAKES);
        if (wrong == 1)
            item->message = NULL;
        else if (wrong == 2)
            item->kind = (Imc__V1__PushItem__Kind)17;
        else if (wrong >= 3)
            item->kind = IMC__V1__PUSH_ITEM__KIND__ROOM;
        if (wrong == 4)
            item->room = longest;
        else if (wrong == 3)
            item->room = empty;
        if (wrong == 5) {
            item->kind = IMC__V1__PUSH_ITEM__KIND__ALL;
            item->message = NULL;
        }
        send_made();
        assert_stream_is_closed();
        assert_int_equal(metrics_sum(w.daemon.metrics, COMET_BATCHES_MALFORMED), wrong + 2);
    }
    assert_int_equal(TOTAL(pushes), 0);
    make(2); /* everything else goes on */
    make_uid(1, 0, TAKES);
    assert_result(exchange(), 0, TAKEN);
}

static void what_is_meant_for_another_process_is_gone(void **state)
{
    (void)state;
    static char lobby[] = "lobby";
    for (uint64_t seq = 1; seq <= 3; seq++) {
        make(seq);
        m.batch.process = seq == 1 ? PROCESS + 1 : seq == 2 ? PROCESS : 0;
        make_uid(1, 0, TAKES)->offset = 5;
        make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 2)->room = lobby;
        m.items[1].offset = 6;
        const Imc__V1__PushReply *reply = exchange();
        assert_int_equal(reply->n_gone, seq == 1 ? 2 : 0);
        if (seq == 1)
            assert_int_equal(TOTAL(pushes) + TOTAL(rooms), 0);
    }
    assert_int_equal(metrics_sum(w.daemon.metrics, COMET_ITEMS_MISDIRECTED), 2);
}

static void sessions_are_recalled_when_job_dropped_something(void **state)
{
    (void)state;
    Imc__V1__Standing standing;
    imc__v1__standing__init(&standing);
    standing.epoch = EPOCH;
    standing.link = 3;
    for (uint64_t seq = 1; seq <= 3; seq++) {
        standing.missed_rooms = seq > 1;
        standing.missed_all = seq > 2;
        make(seq);
        m.batch.standing = &standing;
        exchange();
        assert_int_equal(w.recalls, seq - 1);
        assert_int_equal(w.recalls_all, seq > 2 ? 1 : 0);
    }
}

/* A job with LINK says that it owns partition 3 with FENCE. */
static void stand(uint64_t seq, uint64_t epoch, uint64_t link, uint64_t fence)
{
    uint32_t partition = 3;
    Imc__V1__Standing standing;
    imc__v1__standing__init(&standing);
    standing.epoch = epoch;
    standing.link = link;
    standing.n_partitions = standing.n_fences = 1;
    standing.partitions = &partition;
    standing.fences = &fence;
    make(seq);
    m.batch.standing = &standing;
    exchange();
}

static void nobody_vouches_with_a_fence_that_cannot_be(void **state)
{
    (void)state;
    stand(1, EPOCH, 3, 10);
    stand(2, EPOCH, 4, UINT64_MAX);
    broadcast_gaps_epoch(w.comet.standings, EPOCH + 1, 0);
    stand(3, EPOCH + 1, 3, 10); /* the owner is the same as before */
    assert_int_equal(w.recalls, 0);
    assert_int_equal(metrics_sum(w.daemon.metrics, COMET_FENCES_IMPLAUSIBLE), 1);
}

/* Nor does somebody whom comet would not let deliver: he is told so, and asks for a new fence. */
static void an_earlier_owner_does_not_vouch(void **state)
{
    (void)state;
    stand(1, EPOCH, 3, 11);
    broadcast_gaps_epoch(w.comet.standings, EPOCH + 1, 0);
    stand(2, EPOCH + 1, 4, 10);
    stand(3, EPOCH + 1, 3, 11);
    assert_int_equal(w.recalls, 0);
    stand(4, EPOCH + 1, 3, 12);
    make(5);
    make_at(1, 11, TAKES);
    assert_result(exchange(), 0, REFUSED);
}

static void an_empty_batch_is_answered(void **state)
{
    (void)state;
    make(9);
    const Imc__V1__PushReply *reply = exchange();
    assert_int_equal(reply->n_gone + reply->n_refused + reply->n_pending, 0);
}

/* --- the end --- */

static void a_stream_that_breaks_leaves_nothing_behind(void **state)
{
    (void)state;
    make(1);
    make_uid(1, 0, KEEPS);
    make_uid(2, 1, KEEPS);
    exchange();
    rpc_stream_close(w.stream);
    assert_stream_is_closed();
    side_tells(0, TICKET_WRITTEN);
    make(2);
    make_uid(3, 0, TAKES);
    assert_int_equal(exchange()->seq, 2); /* no late result of the stream before */
} /* and item 1 is told when everything is closed */

static void batches_that_come_too_late_are_only_freed(void **state)
{
    (void)state;
    make(1);
    make_uid(1, 0, KEEPS);
    aim(make_uid(2, 0, KEEPS), 1, KEEPS);
    exchange();
    loops_stop();
    make(2);
    make_uid(3, 0, TAKES);
    make_uid(4, 1, TAKES);
    static char lobby[] = "lobby";
    make_item(IMC__V1__PUSH_ITEM__KIND__ROOM, 1)->room = lobby;
    send_made();
    /* A batch for nobody comes behind it on the same stream and is answered by the rpc thread. */
    make(3);
    send_made();
    assert_int_equal(reply_at(1)->seq, 3);
    rpc_server_close(w.server, 0);
    w.server = NULL;
    for (int i = 0; i < LOOPS; i++)
        uv_run(&w.workers[i].loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(TOTAL(pushes), 3);
    assert_int_equal(TOTAL(rooms), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(sessions_take_drop_or_are_not_there),
        TEST(an_item_is_taken_if_one_session_takes_it),
        TEST(another_life_of_ours_is_gone),
        TEST(a_message_without_id_is_gone),
        TEST(what_is_not_known_yet_is_told_late),
        TEST(a_late_result_never_comes_before_its_answer),
        TEST(a_replay_gets_the_truth),
        TEST(an_earlier_owner_is_refused),
        TEST(a_poke_reaches_sessions_that_can_fetch),
        TEST(a_room_item_goes_once_to_each_loop),
        TEST(a_room_item_that_waits_for_its_walk_is_not_taken_twice),
        TEST(a_room_item_is_answered_when_every_loop_walks),
        TEST(the_answer_waits_for_walks_of_the_same_turn),
        TEST(malformed_batches_close_the_stream),
        TEST(what_is_meant_for_another_process_is_gone),
        TEST(nobody_vouches_with_a_fence_that_cannot_be),
        TEST(an_earlier_owner_does_not_vouch),
        TEST(sessions_are_recalled_when_job_dropped_something),
        TEST(an_empty_batch_is_answered),
        TEST(a_stream_that_breaks_leaves_nothing_behind),
        TEST(batches_that_come_too_late_are_only_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
