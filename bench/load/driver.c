/* driver.c - the business: pushes over HTTP, open loop.
 *
 *   clock ─► the k-th push is due ─► its stream's lane: queue of due times ─► post
 *                                                      accepted[] ◄── answer ◄──┘
 *
 * A stream always uses the same connection, so its pushes are accepted in the order of sending.
 * While the connection is busy, a push waits in its lane's queue; its latency counts from when it
 * was due. Without a rate each connection pushes again as soon as it is answered. */
#include "bench/base/clock.h"
#include "bench/load/crew.h"
#include "bench/load/http_lanes.h"
#include "common/base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    IDLE_NS = 1000000,
    QUEUE_MAX = 1 << 16, /* due pushes per connection; a server further behind has failed */
    TARGET_MAX = 256,
    HTTP_OK = 200,
};

struct due {
    uint64_t time_ns;
    uint32_t stream; /* index among the streams of all kinds */
};

struct lane {
    struct due sent;   /* the push that is under way */
    struct due *queue; /* ring */
    size_t head, n;
    size_t next_stream; /* without a rate: the stream it pushes to next */
    size_t round;       /* how often it has been through its streams */
};

struct driver {
    const struct crew *crew;
    const struct driver_orders *orders;
    struct driver_stats *stats;
    struct http_lanes *http;
    struct lane *lanes;
    size_t n_lanes;
    uint32_t *seqs; /* the next number of each stream */
    bool held;      /* no pushes now: the backlog is full */
    char *body;
    size_t body_size;
    uint64_t made;                  /* pushes made for this plan */
    size_t n_streams;               /* streams of this plan */
    uint64_t of_kind[STREAM_KINDS]; /* of these, by kind */
    int64_t credit[STREAM_KINDS];
    size_t numbered; /* without stamps: pushes sent in all plans */
};

/* --- what the next push is --- */

/* Smooth weighted round robin over the kinds. */
static enum stream_kind pick_kind(struct driver *driver)
{
    const struct driver_orders *orders = driver->orders;
    enum stream_kind best = STREAM_UID;
    int64_t total = 0;

    for (int kind = 0; kind < STREAM_KINDS; kind++) {
        driver->credit[kind] += (int64_t)orders->share[kind];
        total += (int64_t)orders->share[kind];
        if (driver->credit[kind] > driver->credit[best])
            best = kind;
    }
    driver->credit[best] -= total;
    return best;
}

static uint32_t pick_stream(struct driver *driver)
{
    enum stream_kind kind = pick_kind(driver);
    uint64_t n = people_streams(&driver->crew->people, kind);

    if (n == 0) /* nobody is in a room */
        return 0;
    return (uint32_t)(driver->crew->shared->first_of_kind[kind] + driver->of_kind[kind]++ % n);
}

static void split_stream(const struct driver *driver, uint32_t stream, struct stamp *stamp)
{
    const struct shared *shared = driver->crew->shared;
    size_t within;

    stamp->kind = stream >= shared->first_of_kind[STREAM_ALL]    ? STREAM_ALL
                  : stream >= shared->first_of_kind[STREAM_ROOM] ? STREAM_ROOM
                                                                 : STREAM_UID;
    within = stream - shared->first_of_kind[stamp->kind];
    stamp->number = (uint32_t)(within / driver->crew->people.lanes[stamp->kind]);
    stamp->lane = (uint32_t)(within % driver->crew->people.lanes[stamp->kind]);
}

/* --- pushing --- */

static void body_room(struct driver *driver, size_t size)
{
    if (size <= driver->body_size)
        return;
    driver->body_size = size;
    driver->body = mem_realloc(driver->body, size);
}

/* {"u":[1,2],"m":MESSAGE} */
static size_t write_batch(struct driver *driver, const struct stamp *stamp)
{
    const struct people *people = &driver->crew->people;
    size_t members = people_members(people, STREAM_UID, stamp->number), at;

    body_room(driver, members * 21 + driver->crew->config->size + STAMP_SIZE + 16);
    at = (size_t)snprintf(driver->body, 8, "{\"u\":[");
    for (size_t i = 0; i < members; i++)
        at += (size_t)snprintf(driver->body + at, 22, "%s%" PRIu64, i > 0 ? "," : "",
                               people->uid_base + stamp->number * people->group + i);
    at += (size_t)snprintf(driver->body + at, 8, "],\"m\":");
    at += stamp_write(stamp, driver->body + at, driver->crew->config->size);
    driver->body[at++] = '}';
    return at;
}

static size_t write_request(struct driver *driver, const struct stamp *stamp,
                            char target[TARGET_MAX])
{
    const struct people *people = &driver->crew->people;
    char room[PEOPLE_NAME_MAX];

    if (stamp->kind == STREAM_UID && people->group > 1) {
        snprintf(target, TARGET_MAX, "/1/pushs");
        return write_batch(driver, stamp);
    }
    if (stamp->kind == STREAM_UID) {
        snprintf(target, TARGET_MAX, "/1/push?uid=%" PRIu64, people->uid_base + stamp->number);
    } else if (stamp->kind == STREAM_ROOM) {
        people_room(people, stamp->number, room);
        snprintf(target, TARGET_MAX, "/1/push/room?rid=%s&ensure=true", room);
    } else {
        snprintf(target, TARGET_MAX, "/1/push/all");
    }
    body_room(driver, driver->crew->config->size + STAMP_SIZE);
    if (people->plain != NULL) {
        memcpy(driver->body, people->plain, driver->crew->config->size);
        return driver->crew->config->size;
    }
    return stamp_write(stamp, driver->body, driver->crew->config->size);
}

