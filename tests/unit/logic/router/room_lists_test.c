/* The largest rooms of all routers, and rooms by name, with routers that the test plays. */
#include "routers_fixture.h"

#include "logic/router/room_lists.h"

enum { ROUTERS = 3, NAMES = 40 };

static struct {
    int calls;
    enum router_result result;
    size_t n;
    char names[NAMES][16];
    uint64_t sessions[NAMES];
} told;

static void on_list(void *arg, const struct router_answer *answer)
{
    assert_ptr_equal(arg, &told);
    told.calls++;
    told.result = answer->result;
    told.n = answer->n_counts;
    for (size_t i = 0; i < answer->n_counts && i < NAMES; i++) {
        snprintf(told.names[i], sizeof told.names[i], "%s", answer->counts[i].name);
        told.sessions[i] = answer->counts[i].sessions;
    }
}

static int setup_told(void **state)
{
    memset(&told, 0, sizeof told);
    return setup(state);
}

static void top(const char *prefix, uint32_t limit)
{
    char copy[64];

    snprintf(copy, sizeof copy, "%s", prefix);
    room_lists_top(logic.routers, copy, limit, on_list, &told);
    memset(copy, 'x', sizeof copy); /* the caller's text is not needed any more */
}

struct room {
    const char *name;
    uint64_t sessions;
};

/* Answers a question for one list with ROOMS, whose end is a name of NULL. NULL: as a router that
 * knows no lists. */
static void answer_top(struct pipe *pipe, void *batch, const struct room *rooms, bool mismatch)
{
    Imc__V1__Count counts[8], *pointers[8];
    Imc__V1__Top answer_ = IMC__V1__TOP__INIT, *answers[] = {&answer_};
    Imc__V1__MapReply reply;

    imc__v1__map_reply__init(&reply);
    reply.ring_mismatch = mismatch;
    answer_.rooms = pointers;
    for (; rooms != NULL && rooms[answer_.n_rooms].name != NULL; answer_.n_rooms++) {
        size_t i = answer_.n_rooms;
        imc__v1__count__init(&counts[i]);
        counts[i].name = mem_unconst(rooms[i].name);
        counts[i].sessions = rooms[i].sessions;
        pointers[i] = &counts[i];
    }
    reply.top = answers;
    reply.n_top = rooms != NULL;
    answer(pipe, batch, &reply);
}

static void *asked_for(struct pipe *pipe, const char *prefix, uint32_t limit)
{
    void *batch;
    Imc__V1__MapBatch *map = fill(pipe, 1, &batch);

    assert_int_equal(map->n_top, 1);
    assert_string_equal(map->top[0]->prefix, prefix);
    assert_int_equal(map->top[0]->limit, limit);
    imc__v1__map_batch__free_unpacked(map, NULL);
    return batch;
}

static void the_largest_of_all_routers(void **state)
{
    static const struct room rooms[ROUTERS][3] = {
        {{"l://b", 9}, {"l://c", 2}, {NULL, 0}},
        {{NULL, 0}},
        {{"l://d", 10}, {"l://a", 9}, {NULL, 0}},
    };

    (void)state;
    routers_are(ROUTERS);
    top("l://", 3);
    for (int i = 0; i < ROUTERS; i++) {
        assert_int_equal(told.calls, 0);
        answer_top(&pipes[i], asked_for(&pipes[i], "l://", 3), rooms[i], false);
    }
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.result, ROUTER_OK);
    assert_int_equal(told.n, 3);
    assert_string_equal(told.names[0], "l://d");
    assert_string_equal(told.names[1], "l://a");
    assert_string_equal(told.names[2], "l://b");
    assert_true(told.sessions[0] == 10 && told.sessions[1] == 9 && told.sessions[2] == 9);
}

static void a_room_of_two_routers_is_listed_once(void **state)
{
    static const struct room old[] = {{"a", 9}, {"b", 5}, {NULL, 0}};
    static const struct room new[] = {{"b", 7}, {"a", 1}, {NULL, 0}};

    (void)state;
    routers_are(2);
    top("", 10);
    answer_top(&pipes[0], asked_for(&pipes[0], "", 10), old, true);
    answer_top(&pipes[1], asked_for(&pipes[1], "", 10), new, false);
    assert_int_equal(told.result, ROUTER_MISMATCH);
    assert_int_equal(told.n, 2);
    assert_string_equal(told.names[0], "a");
    assert_true(told.sessions[0] == 9 && told.sessions[1] == 7);
}

/* A router may give more than it was asked for. */
static void no_more_than_asked_for(void **state)
{
    static const struct room rooms[] = {{"a", 9}, {"b", 8}, {"c", 7}, {NULL, 0}};

    (void)state;
    routers_are(1);
    top("", 1);
    answer_top(&pipes[0], asked_for(&pipes[0], "", 1), rooms, false);
    assert_int_equal(told.n, 1);
    assert_string_equal(told.names[0], "a");
}

