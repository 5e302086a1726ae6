/* The session against a model: a socket that takes what it likes when it likes, a mailbox that it
 * shares with other sessions of its user, a job that settles what was handed back, in random order
 * of events. Whatever happens, the client must see every message once, in order. */
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/fanout/room.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/catchup.h"
#include "comet/session/reregister.h"
#include "comet/session/session.h"
#include "common/base/mem.h"
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { QUEUE_MAX = 4, IDS_MAX = 1500, RUN = 400, PAGE = 3 };

/* A message in the mailbox. */
struct kept {
    bool here;
    bool mine, others; /* owed to this session, to another one; neither: to whoever reads it */
};

struct queued {
    uint64_t id;
    struct ticket ticket;
};

static struct {
    struct worker worker;
    struct comet_config config;
    _Atomic int64_t counters[COMET_METRIC_COUNT];
    struct conn conn;
    int socket_takes; /* messages the kernel takes now */
    struct queued queue[QUEUE_MAX];
    int n_queue;
    bool begun; /* a part of the first in the queue has been sent */
    uint64_t written[2 * IDS_MAX];
    int n_written;
    uint64_t ids;       /* messages of this run: 1 … */
    uint64_t inherited; /* of these the first waited before the session was there */
    struct kept mailbox[IDS_MAX + 1];
    bool settle[IDS_MAX + 1];
    bool elsewhere[IDS_MAX +
                   1]; /* another device of the user got it, and this one is owed nothing */
    struct logic_request *requests, **requests_tail;
    int auth_replies, kicked, told;
    int out; /* pushes that were not told of */
    struct chances {
        int store_fails, fetch_fails, short_page; /* percent */
        int other_device, replay, refetch;        /* percent of events */
        int others;     /* percent of events, and of what waits: another session is owed it */
        int begun;      /* percent of what the socket does not take: a part has left */
        int overtake;   /* requests that may be answered before an older one, more than one logic */
        int lapse;      /* percent of events: others take the session for dead, until … */
        int registered; /* percent of events: it learns that routers know it again */
        bool no_mailbox; /* nothing can be stored or read: what is handed back is pushed again */
        bool tcp;
    } chance;
} w;

static bool happens(int percent)
{
    return rand() % 100 < percent;
}

/* --- fakes of the frontend --- */

static void socket_write(uint64_t id, struct ticket *ticket)
{
    w.written[w.n_written++] = id;
    ticket_done(ticket, &w.conn, TICKET_WRITTEN);
}

enum write_result conn_push(struct conn *conn, const struct push *push, struct ticket ticket)
{
    if (conn->state != CONN_OPEN)
        return WRITE_CLOSED;
    if (w.n_queue == 0 && w.socket_takes > 0) {
        w.socket_takes--;
        socket_write(push->id, &ticket);
        return WRITE_DONE;
    }
    if (w.n_queue == QUEUE_MAX)
        return WRITE_FULL;
    if (w.n_queue == 0)
        w.begun = happens(w.chance.begun);
    w.queue[w.n_queue++] = (struct queued){push->id, ticket};
    return WRITE_QUEUED;
}

void conn_take_queued(struct conn *conn, void (*fn)(struct ticket *, void *), void *arg)
{
    (void)conn;
    int n = w.n_queue;
    w.n_queue = w.begun ? 1 : 0;
    for (int i = w.n_queue; i < n; i++)
        fn(&w.queue[i].ticket, arg);
}

struct ticket *conn_begun_ticket(struct conn *conn)
{
    (void)conn;
    return w.begun ? &w.queue[0].ticket : NULL;
}

void conn_reply(struct conn *conn, uint16_t version, int32_t op, int32_t seq, const void *body,
                size_t len)
{
    (void)conn, (void)version, (void)seq, (void)body, (void)len;
    assert_int_equal(op, OP_AUTH_REPLY);
    assert_int_equal(w.n_written, 0);
    w.auth_replies++;
}

