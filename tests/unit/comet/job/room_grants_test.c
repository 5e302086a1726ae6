/* What jobs are told of rooms, and when a loop may tell its clients. Loops and jobs are the test's:
 * a stream is what was sent on it. */
#include "comet/base/metrics.h"
#include "comet/base/worker.h"
#include "comet/job/room_grants.h"
#include "common/base/mem.h"
#include "common/base/msg.h"
#include "common/protocol/room_news.h"
#include "common/rpc/rpc.h"
#include "tests/unit/lib/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LOOPS = 2, STREAMS = GRANT_STREAMS_MAX + 1, BIG = 3 * ROOM_NEWS_MAX };

struct rpc_stream {
    int refs;
    Imc__V1__RoomNews *news; /* the last; NULL: none came */
    int n;                   /* that came */
};

static struct loop loop;
static _Atomic int64_t counters[COMET_METRIC_COUNT];
static struct room_grants *grants;
static struct worker workers[LOOPS];
static uint64_t numbers[LOOPS], released[LOOPS];
static int outwaited;
static struct rpc_stream streams[STREAMS];

/* --- fakes --- */

struct rpc_stream *rpc_stream_ref(struct rpc_stream *stream)
{
    stream->refs++;
    return stream;
}

void rpc_stream_unref(struct rpc_stream *stream)
{
    stream->refs--;
}

const char *rpc_stream_peer(const struct rpc_stream *stream)
{
    (void)stream;
    return "test";
}

static void news_free(struct rpc_stream *stream)
{
    if (stream->news != NULL)
        imc__v1__room_news__free_unpacked(stream->news, NULL);
    stream->news = NULL;
}

int rpc_stream_send(struct rpc_stream *stream, struct msg *msg)
{
    Imc__V1__PushReply *reply = imc__v1__push_reply__unpack(NULL, msg->len, msg->data);

    assert_non_null(reply);
    assert_int_equal(reply->seq, 0);
    news_free(stream);
    stream->news = reply->rooms;
    reply->rooms = NULL;
    stream->n++;
    imc__v1__push_reply__free_unpacked(reply, NULL);
    msg_unref(msg);
    return 0;
}

void room_claims_release(struct worker *worker, uint64_t number, bool ended)
{
    assert_true(number > released[worker->loop.index]);
    released[worker->loop.index] = number;
    outwaited += ended;
}

/* --- what happens --- */

static void turn(void)
{
    for (int i = 0; i < 3; i++)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    for (int i = 0; i < LOOPS; i++)
        uv_run(&workers[i].loop.uv, UV_RUN_NOWAIT);
}

static void pass(unsigned ms)
{
    clock_move(ms);
    room_grants_look(grants);
    turn();
}

static int setup(void **state)
{
    (void)state;
    clock_take();
    memset(streams, 0, sizeof streams);
    memset(released, 0, sizeof released);
    memset(numbers, 0, sizeof numbers);
    memset(counters, 0, sizeof counters);
    outwaited = 0;
    assert_int_equal(loop_init(&loop, "main", 0), 0);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(loop_init(&workers[i].loop, "worker", i), 0);
    grants = room_grants_open(&loop, LOOPS, counters);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    room_grants_close(grants);
    for (int i = 0; i < LOOPS; i++)
        loop_close(&workers[i].loop);
    loop_close(&loop);
    for (int i = 0; i < STREAMS; i++) {
        assert_int_equal(streams[i].refs, 0);
        news_free(&streams[i]);
    }
    clock_give_back();
    return 0;
}

/* Loop INDEX claims N rooms from FIRST on, or drops them. Returns the post's number. */
static uint64_t change(int index, uint64_t first, size_t n, bool dropped)
{
    struct claims_post *post = mem_zalloc(sizeof *post + n * sizeof post->changes[0]);

    post->worker = &workers[index];
    post->number = ++numbers[index];
    post->n = n;
    for (size_t i = 0; i < n; i++)
        post->changes[i] = (struct claim_change){first + i, dropped};
    room_grants_claim(grants, post);
    turn();
    return numbers[index];
}

static uint64_t claim(int index, uint64_t room)
{
    return change(index, room, 1, false);
}

static void claim_at_once(int index, uint64_t room)
{
    uint64_t number = claim(index, room);

    assert_int_equal(released[index], number);
}

static void ask_more(int job, uint64_t asked, uint64_t applied, bool anew)
{
    Imc__V1__RoomsQuestion question;

    imc__v1__rooms_question__init(&question);
    question.asked = asked;
    question.applied = applied;
    question.anew = anew;
    room_grants_asked(grants, &streams[job], &question);
    turn();
}

static void ask(int job, uint64_t asked)
{
    ask_more(job, asked, streams[job].news == NULL ? 0 : streams[job].news->number, false);
}

static void apply(int job)
{
    ask(job, 0);
}

static void leave(int job)
{
    room_grants_ended(grants, &streams[job]);
    turn();
}

