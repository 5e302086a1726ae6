/* logic_peer.c - see logic_peer.h.
 *
 *   logic_peer_push ─┬► urgent ─┬─ logic_peer_fill ─► batch ══► logic ─► logic_peer_answered ─┐
 *                    └► others ─┤                                             answered(result)◄┘
 *             of its shard      └─ logic_peer_state: down, logic_peer_failed ─► answered(NULL)
 *   logic_peer_tell ─► report_fill ─► batch without settles ══► logic, on a stream of its own
 *
 * A quarter of a batch is left to the others, so that they get on however much is urgent. */
#include "job/mailbox/logic_peer.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/protocol/unpack.h"
#include "common/rpc/pipe.h"
#include "job/base/job.h"

#include <stdlib.h>
#include <string.h>

/* What goes to one shard of Redis. */
struct shard_queue {
    struct messages urgent, others;
    int64_t in_flight; /* batches */
};

struct logic_peer {
    struct job *job;
    const struct logic_peer_events *events;
    void *arg; /* theirs */
    char id[sizeof((struct member *)0)->id];
    char address[sizeof((struct member *)0)->rpc];
    uint64_t epoch;
    struct pipe *pipe, *reports;
    bool report_due, answers;
    size_t n_shards, turn; /* whose batch is next */
    struct shard_queue shards[];
};

struct handover_batch {
    size_t shard, n;
    struct message *messages[];
};

/* --- protobuf --- */

struct packed_settle {
    Imc__V1__Settle settle;
    Imc__V1__Waiting message;
};

/* The id of the user's message before this one, if that is not known to be in the mailbox; else 0.
 */
static uint64_t settle_behind(const struct message *message)
{
    const struct user_order_entry *entry = user_order_before(&message->entry);
    const struct message *before = (const struct message *)(const void *)entry;

    return before != NULL && !before->stored ? before->id : 0;
}

/* protobuf-c's structs have no const. */
static char **list_of(const char **keys)
{
    union {
        const char **in;
        char **out;
    } u = {.in = keys};
    return u.out;
}

static struct msg *settle_pack(uint64_t seq, char *job, struct message *const *messages, size_t n)
{
    Imc__V1__SettleBatch batch;
    struct packed_settle *packed = mem_alloc(n * sizeof *packed);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    Imc__V1__Settle **list = mem_alloc(n * sizeof *list);

    for (size_t i = 0; i < n; i++) {
        imc__v1__settle__init(&packed[i].settle);
        imc__v1__waiting__init(&packed[i].message);
        packed[i].settle.uid = messages[i]->uid;
        packed[i].settle.any = messages[i]->any;
        packed[i].settle.behind = settle_behind(messages[i]);
        packed[i].settle.message = &packed[i].message;
        packed[i].settle.keys = list_of(messages[i]->keys);
        packed[i].settle.n_keys = messages[i]->n_keys;
        packed[i].settle.devices = list_of(messages[i]->devices);
        packed[i].settle.n_devices = messages[i]->n_devices;
        packed[i].settle.collapse = mem_unconst(messages[i]->collapse);
        packed[i].message.id = messages[i]->id;
        packed[i].message.op = messages[i]->op;
        packed[i].message.expires_ms = messages[i]->expires_ms;
        packed[i].message.body.len = messages[i]->body_len;
        packed[i].message.body.data = messages[i]->body;
        packed[i].message.trace = message_mark(messages[i]);
        list[i] = &packed[i].settle;
    }
    imc__v1__settle_batch__init(&batch);
    batch.seq = seq;
    batch.job = job;
    batch.n_settles = n;
    batch.settles = list;
    struct msg *msg = msg_pack(&batch.base);
    free(list);
    free(packed);
    return msg;
}

/* rpc thread. */
static void *logic_peer_decode(struct msg *msg)
{
    return decoded_new(&imc__v1__settle_reply__descriptor, msg, "logic");
}

static const Imc__V1__SettleReply *reply_of(const struct decoded *decoded)
{
    return (const Imc__V1__SettleReply *)decoded->message;
}

/* --- the pipe --- */

enum { SETTLE_OVERHEAD = 64 };

/* Fills BATCH from QUEUE up to MOST messages and *BYTES. Takes off *BYTES what it has used. */
static void batch_take(struct handover_batch *batch, struct messages *queue, size_t most,
                       size_t *bytes)
{
    while (!STAILQ_EMPTY(queue) && *bytes > 0 && batch->n < most) {
        struct message *message = STAILQ_TAKE(queue, next);
        if (message->partition == NULL) {
            message_unref(message);
            continue;
        }
        size_t size = message->body_len + message->keys_len + SETTLE_OVERHEAD;
        batch->messages[batch->n++] = message;
        *bytes -= size < *bytes ? size : *bytes;
    }
}

