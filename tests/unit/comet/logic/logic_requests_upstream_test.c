/* The link for what clients send to the business, and how a comet learns that it is wanted. */
#include "comet/base/metrics.h"
#include "tests/unit/comet/logic/logic_requests_fixture.h"

static int told_on, told_off;

static void on_told(struct worker *worker, bool on)
{
    assert_ptr_equal(worker, &w.worker);
    told_on += on;
    told_off += !on;
}

/* The link of the fixture is replaced by one that is SLOW, or not. */
static void reopen(bool slow)
{
    struct logic_link link = {.asks = asks, .slow = slow, .window = 2, .timeout_ms = 2000};
    link.asks.upstream = on_told;
    link_close();
    w.worker.logic = logic_requests_open(&w.worker, &link);
    told_on = told_off = 0;
}

static void takes_upstream(struct logic *logic)
{
    Imc__V1__SessionReply reply = IMC__V1__SESSION_REPLY__INIT;
    Imc__V1__TakesUpstream takes = IMC__V1__TAKES_UPSTREAM__INIT;
    reply.takes_upstream = &takes;
    rpc_stream_send(logic->stream, msg_pack(&reply.base));
}

static struct upstream_frame *frame_new(const char *room, const char *body)
{
    size_t room_len = strlen(room), len = strlen(body);
    struct upstream_frame *frame = mem_zalloc(sizeof *frame + room_len + 1 + len);
    frame->room_len = (uint8_t)room_len;
    frame->body_len = (uint32_t)len;
    memcpy(frame->data, room, room_len + 1);
    memcpy(frame->data + room_len + 1, body, len);
    return frame;
}

static void group_new(struct upstream_group *group)
{
    struct upstream_frame *one = frame_new("lobby", "first"), *two = frame_new("", "");
    static char key[] = "phone";
    *group = (struct upstream_group){.n = 2, .epoch = 5, .first = 17, .key = key};
    snprintf(group->peer, sizeof group->peer, "10.0.0.1");
    STAILQ_INIT(&group->frames);
    one->op = 4;
    one->time_ms = 99;
    two->op = -1;
    two->json = true;
    STAILQ_INSERT_TAIL(&group->frames, one, link);
    STAILQ_INSERT_TAIL(&group->frames, two, link);
}

static void group_free(struct upstream_group *group)
{
    struct upstream_frame *frame;
    while ((frame = STAILQ_TAKE(&group->frames, link)) != NULL)
        free(frame);
}

static void send_group(struct upstream_group *group, uint64_t handle)
{
    struct logic_request *made = request(REQUEST_UPSTREAM, handle);
    made->upstream = group;
    logic_requests_send(w.worker.logic, made);
}

static const Imc__V1__Upstream *upstream_at(int logic)
{
    const Imc__V1__Upstream *found = NULL;
    for (int i = 0; i < logic_batches(&w.logics[logic]); i++) {
        const Imc__V1__SessionBatch *batch = logic_batch(&w.logics[logic], i);
        if (batch->n_upstreams > 0)
            found = batch->upstreams[0];
    }
    return found;
}

/* So that its stream is there: an empty batch, by a request that is none of a client's. */
static void greet(int logic, uint64_t handle)
{
    int before = w.n_done;
    see(1U << logic, 1);
    ask(REQUEST_DISCONNECT, handle);
    run(SOON_MS, &w.n_done, before + 1);
}

static void it_is_told_once_and_until_a_logic_answers_that_does_not(void **state)
{
    (void)state;
    reopen(false);
    greet(0, 1);
    assert_int_equal(told_on + told_off, 0);
    takes_upstream(&w.logics[0]);
    takes_upstream(&w.logics[0]);
    run(SOON_MS, &told_on, 1);
    ask(REQUEST_DISCONNECT, 2);
    run(SOON_MS, &w.n_done, 2);
    assert_int_equal(told_off, 0);
    see(0, 1); /* none is there: it stays */
    run(20, NULL, 0);
    assert_int_equal(told_off, 0);
    greet(1, 3);
    assert_int_equal(told_off, 1);
    assert_int_equal(told_on, 1);
}

static void all_of_a_frame_goes_out_and_how_many_were_taken_comes_back(void **state)
{
    struct upstream_group group;
    (void)state;
    group_new(&group);
    see(1, 1);
    send_group(&group, 7);
    run(SOON_MS, &w.n_done, 1);
    const Imc__V1__Upstream *sent = upstream_at(0);
    assert_non_null(sent);
    assert_true(sent->handle == 7 && sent->uid == 70 && sent->epoch == 5 && sent->first == 17);
    assert_string_equal(sent->key, "phone");
    assert_string_equal(sent->address, "10.0.0.1");
    assert_int_equal(sent->n_frames, 2);
    assert_int_equal(sent->frames[0]->op, 4);
    assert_int_equal(sent->frames[0]->time_ms, 99);
    assert_string_equal(sent->frames[0]->room, "lobby");
    assert_int_equal(sent->frames[0]->body.len, 5);
    assert_memory_equal(sent->frames[0]->body.data, "first", 5);
    assert_int_equal(sent->frames[1]->op, -1);
    assert_true(sent->frames[1]->json && !sent->frames[0]->json);
    assert_int_equal(sent->frames[1]->body.len, 0);
    assert_true(w.last.answered);
    assert_int_equal(w.last.taken, 1);
    assert_int_equal(w.last.status, LOGIC_UNAVAILABLE);
    group_free(&group);
}

static void only_logics_that_take_it_are_asked(void **state)
{
    struct upstream_group group;
    (void)state;
    reopen(true);
    group_new(&group);
    see(3, 1);
    send_group(&group, 7);
    run(300, NULL, 0);
    assert_int_equal(w.n_done, 0);
    assert_null(upstream_at(0));
    link_close(); /* what waits is answered, if only that nobody has taken it */
    assert_int_equal(w.n_unanswered, 1);
    group_free(&group);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_is_told_once_and_until_a_logic_answers_that_does_not),
        TEST(all_of_a_frame_goes_out_and_how_many_were_taken_comes_back),
        TEST(only_logics_that_take_it_are_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
