#include "logic/later/later.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "logic/later/later_add.lua.h"
#include "logic/later/later_cancel.lua.h"
#include "logic/later/later_end.lua.h"
#include "logic/later/later_list.lua.h"
#include "logic/later/later_take.lua.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 200,
    /* A logic that has not delivered by then is taken for dead. A push takes bus.timeout at most,
     * and is known by its idempotency key for five minutes. */
    LEASE_MS = 60000,
    TAKE_MOST = 64,
    BYTES_MOST = 1 << 20,
    NUMBER_MAX = 24,
};

static struct redis_script add_script = {.source = later_add_lua};
static struct redis_script take_script = {.source = later_take_lua};
static struct redis_script end_script = {.source = later_end_lua};
static struct redis_script cancel_script = {.source = later_cancel_lua};
static struct redis_script list_script = {.source = later_list_lua};

struct later {
    struct logic *logic;
    later_deliver_fn deliver;
    uv_timer_t timer;
    struct later_shard {
        struct later *later; /* NULL: closed meanwhile */
        size_t index;
        bool asked;
    } * *shards;
    size_t n;
};

/* What follows the keys. */
struct run {
    struct redis_script *script;
    size_t shard;
    const char *args[4];
    int n;
    size_t bytes; /* of the third one; 0: as all, it ends with NUL */
};

static void run(struct logic *logic, const struct run *what, redis_fn fn, void *arg)
{
    const char *argv[7] = {"imc:later", "imc:later:taken", "imc:later:what"};
    size_t argvlen[7] = {9, 15, 14};

    for (int i = 0; i < what->n; i++) {
        argv[3 + i] = what->args[i];
        argvlen[3 + i] = i == 2 && what->bytes > 0 ? what->bytes : strlen(what->args[i]);
    }
    redis_eval(logic->redis,
               &(struct redis_eval){.script = what->script,
                                    .shard = what->shard,
                                    .keys = 3,
                                    .argc = 3 + what->n,
                                    .argv = argv,
                                    .argvlen = argvlen},
               fn, arg);
}

static size_t shard_of(const struct logic *logic, const char *id)
{
    return redis_shard_of(logic->redis, id, strlen(id));
}

static const char *number_text(uint64_t number, char text[NUMBER_MAX])
{
    snprintf(text, NUMBER_MAX, "%" PRIu64, number);
    return text;
}

/* --- add, cancel --- */

struct later_call {
    later_fn fn;
    void *arg;
    int none; /* what 0 means */
};

static void on_changed(struct redis *redis, const redisReply *reply, void *arg)
{
    struct later_call call = *(struct later_call *)arg;
    bool good = reply != NULL && reply->type == REDIS_REPLY_INTEGER;

    (void)redis;
    free(arg);
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        log_error("redis refused a message for later", "err=\"%s\"", reply->str);
    call.fn(call.arg, !good                  ? -EAGAIN
                      : reply->integer == 1  ? 0
                      : reply->integer == 0  ? call.none
                      : reply->integer == -1 ? -E2BIG
                                             : -EBUSY);
}

static struct later_call *call_new(later_fn fn, void *arg, int none)
{
    struct later_call *call = mem_alloc(sizeof *call);

    *call = (struct later_call){fn, arg, none};
    return call;
}

void later_add(struct logic *logic, const struct later_item *item, later_fn fn, void *arg)
{
    char due[NUMBER_MAX], most[NUMBER_MAX];
    size_t shards = redis_shards(logic->redis);
    uint64_t max = ((uint64_t)logic->config->later_max + shards - 1) / shards;
    const struct run what = {
        .script = &add_script,
        .shard = shard_of(logic, item->id),
        .args = {item->id, number_text(item->due_ms, due), item->record, number_text(max, most)},
        .n = 4,
        .bytes = item->len};

    loop_assert_owner(logic->loop);
    run(logic, &what, on_changed, call_new(fn, arg, -EEXIST));
}

void later_cancel(struct logic *logic, const char *id, later_fn fn, void *arg)
{
    const struct run what = {
        .script = &cancel_script, .shard = shard_of(logic, id), .args = {id}, .n = 1};

    loop_assert_owner(logic->loop);
    run(logic, &what, on_changed, call_new(fn, arg, -ENOENT));
}

/* --- end --- */

static void on_ended(struct redis *redis, const redisReply *reply, void *arg)
{
    (void)redis;
    (void)arg;
    /* It is taken again when the lease ends, and known by its idempotency key. */
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
        log_warn("the end of a message for later is not kept", "err=\"%s\"",
                 reply != NULL ? reply->str : "no answer from redis");
}