static const Imc__V1__RoomNews *news_of(int job, uint64_t number)
{
    assert_non_null(streams[job].news);
    assert_int_equal(streams[job].news->number, number);
    return streams[job].news;
}

/* A job with a grant, that knows all rooms. */
static void join(int job)
{
    ask(job, 1);
    assert_int_equal(streams[job].news->grant, 1);
    apply(job);
}

/* --- tests --- */

static void without_jobs_nobody_waits(void **state)
{
    (void)state;
    claim_at_once(0, 5);
    claim_at_once(1, 5);
    pass(100);
    assert_int_equal(counters[COMET_ROOMS_ANNOUNCED], 1);
    change(0, 5, 1, true);
    pass(100);
    assert_int_equal(counters[COMET_ROOMS_ANNOUNCED], 1);
    change(1, 5, 1, true);
    pass(100);
    assert_int_equal(counters[COMET_ROOMS_ANNOUNCED], 0);
    assert_int_equal(outwaited, 0);
}

static void a_job_is_told_all_and_then_what_changes(void **state)
{
    (void)state;
    claim(0, 5);
    claim(1, 6);
    ask(0, 77);
    const Imc__V1__RoomNews *news = news_of(0, 1);
    assert_true(news->all && news->n_entered == 2 && news->n_left == 0 && news->grant == 77);
    assert_true(news->entered[0] == 5 && news->entered[1] == 6);
    uint64_t number = claim(0, 7);
    assert_true(released[0] < number && streams[0].n == 1); /* one piece at a time */
    apply(0);
    news = news_of(0, 2);
    assert_true(!news->all && news->n_entered == 1 && news->entered[0] == 7 && news->grant == 0);
    assert_true(released[0] < number);
    apply(0);
    assert_int_equal(released[0], number);
    change(0, 7, 1, true);
    news = news_of(0, 3);
    assert_true(news->n_left == 1 && news->left[0] == 7 && news->n_entered == 0);
    apply(0);
    ask(0, 78);
    assert_true(news_of(0, 4)->grant == 78 && streams[0].news->n_left == 0);
}

static void a_room_that_is_known_waits_for_nobody(void **state)
{
    (void)state;
    claim(0, 5);
    join(0);
    claim_at_once(1, 5); /* another loop's first member */
    uint64_t waits = claim(0, 6);
    claim_at_once(1, 5);
    assert_true(released[0] < waits);
}

static void every_job_has_to_know(void **state)
{
    (void)state;
    for (int job = 0; job < 3; job++)
        join(job);
    uint64_t number = claim(0, 5), other = claim(1, 6);
    apply(0);
    apply(2);
    assert_true(released[0] == 0 && released[1] == 0);
    apply(1);
    assert_true(released[0] == number && released[1] == 0);
    for (int job = 0; job < 3; job++)
        apply(job);
    assert_int_equal(released[1], other);
}

static void a_job_that_does_not_answer_is_waited_for_until_its_grant_is_over(void **state)
{
    (void)state;
    join(0);
    join(1);
    uint64_t number = claim(0, 5);
    apply(1);
    pass(ROOM_GRANT_OVER_MS - 1);
    assert_int_equal(released[0], 0);
    pass(1);
    assert_int_equal(released[0], number);
    assert_int_equal(outwaited, 1);
    claim_at_once(0, 6); /* nobody has a grant now */
}

/* Our clock, not the loop's: the process may have stood still. */
static void a_comet_that_stood_still_goes_by_the_clock(void **state)
{
    (void)state;
    join(0);
    clock_move(ROOM_GRANT_OVER_MS);
    claim_at_once(0, 5);
}

static void a_stream_that_ended_counts_until_its_grant_is_over(void **state)
{
    (void)state;
    join(0);
    leave(0);
    assert_int_equal(streams[0].refs, 0);
    uint64_t number = claim(0, 5);
    pass(ROOM_GRANT_OVER_MS - 1);
    assert_int_equal(released[0], 0);
    assert_int_equal(counters[COMET_ROOM_GRANTS], 1);
    pass(1);
    assert_int_equal(released[0], number);
    pass(100);
    assert_int_equal(counters[COMET_ROOM_GRANTS], 0);
}

static void a_stream_without_a_grant_does_not_count(void **state)
{
    (void)state;
    ask(0, 0);
    assert_int_equal(streams[0].n, 0);
    claim_at_once(0, 5);
    leave(0);
    leave(1); /* never asked */
}

/* So news wait until there are messages to rooms again. */
static void who_does_not_ask_is_not_told(void **state)
{
    (void)state;
    join(0);
    pass(ROOM_GRANT_OVER_MS);
    int n = streams[0].n;
    for (uint64_t room = 10; room < 20; room++)
        claim_at_once(0, room);
    change(0, 10, 5, true);
    assert_int_equal(streams[0].n, n);
    ask(0, 2);
    assert_int_equal(streams[0].news->n_entered, 5);
    assert_int_equal(streams[0].news->grant, 2);
}