/* Notes when a push without a stamp was due; its receivers look that up by its number. If a push is
 * refused, the next accepted one is taken for it, and gets its time. */
static void note_due(struct driver *driver, uint64_t due_ns)
{
    struct shared *shared = driver->crew->shared;

    if (shared->due_ns == NULL)
        return;
    if (driver->numbered == NUMBERED_MAX)
        shared_fail(shared, "pushing: too many messages without a stamp in one run");
    else
        atomic_store_explicit(&shared->due_ns[driver->numbered++], due_ns, memory_order_relaxed);
}

static void push(struct driver *driver, size_t i, uint32_t stream, uint64_t due_ns)
{
    struct stamp stamp = {.run = driver->crew->people.run, .time_ns = due_ns};
    struct lane *lane = &driver->lanes[i];
    char target[TARGET_MAX];
    size_t len;

    stamp.seq = driver->seqs[stream]++;
    split_stream(driver, stream, &stamp);
    lane->sent = (struct due){.time_ns = due_ns, .stream = stream};
    note_due(driver, due_ns);
    len = write_request(driver, &stamp, target);
    shared_add(&driver->stats->sent, 1);
    if (http_lanes_post(driver->http, i, target, driver->body, len) != 0)
        shared_fail(driver->crew->shared, "pushing: the HTTP API cannot be reached any more");
}

/* --- open loop --- */

static void enqueue(struct driver *driver, uint32_t stream, uint64_t due_ns)
{
    struct lane *lane;

    assert(driver->n_lanes > 0);
    lane = &driver->lanes[stream % driver->n_lanes];
    if (lane->n == QUEUE_MAX) {
        shared_fail(driver->crew->shared, "pushing: the rate is far more than the server accepts");
        return;
    }
    if (lane->queue == NULL)
        lane->queue = mem_alloc(QUEUE_MAX * sizeof lane->queue[0]);
    lane->queue[(lane->head + lane->n++) % QUEUE_MAX] =
        (struct due){.time_ns = due_ns, .stream = stream};
}

static void push_next(struct driver *driver, size_t i)
{
    struct lane *lane = &driver->lanes[i];
    struct due due;

    if (lane->n == 0 || !http_lanes_idle(driver->http, i))
        return;
    due = lane->queue[lane->head];
    lane->head = (lane->head + 1) % QUEUE_MAX;
    lane->n--;
    push(driver, i, due.stream, due.time_ns);
}

/* --- as fast as it goes --- */

static bool plan_over(const struct driver *driver, uint64_t now)
{
    const struct driver_orders *orders = driver->orders;

    return (orders->rounds > 0 && driver->made >= orders->rounds * driver->n_streams) ||
           (orders->rounds == 0 &&
            now - driver->stats->start_ns >= orders->duration_ms * UINT64_C(1000000)) ||
           shared_get(&orders->stop) >= driver->stats->running;
}

/* The only kind that has a share. Its streams are spread over the connections. */
static enum stream_kind only_kind(const struct driver *driver)
{
    for (int kind = 0; kind < STREAM_KINDS; kind++)
        if (driver->orders->share[kind] > 0)
            return kind;
    return STREAM_UID;
}

/* True: so many deliveries are under way that more pushes would only wait in the bus. */
static bool backlog_full(const struct driver *driver)
{
    const struct crew *crew = driver->crew;

    return driver->orders->backlog > 0 &&
           driver->stats->expected > CREW_SUM(crew, fresh) + driver->orders->backlog;
}

static void push_again(struct driver *driver, size_t i)
{
    struct lane *lane = &driver->lanes[i];
    enum stream_kind kind = only_kind(driver);
    size_t n = driver->n_streams;
    uint64_t now = clock_ns();

    if (driver->held || !http_lanes_idle(driver->http, i) || plan_over(driver, now))
        return;
    if (lane->next_stream >= n) {
        lane->next_stream = i;
        lane->round++;
    }
    if (i >= n || (driver->orders->rounds > 0 && lane->round >= driver->orders->rounds))
        return;
    driver->made++;
    shared_add(&driver->stats->meant, 1);
    push(driver, i, (uint32_t)(driver->crew->shared->first_of_kind[kind] + lane->next_stream), now);
    lane->next_stream += driver->n_lanes;
}

/* --- answers --- */

static void count_accepted(struct driver *driver, uint32_t stream)
{
    struct stamp stamp;
    _Atomic uint32_t *accepted = &driver->crew->shared->accepted[stream];

    split_stream(driver, stream, &stamp);
    uint32_t before = atomic_load_explicit(accepted, memory_order_relaxed);

    atomic_store_explicit(accepted, before + 1, memory_order_relaxed);
    shared_add(&driver->stats->accepted, 1);
    shared_add(&driver->stats->expected,
               people_members(&driver->crew->people, stamp.kind, stamp.number));
    driver->held = backlog_full(driver);
}

