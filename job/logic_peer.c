/* logic_peer.c - see logic_peer.h.
 *
 *   logic_push ─┬► urgent ─┬─logic_fill─► batch ══► logic ─logic_answered─► settle_answered(result)
 *               └► others ─┴── logic_state: down, logic_failed ───────────► settle_answered(NULL)
 *   logic_tell ─► report_fill ─► batch without settles ══► logic, on a stream of its own
 *
 * A quarter of a batch is left to the others: whatever is urgent, they get on. */
#include "job/logic_peer.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/protocol/unpack.h"
#include "common/rpc/pipe.h"
#include "job/job.h"
#include "job/mailbox_handover.h"

#include <stdlib.h>
#include <string.h>

struct logic_queue {
    struct task *first, **last;
};

struct logic_peer {
    struct job *job;
    struct settle *settle;
    char id[sizeof((struct member *)0)->id];
    char address[sizeof((struct member *)0)->rpc];
    uint64_t epoch;
    struct pipe *pipe, *reports;
    bool report_due;
    struct logic_queue urgent, others;
};

struct handover_batch {
    size_t n;
    struct task *tasks[];
};

/* --- protobuf --- */

struct packed_settle {
    Imc__V1__Settle settle;
    Imc__V1__Waiting message;
};

/* The message of its user before it, if that is not known to be in the mailbox. */
static uint64_t settle_behind(const struct task *task)
{
    const struct hold_entry *entry = hold_before(&task->hold);
    const struct task *before = (const struct task *)(const void *)entry;

    return before != NULL && !before->stored ? before->id : 0;
}

static struct msg *settle_pack(uint64_t seq, char *job, struct task *const *tasks, size_t n)
{
    Imc__V1__SettleBatch batch;
    struct packed_settle *packed = mem_alloc(n * sizeof *packed);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    Imc__V1__Settle **list = mem_alloc(n * sizeof *list);

    for (size_t i = 0; i < n; i++) {
        imc__v1__settle__init(&packed[i].settle);
        imc__v1__waiting__init(&packed[i].message);
        packed[i].settle.uid = tasks[i]->uid;
        packed[i].settle.behind = settle_behind(tasks[i]);
        packed[i].settle.message = &packed[i].message;
        packed[i].message.id = tasks[i]->id;
        packed[i].message.op = tasks[i]->op;
        packed[i].message.expires_ms = tasks[i]->expires_ms;
        packed[i].message.body.len = tasks[i]->body_len;
        packed[i].message.body.data = tasks[i]->body;
        list[i] = &packed[i].settle;
    }
    imc__v1__settle_batch__init(&batch);
    batch.seq = seq;
    batch.job = job;
    batch.n_settles = n;
    batch.settles = list;
    struct msg *msg = msg_new(imc__v1__settle_batch__get_packed_size(&batch));
    imc__v1__settle_batch__pack(&batch, msg->data);
    free(list);
    free(packed);
    return msg;
}

struct settle_answers {
    struct arena arena;
    Imc__V1__SettleReply *reply;
};

static void logic_drop(void *reply)
{
    struct settle_answers *decoded = reply;

    arena_free(&decoded->arena);
    free(decoded);
}

/* rpc thread. */
static void *logic_decode(struct msg *msg)
{
    struct settle_answers *decoded = mem_alloc(sizeof *decoded);

    arena_init(&decoded->arena);
    decoded->reply = (Imc__V1__SettleReply *)unpack_peer(&imc__v1__settle_reply__descriptor,
                                                         &decoded->arena, msg, "logic");
    msg_unref(msg);
    if (decoded->reply != NULL)
        return decoded;
    logic_drop(decoded);
    return NULL;
}

/* --- the pipe --- */

