#include "logic/peers/questions.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/containers/map.h"
#include "common/containers/wheel.h"
#include "logic/peers/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 20, SLOTS = 256 };

struct questions {
    struct logic *logic;
    struct map64 *map; /* number → struct question * */
    uint64_t number;   /* of the last one; begins at random, so that no earlier process's fits */
    LIST_HEAD(, question) all;
    size_t n;
    struct wheel *wheel;
    bool closing; /* nothing can be asked any more */
};

struct question {
    LIST_ENTRY(question) next;
    struct wheel_timer timer;
    struct questions *of;
    uint64_t number;
    size_t left;  /* handles that no loop has answered for; about a room: 1 */
    size_t limit; /* sessions that an answer may have */
    bool of_room;
    answer_fn fn;
    void *arg;
    char comet[64];
};

static struct question *question_find(const struct questions *questions, uint64_t number)
{
    const uint64_t *value = map64_get(questions->map, number);

    /* NOLINTNEXTLINE(performance-no-int-to-ptr) */
    return value == NULL ? NULL : (struct question *)(uintptr_t)*value;
}

static void question_end(struct question *question)
{
    struct questions *questions = question->of;

    map64_del(questions->map, question->number);
    if (wheel_is_set(&question->timer))
        wheel_cancel(questions->wheel, &question->timer);
    LIST_REMOVE(question, next);
    questions->n--;
    logic_count(questions->logic, LOGIC_QUESTIONS, -1);
    free(question);
}

/* No answer comes any more. */
static void question_fail(struct question *question)
{
    answer_fn fn = question->fn;
    void *arg = question->arg;

    logic_count(question->of->logic, LOGIC_QUESTIONS_UNANSWERED, 1);
    question_end(question);
    fn(arg, NULL, true);
}

static void on_timeout(struct wheel *wheel, struct wheel_timer *timer)
{
    struct question *question = container_of(timer, struct question, timer);

    (void)wheel;
    log_warn("question not answered", "comet=%s setting=rooms.timeout", question->comet);
    question_fail(question);
}

bool questions_have_room(const struct questions *questions)
{
    return questions->n < QUESTIONS_MAX;
}

static struct question *question_new(struct questions *questions, const Imc__V1__Question *asked,
                                     answer_fn fn, void *arg)
{
    struct question *question = mem_zalloc(sizeof *question);

    question->of = questions;
    question->number = asked->number;
    question->of_room = asked->room[0] != '\0';
    question->left = question->of_room ? 1 : asked->n_handles;
    question->limit = question->of_room ? asked->limit : asked->n_handles;
    question->fn = fn;
    question->arg = arg;
    (void)snprintf(question->comet, sizeof question->comet, "%s", asked->comet);
    map64_set(questions->map, question->number, (uintptr_t)question);
    LIST_INSERT_HEAD(&questions->all, question, next);
    questions->n++;
    logic_count(questions->logic, LOGIC_QUESTIONS, 1);
    wheel_set(questions->wheel, &question->timer,
              (uint64_t)questions->logic->config->rooms_timeout_ms);
    return question;
}

bool question_ask(struct questions *questions, Imc__V1__Question *question, answer_fn fn, void *arg)
{
    struct logic *logic = questions->logic;
    Imc__V1__SessionReply message;

    loop_assert_owner(logic->loop);
    if (questions->closing)
        return false;
    imc__v1__session_reply__init(&message);
    question->number = ++questions->number;
    message.questions = &question;
    message.n_questions = 1;
    if (stream_ask(logic->streams, question->comet, &message.base) == 0) {
        logic_count(logic, LOGIC_QUESTIONS_UNANSWERED, 1);
        return false;
    }
    (void)question_new(questions, question, fn, arg);
    return true;
}

/* May a loop of that comet say ANSWER? */
static bool answer_fits(const struct question *question, const char *comet,
                        const Imc__V1__Answer *answer)
{
    if (strcmp(question->comet, comet) != 0 || answer->n_sessions > question->limit)
        return false;
    return question->of_room ? answer->handles == 0
                             : answer->handles > 0 && answer->handles <= question->left &&
                                   answer->n_sessions <= answer->handles;
}

void questions_answered(struct questions *questions, const char *comet,
                        const Imc__V1__Answer *answer)
{
    struct question *question = questions == NULL ? NULL : question_find(questions, answer->number);

    if (question == NULL)
        return; /* it has timed out */
    if (!answer_fits(question, comet, answer)) {
        log_warn("the answer does not fit its question", "comet=\"%.64s\" sessions=%zu", comet,
                 answer->n_sessions);
        return;
    }
    answer_fn fn = question->fn;
    void *arg = question->arg;
    question->left -= question->of_room ? 1 : answer->handles;
    bool done = question->left == 0;
    if (done) {
        logic_count(questions->logic, LOGIC_QUESTIONS_ANSWERED, 1);
        question_end(question);
    }
    fn(arg, answer, done);
}

/* --- life --- */

struct questions *questions_open(struct logic *logic)
{
    struct questions *questions = mem_zalloc(sizeof *questions);

    loop_assert_owner(logic->loop);
    questions->logic = logic;
    questions->map = map64_new();
    questions->number = random_number();
    LIST_INIT(&questions->all);
    questions->wheel = wheel_open(logic->loop, TICK_MS, SLOTS, on_timeout);
    return questions;
}

void questions_close(struct questions *questions)
{
    if (questions == NULL)
        return;
    loop_assert_owner(questions->logic->loop);
    questions->closing = true;
    while (!LIST_EMPTY(&questions->all))
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it was taken off the list before */
        question_fail(LIST_FIRST(&questions->all));
    wheel_close(questions->wheel);
    map64_free(questions->map);
    free(questions);
}