/* NULL: nothing waits, or all that does is resolved. */
static struct handover_batch *shard_batch(const struct job_config *config,
                                          struct shard_queue *queue)
{
    size_t most = (size_t)config->logic_items, bytes = (size_t)config->logic_bytes;
    size_t kept = !STAILQ_EMPTY(&queue->others) ? bytes / 4 : 0;
    size_t urgent = !STAILQ_EMPTY(&queue->others) ? most - most / 4 : most;

    if (STAILQ_EMPTY(&queue->urgent) && STAILQ_EMPTY(&queue->others))
        return NULL;
    struct handover_batch *batch = mem_alloc(sizeof *batch + most * sizeof(struct message *));
    batch->n = 0;
    bytes -= kept;
    batch_take(batch, &queue->urgent, urgent, &bytes);
    bytes += kept;
    batch_take(batch, &queue->others, most, &bytes);
    if (batch->n > 0)
        return batch;
    free(batch);
    return NULL;
}

/* The shards have their turns. */
static struct msg *logic_peer_fill(struct pipe *pipe, void *arg, uint64_t seq, void **out)
{
    struct logic_peer *logic = arg;
    const struct job_config *config = logic->job->config;

    (void)pipe;
    for (size_t i = 0; i < logic->n_shards; i++) {
        size_t shard = logic->turn;
        struct shard_queue *queue = &logic->shards[shard];
        logic->turn = (shard + 1) % logic->n_shards;
        struct handover_batch *batch =
            queue->in_flight < config->logic_window ? shard_batch(config, queue) : NULL;
        if (batch == NULL)
            continue;
        batch->shard = shard;
        queue->in_flight++;
        *out = batch;
        return settle_pack(seq, logic->job->id, batch->messages, batch->n);
    }
    return NULL;
}

static void logic_peer_answered(struct pipe *pipe, void *arg, void *sent, void *reply)
{
    struct logic_peer *logic = arg;
    struct handover_batch *batch = sent;
    const Imc__V1__SettleReply *message = reply_of(reply);

    (void)pipe;
    logic->shards[batch->shard].in_flight--;
    if (message->n_results != batch->n) {
        job_count(logic->job, JOB_MALFORMED_ANSWER);
        log_warn("settle answer fits no batch", "logic=%s settles=%zu results=%zu", logic->id,
                 batch->n, message->n_results);
    }
    if (message->why[0] != '\0')
        logic->events->failed(batch->shard, message->why, logic->arg);
    for (size_t i = 0; i < batch->n; i++)
        logic->events->answered(batch->messages[i],
                                i < message->n_results ? message->results[i] : NULL, logic->arg);
    free(batch);
    decoded_free(reply);
}

static void logic_peer_failed(struct pipe *pipe, void *arg, void *sent)
{
    struct logic_peer *logic = arg;
    struct handover_batch *batch = sent;

    (void)pipe;
    logic->shards[batch->shard].in_flight--;
    logic->events->failed(batch->shard, "a logic does not answer", logic->arg);
    for (size_t i = 0; i < batch->n; i++)
        logic->events->answered(batch->messages[i], NULL, logic->arg);
    free(batch);
}

static void logic_peer_give_back(struct logic_peer *logic)
{
    struct message *message;

    for (size_t i = 0; i < logic->n_shards; i++) {
        while ((message = STAILQ_TAKE(&logic->shards[i].urgent, next)) != NULL ||
               (message = STAILQ_TAKE(&logic->shards[i].others, next)) != NULL)
            logic->events->answered(message, NULL, logic->arg);
    }
}

static void logic_peer_state(struct pipe *pipe, void *arg, bool up, const char *why)
{
    struct logic_peer *logic = arg;

    (void)pipe;
    if (up) {
        log_info("logic stream up", "logic=%s address=%s", logic->id, logic->address);
        return;
    }
    log_warn("logic stream down", "logic=%s address=%s err=\"%s\"", logic->id, logic->address, why);
    logic_peer_give_back(logic); /* perhaps another logic answers */
}

static const struct pipe_ops logic_pipe_ops = {.fill = logic_peer_fill,
                                               .decode = logic_peer_decode,
                                               .answered = logic_peer_answered,
                                               .failed = logic_peer_failed,
                                               .state = logic_peer_state,
                                               .drop = decoded_free};

