/* Messages for some devices of a user only. */
#include "tests/unit/job/core_fixture.h"

/* Pushes to sessions of UID with KEY, of which HANDLE on comet-0 is one; 0: nobody is known. */
static void push_to_key(int64_t uid, const char *key, uint64_t handle)
{
    Imc__V1__PushMsg envelope;
    Imc__V1__Session session, *hints[] = {&session};
    /* In no order: anybody may write to the bus. */
    char *keys[] = {(char *)(uintptr_t) "z", (char *)(uintptr_t)key, (char *)(uintptr_t) "a"};

    imc__v1__push_msg__init(&envelope);
    imc__v1__session__init(&session);
    session.comet = (char *)(uintptr_t) "comet-0";
    session.epoch = 100;
    session.handle = handle;
    session.key = keys[1];
    envelope.has_uid = 1;
    envelope.uid = uid;
    envelope.operation = 5;
    envelope.id = 100 + (uint64_t)bench.offset;
    envelope.hints = hints;
    envelope.n_hints = handle != 0;
    envelope.keys = keys;
    envelope.n_keys = 3;
    consume(&envelope);
}

static void has_key(const char *key)
{
    pthread_mutex_lock(&bench.logics[0]->lock);
    (void)snprintf(bench.logics[0]->key, sizeof bench.logics[0]->key, "%s", key);
    pthread_mutex_unlock(&bench.logics[0]->lock);
}

static void a_session_with_the_key_gets_it(void **state)
{
    (void)state;
    push_to_key(7, "phone", 1);
    wait_for(position() == 1);
    assert_string_equal(comet_saw(0), "u7@0:1 ");
    assert_string_equal(logic_saw(0), "");
}

static void the_key_is_told_to_logic_and_its_session_is_poked(void **state)
{
    (void)state;
    has_key("phone");
    fake_comet_tell(bench.comets[0], FAKE_GONE, false);
    fake_logic_tell(bench.logics[0], "", "comet-1", 100);
    push_to_key(7, "phone", 1);
    wait_for(position() == 1);
    assert_string_equal(logic_saw(0), "7/100[a][phone][z] ");
    assert_string_equal(comet_saw(1), "p7#100:77 ");
}

/* A logic that does not know keys names all sessions of the user. */
static void a_session_with_another_key_is_left_alone(void **state)
{
    (void)state;
    has_key("tablet");
    fake_logic_tell(bench.logics[0], "", "comet-1", 100);
    push_to_key(7, "phone", 0);
    wait_for(position() == 1);
    assert_string_equal(comet_saw(1), "");
    assert_int_equal(counter(JOB_SETTLED), 1);
    assert_int_equal(counter(JOB_POKED), 0);
}

/* Nothing can be stored: who has the key gets it, others do not. */
static void it_is_diverted_only_to_the_key(void **state)
{
    (void)state;
    has_key("tablet");
    fake_logic_tell(bench.logics[0], "DD", "comet-0", 100);
    push_to_key(7, "phone", 0);
    wait_for(position() == 1);
    assert_string_equal(comet_saw(0), "");
    assert_int_equal(counter(JOB_DIVERTED), 0);
    has_key("phone");
    fake_logic_tell(bench.logics[0], "D", "comet-0", 100);
    push_to_key(7, "phone", 0);
    wait_for(position() == 2);
    assert_string_equal(comet_saw(0), "u7@1:77 ");
    assert_int_equal(counter(JOB_DIVERTED), 1);
}

/* All of a user's messages are in order, whichever devices they are for. */
static void a_message_to_all_waits_for_one_to_a_key(void **state)
{
    (void)state;
    has_key("tablet");
    fake_logic_tell(bench.logics[0], "FF", "comet-0", 100);
    push_to_key(7, "phone", 0);
    push(7, "0:77");
    wait_for(logic_has_seen(0, "7/100[a][phone][z] 7/100[a][phone][z]"));
    assert_string_equal(comet_saw(0), "");
    wait_for(position() == 2);
    assert_string_equal(comet_saw(0), "u7@1:77 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        core_test(a_session_with_the_key_gets_it),
        core_test(the_key_is_told_to_logic_and_its_session_is_poked),
        core_test(a_session_with_another_key_is_left_alone),
        core_test(it_is_diverted_only_to_the_key),
        core_test(a_message_to_all_waits_for_one_to_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
