/* What scripts put into imc:facts in the same step as they change the mailbox: the outbox from
 * which logic/events/facts.h takes it. */
#include "common/base/mem.h"
#include "common/base/saturate.h"
#include "common/events/event_types.h"
#include "logic/mailbox/internal.h"
#include "logic/mailbox/sweep.lua.h"
#include "logic/mailbox/tell.lua.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct redis_script sweep_script = {.source = sweep_lua};

static struct redis_script tell_script = {.source = tell_lua};

const char *mailbox_end_letters(const struct logic *logic)
{
    return (logic->event_types & 1U << EVENT_EXPIRED) != 0 ? "etr" : "";
}

void mailbox_eval(struct logic *logic, const struct redis_eval *eval,
                  const struct mailbox_tells *tells, redis_fn fn, void *arg)
{
    static const char outbox[] = "imc:facts", ends[] = "imc:ends";
    enum { MORE = 3, TEXT_MAX = 320 };
    char text[TEXT_MAX];
    struct redis_eval more = *eval;

    if (tells->letters[0] == '\0') {
        redis_eval(logic->redis, eval, fn, arg);
        return;
    }
    int n = eval->argc, last = n + MORE - 1;
    const char **argv = mem_alloc((size_t)(n + MORE) * sizeof *argv);
    size_t *argvlen = mem_alloc((size_t)(n + MORE) * sizeof *argvlen);
    argv[0] = eval->argv[0];
    argvlen[0] = eval->argvlen[0];
    argv[1] = outbox;
    argvlen[1] = sizeof outbox - 1;
    argv[2] = ends;
    argvlen[2] = sizeof ends - 1;
    for (int i = 1; i < n; i++) {
        argv[i + 2] = eval->argv[i];
        argvlen[i + 2] = eval->argvlen[i];
    }
    argv[last] = text;
    argvlen[last] =
        (size_t)snprintf(text, sizeof text, "%s %" PRIu64 " %" PRId64 " %s", tells->letters,
                         logic_now_ms(logic), logic->config->events_facts, tells->session);
    more.keys = MORE;
    more.argc = n + MORE;
    more.argv = argv;
    more.argvlen = argvlen;
    redis_eval(logic->redis, &more, fn, arg);
    free(argvlen);
    free(argv);
}

static void told_on_reply(struct redis *redis, const redisReply *reply, void *arg)
{
    struct mailbox_call *call = arg;

    (void)redis;
    call->fn(call->arg, mailbox_reply_is(reply, REDIS_REPLY_INTEGER, "tell") ? 0 : -EAGAIN);
    free(call);
}

bool mailbox_tells(const struct logic *logic, enum event_type type)
{
    return (logic->event_types & 1U << type) != 0;
}

void mailbox_tell(struct logic *logic, const struct mailbox_fact *fact, mailbox_fn fn, void *arg)
{
    struct mailbox_call *call = mailbox_call_new(logic, fact->uid, arg);
    struct mailbox_key key = mailbox_key_of(logic, fact->uid);
    struct mailbox_number score = mailbox_number(message_id_millis(fact->id));
    const char *what = fact->type == EVENT_STORED ? "s" : "e";
    uint8_t bytes[MAILBOX_ID];
    const char *argv[] = {key.text, score.text, (const char *)bytes, what};
    size_t argvlen[] = {key.len, score.len, sizeof bytes, 1};
    const struct mailbox_tells tells = {what, ""};

    loop_assert_owner(logic->loop);
    assert(fact->type == EVENT_STORED || fact->type == EVENT_EXPIRED);
    call->fn = fn;
    mailbox_put_id(bytes, fact->id);
    mailbox_eval(logic,
                 &(struct redis_eval){.script = &tell_script,
                                      .shard = key.shard,
                                      .keys = 1,
                                      .argc = 4,
                                      .argv = argv,
                                      .argvlen = argvlen},
                 &tells, told_on_reply, call);
}

/* If it failed, imc:ends still names the user. */
static void on_swept(struct redis *redis, const redisReply *reply, void *arg)
{
    (void)redis;
    if (mailbox_reply_is(reply, REDIS_REPLY_INTEGER, "sweep"))
        logic_count(arg, LOGIC_EXPIRED, reply->integer);
}

void mailbox_sweep(struct logic *logic, int64_t uid)
{
    uint64_t now = logic_now_ms(logic), ttl = (uint64_t)logic->config->mailbox_ttl_ms;
    struct mailbox_key key = mailbox_key_of(logic, uid);
    struct mailbox_number numbers[] = {mailbox_number(now), mailbox_number(saturate_sub(now, ttl)),
                                       mailbox_number(ttl)};
    const char *argv[] = {key.text,       "", "", "", "", numbers[0].text, numbers[1].text,
                          numbers[2].text};
    size_t argvlen[] = {key.len, 0, 0, 0, 0, numbers[0].len, numbers[1].len, numbers[2].len};
    const struct mailbox_tells tells = {"etr", ""};

    loop_assert_owner(logic->loop);
    mailbox_eval(logic,
                 &(struct redis_eval){.script = &sweep_script,
                                      .shard = key.shard,
                                      .keys = 1,
                                      .argc = 8,
                                      .argv = argv,
                                      .argvlen = argvlen},
                 &tells, on_swept, logic);
}