void conn_opened(struct conn *conn)
{
    conn->state = CONN_OPEN;
}

void conn_kick(struct conn *conn, enum close_code code, const char *reason)
{
    (void)reason;
    conn->state = CONN_CLOSING;
    w.kicked = (int)code;
}

void conn_peer(const struct conn *conn, char *out, size_t len)
{
    (void)conn, (void)len;
    out[0] = '\0';
}

void room_join(struct worker *worker, struct conn *conn, const char *name, size_t len)
{
    (void)worker, (void)conn, (void)name, (void)len;
}

void reregister_admitted(struct reregister *reregister, struct conn *conn,
                         const struct logic_answer *answer)
{
    (void)reregister, (void)answer;
    conn->missed = happens(10 * w.chance.lapse);
}

void reregister_closed(struct reregister *reregister, struct conn *conn)
{
    (void)reregister, (void)conn;
}

void reregister_disconnect(struct reregister *reregister, uint64_t handle, int64_t uid)
{
    (void)reregister;
    struct logic_request *request = logic_requests_new(NULL, REQUEST_DISCONNECT);
    request->handle = handle;
    request->uid = uid;
    logic_requests_send(NULL, request);
}

/* --- fake of job: tickets carry the id; what is handed back is settled, and meanwhile the user's
 * next messages wait --- */

static void no_free(struct backing *backing)
{
    (void)backing;
}

static struct backing immortal = {.refs = 1, .free = no_free};

static void job_told(void *owner, uint64_t id, struct conn *conn, enum ticket_result result)
{
    (void)owner, (void)conn;
    w.told++;
    w.out--;
    if (result == TICKET_DROPPED)
        w.settle[id] = true;
}

static void job_tells_push(const struct ticket *ticket, struct push *push)
{
    *push = (struct push){.backing = &immortal, .id = ticket->arg};
}

static const struct ticket_ops job_ops = {.done = job_told, .push = job_tells_push};

static bool job_settles(void)
{
    for (uint64_t id = 1; id <= w.ids; id++) {
        if (w.settle[id])
            return true;
    }
    return false;
}

static void job_push(uint64_t id);

static void job_settle_one(void)
{
    /* Each turn of a run comes here, and there seldom is any. */
    bool *first = memchr(&w.settle[1], true, w.ids);
    if (first == NULL)
        return;
    uint64_t id = (uint64_t)(first - w.settle);
    *first = false;
    if (w.chance.no_mailbox) {
        job_push(id);
        return;
    }
    if (happens(w.chance.other_device)) { /* took it: there is nothing to settle */
        w.elsewhere[id] = true;
        return;
    }
    w.mailbox[id].here = w.mailbox[id].mine = true;
    session_poke(&w.conn, &id, 1);
}

/* Another job took the partition over and begins with what was not resolved. */
static void job_replay(void)
{
    for (uint64_t id = 1; id <= w.ids; id++) {
        if (!w.settle[id])
            continue;
        w.settle[id] = false;
        job_push(id);
    }
}

/* One that connects: it gets all, and takes away what nobody is owed. */
static void other_device_fetches(void)
{
    for (uint64_t id = 1; id <= w.ids; id++) {
        if (!w.mailbox[id].here || w.mailbox[id].mine || w.mailbox[id].others)
            continue;
        w.mailbox[id].here = false;
        w.elsewhere[id] = true;
        return;
    }
}

/* One that was pushed to like this one, and is slow: it spills ID, or has caught up with it. */
static void other_device_spills(uint64_t id)
{
    struct kept *kept = &w.mailbox[id];
    if (w.settle[id]) { /* it took what this one had handed back */
        w.settle[id] = false;
        w.elsewhere[id] = true;
    }
    if (!kept->here || !kept->others) {
        if (id > w.inherited)
            kept->here = kept->others = true;
        return;
    }
    kept->others = false;
    kept->here = kept->mine;
    if (id <= w.inherited) /* its own all along, whatever this one has read meanwhile */
        w.elsewhere[id] = true;
}

