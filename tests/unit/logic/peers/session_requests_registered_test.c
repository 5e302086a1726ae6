/* Registered: a comet says that the routers know all of its sessions. */
#include "common/protocol/ops.h"
#include "tests/unit/logic/peers/session_requests_fixture.h"

static Imc__V1__SessionBatch register_batch(bool with_register)
{
    static Imc__V1__Register one, *list[] = {&one};
    static Imc__V1__Registered registered;
    Imc__V1__SessionBatch in = new_batch();

    imc__v1__register__init(&one);
    imc__v1__registered__init(&registered);
    one.handle = 7;
    one.uid = 42;
    in.n_registers = with_register;
    in.registers = list;
    registered.loop = 1;
    registered.loops = 2;
    in.registered = &registered;
    return in;
}

static void registered_follows_the_registers_to_every_router(void **state)
{
    Imc__V1__SessionBatch in = register_batch(true);
    (void)state;
    n_live = 2;
    handle(&in);
    assert_int_equal(n_routers, 1);
    assert_int_equal(routers[0].session.max_sessions, 0); /* it is open already */
    assert_true(routers[0].session.again);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    assert_int_equal(n_routers, 3);
    router_says(1, ROUTER_OK, 0, RING);
    assert_null(reply);
    router_says(2, ROUTER_MISMATCH, 0, RING);
    assert_int_equal(reply->registers[0], IMC__V1__LOGIC_STATUS__OK);
    assert_int_equal(reply->registered, IMC__V1__LOGIC_STATUS__RING_MISMATCH);
}

static void registered_only_if_every_register_was(void **state)
{
    Imc__V1__SessionBatch in = register_batch(true);
    (void)state;
    handle(&in);
    router_says(0, ROUTER_AWAY, 0, RING);
    assert_int_equal(n_routers, 1);
    assert_int_equal(reply->registers[0], IMC__V1__LOGIC_STATUS__UNAVAILABLE);
    assert_int_equal(reply->registered, IMC__V1__LOGIC_STATUS__UNAVAILABLE);
}

static void other_ring_registers_nothing(void **state)
{
    Imc__V1__SessionBatch in = register_batch(true);
    (void)state;
    ring_now = RING + 1;
    handle(&in);
    assert_int_equal(n_routers, 0);
    assert_int_equal(reply->registers[0], IMC__V1__LOGIC_STATUS__RING_MISMATCH);
    assert_int_equal(reply->registered, IMC__V1__LOGIC_STATUS__RING_MISMATCH);
    assert_true(reply->ring == RING + 1);
}

static void registered_alone(void **state)
{
    Imc__V1__SessionBatch in = register_batch(false);
    (void)state;
    handle(&in);
    router_says(0, ROUTER_OK, 0, RING);
    assert_int_equal(reply->registered, IMC__V1__LOGIC_STATUS__OK);
}

static void registered_with_no_router(void **state)
{
    Imc__V1__SessionBatch in = register_batch(false);
    (void)state;
    n_live = 0;
    handle(&in);
    assert_int_equal(reply->registered, IMC__V1__LOGIC_STATUS__UNAVAILABLE);
}

static void a_register_is_judged_only_if_comet_asks(void **state)
{
    Imc__V1__SessionBatch in = register_batch(true);
    (void)state;
    judged.asked = 0;
    revoked_code = CLOSE_BAD_TOKEN;
    handle(&in);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    assert_int_equal(judged.asked, 0); /* comet did not ask */
    router_says(1, ROUTER_OK, 0, RING);
    assert_int_equal(reply->n_revoked, 0);
}

/* A session that others may have taken for gone: put first, then judged. */
static void a_session_that_was_revoked_meanwhile_is_told_of(void **state)
{
    Imc__V1__SessionBatch in = register_batch(true);
    (void)state;
    judged.asked = 0;
    revoked_code = CLOSE_BAD_TOKEN;
    in.registers[0]->judge = true;
    in.registers[0]->token = 11;
    in.registers[0]->token_id = 12;
    in.registers[0]->issued_s = 13;
    handle(&in);
    assert_int_equal(judged.asked, 0);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    assert_int_equal(judged.asked, 1);
    assert_int_equal(judged.session.token, 11);
    assert_int_equal(judged.session.id, 12);
    assert_int_equal(judged.session.issued_s, 13);
    router_says(1, ROUTER_OK, 0, RING);
    assert_int_equal(reply->registers[0], IMC__V1__LOGIC_STATUS__OK);
    assert_int_equal(reply->registered, IMC__V1__LOGIC_STATUS__OK);
    assert_int_equal(reply->n_revoked, 1);
    assert_int_equal(reply->revoked[0]->index, 0);
    assert_int_equal(reply->revoked[0]->code, CLOSE_BAD_TOKEN);
    assert_string_equal(reply->revoked[0]->reason, "the token was revoked");
}

