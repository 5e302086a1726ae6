/* Requests to routers: what goes into a batch, and who gets the answer. */
#include "routers_fixture.h"

enum { MOST = 32 };

static struct {
    int calls;
    enum router_result result;
    bool complete;
    uint32_t status;
    size_t n_sessions, n_counts;
    uint64_t ring, first_handle;
} got[MOST];

static void on_answer(void *arg, const struct router_answer *answer)
{
    int i = (int)(intptr_t)arg;
    got[i].calls++;
    got[i].result = answer->result;
    got[i].complete = answer->complete;
    got[i].status = answer->status;
    got[i].n_sessions = answer->n_sessions;
    got[i].n_counts = answer->n_counts;
    got[i].ring = answer->ring;
    got[i].first_handle = answer->n_sessions > 0 ? answer->sessions[0]->handle : 0;
}

static void *slot(int i)
{
    return (void *)(intptr_t)i;
}

static int setup_got(void **state)
{
    memset(got, 0, sizeof got);
    return setup(state);
}

static const struct router_session alice = {.comet = "comet-1",
                                            .epoch = 5,
                                            .handle = 11,
                                            .uid = 42,
                                            .key = "k",
                                            .room = "7",
                                            .max_sessions = 3};
static const struct router_session bob = {
    .comet = "comet-2", .epoch = 6, .handle = 12, .uid = 43, .key = "", .room = ""};

static void a_batch_and_its_answer(void **state)
{
    Imc__V1__Session session, *sessions[] = {&session};
    Imc__V1__Lookup first = IMC__V1__LOOKUP__INIT, second = IMC__V1__LOOKUP__INIT,
                    *lookups[] = {&first, &second};
    Imc__V1__MapReply reply;
    imc__v1__map_reply__init(&reply);
    void *batch;

    (void)state;
    routers_are(1);
    router_lookup(logic.routers, 1, 100, on_answer, slot(0));
    router_put(logic.routers, &alice, 100, on_answer, slot(1));
    router_del(logic.routers, &alice, on_answer, slot(2));
    router_put(logic.routers, &bob, 100, on_answer, slot(3));
    router_lookup(logic.routers, 2, 100, on_answer, slot(4));
    assert_true(pipes[0].kicked);
    Imc__V1__MapBatch *map = fill(&pipes[0], 1, &batch);
    assert_true(map->ring == routers_ring(logic.routers) && map->ring != 0);
    assert_int_equal(map->n_comets, 2); /* named once each */
    assert_int_equal(map->n_puts, 2);
    assert_int_equal(map->puts[0]->max_sessions, 3);
    assert_string_equal(map->puts[0]->room, "7");
    assert_string_equal(map->comets[map->puts[1]->comet]->id, "comet-2");
    assert_int_equal(map->n_dels, 1);
    assert_int_equal(map->n_lookups, 2);
    assert_true(map->lookups[0] == 1 && map->lookups[1] == 2);
    imc__v1__map_batch__free_unpacked(map, NULL);

    imc__v1__session__init(&session);
    session.handle = 99;
    second.n_sessions = 1;
    second.sessions = sessions;
    reply.seq = 1;
    reply.complete = true;
    reply.n_puts = 2;
    reply.puts = (uint32_t[]){IMC__V1__PUT_STATUS__PUT_OK, IMC__V1__PUT_STATUS__PUT_TOO_MANY};
    reply.n_lookups = 2;
    reply.lookups = lookups;
    answer(&pipes[0], batch, &reply);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(got[i].calls, 1);
        assert_int_equal(got[i].result, ROUTER_OK);
    }
    assert_int_equal(got[0].n_sessions, 0);
    assert_int_equal(got[1].status, IMC__V1__PUT_STATUS__PUT_OK);
    assert_int_equal(got[3].status, IMC__V1__PUT_STATUS__PUT_TOO_MANY);
    assert_true(got[4].first_handle == 99 && got[4].complete);
    assert_int_equal(counters[LOGIC_LOOKUP_COMPLETE], 2);
}

static void mismatch_reaches_everybody(void **state)
{
    Imc__V1__Lookup lookup = IMC__V1__LOOKUP__INIT, *lookups[] = {&lookup};
    Imc__V1__MapReply reply;
    imc__v1__map_reply__init(&reply);
    void *batch;

    (void)state;
    routers_are(1);
    router_put(logic.routers, &alice, 100, on_answer, slot(0));
    router_lookup(logic.routers, 1, 100, on_answer, slot(1));
    imc__v1__map_batch__free_unpacked(fill(&pipes[0], 1, &batch), NULL);
    reply.seq = 1;
    reply.ring_mismatch = true;
    reply.complete = true;
    reply.n_lookups = 1;
    reply.lookups = lookups;
    answer(&pipes[0], batch, &reply);
    assert_int_equal(got[0].result, ROUTER_MISMATCH);
    assert_int_equal(got[1].result, ROUTER_MISMATCH);
    assert_false(got[1].complete);
    assert_int_equal(counters[LOGIC_ROUTER_MISMATCH], 1);
}