static void count_refused(struct driver *driver, int status, const char *body, size_t len)
{
    if (driver->stats->refused == 0)
        snprintf(driver->stats->refusal, sizeof driver->stats->refusal, "HTTP %d: %.*s", status,
                 len < 120 ? (int)len : 120, body);
    shared_add(&driver->stats->refused, 1);
}

static void on_answer(void *arg, size_t i, int status, const char *body, size_t len)
{
    struct driver *driver = arg;
    struct lane *lane = &driver->lanes[i];

    if (status == HTTP_OK && memmem(body, len, "\"ret\":1}", 8) != NULL) {
        count_accepted(driver, lane->sent.stream);
        hist_record(&driver->stats->answer, clock_ns() - lane->sent.time_ns);
    } else if (status == 0) {
        shared_add(&driver->stats->unknown, 1);
    } else {
        count_refused(driver, status, body, len);
    }
    if (driver->orders->rate > 0)
        push_next(driver, i);
    else
        push_again(driver, i);
}

/* --- plans --- */

static bool lanes_done(const struct driver *driver)
{
    for (size_t i = 0; i < driver->n_lanes; i++)
        if (driver->lanes[i].n > 0 || !http_lanes_idle(driver->http, i))
            return false;
    return true;
}

/* Puts the pushes that are due by NOW into the queues. */
static void make_due(struct driver *driver, uint64_t now)
{
    uint64_t rate = driver->orders->rate, start = driver->stats->start_ns;

    for (;;) {
        uint64_t due = start + (uint64_t)((double)driver->made * 1e9 / (double)rate);
        uint32_t stream;
        if (due > now || plan_over(driver, due))
            return;
        stream = pick_stream(driver);
        enqueue(driver, stream, due);
        driver->made++;
        shared_add(&driver->stats->meant, 1);
        push_next(driver, stream % driver->n_lanes);
    }
}

/* Waits for an answer, or until the next push is due. */
static void wait_for_event(struct driver *driver, uint64_t now)
{
    uint64_t rate = driver->orders->rate, next = now + IDLE_NS;

    if (rate > 0 && !plan_over(driver, now))
        next = driver->stats->start_ns + (uint64_t)((double)driver->made * 1e9 / (double)rate);
    if (next > now + IDLE_NS)
        next = now + IDLE_NS;
    http_lanes_poll(driver->http, next > now ? (int64_t)(next - now) : 0);
}

static void run_plan(struct driver *driver, uint64_t plan)
{
    driver->made = 0;
    driver->n_streams = 0;
    for (int kind = 0; kind < STREAM_KINDS; kind++)
        if (driver->orders->share[kind] > 0)
            driver->n_streams += people_streams(&driver->crew->people, kind);
    for (size_t i = 0; i < driver->n_lanes; i++) {
        driver->lanes[i].next_stream = i;
        driver->lanes[i].round = 0;
    }
    shared_set(&driver->stats->start_ns, clock_ns());
    shared_set(&driver->stats->running, plan);
    while (shared_get(&driver->crew->shared->failed) == 0) {
        uint64_t now = clock_ns();
        driver->held = backlog_full(driver);
        if (driver->orders->rate > 0)
            make_due(driver, now);
        else
            for (size_t i = 0; i < driver->n_lanes; i++)
                push_again(driver, i);
        if (plan_over(driver, now) && lanes_done(driver))
            break;
        wait_for_event(driver, now);
    }
    shared_set(&driver->stats->end_ns, clock_ns());
    shared_set(&driver->stats->running, 0);
    shared_set(&driver->stats->done, plan);
}

static int driver_open(struct driver *driver, const struct crew *crew)
{
    const struct http_lanes_options options = {
        .address = crew->config->http,
        .key = crew->config->key,
        .lanes = crew->config->http_lanes,
        .answer = on_answer,
        .arg = driver,
    };
    char err[256];

    driver->crew = crew;
    driver->orders = &crew->shared->driver_orders;
    driver->stats = &crew->shared->driver;
    driver->n_lanes = crew->config->http_lanes;
    driver->lanes = mem_zalloc(driver->n_lanes * sizeof driver->lanes[0]);
    driver->seqs = mem_zalloc(crew->shared->streams * sizeof driver->seqs[0]);
    if (http_lanes_open(&options, &driver->http, err, sizeof err) == 0)
        return 0;
    shared_fail(crew->shared, err);
    return -1;
}

_Noreturn void driver_run(const struct crew *crew)
{
    struct driver driver = {.made = 0};
    bool ready = driver_open(&driver, crew) == 0;

    while (ready && shared_get(&crew->shared->failed) == 0) {
        uint64_t plan = shared_get(&driver.orders->plan);
        if (plan > driver.stats->done)
            run_plan(&driver, plan);
        else
            http_lanes_poll(driver.http, IDLE_NS); /* notices connections that the server closes */
    }
    for (;;)
        pause();
}