/* Its device has connected to another comet, while this one was taken for dead. */
static void a_session_that_was_replaced_meanwhile_is_told_of(void **state)
{
    static char replace[] = "replace", key[] = "phone", other[] = "c-2";
    Imc__V1__SessionBatch in = register_batch(true);
    Imc__V1__Session newer, self;
    Imc__V1__Session *list[] = {&newer, &self};
    struct router_answer answer = {
        .result = ROUTER_OK, .ring = RING, .n_sessions = 2, .sessions = list};

    (void)state;
    imc__v1__session__init(&newer);
    imc__v1__session__init(&self);
    judged.asked = 0;
    config.sessions_same_key = replace;
    in.registers[0]->judge = true;
    in.registers[0]->key = key;
    handle(&in);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    assert_int_equal(routers[1].what, 'l');
    assert_int_equal(routers[1].session.uid, 42);
    self.comet = in.comet;
    self.epoch = in.epoch;
    self.handle = 7;
    newer.comet = other;
    newer.epoch = 9;
    newer.handle = 8;
    self.key = newer.key = key;
    routers[1].fn(routers[1].arg, &answer);
    assert_int_equal(judged.asked, 0);
    router_says(2, ROUTER_OK, 0, RING);
    config.sessions_same_key = NULL;
    assert_int_equal(reply->registers[0], IMC__V1__LOGIC_STATUS__OK);
    assert_int_equal(reply->n_revoked, 1);
    assert_int_equal(reply->revoked[0]->code, CLOSE_REPLACED);
}

static void the_only_one_of_its_key_is_judged(void **state)
{
    static char replace[] = "replace", key[] = "phone";
    Imc__V1__SessionBatch in = register_batch(true);

    (void)state;
    judged.asked = 0;
    config.sessions_same_key = replace;
    in.registers[0]->judge = true;
    in.registers[0]->key = key;
    handle(&in);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    router_says(1, ROUTER_AWAY, 0, RING);
    config.sessions_same_key = NULL;
    assert_int_equal(judged.asked, 1);
    router_says(2, ROUTER_OK, 0, RING);
    assert_int_equal(reply->registers[0], IMC__V1__LOGIC_STATUS__OK);
}

static void a_session_that_cannot_be_judged_is_registered_again(void **state)
{
    Imc__V1__SessionBatch in = register_batch(true);
    (void)state;
    judged.err = -EAGAIN;
    in.registers[0]->judge = true;
    handle(&in);
    router_says(0, ROUTER_OK, IMC__V1__PUT_STATUS__PUT_OK, RING);
    judged.err = 0;
    assert_int_equal(reply->n_revoked, 0);
    assert_int_equal(reply->registers[0], IMC__V1__LOGIC_STATUS__UNAVAILABLE);
    assert_int_equal(reply->registered, IMC__V1__LOGIC_STATUS__UNAVAILABLE);
}

static Imc__V1__SessionBatch room_batch(void)
{
    static Imc__V1__RoomCount room, *rooms[] = {&room};
    Imc__V1__SessionBatch in = register_batch(false);

    imc__v1__room_count__init(&room);
    room.room = mem_unconst("lobby");
    room.sessions = 3;
    in.registered = NULL;
    in.rooms = rooms;
    in.n_rooms = 1;
    return in;
}

static void a_rooms_number_goes_to_its_router(void **state)
{
    Imc__V1__SessionBatch in = room_batch();
    (void)state;
    handle(&in);
    assert_int_equal(n_routers, 1);
    assert_string_equal(routers[0].session.room, "lobby");
    router_says(0, ROUTER_OK, 0, RING);
    assert_int_equal(reply->rooms[0]->status, IMC__V1__LOGIC_STATUS__OK);
}

/* The router that is told under an old ring may lose the room with it. */
static void other_ring_is_told_of_no_room(void **state)
{
    Imc__V1__SessionBatch in = room_batch();
    (void)state;
    ring_now = RING + 1;
    handle(&in);
    assert_int_equal(n_routers, 0);
    assert_int_equal(reply->rooms[0]->status, IMC__V1__LOGIC_STATUS__RING_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(registered_follows_the_registers_to_every_router, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(registered_only_if_every_register_was, setup, teardown),
        cmocka_unit_test_setup_teardown(other_ring_registers_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(registered_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(registered_with_no_router, setup, teardown),
        cmocka_unit_test_setup_teardown(a_register_is_judged_only_if_comet_asks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_that_was_revoked_meanwhile_is_told_of, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_session_that_was_replaced_meanwhile_is_told_of, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_only_one_of_its_key_is_judged, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_that_cannot_be_judged_is_registered_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_rooms_number_goes_to_its_router, setup, teardown),
        cmocka_unit_test_setup_teardown(other_ring_is_told_of_no_room, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
