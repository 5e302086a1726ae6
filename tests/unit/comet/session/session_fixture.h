/* session_fixture.h - a session against a model: a socket that takes what it likes when it likes, a
 * mailbox that it shares with other sessions of its user, a job that settles what was handed back,
 * in random order of events. Whatever happens, the client must see every message once, in order. */
#ifndef IMC_TESTS_UNIT_COMET_SESSION_SESSION_FIXTURE_H
#define IMC_TESTS_UNIT_COMET_SESSION_SESSION_FIXTURE_H

#include "tests/unit/comet/session/session_world.h"

/* --- fake of job: tickets carry the id; what is handed back is settled, and meanwhile the user's
 * next messages wait --- */

static inline void no_free(struct backing *backing)
{
    (void)backing;
}

static struct backing immortal = {.refs = 1, .free = no_free};

static inline void job_told(void *owner, uint64_t id, struct conn *conn, enum ticket_result result)
{
    (void)owner, (void)conn;
    w.told++;
    w.out--;
    if (result == TICKET_DROPPED)
        w.settle[id] = true;
}

static inline void job_tells_push(const struct ticket *ticket, struct push *push)
{
    *push = (struct push){.backing = &immortal, .id = ticket->arg};
}

static const struct ticket_ops job_ops = {.done = job_told, .push = job_tells_push};

static inline bool job_settles(void)
{
    for (uint64_t id = 1; id <= w.ids; id++) {
        if (w.settle[id])
            return true;
    }
    return false;
}

static inline void job_push(uint64_t id);

static inline void job_settle_one(void)
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
static inline void job_replay(void)
{
    for (uint64_t id = 1; id <= w.ids; id++) {
        if (!w.settle[id])
            continue;
        w.settle[id] = false;
        job_push(id);
    }
}

