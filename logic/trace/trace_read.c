#include "logic/trace/trace_read.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/trace/tracer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct trace_read {
    struct logic *logic;
    story_fn story;
    push_story_fn push;
    void *arg;
};

static void ask(struct logic *logic, int argc, const char **argv, redis_fn fn,
                const struct trace_read *what)
{
    struct trace_read *read = mem_alloc(sizeof *read);
    size_t lengths[4];

    loop_assert_owner(logic->loop);
    *read = *what;
    for (int i = 0; i < argc; i++)
        lengths[i] = strlen(argv[i]);
    redis_command(logic->redis, redis_shard_of(logic->redis, argv[1], lengths[1]), argc, argv,
                  lengths, fn, read);
}

static bool is_array(const redisReply *reply)
{
    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY)
        return true;
    if (reply != NULL)
        log_error("redis refused to read a trace", "err=\"%s\"",
                  reply->type == REDIS_REPLY_ERROR ? reply->str : "unexpected type of answer");
    return false;
}

static void on_message(struct redis *redis, const redisReply *reply, void *arg)
{
    struct trace_read read = *(struct trace_read *)arg;
    struct story story = {0};

    (void)redis;
    free(arg);
    if (!is_array(reply)) {
        read.story(read.arg, -EAGAIN, NULL);
        return;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *text = reply->element[i];
        if (text->type == REDIS_REPLY_STRING)
            story_add(&story, text->str, (size_t)text->len);
    }
    story_conclude(&story, logic_now_ms(read.logic));
    read.story(read.arg, 0, &story);
    story_free(&story);
}

void trace_read_message(struct logic *logic, uint64_t id, story_fn fn, void *arg)
{
    char key[TRACER_KEY_MAX];
    const char *argv[] = {"LRANGE", key, "0", "-1"};

    tracer_message_key(id, key);
    ask(logic, 4, argv, on_message, &(struct trace_read){.logic = logic, .story = fn, .arg = arg});
}

static void take_count(struct push_story *story, const redisReply *name, const redisReply *value)
{
    enum trace_what what;

    if (name->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING)
        return;
    uint64_t number = strtoull(value->str, NULL, 10);
    story->known = true;
    if (strcmp(name->str, "ends") == 0)
        story->ends_ms = number;
    else if (trace_step_of(name->str, &what))
        story->counts[what] = number;
}

static void on_push(struct redis *redis, const redisReply *reply, void *arg)
{
    struct trace_read read = *(struct trace_read *)arg;
    struct push_story story = {0};

    (void)redis;
    free(arg);
    if (!is_array(reply)) {
        read.push(read.arg, -EAGAIN, NULL);
        return;
    }
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        take_count(&story, reply->element[i], reply->element[i + 1]);
    read.push(read.arg, 0, &story);
}

void trace_read_push(struct logic *logic, uint64_t id, push_story_fn fn, void *arg)
{
    char key[TRACER_KEY_MAX];
    const char *argv[] = {"HGETALL", key};

    tracer_push_key(id, key);
    ask(logic, 2, argv, on_push, &(struct trace_read){.logic = logic, .push = fn, .arg = arg});
}