static void answer_that_does_not_fit_is_no_answer(void **state)
{
    Imc__V1__MapReply reply;
    imc__v1__map_reply__init(&reply);
    void *batch;

    (void)state;
    routers_are(1);
    router_lookup(logic.routers, 1, 100, on_answer, slot(0));
    imc__v1__map_batch__free_unpacked(fill(&pipes[0], 1, &batch), NULL);
    reply.seq = 1;
    answer(&pipes[0], batch, &reply);
    assert_int_equal(got[0].result, ROUTER_AWAY);
    assert_int_equal(counters[LOGIC_ROUTER_MALFORMED], 1);
}

/* A router answers what one message holds: the rest is asked for again, before what came later. */
static void lookups_that_were_not_answered_are_asked_again(void **state)
{
    Imc__V1__Lookup lookup = IMC__V1__LOOKUP__INIT, *lookups[] = {&lookup, &lookup};
    Imc__V1__MapReply reply;
    imc__v1__map_reply__init(&reply);
    void *batch;

    (void)state;
    routers_are(1);
    for (int i = 0; i < 4; i++)
        router_lookup(logic.routers, 10 + i, 5000, on_answer, slot(i));
    router_put(logic.routers, &alice, 5000, on_answer, slot(4));
    imc__v1__map_batch__free_unpacked(fill(&pipes[0], 1, &batch), NULL);
    router_lookup(logic.routers, 20, 5000, on_answer, slot(5));
    pipes[0].kicked = false;
    reply.complete = true;
    reply.n_puts = 1;
    reply.puts = (uint32_t[]){IMC__V1__PUT_STATUS__PUT_OK};
    reply.n_lookups = 2;
    reply.lookups = lookups;
    answer(&pipes[0], batch, &reply);
    assert_true(pipes[0].kicked);
    for (int i = 0; i < 6; i++)
        assert_int_equal(got[i].calls, i < 2 || i == 4);
    Imc__V1__MapBatch *map = fill(&pipes[0], 2, &batch);
    assert_int_equal(map->n_puts, 0);
    assert_int_equal(map->n_lookups, 3);
    assert_true(map->lookups[0] == 12 && map->lookups[1] == 13 && map->lookups[2] == 20);
    imc__v1__map_batch__free_unpacked(map, NULL);
    router_lookup(logic.routers, 21, 5000, on_answer, slot(6)); /* the queue is whole */
    reply.n_puts = 0;
    answer(&pipes[0], batch, &reply);
    map = fill(&pipes[0], 3, &batch);
    assert_int_equal(map->n_lookups, 2);
    assert_true(map->lookups[0] == 20 && map->lookups[1] == 21);
    imc__v1__map_batch__free_unpacked(map, NULL);
    answer(&pipes[0], batch, &reply);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(got[i].calls, 1);
        assert_int_equal(got[i].result, ROUTER_OK);
    }
    assert_null(fill(&pipes[0], 4, &batch));
}

/* One that timed out meanwhile is not asked for again. */
static void nobody_waits_for_what_would_be_asked_again(void **state)
{
    Imc__V1__Lookup lookup = IMC__V1__LOOKUP__INIT, *lookups[] = {&lookup};
    Imc__V1__MapReply reply;
    imc__v1__map_reply__init(&reply);
    void *batch;

    (void)state;
    routers_are(1);
    router_lookup(logic.routers, 1, 5000, on_answer, slot(0));
    router_lookup(logic.routers, 2, 30, on_answer, slot(1));
    imc__v1__map_batch__free_unpacked(fill(&pipes[0], 1, &batch), NULL);
    while (got[1].calls == 0)
        uv_run(&loop.uv, UV_RUN_ONCE);
    reply.n_lookups = 1;
    reply.lookups = lookups;
    answer(&pipes[0], batch, &reply);
    assert_int_equal(got[0].calls, 1);
    assert_null(fill(&pipes[0], 2, &batch));
    assert_int_equal(got[1].calls, 1);
}

static void nobody_there_is_told_later(void **state)
{
    (void)state;
    router_lookup(logic.routers, 1, 100, on_answer, slot(0));
    assert_int_equal(routers_ring(logic.routers), 0);
    assert_int_equal(got[0].calls, 0); /* never before the call returns */
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(got[0].result, ROUTER_AWAY);

    routers_are(1);
    pipes[0].up = false;
    router_put(logic.routers, &alice, 100, on_answer, slot(1));
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(got[1].result, ROUTER_AWAY);
}

