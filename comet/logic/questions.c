#include "comet/logic/questions.h"
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "common/rpc/pipe.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* Logic takes no batch of more than 4 MiB. A session without rooms is 400 bytes at most, so an
     * answer is below 800 KB. */
    ANSWERS_MOST = 3,
    ROOMS_FIRST = 4, /* room for so many names in a session; then it doubles */
};

struct questions {
    struct worker *worker;
    struct pipe *pipe;
    question_fn fn;
    LIST_HEAD(, question) all;
    size_t n;
    struct question_queue answers; /* that wait for a batch */
    struct question_queue packed;  /* that are in a batch that is being made */
};

struct questions *questions_open(struct worker *worker, struct pipe *pipe, question_fn fn)
{
    struct questions *questions = mem_zalloc(sizeof *questions);

    loop_assert_owner(&worker->loop);
    questions->worker = worker;
    questions->pipe = pipe;
    questions->fn = fn;
    LIST_INIT(&questions->all);
    TAILQ_INIT(&questions->answers);
    TAILQ_INIT(&questions->packed);
    return questions;
}

static void question_free(struct question *question)
{
    if (question->of != NULL) {
        LIST_REMOVE(question, link);
        question->of->n--;
    }
    arena_free(&question->arena);
    free(question);
}

static void queue_free(struct question_queue *queue)
{
    struct question *question;

    while ((question = TAILQ_FIRST(queue)) != NULL) {
        TAILQ_REMOVE(queue, question, queue);
        question_free(question);
    }
}

void questions_close(struct questions *questions)
{
    struct question *question;

    loop_assert_owner(&questions->worker->loop);
    queue_free(&questions->answers);
    while ((question = LIST_FIRST(&questions->all)) != NULL) {
        LIST_REMOVE(question, link);
        question->of = NULL;
    }
    free(questions);
}

/* --- in --- */

/* Frees QUESTION: at once if nobody is to be told, else when its answer was. */
static void question_finish(struct question *question)
{
    struct questions *questions = question->of;

    if (questions == NULL || question->taken == 0) {
        question_free(question);
        return;
    }
    TAILQ_INSERT_TAIL(&questions->answers, question, queue);
    pipe_kick(questions->pipe);
}

static bool is_for_us(const struct worker *worker, const Imc__V1__Question *in)
{
    if (strcmp(in->comet, worker->comet->id) != 0)
        return false;
    return in->room[0] == '\0' || in->loop == (uint32_t)worker->loop.index;
}

static struct question *question_new(struct questions *questions, const Imc__V1__Question *in)
{
    size_t len = strlen(in->room);
    size_t n = in->n_handles < QUESTION_HANDLES_MAX ? in->n_handles : QUESTION_HANDLES_MAX;
    struct question *question =
        mem_zalloc(sizeof *question + n * sizeof question->handles[0] + len + 1);
    char *room = (char *)&question->handles[n];

    memcpy(room, in->room, len + 1);
    arena_init(&question->arena);
    question->of = questions;
    question->finish = question_finish;
    question->number = in->number;
    question->uid = in->uid;
    question->room = room;
    question->room_len = len;
    question->after = in->after;
    question->limit = in->limit < QUESTION_MEMBERS_MAX ? in->limit : QUESTION_MEMBERS_MAX;
    question->n_handles = n;
    if (n > 0) /* else it has no list */
        memcpy(question->handles, in->handles, n * sizeof question->handles[0]);
    return question;
}

void questions_take(struct questions *questions, const Imc__V1__Question *in)
{
    struct worker *worker = questions->worker;

    loop_assert_owner(&worker->loop);
    if (questions->fn == NULL || !is_for_us(worker, in))
        return;
    metric_add(worker->counters, COMET_QUESTIONS, 1);
    if (questions->n >= QUESTIONS_MAX) {
        metric_add(worker->counters, COMET_QUESTIONS_DROPPED, 1);
        return;
    }
    struct question *question = question_new(questions, in);
    questions->n++;
    LIST_INSERT_HEAD(&questions->all, question, link);
    questions->fn(worker, question);
}

/* --- the answer --- */