static void a_router_that_fails_is_told(void **state)
{
    static const struct room rooms[] = {{"a", 9}, {NULL, 0}};

    (void)state;
    routers_are(2);
    top("", 5);
    void *batch = asked_for(&pipes[0], "", 5);
    pipes[0].ops->failed(&pipes[0], pipes[0].arg, batch);
    answer_top(&pipes[1], asked_for(&pipes[1], "", 5), rooms, false);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.result, ROUTER_AWAY);
}

static void an_older_router_is_away(void **state)
{
    void *batch;

    (void)state;
    routers_are(1);
    top("", 5);
    answer_top(&pipes[0], asked_for(&pipes[0], "", 5), NULL, false);
    assert_int_equal(told.result, ROUTER_AWAY);
    assert_null(fill(&pipes[0], 2, &batch)); /* and is not asked again and again */
    room_lists_named(logic.routers, (const char *const[]){"a"}, 1, on_list, &told);
    imc__v1__map_batch__free_unpacked(fill(&pipes[0], 3, &batch), NULL);
    answer_top(&pipes[0], batch, NULL, false);
    assert_int_equal(told.calls, 2);
    assert_int_equal(told.result, ROUTER_AWAY);
    assert_int_equal(counters[LOGIC_ROUTER_MALFORMED], 0);
}

static void lists_that_were_not_answered_are_asked_again(void **state)
{
    static const struct room rooms[] = {{"a", 9}, {NULL, 0}};
    void *batch;

    (void)state;
    routers_are(1);
    top("a", 5);
    top("b", 6);
    Imc__V1__MapBatch *map = fill(&pipes[0], 1, &batch);
    assert_int_equal(map->n_top, 2);
    imc__v1__map_batch__free_unpacked(map, NULL);
    answer_top(&pipes[0], batch, rooms, false);
    assert_int_equal(told.calls, 1);
    answer_top(&pipes[0], asked_for(&pipes[0], "b", 6), rooms, false);
    assert_int_equal(told.calls, 2);
}

static void more_than_was_asked_for_is_no_answer(void **state)
{
    static const struct room rooms[] = {{"a", 9}, {NULL, 0}};
    void *batch;

    (void)state;
    routers_are(1);
    room_lists_named(logic.routers, (const char *const[]){"a"}, 1, on_list, &told);
    imc__v1__map_batch__free_unpacked(fill(&pipes[0], 1, &batch), NULL);
    answer_top(&pipes[0], batch, rooms, false);
    assert_int_equal(told.result, ROUTER_AWAY);
    assert_int_equal(counters[LOGIC_ROUTER_MALFORMED], 1);
}

/* Each router is asked for its own rooms, and answers with the length of the name. */
static void rooms_by_name_in_the_order_of_the_question(void **state)
{
    char names[NAMES][16];
    const char *asked_names[NAMES];
    size_t asked = 0;

    (void)state;
    routers_are(ROUTERS);
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(names[i], sizeof names[i], "%.*s%zu", (int)(i % 4), "live", i);
        asked_names[i] = names[i];
    }
    asked_names[NAMES - 1] = names[0];
    room_lists_named(logic.routers, asked_names, NAMES, on_list, &told);
    for (int i = 0; i < ROUTERS; i++) {
        uint64_t totals[NAMES];
        Imc__V1__MapReply reply;
        void *batch;
        Imc__V1__MapBatch *map = fill(&pipes[i], 1, &batch);
        imc__v1__map_reply__init(&reply);
        assert_in_range(map->n_totals, 1, NAMES - 2);
        for (size_t k = 0; k < map->n_totals; k++)
            totals[k] = strlen(map->totals[k]);
        asked += reply.n_totals = map->n_totals;
        reply.totals = totals;
        imc__v1__map_batch__free_unpacked(map, NULL);
        answer(&pipes[i], batch, &reply);
    }
    assert_int_equal(asked, NAMES);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.result, ROUTER_OK);
    assert_int_equal(told.n, NAMES);
    for (size_t i = 0; i < NAMES; i++) {
        assert_string_equal(told.names[i], asked_names[i]);
        assert_int_equal(told.sessions[i], strlen(asked_names[i]));
    }
}

static void without_routers_nobody_knows(void **state)
{
    (void)state;
    top("", 1000);
    assert_int_equal(told.calls, 0); /* never before the call returns */
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.result, ROUTER_AWAY);
    room_lists_named(logic.routers, (const char *const[]){"a", "b"}, 2, on_list, &told);
    assert_int_equal(told.calls, 1);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(told.calls, 2);
    assert_int_equal(told.result, ROUTER_AWAY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_told, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_largest_of_all_routers),
        TEST(a_room_of_two_routers_is_listed_once),
        TEST(no_more_than_asked_for),
        TEST(a_router_that_fails_is_told),
        TEST(an_older_router_is_away),
        TEST(lists_that_were_not_answered_are_asked_again),
        TEST(more_than_was_asked_for_is_no_answer),
        TEST(rooms_by_name_in_the_order_of_the_question),
        TEST(without_routers_nobody_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