void later_end(struct logic *logic, const char *id, uint64_t again_ms)
{
    char due[NUMBER_MAX] = "";

    if (logic->redis == NULL)
        return;
    const struct run what = {.script = &end_script,
                             .shard = shard_of(logic, id),
                             .args = {id, again_ms != 0 ? number_text(again_ms, due) : due},
                             .n = 2};
    run(logic, &what, on_ended, NULL);
}

/* --- list --- */

struct list_call {
    later_list_fn fn;
    void *arg;
};

static void on_list(struct redis *redis, const redisReply *reply, void *arg)
{
    struct list_call call = *(struct list_call *)arg;
    struct later_item items[LATER_PAGE_MAX];
    size_t n = 0;

    (void)redis;
    free(arg);
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        call.fn(call.arg, -EAGAIN, NULL, 0);
        return;
    }
    for (size_t i = 0; i + 2 < reply->elements && n < LATER_PAGE_MAX; i += 3) {
        const redisReply *record = reply->element[i + 2];
        items[n++] = (struct later_item){reply->element[i]->str,
                                         strtoull(reply->element[i + 1]->str, NULL, 10),
                                         record->str, record->len};
    }
    call.fn(call.arg, 0, items, n);
}

void later_list(struct logic *logic, const struct later_from *from, later_list_fn fn, void *arg)
{
    char begin[NUMBER_MAX], most[NUMBER_MAX], bytes[NUMBER_MAX];
    const struct run what = {.script = &list_script,
                             .shard = from->shard,
                             .args = {number_text(from->due_ms, begin), from->after,
                                      number_text(from->limit, most),
                                      number_text(BYTES_MOST, bytes)},
                             .n = 4};
    struct list_call *call = mem_alloc(sizeof *call);

    *call = (struct list_call){fn, arg};
    run(logic, &what, on_list, call);
}

/* --- what is due --- */

static void look(struct later_shard *shard);

static void on_due(struct redis *redis, const redisReply *reply, void *arg)
{
    struct later_shard *shard = arg;

    (void)redis;
    shard->asked = false;
    if (shard->later == NULL) { /* later_close() has left it to us */
        free(shard);
        return;
    }
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY)
        return; /* the next look asks again; what Redis lacks is said elsewhere */
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *record = reply->element[i + 1];
        shard->later->deliver(shard->later->logic,
                              &(struct later_item){.id = reply->element[i]->str,
                                                   .record = record->str,
                                                   .len = record->len});
    }
    if (reply->elements > 0)
        look(shard);
}

static void look(struct later_shard *shard)
{
    struct logic *logic = shard->later->logic;
    char now[NUMBER_MAX], until[NUMBER_MAX], most[NUMBER_MAX], bytes[NUMBER_MAX];
    uint64_t now_ms = logic_now_ms(logic);
    const struct run what = {.script = &take_script,
                             .shard = shard->index,
                             .args = {number_text(now_ms, now),
                                      number_text(now_ms + LEASE_MS, until),
                                      number_text(TAKE_MOST, most), number_text(BYTES_MOST, bytes)},
                             .n = 4};

    if (shard->asked || logic->draining || !logic->has_node)
        return;
    shard->asked = true;
    run(logic, &what, on_due, shard);
}

static void on_look(uv_timer_t *timer)
{
    struct later *later = container_of(timer, struct later, timer);

    for (size_t i = 0; i < later->n; i++)
        look(later->shards[i]);
}

struct later *later_open(struct logic *logic, later_deliver_fn deliver)
{
    struct later *later = mem_zalloc(sizeof *later);

    later->logic = logic;
    later->deliver = deliver;
    later->n = redis_shards(logic->redis);
    later->shards = mem_alloc((later->n + 1) * sizeof(struct later_shard *));
    for (size_t i = 0; i < later->n; i++) {
        later->shards[i] = mem_zalloc(sizeof *later->shards[i]);
        later->shards[i]->later = later;
        later->shards[i]->index = i;
    }
    uv_timer_init(&logic->loop->uv, &later->timer);
    uv_timer_start(&later->timer, on_look, LOOK_MS, LOOK_MS);
    return later;
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct later, timer));
}

void later_close(struct later *later)
{
    if (later == NULL)
        return;
    for (size_t i = 0; i < later->n; i++) {
        later->shards[i]->later = NULL;
        if (!later->shards[i]->asked)
            free(later->shards[i]);
    }
    free(later->shards);
    uv_close((uv_handle_t *)&later->timer, on_closed);
}