/* What LIST, of N pointers in a room for CAP, becomes when it has to be larger. */
static void *list_grow(struct question *question, void *list, size_t n, size_t cap)
{
    void *larger = arena_alloc(&question->arena, cap * sizeof(void *));

    if (n > 0)
        memcpy(larger, list, n * sizeof(void *));
    return larger;
}

static void add_ops(struct question *question, Imc__V1__AskedSession *item,
                    const struct asked_session *session)
{
    size_t left = QUESTION_OPS_MAX - question->n_ops;
    size_t n = session->n_ops < left ? session->n_ops : left;
    int32_t *ops = arena_alloc(&question->arena, n * sizeof *ops);

    item->chooses = session->chooses;
    item->more_operations = (uint32_t)(session->n_ops - n);
    if (n > 0)
        memcpy(ops, session->ops, n * sizeof *ops);
    question->n_ops += n;
    if (session->chooses) {
        item->n_accepts = n;
        item->accepts = ops;
    } else {
        item->n_declines = n;
        item->declines = ops;
    }
}

void question_add(struct question *question, const struct asked_session *session)
{
    Imc__V1__AskedSession *item = arena_alloc(&question->arena, sizeof *item);

    if (question->n == question->cap) {
        question->cap = question->cap == 0 ? 8 : 2 * question->cap;
        question->sessions = list_grow(question, question->sessions, question->n, question->cap);
    }
    imc__v1__asked_session__init(item);
    item->handle = session->handle;
    item->uid = session->uid;
    item->open_ms = session->open_ms;
    item->websocket = session->websocket;
    item->tls = session->tls;
    item->acked = session->acked;
    item->unsent = session->unsent;
    add_ops(question, item, session);
    if (session->key != NULL)
        item->key = arena_strdup(&question->arena, session->key);
    if (session->address != NULL)
        item->address = arena_strdup(&question->arena, session->address);
    if (session->platform != NULL)
        item->platform = arena_strdup(&question->arena, session->platform);
    question->sessions[question->n++] = item;
}

/* True: a list that doubles from ROOMS_FIRST on has no room for one more than N. */
static bool rooms_are_full(size_t n)
{
    return n == 0 || (n >= ROOMS_FIRST && (n & (n - 1)) == 0);
}

bool question_add_room(struct question *question, const char *name, size_t len)
{
    Imc__V1__AskedSession *item = question->sessions[question->n - 1];
    size_t n = item->n_rooms;

    if (question->n_rooms >= QUESTION_ROOMS_MAX)
        return false;
    if (rooms_are_full(n))
        item->rooms = list_grow(question, item->rooms, n, n == 0 ? ROOMS_FIRST : 2 * n);
    item->rooms[item->n_rooms++] = arena_strndup(&question->arena, name, len);
    question->n_rooms++;
    return true;
}

void question_more_rooms(struct question *question, uint32_t n)
{
    question->sessions[question->n - 1]->more_rooms = n;
}

/* --- out --- */

bool questions_have_answers(const struct questions *questions)
{
    return !TAILQ_EMPTY(&questions->answers);
}

static Imc__V1__Answer *answer_pack(struct question *question, struct arena *arena)
{
    Imc__V1__Answer *answer = arena_alloc(arena, sizeof *answer);

    imc__v1__answer__init(answer);
    answer->number = question->number;
    answer->handles = question->room_len == 0 ? question->taken : 0;
    answer->n_sessions = question->n;
    answer->sessions = question->sessions;
    answer->more = question->more;
    answer->after = question->after;
    return answer;
}

void questions_pack(struct questions *questions, Imc__V1__SessionBatch *batch, struct arena *arena)
{
    struct question *question;

    batch->answers = arena_alloc(arena, ANSWERS_MOST * sizeof(void *));
    while (batch->n_answers < ANSWERS_MOST &&
           (question = TAILQ_FIRST(&questions->answers)) != NULL) {
        TAILQ_REMOVE(&questions->answers, question, queue);
        TAILQ_INSERT_TAIL(&questions->packed, question, queue);
        batch->answers[batch->n_answers++] = answer_pack(question, arena);
    }
}

void questions_packed(struct questions *questions)
{
    queue_free(&questions->packed);
    if (questions_have_answers(questions))
        pipe_kick(questions->pipe);
}