/* --- reports --- */

static struct msg *report_fill(struct pipe *pipe, void *arg, uint64_t seq, void **out)
{
    struct logic_peer *logic = arg;
    struct job *job = logic->job;
    Imc__V1__SettleBatch batch;
    Imc__V1__Backlog backlog;

    (void)pipe;
    if (!logic->report_due)
        return NULL;
    logic->report_due = false;
    imc__v1__backlog__init(&backlog);
    backlog.lag_ms = (uint32_t)job->report.lag_ms;
    backlog.used_permille = (uint32_t)job->report.used_permille;
    backlog.stalled = job->report.stalled;
    backlog.why = job->report.why;
    imc__v1__settle_batch__init(&batch);
    batch.seq = seq;
    batch.job = job->id;
    batch.backlog = &backlog;
    struct msg *msg = msg_pack(&batch.base);
    *out = NULL;
    return msg;
}

static void report_answered(struct pipe *pipe, void *arg, void *sent, void *reply)
{
    (void)pipe;
    (void)arg;
    (void)sent;
    decoded_free(reply);
}

/* Twice a second there is a report, so this stream shows soon whether the logic still answers. */
static void report_state(struct pipe *pipe, void *arg, bool up, const char *why)
{
    struct logic_peer *logic = arg;

    (void)pipe;
    (void)why;
    if (logic->answers == up)
        return;
    logic->answers = up;
    logic->events->changed(logic->arg);
}

/* The next one is newer. */
static void report_failed(struct pipe *pipe, void *arg, void *sent)
{
    (void)pipe;
    (void)arg;
    (void)sent;
}

static const struct pipe_ops report_pipe_ops = {.fill = report_fill,
                                                .decode = logic_peer_decode,
                                                .answered = report_answered,
                                                .failed = report_failed,
                                                .state = report_state,
                                                .drop = decoded_free};

void logic_peer_tell(struct logic_peer *logic)
{
    logic->report_due = true;
    pipe_kick(logic->reports);
}

/* --- life --- */

struct logic_peer *logic_peer_open(struct job *job, const struct member *member,
                                   const struct logic_peer_events *events, void *arg)
{
    size_t n = job->windows.n_shards;
    const struct pipe_options options = {.path = "/imc.v1.Logic/Settle",
                                         .window = (int)(job->config->logic_window * (int64_t)n),
                                         .timeout_ms = (int)job->config->logic_timeout_ms,
                                         .to = member_name(member),
                                         .call = PIPE_SETTLE};
    struct logic_peer *logic = mem_zalloc(sizeof *logic + n * sizeof logic->shards[0]);

    logic->job = job;
    logic->n_shards = n;
    logic->events = events;
    logic->arg = arg;
    memcpy(logic->id, member->id, sizeof logic->id);
    memcpy(logic->address, member->rpc, sizeof logic->address);
    logic->epoch = member->epoch;
    for (size_t i = 0; i < n; i++) {
        STAILQ_INIT(&logic->shards[i].urgent);
        STAILQ_INIT(&logic->shards[i].others);
    }
    logic->pipe = pipe_open(job->loop, job->rpc, logic->address, &options, &logic_pipe_ops, logic);
    struct pipe_options reports = options;
    reports.window = 1;
    reports.call = PIPE_UNMEASURED; /* settle is what logic stores */
    logic->reports =
        pipe_open(job->loop, job->rpc, logic->address, &reports, &report_pipe_ops, logic);
    return logic;
}

void logic_peer_close(struct logic_peer *logic)
{
    loop_assert_owner(logic->job->loop);
    pipe_close(logic->pipe);
    pipe_close(logic->reports);
    logic_peer_give_back(logic);
    free(logic);
}

void logic_peer_push(struct logic_peer *logic, struct message *message)
{
    struct shard_queue *shard = &logic->shards[message->shard];
    struct messages *queue = message->urgent ? &shard->urgent : &shard->others;

    loop_assert_owner(logic->job->loop);
    STAILQ_INSERT_TAIL(queue, message, next);
    pipe_kick(logic->pipe);
}

bool logic_peer_is_up(const struct logic_peer *logic)
{
    return pipe_is_up(logic->pipe);
}

bool logic_peer_answers(const struct logic_peer *logic)
{
    return logic->answers;
}

bool logic_peer_is(const struct logic_peer *logic, const struct member *member)
{
    return logic->epoch == member->epoch && strcmp(logic->id, member->id) == 0 &&
           strcmp(logic->address, member->rpc) == 0;
}
