/* Which comets are asked about which sessions. */
#include "logic/peers/give_way.h"
#include "logic/peers/streams.h"
#include "proto/session.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* "comet/epoch:handle,handle,WHY " for each comet that was asked. */
static char told[512];

size_t stream_tell(struct streams *service, const char *comet, uint64_t epoch,
                   const ProtobufCMessage *message)
{
    const Imc__V1__SessionReply *event = (const Imc__V1__SessionReply *)message;
    const Imc__V1__GiveWay *way = event->give_way[0];
    size_t at = strlen(told);

    (void)service;
    assert_int_equal(event->n_give_way, 1);
    assert_int_equal(way->uid, 8);
    at += (size_t)snprintf(told + at, sizeof told - at, "%s/%d:", comet, (int)epoch);
    for (size_t i = 0; i < way->n_handles; i++)
        at += (size_t)snprintf(told + at, sizeof told - at, "%d,", (int)way->handles[i]);
    (void)snprintf(told + at, sizeof told - at, "%d ", (int)way->why);
    return 1;
}

enum { MOST = 8 };
static Imc__V1__Session sessions[MOST], *list[MOST];
static struct router_answer answer;
static struct logic logic;

/* Session N, 60 - N is its handle: on comet one if N is even, or two. Newest first. */
static int setup(void **state)
{
    static char one[] = "one", two[] = "two", phone[] = "phone", tablet[] = "tablet";

    (void)state;
    for (int i = 0; i < MOST; i++) {
        imc__v1__session__init(&sessions[i]);
        sessions[i].comet = i % 2 == 0 ? one : two;
        sessions[i].epoch = 7;
        sessions[i].handle = 60 - (uint64_t)i;
        sessions[i].key = i < 5 ? phone : tablet;
        list[i] = &sessions[i];
    }
    answer = (struct router_answer){.n_sessions = 6, .sessions = list};
    told[0] = '\0';
    return 0;
}

static void more_and_more_are_asked_whether_they_are_silent(void **state)
{
    static const char *const asked[] = {"two/7:55,0 ", "one/7:58,56,0 two/7:57,55,0 ",
                                        "one/7:60,58,56,0 two/7:59,57,55,0 "};

    (void)state;
    for (int i = 0; i < 3; i++) {
        told[0] = '\0';
        give_way_silent(&logic, 8, &answer, i);
        assert_string_equal(told, asked[i]);
    }
    answer.n_sessions = 0;
    told[0] = '\0';
    give_way_silent(&logic, 8, &answer, 0);
    assert_string_equal(told, "");
}

static void only_the_oldest_is_to_go(void **state)
{
    (void)state;
    give_way_oldest(&logic, 8, &answer, 6);
    assert_string_equal(told, "two/7:55,1 ");
    told[0] = '\0';
    give_way_oldest(&logic, 8, &answer, 0);
    assert_string_equal(told, "two/7:55,1 ");
    told[0] = '\0';
    answer.n_sessions = 0;
    give_way_oldest(&logic, 8, &answer, 1);
    assert_string_equal(told, "");
}

static void all_that_are_too_many_are_to_go(void **state)
{
    (void)state;
    give_way_oldest(&logic, 8, &answer, 4);
    assert_string_equal(told, "two/7:57,55,1 one/7:56,1 ");
    told[0] = '\0';
    give_way_oldest(&logic, 8, &answer, 1);
    assert_string_equal(told, "one/7:60,58,56,1 two/7:59,57,55,1 ");
}

static void one_is_replaced_by_a_newer_one_of_its_key(void **state)
{
    struct router_session self = {
        .comet = "two", .epoch = 7, .handle = 59, .uid = 8, .key = "phone"};

    (void)state;
    assert_true(give_way_is_replaced(&self, &answer));
    self.comet = "one"; /* it is not there */
    assert_false(give_way_is_replaced(&self, &answer));
    self.handle = 60; /* the newest */
    assert_false(give_way_is_replaced(&self, &answer));
    self = (struct router_session){.comet = "two", .epoch = 7, .handle = 55, .key = "tablet"};
    assert_false(give_way_is_replaced(&self, &answer));
}

static void older_ones_of_the_same_key_are_to_go(void **state)
{
    struct router_session self = {
        .comet = "two", .epoch = 7, .handle = 59, .uid = 8, .key = "phone"};

    (void)state;
    give_way_same_key(&logic, &self, &answer); /* not 60, which is newer; not 55, of another key */
    assert_string_equal(told, "one/7:58,56,2 two/7:57,2 ");
    told[0] = '\0';
    self.handle = 55;
    give_way_same_key(&logic, &self, &answer);
    assert_string_equal(told, "");
    self.handle = 59;
    self.epoch = 6; /* another life of the comet: it is not there, so nobody is older */
    give_way_same_key(&logic, &self, &answer);
    assert_string_equal(told, "");
    self.epoch = 7;
    self.comet = "one";
    give_way_same_key(&logic, &self, &answer);
    assert_string_equal(told, "");
    self.handle = 60;
    answer.n_sessions = 0;
    give_way_same_key(&logic, &self, &answer);
    assert_string_equal(told, "");
}

/* However two of the same key race, the router has put one of them first: that one goes. */
static void of_two_that_race_one_stays(void **state)
{
    struct router_session newer = {
        .comet = "one", .epoch = 7, .handle = 60, .uid = 8, .key = "phone"};
    struct router_session older = {
        .comet = "two", .epoch = 7, .handle = 59, .uid = 8, .key = "phone"};

    (void)state;
    answer.n_sessions = 2;
    give_way_same_key(&logic, &older, &answer);
    assert_string_equal(told, "");
    give_way_same_key(&logic, &newer, &answer);
    assert_string_equal(told, "two/7:59,2 ");
}

static void settings_are_words(void **state)
{
    static char oldest[] = "close_oldest", replace[] = "replace", other[] = "refuse";
    struct logic_config config = {.sessions_when_full = oldest, .sessions_same_key = replace};

    (void)state;
    assert_true(give_way_closes_oldest(&config) && give_way_replaces(&config));
    config = (struct logic_config){.sessions_when_full = other, .sessions_same_key = other};
    assert_false(give_way_closes_oldest(&config) || give_way_replaces(&config));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(more_and_more_are_asked_whether_they_are_silent, setup),
        cmocka_unit_test_setup(only_the_oldest_is_to_go, setup),
        cmocka_unit_test_setup(all_that_are_too_many_are_to_go, setup),
        cmocka_unit_test_setup(one_is_replaced_by_a_newer_one_of_its_key, setup),
        cmocka_unit_test_setup(older_ones_of_the_same_key_are_to_go, setup),
        cmocka_unit_test_setup(of_two_that_race_one_stays, setup),
        cmocka_unit_test(settings_are_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