static void job_push(uint64_t id)
{
    struct push push = {.backing = &immortal, .id = id};
    w.out++;
    session_push(&w.conn, &push, (struct ticket){.ops = &job_ops, .arg = id});
}

/* Routers do not know a session that was taken for dead until it is registered: then they do, and
 * it does not know that yet. What is settled first is in the mailbox, and nobody pokes for it; what
 * comes after that is pushed. But nothing is settled past what was pushed: job's order rule. */
static void job_next(uint64_t id)
{
    if (w.conn.missed && w.out == 0 && happens(50))
        w.mailbox[id].here = true;
    else
        job_push(id);
}

static void lapse_or_register(void)
{
    if (!w.conn.missed) {
        w.conn.missed = w.conn.state == CONN_OPEN && happens(w.chance.lapse);
    } else if (happens(w.chance.registered)) {
        w.conn.missed = false;
        catchup_refetch(&w.conn);
    }
}

/* --- fake of logic --- */

struct logic_request *logic_requests_new(struct logic_requests *link, enum logic_request_kind kind)
{
    (void)link;
    struct logic_request *request = mem_zalloc(sizeof *request);
    request->kind = kind;
    return request;
}

void logic_requests_send(struct logic_requests *link, struct logic_request *request)
{
    (void)link;
    request->next = NULL;
    *w.requests_tail = request;
    w.requests_tail = &request->next;
}

void logic_requests_confirm(struct logic_requests *link, const struct logic_confirm *confirm,
                            uint64_t id)
{
    struct logic_request *request = logic_requests_new(link, REQUEST_CONFIRM);
    assert_int_equal(confirm->uid, 42);
    assert_true(confirm->handle == w.conn.handle && confirm->handle != 0);
    request->after = id;
    logic_requests_send(link, request);
}

/* What is left out counts as well: a page may be nothing but that. */
static void logic_page(const struct logic_request *request, struct mailbox_page *out)
{
    size_t n = 0;
    for (uint64_t id = request->after + 1; id <= w.ids; id++) {
        const struct kept *kept = &w.mailbox[id];
        if (!kept->here)
            continue;
        if (n == PAGE || happens(w.chance.short_page)) {
            out->more = true;
            return;
        }
        n++;
        if (request->own && kept->others && !kept->mine) {
            out->last = id;
            continue;
        }
        out->waiting[out->n_waiting++] = (struct push){.backing = &immortal, .id = id};
    }
}

static struct logic_request *logic_take(void)
{
    struct logic_request **at = &w.requests;
    for (int skip = w.chance.overtake == 0 ? 0 : rand() % (w.chance.overtake + 1);
         skip > 0 && *at != NULL && (*at)->next != NULL; skip--)
        at = &(*at)->next;
    struct logic_request *request = *at;
    if (request == NULL)
        return NULL;
    *at = request->next;
    if (*at == NULL)
        w.requests_tail = at;
    return request;
}

static void logic_answer_one(void)
{
    struct logic_request *request = logic_take();
    if (request == NULL)
        return;
    struct logic_answer answer = {.answered = true, .backing = &immortal};
    struct push values[PAGE];
    struct mailbox_page fetch = {.waiting = values};
    struct admission connect = {.uid = 42, .room = "", .reason = ""};
    if (request->kind == REQUEST_CONNECT) {
        assert_false(request->own);
        logic_page(request, &fetch);
        connect.page = fetch;
        answer.connect = &connect;
    } else if (request->kind == REQUEST_FETCH) {
        logic_page(request, &fetch);
        answer.fetch = &fetch;
        if (w.chance.no_mailbox || happens(w.chance.fetch_fails)) {
            fetch.n_waiting = 0;
            answer.status = LOGIC_UNAVAILABLE;
        }
    } else if (request->kind == REQUEST_STORE) {
        bool early = request->behind != 0 && !w.mailbox[request->behind].here;
        if (early || w.chance.no_mailbox || happens(w.chance.store_fails))
            answer.status = LOGIC_UNAVAILABLE;
        else
            w.mailbox[request->push.id].here = w.mailbox[request->push.id].mine = true;
    } else if (request->kind == REQUEST_CONFIRM) {
        w.mailbox[request->after].mine = false;
        w.mailbox[request->after].here = w.mailbox[request->after].others;
    }
    if (request->done != NULL)
        request->done(&w.worker, request, &answer);
    free(request->bytes);
    free(request);
}