static void queue_init(struct logic_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void queue_add(struct logic_queue *queue, struct task *task)
{
    task->next = NULL;
    *queue->last = task;
    queue->last = &task->next;
}

static struct task *queue_take(struct logic_queue *queue)
{
    struct task *task = queue->first;

    if (task == NULL)
        return NULL;
    queue->first = task->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    task->next = NULL;
    return task;
}

enum { SETTLE_OVERHEAD = 64 };

/* Fills BATCH up to MOST tasks and BYTES, which it lowers. */
static void batch_take(struct handover_batch *batch, struct logic_queue *queue, size_t most,
                       size_t *bytes)
{
    while (queue->first != NULL && *bytes > 0 && batch->n < most) {
        struct task *task = queue_take(queue);
        if (task->partition == NULL) {
            task_unref(task);
            continue;
        }
        size_t size = task->body_len + SETTLE_OVERHEAD;
        batch->tasks[batch->n++] = task;
        *bytes -= size < *bytes ? size : *bytes;
    }
}

static struct msg *logic_fill(struct pipe *pipe, void *arg, uint64_t seq, void **out)
{
    struct logic_peer *logic = arg;
    const struct job_config *config = logic->job->config;
    size_t most = (size_t)config->logic_items, bytes = (size_t)config->logic_bytes;
    size_t kept = logic->others.first != NULL ? bytes / 4 : 0;
    size_t urgent = logic->others.first != NULL ? most - most / 4 : most;

    (void)pipe;
    if (logic->urgent.first == NULL && logic->others.first == NULL)
        return NULL;
    struct handover_batch *batch = mem_alloc(sizeof *batch + most * sizeof(struct task *));
    batch->n = 0;
    bytes -= kept;
    batch_take(batch, &logic->urgent, urgent, &bytes);
    bytes += kept;
    batch_take(batch, &logic->others, most, &bytes);
    if (batch->n == 0) {
        free(batch);
        return NULL;
    }
    *out = batch;
    return settle_pack(seq, logic->job->id, batch->tasks, batch->n);
}

static void logic_answered(struct pipe *pipe, void *arg, void *sent, void *reply)
{
    struct logic_peer *logic = arg;
    struct handover_batch *batch = sent;
    const Imc__V1__SettleReply *message = ((struct settle_answers *)reply)->reply;

    (void)pipe;
    if (message->n_results != batch->n) {
        job_count(logic->job, JOB_MALFORMED_ANSWER);
        log_warn("settle answer fits no batch", "logic=%s settles=%zu results=%zu", logic->id,
                 batch->n, message->n_results);
    }
    if (message->why[0] != '\0')
        settle_why(logic->settle, message->why);
    for (size_t i = 0; i < batch->n; i++)
        settle_answered(logic->settle, batch->tasks[i],
                        i < message->n_results ? message->results[i] : NULL);
    free(batch);
    logic_drop(reply);
}

static void logic_failed(struct pipe *pipe, void *arg, void *sent)
{
    struct logic_peer *logic = arg;
    struct handover_batch *batch = sent;

    (void)pipe;
    settle_why(logic->settle, "a logic does not answer");
    for (size_t i = 0; i < batch->n; i++)
        settle_answered(logic->settle, batch->tasks[i], NULL);
    free(batch);
}

static void logic_give_back(struct logic_peer *logic)
{
    struct task *task;

    while ((task = queue_take(&logic->urgent)) != NULL ||
           (task = queue_take(&logic->others)) != NULL)
        settle_answered(logic->settle, task, NULL);
}

static void logic_state(struct pipe *pipe, void *arg, bool up, const char *why)
{
    struct logic_peer *logic = arg;

    (void)pipe;
    if (up) {
        log_info("logic stream up", "logic=%s address=%s", logic->id, logic->address);
        return;
    }
    log_warn("logic stream down", "logic=%s address=%s err=\"%s\"", logic->id, logic->address, why);
    logic_give_back(logic); /* perhaps another logic answers */
}

static const struct pipe_ops logic_pipe_ops = {.fill = logic_fill,
                                               .decode = logic_decode,
                                               .answered = logic_answered,
                                               .failed = logic_failed,
                                               .state = logic_state,
                                               .drop = logic_drop};

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
    struct msg *msg = msg_new(imc__v1__settle_batch__get_packed_size(&batch));
    imc__v1__settle_batch__pack(&batch, msg->data);
    *out = NULL;
    return msg;
}

static void report_answered(struct pipe *pipe, void *arg, void *sent, void *reply)
{
    (void)pipe;
    (void)arg;
    (void)sent;
    logic_drop(reply);
}

/* The next one is newer. */
static void report_failed(struct pipe *pipe, void *arg, void *sent)
{
    (void)pipe;
    (void)arg;
    (void)sent;
}

static const struct pipe_ops report_pipe_ops = {.fill = report_fill,
                                                .decode = logic_decode,
                                                .answered = report_answered,
                                                .failed = report_failed,
                                                .drop = logic_drop};

void logic_tell(struct logic_peer *logic)
{
    logic->report_due = true;
    pipe_kick(logic->reports);
}

/* --- life --- */

struct logic_peer *logic_open(struct job *job, struct settle *settle, const struct member *member)
{
    const struct pipe_options options = {.path = "/imc.v1.Logic/Settle",
                                         .window = (int)job->config->logic_window,
                                         .timeout_ms = (int)job->config->logic_timeout_ms,
                                         .to = member_name(member)};
    struct logic_peer *logic = mem_zalloc(sizeof *logic);

    logic->job = job;
    logic->settle = settle;
    memcpy(logic->id, member->id, sizeof logic->id);
    memcpy(logic->address, member->rpc, sizeof logic->address);
    logic->epoch = member->epoch;
    queue_init(&logic->urgent);
    queue_init(&logic->others);
    logic->pipe = pipe_open(job->loop, job->rpc, logic->address, &options, &logic_pipe_ops, logic);
    const struct pipe_options reports = {
        .path = options.path, .window = 1, .timeout_ms = options.timeout_ms};
    logic->reports =
        pipe_open(job->loop, job->rpc, logic->address, &reports, &report_pipe_ops, logic);
    return logic;
}

void logic_close(struct logic_peer *logic)
{
    pipe_close(logic->pipe);
    pipe_close(logic->reports);
    logic_give_back(logic);
    free(logic);
}

void logic_push(struct logic_peer *logic, struct task *task)
{
    queue_add(task->urgent ? &logic->urgent : &logic->others, task);
    pipe_kick(logic->pipe);
}

bool logic_is_up(const struct logic_peer *logic)
{
    return pipe_is_up(logic->pipe);
}

bool logic_is(const struct logic_peer *logic, const struct member *member)
{
    return logic->epoch == member->epoch && strcmp(logic->id, member->id) == 0 &&
           strcmp(logic->address, member->rpc) == 0;
}
