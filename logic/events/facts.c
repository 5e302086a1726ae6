#include "logic/events/facts.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/events/event_types.h"
#include "logic/events/fact_text.h"
#include "logic/events/facts_end.lua.h"
#include "logic/events/facts_take.lua.h"
#include "logic/events/session_log.h"
#include "logic/mailbox/mailbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 100,
    LEASE_MS = 15000, /* a logic that has not looked again by then is taken for dead */
    TAKE_MOST = 2000,
    SWEEP_MOST = 200,
    NUMBER_MAX = 24,
};

static struct redis_script take_script = {.source = facts_take_lua};
static struct redis_script end_script = {.source = facts_end_lua};

struct facts_shard;

/* A fact on its way to the log. */
struct fact {
    struct ordered_ticket ticket;
    struct facts_shard *shard;
};

struct facts_shard {
    struct facts *facts; /* NULL: closed meanwhile */
    size_t index;
    struct fact *list; /* those that were taken; NULL: none */
    size_t n, left;    /* left: without an answer of the log */
    bool asked;        /* Redis has not answered */
    bool failed;       /* some of the list are not in the log */
    int64_t lost;      /* as Redis says */
    uint64_t again_ms; /* loop time: another logic has them until then */
};

struct facts {
    struct logic *logic;
    char owner[40]; /* of this process */
    uv_timer_t timer;
    struct facts_shard **shards;
    size_t n;
};

static const char *number_text(uint64_t number, char text[NUMBER_MAX])
{
    (void)snprintf(text, NUMBER_MAX, "%" PRIu64, number);
    return text;
}

/* Frees SHARD if facts_close() has left it to us. */
static bool shard_is_left(struct facts_shard *shard)
{
    if (shard->facts != NULL)
        return false;
    if (!shard->asked && shard->left == 0) {
        free(shard->list);
        free(shard);
    }
    return true;
}

static void look(struct facts_shard *shard);

/* --- to the log --- */

static void on_ended(struct redis *redis, const redisReply *reply, void *arg)
{
    struct facts_shard *shard = arg;
    bool more = shard->n == TAKE_MOST;

    (void)redis;
    (void)reply; /* otherwise they are taken again, and the log has them twice */
    shard->asked = false;
    shard->n = 0;
    if (!shard_is_left(shard) && more)
        look(shard);
}

static void shard_end(struct facts_shard *shard)
{
    struct logic *logic = shard->facts->logic;
    char n[NUMBER_MAX];
    const char *argv[] = {"imc:facts", "imc:facts:owner", shard->facts->owner,
                          number_text(shard->n, n)};

    if (logic->redis == NULL)
        return;
    shard->asked = true;
    redis_eval(
        logic->redis,
        &(struct redis_eval){
            .script = &end_script, .shard = shard->index, .keys = 2, .argc = 4, .argv = argv},
        on_ended, shard);
}

static void on_written(struct ordered_ticket *ticket, int err)
{
    struct facts_shard *shard = container_of(ticket, struct fact, ticket)->shard;

    shard->failed |= err != 0;
    if (--shard->left > 0 || shard_is_left(shard))
        return;
    free(shard->list);
    shard->list = NULL;
    if (!shard->failed)
        shard_end(shard);
}

/* False: the log does not take it now. What is no fact is passed over. */
static bool fact_write(struct logic *logic, const redisReply *text, struct fact *fact)
{
    Imc__V1__SessionRecord record;
    struct fact_text read;
    char key[MESSAGE_FACT_MAX];

    if (text->type != REDIS_REPLY_STRING || !fact_text_read(text->str, text->len, &read)) {
        log_error("what imc:facts has is not ours", "bytes=%zu hint=\"only logic writes it\"",
                  (size_t)text->len);
        fact->ticket.done = NULL;
        return true;
    }
    const struct event_type_name *type = &event_type_names[read.type];
    imc__v1__session_record__init(&record);
    record.what = (Imc__V1__SessionRecord__What)type->record;
    record.message = read.message;
    record.uid = read.uid;
    record.at_ms = read.at_ms;
    record.session = mem_unconst(read.session);
    record.why = mem_unconst(read.why);
    fact->ticket.done = on_written;
    size_t len = message_fact_write(read.uid, read.message, read.session, type->what, key);
    return session_log_write_with(logic, key, len, &record, &fact->ticket) == 0;
}