/* --- the model --- */

static void socket_takes_more(int n)
{
    w.socket_takes += n;
    bool had = w.n_queue > 0;
    while (w.n_queue > 0 && w.socket_takes > 0) {
        struct queued first = w.queue[0];
        memmove(w.queue, w.queue + 1, (size_t)--w.n_queue * sizeof *w.queue);
        w.socket_takes--;
        w.begun = false;
        socket_write(first.id, &first.ticket);
    }
    if (w.n_queue > 0 && happens(w.chance.begun))
        w.begun = true;
    bool spilling = w.conn.catchup != NULL && w.conn.catchup->mode == CATCHUP_SPILLING;
    if ((had || spilling) && w.n_queue == 0 && w.socket_takes > 0)
        catchup_drained(&w.conn);
}

/* The catch-up's timer fires; but a message handed back to job comes before the session gives up
 * waiting for it. */
static void timer_fires(void)
{
    struct catchup *catchup = w.conn.catchup;
    if (catchup == NULL || !wheel_is_set(&catchup->timer))
        return;
    if (catchup->awaits_poke && !job_settles())
        w.worker.loop.uv.time += 5000;
    wheel_cancel(w.worker.session_wheel, &catchup->timer);
    catchup_on_timer(w.worker.session_wheel, &catchup->timer);
}

static void world_open(struct chances chance)
{
    memset(&w, 0, sizeof w);
    w.ids = RUN;
    w.requests_tail = &w.requests;
    w.config.held_messages = 5;
    w.config.connect_ms = 1000;
    w.config.sdk_gap_ms = 50;
    w.chance = chance;
    assert_int_equal(loop_init(&w.worker.loop, "test", 0), 0);
    w.worker.config = &w.config;
    w.worker.counters = w.counters;
    w.worker.table = handle_table_open(0);
    w.worker.session_wheel = wheel_open(&w.worker.loop, 10, 64, catchup_on_timer, &w.worker);
    w.conn.worker = &w.worker;
    w.conn.state = CONN_AUTH;
    w.conn.wire = chance.tcp ? WIRE_TCP : WIRE_WS_JSON;
    session_connect(&w.conn, (const uint8_t *)"token", 5, 7);
}

static void world_close(void)
{
    while (w.requests != NULL)
        logic_answer_one();
    if (w.conn.handle != 0)
        session_closed(&w.conn);
    while (w.requests != NULL)
        logic_answer_one();
    wheel_close(w.worker.session_wheel);
    loop_close(&w.worker.loop);
    handle_table_close(w.worker.table);
}

static void world_settle_down(void)
{
    for (uint64_t i = 0; i < 20 * w.ids; i++) {
        socket_takes_more(10);
        logic_answer_one();
        job_settle_one();
        timer_fires();
    }
}

/* Every message that no other device got has come, its first copy after those of all older ones;
 * and no second copy, unless REPEATS. */
static void assert_everything_in_order(uint64_t last, bool repeats)
{
    uint64_t next = 1;
    for (int i = 0; i < w.n_written; i++) {
        if (repeats && w.written[i] < next)
            continue;
        while (next < w.written[i])
            assert_true(w.elsewhere[next++]);
        assert_int_equal(w.written[i], next++);
    }
    while (next <= last)
        assert_true(w.elsewhere[next++]);
    assert_null(w.conn.catchup);
    for (uint64_t id = 0; id <= w.ids; id++)
        assert_true(!w.mailbox[id].here || (w.mailbox[id].others && !w.mailbox[id].mine));
}