static void many_rooms_are_told_in_pieces(void **state)
{
    (void)state;
    change(0, 1, BIG, false);
    ask(0, 9);
    for (int piece = 1; piece <= 3; piece++) {
        const Imc__V1__RoomNews *news = news_of(0, (uint64_t)piece);
        assert_int_equal(news->n_entered, ROOM_NEWS_MAX);
        assert_true(news->all == (piece == 1));
        assert_int_equal(news->grant, piece == 3 ? 9 : 0); /* not before it knows all */
        if (piece < 3)
            apply(0);
    }
    apply(0);
    change(0, 1, BIG, true);
    change(0, 1, 10, false); /* some are back before it was told */
    for (int piece = 0; piece < 3; piece++) {
        assert_int_equal(streams[0].news->n_left, ROOM_NEWS_MAX);
        assert_int_equal(streams[0].news->n_entered, piece == 2 ? 10 : 0);
        if (piece < 2)
            apply(0);
    }
}

static void a_job_that_has_lost_count_begins_anew(void **state)
{
    (void)state;
    claim(0, 5);
    join(0);
    claim(0, 6);
    ask_more(0, 2, 0, true);
    const Imc__V1__RoomNews *news = news_of(0, 3);
    assert_true(news->all && news->n_entered == 2 && news->grant == 2);
    assert_true(released[0] < numbers[0]);
    apply(0);
    assert_int_equal(released[0], numbers[0]);
}

static void a_wrong_number_applies_nothing(void **state)
{
    (void)state;
    join(0);
    uint64_t number = claim(0, 5);
    ask_more(0, 0, streams[0].news->number + 1, false);
    ask_more(0, 0, streams[0].news->number - 1, false);
    assert_int_equal(released[0], 0);
    apply(0);
    assert_int_equal(released[0], number);
}

/* It shall not make clients wait again and again. */
static void a_slow_job_gets_no_grant_for_a_while(void **state)
{
    (void)state;
    join(0);
    claim(0, 5);
    pass(ROOM_GRANT_MS);
    ask_more(0, 2, 0, false); /* it asks for more, and does not say that it has applied */
    int n = streams[0].n;
    pass(ROOM_GRANT_OVER_MS);
    assert_int_equal(released[0], numbers[0]);
    ask(0, 3);
    assert_int_equal(streams[0].n, n);
    assert_int_equal(counters[COMET_ROOM_GRANTS_REFUSED], 1);
    claim_at_once(0, 6);
    pass(GRANT_SLOW_MS);
    ask(0, 4);
    assert_int_equal(streams[0].news->grant, 4);
}

static void a_job_that_gives_up_is_not_waited_for(void **state)
{
    (void)state;
    join(0);
    uint64_t number = claim(0, 5);
    Imc__V1__RoomsQuestion question;
    imc__v1__rooms_question__init(&question);
    question.gives_up = true;
    question.anew = true;
    room_grants_asked(grants, &streams[0], &question);
    turn();
    assert_int_equal(released[0], number);
    claim_at_once(0, 6);
    leave(0);
    claim_at_once(0, 7);
}

static void so_many_may_ask(void **state)
{
    (void)state;
    for (int job = 0; job < STREAMS; job++)
        ask(job, 1);
    assert_int_equal(streams[STREAMS - 2].n, 1);
    assert_int_equal(streams[STREAMS - 1].n, 0);
    assert_int_equal(counters[COMET_ROOM_GRANTS_REFUSED], 1);
    leave(0);
    pass(ROOM_GRANT_OVER_MS);
    ask(STREAMS - 1, 1);
    assert_int_equal(streams[STREAMS - 1].n, 1);
}

static void what_comes_after_the_end_is_dropped(void **state)
{
    (void)state;
    Imc__V1__RoomsQuestion question;
    struct claims_post *post = mem_zalloc(sizeof *post);
    imc__v1__rooms_question__init(&question);
    join(0);
    claim(0, 5);
    room_grants_asked(grants, &streams[1], &question);
    post->worker = &workers[0];
    room_grants_claim(grants, post);
    room_grants_close(grants);
    turn();
    grants = NULL;
    assert_int_equal(released[0], 0);
}

#define grants_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        grants_test(without_jobs_nobody_waits),
        grants_test(a_job_is_told_all_and_then_what_changes),
        grants_test(a_room_that_is_known_waits_for_nobody),
        grants_test(every_job_has_to_know),
        grants_test(a_job_that_does_not_answer_is_waited_for_until_its_grant_is_over),
        grants_test(a_comet_that_stood_still_goes_by_the_clock),
        grants_test(a_stream_that_ended_counts_until_its_grant_is_over),
        grants_test(a_stream_without_a_grant_does_not_count),
        grants_test(who_does_not_ask_is_not_told),
        grants_test(many_rooms_are_told_in_pieces),
        grants_test(a_job_that_has_lost_count_begins_anew),
        grants_test(a_wrong_number_applies_nothing),
        grants_test(a_slow_job_gets_no_grant_for_a_while),
        grants_test(a_job_that_gives_up_is_not_waited_for),
        grants_test(so_many_may_ask),
        grants_test(what_comes_after_the_end_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