/* One that connects: it gets all, and takes away what nobody is owed. */
static inline void other_device_fetches(void)
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
static inline void other_device_spills(uint64_t id)
{
    struct kept *kept = &w.mailbox[id];
    /* It took what this one had handed back. But if one of several sessions acknowledges, job
     * pushes to none. */
    if (w.settle[id] && w.chance.acks == 0) {
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

static inline void job_push(uint64_t id)
{
    struct push push = {.backing = &immortal, .id = id};
    w.out++;
    session_push(&w.conn, &push, (struct ticket){.ops = &job_ops, .arg = id});
}

/* Routers do not know a session that was taken for dead until it is registered: then they do, and
 * it does not know that yet. What is settled first is in the mailbox, and nobody pokes for it; what
 * comes after that is pushed. But nothing is settled past what was pushed: job's order rule. */
static inline void job_next(uint64_t id)
{
    if (w.conn.missed && w.out == 0 && happens(50))
        w.mailbox[id].here = true;
    else
        job_push(id);
}

static inline void lapse_or_register(void)
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
    STAILQ_INSERT_TAIL(&w.requests, request, link);
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
static inline void logic_page(const struct logic_request *request, struct mailbox_page *out)
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

static inline struct logic_request *logic_take(void)
{
    struct logic_request *request = STAILQ_FIRST(&w.requests);
    for (int skip = w.chance.overtake == 0 ? 0 : rand() % (w.chance.overtake + 1);
         skip > 0 && request != NULL && STAILQ_NEXT(request, link) != NULL; skip--)
        request = STAILQ_NEXT(request, link);
    if (request != NULL)
        STAILQ_REMOVE(&w.requests, request, logic_request, link);
    return request;
}

static inline void logic_answer_one(void)
{
    struct logic_request *request = logic_take();
    if (request == NULL)
        return;
    struct logic_answer answer = {.answered = true, .backing = &immortal};
    struct push values[PAGE];
    struct mailbox_page fetch = {.waiting = values};
    struct admission connect = {
        .uid = 42, .room = "", .rooms = "", .reason = "", .acked = w.chance.acks != 0};
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
    free(request->key);
    free(request);
}

/* --- the model --- */

static inline void socket_takes_more(int n)
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
static inline void timer_fires(void)
{
    struct catchup *catchup = w.conn.catchup;
    if (catchup == NULL || !wheel_is_set(&catchup->timer))
        return;
    if (catchup->awaits_poke && !job_settles())
        w.worker.loop.uv.time += 5000;
    wheel_cancel(w.worker.session_wheel, &catchup->timer);
    catchup_on_timer(w.worker.session_wheel, &catchup->timer);
}

/* The client acknowledges up to N of what it has not acknowledged. */
static inline void client_acks(uint32_t n)
{
    uint32_t left = w.numbered - w.acked;
    if (w.conn.state != CONN_OPEN || n == 0 || left == 0)
        return;
    w.acked += n < left ? n : left;
    acks_take(&w.conn, &(struct client_request){.op = OP_ACK, .seq = (int32_t)w.acked});
}

/* Time passes for an acknowledged session. */
static inline void ack_timer_fires(void)
{
    struct acks *acks = acks_of(&w.conn);
    if (acks == NULL || !wheel_is_set(&acks->timer))
        return;
    w.worker.loop.uv.time += 50;
    wheel_cancel(w.worker.ack_wheel, &acks->timer);
    acks_on_timer(w.worker.ack_wheel, &acks->timer);
}

static inline void world_open(struct chances chance)
{
    memset(&w, 0, sizeof w);
    w.ids = RUN;
    STAILQ_INIT(&w.requests);
    w.config.held_messages = 5;
    w.config.connect_ms = 1000;
    w.config.sdk_gap_ms = 50;
    w.config.ack_window = 6;
    w.config.ack_wait_ms = 100;
    w.chance = chance;
    assert_int_equal(loop_init(&w.worker.loop, "test", 0), 0);
    w.worker.config = &w.config;
    w.worker.counters = w.counters;
    w.worker.table = handle_table_open(0);
    w.worker.session_wheel = wheel_open(&w.worker.loop, 10, 64, catchup_on_timer);
    w.worker.ack_wheel = wheel_open(&w.worker.loop, 10, 64, acks_on_timer);
    w.conn.worker = &w.worker;
    w.conn.by_object = chance.acks != 0;
    w.conn.state = CONN_AUTH;
    w.conn.wire = chance.tcp ? WIRE_TCP : WIRE_WS_JSON;
    session_connect(&w.conn, (const uint8_t *)"token", 5, 7);
}

static inline void world_close(void)
{
    while (!STAILQ_EMPTY(&w.requests))
        logic_answer_one();
    if (w.conn.handle != 0)
        session_closed(&w.conn);
    while (!STAILQ_EMPTY(&w.requests))
        logic_answer_one();
    goim_keys_close(&w.worker);
    wheel_close(w.worker.session_wheel);
    wheel_close(w.worker.ack_wheel);
    loop_close(&w.worker.loop);
    handle_table_close(w.worker.table);
}

static inline void world_settle_down(void)
{
    for (uint64_t i = 0; i < 20 * w.ids; i++) {
        socket_takes_more(10);
        logic_answer_one();
        job_settle_one();
        timer_fires();
        client_acks(10);
    }
}

/* Every message that no other device got has come, its first copy after those of all older ones;
 * and no second copy, unless REPEATS. */
static inline void assert_everything_in_order(uint64_t last, bool repeats)
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
    if (repeats && w.chance.acks != 0) /* what was acknowledged may wait for a poke in vain */
        return;
    for (uint64_t id = 0; id <= w.ids; id++)
        assert_true(!w.mailbox[id].here || (w.mailbox[id].others && !w.mailbox[id].mine));
}

static inline void random_event(uint64_t next)
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
    if (happens(w.chance.acks))
        client_acks((uint32_t)rand() % 5);
    if (w.chance.acks != 0 && happens(10))
        ack_timer_fires();
}

static inline void random_run(unsigned seed, struct chances chance, bool repeats)
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

#endif