static void random_event(uint64_t next)
{
    if (next > 1 && happens(w.chance.others)) /* more often a recent one */
        other_device_spills(next - 1 - (uint64_t)rand() % (next - 1) % (uint64_t)(1 + rand() % 50));
    if (happens(w.chance.other_device))
        other_device_fetches();
    if (happens(w.chance.replay))
        job_replay();
    if (happens(w.chance.refetch))
        catchup_refetch(&w.conn);
    lapse_or_register();
    if (happens(20))
        timer_fires();
}

static void random_run(unsigned seed, struct chances chance, bool repeats)
{
    uint64_t next = 1;

    srand(seed);
    chance.begun = 30;
    world_open(chance);
    for (int waiting = chance.no_mailbox ? 0 : rand() % 8; waiting > 0; waiting--)
        w.mailbox[next++] = (struct kept){.here = true, .others = happens(w.chance.others)};
    w.inherited = next - 1;
    if (chance.no_mailbox) { /* from now on: before that it is up to date */
        world_settle_down();
        w.socket_takes = 0;
    }
    for (int turns = 0; next <= RUN; turns++) {
        assert_true(turns < 1000 * RUN); /* else it waits for what does not come */
        switch (rand() % 8) {
        case 0:
        case 1:
        case 2:
            if (!job_settles())
                job_next(next++);
            break;
        case 3:
        case 4:
            logic_answer_one();
            break;
        case 5:
            socket_takes_more(rand() % 6);
            break;
        case 6:
            if (w.n_queue > 0 && rand() % 4 == 0)
                catchup_stalled(&w.conn);
            break;
        default:
            job_settle_one();
        }
        random_event(next);
    }
    w.chance.store_fails = w.chance.fetch_fails = 0;
    w.chance.lapse = 0;
    w.chance.registered = 100;
    lapse_or_register();
    world_settle_down();
    assert_int_equal(w.auth_replies, 1);
    assert_everything_in_order(RUN, repeats);
    world_close();
}

static void every_message_arrives_once_in_order_whatever_happens(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed, (struct chances){.tcp = seed % 2}, false);
}

static void also_when_the_mailbox_often_fails(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed, (struct chances){.store_fails = 30, .fetch_fails = 30, .tcp = seed % 2},
                   false);
}

static void also_when_the_mailbox_is_away_all_the_time(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed, (struct chances){.no_mailbox = true, .tcp = seed % 2}, false);
}

static void also_when_pages_are_short(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed, (struct chances){.short_page = 40, .store_fails = 5}, false);
}

static void also_with_another_device_and_replays(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed, (struct chances){.other_device = 5, .replay = 5, .store_fails = 10},
                   false);
}

/* What another session is owed is no business of one that is open, whether it has had it or not;
 * but one that connects gets all. */
static void also_with_another_slow_device(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed,
                   (struct chances){.others = seed % 3 == 0 ? 60 : 15,
                                    .short_page = seed % 2 ? 30 : 0,
                                    .other_device = seed % 5 == 0 ? 5 : 0,
                                    .replay = seed % 4 == 0 ? 5 : 0,
                                    .tcp = seed % 2},
                   false);
}

static void repeats_at_most_when_logics_overtake_each_other_or_the_lease_lapses(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed,
                   (struct chances){.overtake = 3,
                                    .refetch = 2,
                                    .replay = 3,
                                    .store_fails = 10,
                                    .fetch_fails = 10,
                                    .others = seed % 3 * 20,
                                    .tcp = seed % 2},
                   true);
}

static void what_was_settled_for_one_taken_for_dead_comes_before_what_is_newer(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 150; seed++)
        random_run(seed,
                   (struct chances){.lapse = 3,
                                    .registered = seed % 3 == 0 ? 2 : 20,
                                    .short_page = seed % 2 ? 30 : 0,
                                    .store_fails = seed % 4 == 0 ? 10 : 0,
                                    .replay = seed % 5 == 0 ? 3 : 0,
                                    .tcp = seed % 2},
                   true);
}