static void shard_write(struct facts_shard *shard, const redisReply *list)
{
    struct logic *logic = shard->facts->logic;

    shard->n = 0;
    shard->failed = false;
    shard->list = mem_zalloc(list->elements * sizeof *shard->list);
    while (shard->n < list->elements) {
        struct fact *fact = &shard->list[shard->n];
        fact->shard = shard;
        if (!fact_write(logic, list->element[shard->n], fact))
            break;
        shard->n++;
        shard->left += fact->ticket.done != NULL;
    }
    if (shard->left > 0)
        return;
    free(shard->list);
    shard->list = NULL;
    if (shard->n > 0)
        shard_end(shard);
}

/* --- from Redis --- */

/* Another logic has them for LEFT_MS yet: if it does not look again by then, it is dead. */
static void others_have(struct facts_shard *shard, int64_t left_ms)
{
    if (left_ms > 0 && left_ms <= LEASE_MS)
        shard->again_ms = loop_now_ms(shard->facts->logic->loop) + (uint64_t)left_ms;
}

static void on_taken(struct redis *redis, const redisReply *reply, void *arg)
{
    struct facts_shard *shard = arg;

    (void)redis;
    shard->asked = false;
    if (shard_is_left(shard) || reply == NULL || reply->type != REDIS_REPLY_ARRAY)
        return; /* the next look asks again; what Redis lacks is said elsewhere */
    shard->lost = 0;
    if (reply->elements == 1) {
        others_have(shard, reply->element[0]->integer);
        return;
    }
    if (reply->elements != 3 || reply->element[0]->type != REDIS_REPLY_ARRAY ||
        reply->element[1]->type != REDIS_REPLY_ARRAY)
        return;
    shard->lost = reply->element[2]->integer;
    for (size_t i = 0; i < reply->element[1]->elements; i++)
        mailbox_sweep(shard->facts->logic, strtoll(reply->element[1]->element[i]->str, NULL, 10));
    if (reply->element[0]->elements > 0)
        shard_write(shard, reply->element[0]);
}

static void look(struct facts_shard *shard)
{
    struct logic *logic = shard->facts->logic;
    char lease[NUMBER_MAX], most[NUMBER_MAX], now[NUMBER_MAX], users[NUMBER_MAX];

    if (shard->asked || shard->left > 0 || logic->draining || logic->redis == NULL ||
        session_log_partitions(logic) == 0 || loop_now_ms(logic->loop) < shard->again_ms)
        return;
    const char *argv[] = {"imc:facts",
                          "imc:facts:owner",
                          "imc:facts:lost",
                          "imc:ends",
                          shard->facts->owner,
                          number_text(LEASE_MS, lease),
                          number_text(TAKE_MOST, most),
                          number_text(logic_now_ms(logic), now),
                          number_text(SWEEP_MOST, users)};
    shard->asked = true;
    redis_eval(
        logic->redis,
        &(struct redis_eval){
            .script = &take_script, .shard = shard->index, .keys = 4, .argc = 9, .argv = argv},
        on_taken, shard);
}

static void on_look(uv_timer_t *timer)
{
    struct facts *facts = container_of(timer, struct facts, timer);

    for (size_t i = 0; i < facts->n; i++)
        look(facts->shards[i]);
}

/* --- life --- */

struct facts *facts_open(struct logic *logic)
{
    uint64_t random = random_number();

    loop_assert_owner(logic->loop);
    if (logic->session_log == NULL || (logic->event_types & EVENTS_OF_MESSAGES) == 0)
        return NULL;
    struct facts *facts = mem_zalloc(sizeof *facts);
    facts->logic = logic;
    (void)snprintf(facts->owner, sizeof facts->owner, "%016" PRIx64, random);
    facts->n = redis_shards(logic->redis);
    facts->shards = mem_alloc((facts->n + 1) * sizeof(struct facts_shard *));
    for (size_t i = 0; i < facts->n; i++) {
        facts->shards[i] = mem_zalloc(sizeof *facts->shards[i]);
        facts->shards[i]->facts = facts;
        facts->shards[i]->index = i;
    }
    uv_timer_init(&logic->loop->uv, &facts->timer);
    uv_timer_start(&facts->timer, on_look, LOOK_MS, LOOK_MS);
    return facts;
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct facts, timer));
}

void facts_close(struct facts *facts)
{
    if (facts == NULL)
        return;
    loop_assert_owner(facts->logic->loop);
    for (size_t i = 0; i < facts->n; i++) {
        facts->shards[i]->facts = NULL;
        (void)shard_is_left(facts->shards[i]);
    }
    free(facts->shards);
    uv_close((uv_handle_t *)&facts->timer, on_closed);
}

void facts_scrape(const struct facts *facts)
{
    int64_t lost = 0;

    if (facts == NULL)
        return;
    for (size_t i = 0; i < facts->n; i++)
        lost += facts->shards[i]->lost;
    metric_set(facts->logic->counters, LOGIC_FACTS_LOST, lost);
}