static void a_pipe_that_is_down_gets_an_empty_probe(void **state)
{
    Imc__V1__MapReply reply;
    imc__v1__map_reply__init(&reply);
    void *batch;

    (void)state;
    routers_are(1);
    assert_null(fill(&pipes[0], 1, &batch));
    pipes[0].up = false;
    Imc__V1__MapBatch *map = fill(&pipes[0], 1, &batch);
    assert_non_null(map);
    imc__v1__map_batch__free_unpacked(map, NULL);
    reply.seq = 1;
    answer(&pipes[0], batch, &reply);
}

static void a_late_answer_is_not_told_twice(void **state)
{
    Imc__V1__Lookup lookup = IMC__V1__LOOKUP__INIT, *lookups[] = {&lookup, &lookup};
    Imc__V1__MapReply reply;
    imc__v1__map_reply__init(&reply);
    void *batch;

    (void)state;
    routers_are(1);
    router_lookup(logic.routers, 1, 30, on_answer, slot(0));
    router_lookup(logic.routers, 2, 5000, on_answer, slot(1));
    imc__v1__map_batch__free_unpacked(fill(&pipes[0], 1, &batch), NULL);
    router_lookup(logic.routers, 3, 30, on_answer, slot(2)); /* waits for the next batch */
    while (got[0].calls == 0 || got[2].calls == 0)
        uv_run(&loop.uv, UV_RUN_ONCE);
    assert_int_equal(got[0].result, ROUTER_AWAY);
    assert_int_equal(got[1].calls, 0);
    reply.seq = 1;
    reply.n_lookups = 2;
    reply.lookups = lookups;
    answer(&pipes[0], batch, &reply);
    assert_int_equal(got[0].calls, 1);
    assert_int_equal(got[1].calls, 1);
    assert_null(fill(&pipes[0], 2, &batch)); /* nobody waits for it any more: not sent */
    assert_int_equal(counters[LOGIC_ROUTER_TIMEOUT], 2);
}

static void a_router_that_went_fails_what_waits(void **state)
{
    void *batch;

    (void)state;
    routers_are(1);
    uint64_t ring = routers_ring(logic.routers);
    router_lookup(logic.routers, 1, 5000, on_answer, slot(0));
    imc__v1__map_batch__free_unpacked(fill(&pipes[0], 1, &batch), NULL);
    router_lookup(logic.routers, 2, 5000, on_answer, slot(1));
    pipes[0].ops->failed(&pipes[0], pipes[0].arg, batch);
    assert_int_equal(got[0].result, ROUTER_AWAY);
    assert_int_equal(got[1].calls, 0);
    routers_are(0);
    assert_false(pipes[0].open);
    assert_int_equal(got[1].result, ROUTER_AWAY);
    assert_true(routers_ring(logic.routers) == 0 && ring != 0);
}

static void the_ring_chooses_and_all_are_asked(void **state)
{
    (void)state;
    routers_are(3);
    assert_int_equal(routers_count(logic.routers), 3);
    for (int64_t uid = 0; uid < 20; uid++)
        router_lookup(logic.routers, uid, 100, on_answer, slot(0));
    int kicked = pipes[0].kicked + pipes[1].kicked + pipes[2].kicked;
    assert_in_range(kicked, 2, 3);
    assert_int_equal(router_count(logic.routers, ROUTER_COUNT_ROOMS, on_answer, slot(1)), 3);
    assert_int_equal(router_forget(logic.routers, "comet-1", on_answer, slot(2)), 3);
    for (int i = 0; i < 3; i++) {
        void *batch;
        Imc__V1__MapBatch *map = fill(&pipes[i], 1, &batch);
        assert_true(map->count_rooms && !map->count_comets);
        assert_int_equal(map->n_forget, 1);
        imc__v1__map_batch__free_unpacked(map, NULL);
        pipes[i].ops->failed(&pipes[i], pipes[i].arg, batch);
    }
    /* A router that stays keeps its pipe. */
    routers_are(2);
    assert_int_equal(n_pipes, 3);
    assert_true(pipes[0].open && pipes[1].open && !pipes[2].open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_batch_and_its_answer, setup_got, teardown),
        cmocka_unit_test_setup_teardown(mismatch_reaches_everybody, setup_got, teardown),
        cmocka_unit_test_setup_teardown(answer_that_does_not_fit_is_no_answer, setup_got, teardown),
        cmocka_unit_test_setup_teardown(lookups_that_were_not_answered_are_asked_again, setup_got,
                                        teardown),
        cmocka_unit_test_setup_teardown(nobody_waits_for_what_would_be_asked_again, setup_got,
                                        teardown),
        cmocka_unit_test_setup_teardown(nobody_there_is_told_later, setup_got, teardown),
        cmocka_unit_test_setup_teardown(a_pipe_that_is_down_gets_an_empty_probe, setup_got,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_late_answer_is_not_told_twice, setup_got, teardown),
        cmocka_unit_test_setup_teardown(a_router_that_went_fails_what_waits, setup_got, teardown),
        cmocka_unit_test_setup_teardown(the_ring_chooses_and_all_are_asked, setup_got, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