/* The push, or the poke, comes between the routers' hearing of the session and the answer that says
 * so. */
static void neither_a_push_nor_a_poke_overtakes_what_it_missed(void **state)
{
    (void)state;
    uint64_t poked = 6;
    world_open((struct chances){0});
    logic_answer_one();
    socket_takes_more(100);
    assert_null(w.conn.catchup);
    w.conn.missed = true;
    for (uint64_t id = 1; id <= 3; id++)
        w.mailbox[id].here = true;
    job_push(4);
    assert_int_equal(w.n_written, 0);
    world_settle_down();
    assert_everything_in_order(4, false);
    w.mailbox[5].here = true;
    w.mailbox[6] = (struct kept){.here = true, .mine = true};
    session_poke(&w.conn, &poked, 1);
    world_settle_down();
    assert_everything_in_order(6, false);
    world_close();
}

/* Messages come faster than a Store is answered, without end. */
static void catches_up_while_messages_keep_coming(void **state)
{
    (void)state;
    uint64_t next = 1;
    world_open((struct chances){0});
    logic_answer_one();
    while (w.conn.catchup == NULL || w.conn.catchup->mode != CATCHUP_SPILLING)
        job_push(next++);
    for (int i = 0; i < 30; i++)
        job_push(next++);
    while (next <= w.ids && w.conn.catchup != NULL) {
        int asked = 0;
        for (struct logic_request *request = w.requests; request != NULL; request = request->next)
            asked++;
        socket_takes_more(100);
        job_push(next++);
        while (asked-- > 0)
            logic_answer_one();
    }
    assert_null(w.conn.catchup);
    while (w.requests != NULL)
        logic_answer_one();
    assert_everything_in_order(next - 1, false);
    world_close();
}

/* Who connects meanwhile would find the newer ones alone, and get the first one after them. */
static void nothing_is_stored_without_what_is_before_it(void **state)
{
    (void)state;
    world_open((struct chances){0});
    logic_answer_one();
    for (uint64_t id = 1; id <= 3; id++)
        job_push(id);
    catchup_stalled(&w.conn);
    w.chance.store_fails = 100;
    logic_answer_one();
    w.chance.store_fails = 0;
    for (int i = 0; i < 2; i++)
        logic_answer_one();
    for (uint64_t id = 1; id <= 3; id++)
        assert_true(w.settle[id] && !w.mailbox[id].here);
    job_push(4); /* neither is what comes before job has stored them */
    logic_answer_one();
    assert_true(w.settle[4] && !w.mailbox[4].here);
    world_settle_down();
    assert_everything_in_order(4, false);
    world_close();
}

/* Another device has got what was handed back, so no poke comes: newer ones wait, but not for
 * ever, however many follow. */
static void waits_for_a_poke_only_so_long(void **state)
{
    (void)state;
    uint64_t next = 2;
    world_open((struct chances){.store_fails = 100});
    logic_answer_one();
    while (!w.settle[1]) { /* stall, fail to store, hand back */
        if (w.conn.catchup == NULL)
            job_push(1);
        catchup_stalled(&w.conn);
        logic_answer_one();
    }
    w.settle[1] = false;
    w.elsewhere[1] = true;
    w.chance.store_fails = 0;
    for (int seconds = 0; seconds < 8; seconds++) {
        job_push(next++);
        for (int i = 0; i < 10; i++) {
            socket_takes_more(10);
            logic_answer_one();
            job_settle_one();
        }
        if (seconds < 4)
            assert_int_equal(w.n_written, 0);
        struct catchup *catchup = w.conn.catchup;
        w.worker.loop.uv.time += 1000;
        if (catchup != NULL && wheel_is_set(&catchup->timer) && seconds >= 4) {
            wheel_cancel(w.worker.session_wheel, &catchup->timer);
            catchup_on_timer(w.worker.session_wheel, &catchup->timer);
        }
    }
    assert_null(w.conn.catchup);
    assert_everything_in_order(next - 1, false);
    world_close();
}

/* Of two messages the first could not be stored and was handed back to job; then the process stood
 * still for longer than a poke is waited for, and job, who took it for dead, pokes nobody. */
static void standing_still_is_no_waiting_for_a_poke(void **state)
{
    (void)state;
    world_open((struct chances){0});
    logic_answer_one();
    assert_null(w.conn.catchup);
    job_push(1);
    job_push(2);
    catchup_stalled(&w.conn);
    w.chance.store_fails = 100;
    logic_answer_one();
    w.chance.store_fails = 0;
    assert_true(w.settle[1]);
    w.settle[1] = false;
    w.mailbox[1].here = true;
    logic_answer_one();
    assert_true(w.mailbox[2].mine);
    w.worker.loop.uv.time += 10000;
    for (int i = 0; i < 10; i++) {
        socket_takes_more(10);
        logic_answer_one();
    }
    assert_int_equal(w.n_written, 0);
    catchup_refetch(&w.conn); /* it has heard that it was taken for dead, and is registered */
    for (int i = 0; i < 10; i++)
        logic_answer_one();
    assert_everything_in_order(2, false); /* at once: what was waited for has come */
    world_close();
}

/* What was read in the place of another session that is no more (six messages, two of them still in
 * the queue when the socket stalls) comes even if more is spilled then than can be listed: the
 * mailbox is read as a whole from there on. */
static void what_was_inherited_is_not_forgotten(void **state)
{
    (void)state;
    uint64_t next = 1;
    world_open((struct chances){0});
    w.ids = IDS_MAX;
    while (next <= 6)
        w.mailbox[next++] = (struct kept){.here = true, .others = true};
    for (int i = 0; i < 10; i++) {
        logic_answer_one();
        socket_takes_more(i == 0 ? 4 : 0);
    }
    assert_int_equal(w.n_written, 4);
    assert_null(w.conn.catchup); /* read to the end, and handed to the socket */
    assert_int_equal(w.n_queue, 2);
    for (uint64_t id = 1; id <= 4; id++)
        w.mailbox[id] = (struct kept){.here = true, .others = true}; /* as if it lived after all */
    catchup_stalled(&w.conn);
    while (next <= w.ids) {
        job_push(next++);
        logic_answer_one();
    }
    assert_true(w.conn.catchup->missing.everything);
    world_settle_down();
    assert_everything_in_order(w.ids, false);
    world_close();
}

static void refetching_brings_nothing_that_others_are_owed(void **state)
{
    (void)state;
    world_open((struct chances){0});
    logic_answer_one();
    socket_takes_more(100);
    for (uint64_t id = 1; id <= 10; id++)
        job_push(id);
    assert_null(w.conn.catchup);
    for (uint64_t id = 1; id <= 10; id++)
        w.mailbox[id] = (struct kept){.here = true, .others = true};
    w.mailbox[11] = (struct kept){.here = true};
    catchup_refetch(&w.conn);
    world_settle_down();
    assert_everything_in_order(11, false);
    world_close();
}

/* The rest of a message may leave tomorrow, or never: job has its answer at once. */
static void a_message_that_has_left_in_part_keeps_nobody_waiting(void **state)
{
    (void)state;
    world_open((struct chances){.begun = 100});
    logic_answer_one();
    job_push(1);
    job_push(2);
    catchup_stalled(&w.conn);
    while (w.requests != NULL)
        logic_answer_one();
    assert_int_equal(w.told, 2);
    assert_true(w.mailbox[1].mine && w.mailbox[2].mine);
    assert_int_equal(w.n_queue, 1);
    world_settle_down();
    assert_everything_in_order(2, false);
    world_close();
}

static void store_answered_while_closing_goes_back_to_job(void **state)
{
    (void)state;
    world_open((struct chances){0});
    logic_answer_one();
    job_push(1);
    catchup_stalled(&w.conn);
    w.conn.state = CONN_CLOSING;
    logic_answer_one();
    assert_true(w.mailbox[1].here);
    assert_true(w.settle[1]);
    world_close();
}

static void session_that_leaves_before_logic_answers_is_disconnected(void **state)
{
    (void)state;
    world_open((struct chances){0});
    w.mailbox[1].here = true;
    job_push(2);
    w.conn.state = CONN_CLOSED;
    session_closed(&w.conn);
    assert_true(w.settle[2]); /* what was held goes back to job */
    logic_answer_one();
    assert_non_null(w.requests);
    assert_int_equal(w.requests->kind, REQUEST_DISCONNECT);
    assert_int_equal(w.requests->uid, 42);
    assert_true(w.mailbox[1].here); /* nothing was confirmed */
    world_close();
}

static void queued_and_held_messages_go_back_when_the_session_ends(void **state)
{
    (void)state;
    world_open((struct chances){0});
    logic_answer_one();
    for (uint64_t id = 1; id <= 6; id++)
        job_push(id); /* the socket takes none: four queue, then the queue is stored */
    assert_int_equal(w.conn.catchup->mode, CATCHUP_SPILLING);
    w.conn.state = CONN_CLOSED;
    session_closed(&w.conn);
    while (w.requests != NULL)
        logic_answer_one();
    for (uint64_t id = 1; id <= 6; id++)
        assert_true(w.settle[id]);
    world_close();
}

static void refused_token_kicks(void **state)
{
    (void)state;
    world_open((struct chances){0});
    struct logic_request *request = w.requests;
    const struct admission refused = {.room = "", .reason = "unknown token"};
    struct logic_answer answer = {
        .answered = true, .status = CLOSE_BAD_TOKEN, .connect = &refused, .backing = &immortal};
    request->done(&w.worker, request, &answer);
    assert_int_equal(w.kicked, CLOSE_BAD_TOKEN);
    assert_int_equal(w.auth_replies, 0);
    world_close();
}

static void unknown_code_from_logic_is_unavailable(void **state)
{
    (void)state;
    world_open((struct chances){0});
    const struct admission refused = {.room = "", .reason = ""};
    struct logic_answer answer = {
        .answered = true, .status = 77, .connect = &refused, .backing = &immortal};
    w.requests->done(&w.worker, w.requests, &answer);
    assert_int_equal(w.kicked, CLOSE_UNAVAILABLE);
    world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_arrives_once_in_order_whatever_happens),
        cmocka_unit_test(also_when_the_mailbox_often_fails),
        cmocka_unit_test(also_when_the_mailbox_is_away_all_the_time),
        cmocka_unit_test(also_when_pages_are_short),
        cmocka_unit_test(also_with_another_device_and_replays),
        cmocka_unit_test(also_with_another_slow_device),
        cmocka_unit_test(repeats_at_most_when_logics_overtake_each_other_or_the_lease_lapses),
        cmocka_unit_test(what_was_settled_for_one_taken_for_dead_comes_before_what_is_newer),
        cmocka_unit_test(neither_a_push_nor_a_poke_overtakes_what_it_missed),
        cmocka_unit_test(catches_up_while_messages_keep_coming),
        cmocka_unit_test(waits_for_a_poke_only_so_long),
        cmocka_unit_test(standing_still_is_no_waiting_for_a_poke),
        cmocka_unit_test(what_was_inherited_is_not_forgotten),
        cmocka_unit_test(refetching_brings_nothing_that_others_are_owed),
        cmocka_unit_test(a_message_that_has_left_in_part_keeps_nobody_waiting),
        cmocka_unit_test(nothing_is_stored_without_what_is_before_it),
        cmocka_unit_test(store_answered_while_closing_goes_back_to_job),
        cmocka_unit_test(session_that_leaves_before_logic_answers_is_disconnected),
        cmocka_unit_test(queued_and_held_messages_go_back_when_the_session_ends),
        cmocka_unit_test(refused_token_kicks),
        cmocka_unit_test(unknown_code_from_logic_is_unavailable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
