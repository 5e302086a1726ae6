/* Rooms and walks: who gets what, once, while members come and go; fairness, limits, speeds. */
#include "tests/unit/lib/frontend_fixture.h"

enum {
    MEMBERS = 400,
    REST_MS = 5,        /* comet/fanout/fanout.c looks so often whether a rest is over, */
    SPEED_TICK_MS = 20, /* and so often how far a broadcast with a speed may be */
};

struct visitor {
    struct conn *conn;
    int fd; /* the client's end */
    int got[16];
    size_t since; /* the number of pushes made when it joined */
};

static struct visitor members[MEMBERS];
static int told;

static void count_told(void *owner, uint64_t arg, struct conn *conn, enum ticket_result result)
{
    (void)owner;
    (void)arg;
    (void)conn;
    assert_int_equal(result, TICKET_WRITTEN);
    told++;
}

static const struct ticket_ops count_ops = {.done = count_told};
static const struct ticket counted = {.ops = &count_ops};

static void visitor_open(struct visitor *member, enum listener_kind kind)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    memset(member, 0, sizeof *member);
    member->fd = pair[1];
    member->conn = conn_accept(fixture.frontend, pair[0], kind == LISTENER_WS);
    if (kind == LISTENER_WS)
        conn_upgraded(member->conn);
    session_connect(member->conn, (const uint8_t *)"t", 1, 1);
    char reply[64];
    assert_true(recv(member->fd, reply, sizeof reply, 0) > 0);
}

static void visitor_close(struct visitor *member)
{
    close(member->fd);
    member->conn = NULL;
}

/* A push's body is its number, as one character from 'A' on. */
static void push_room(const char *room, int number)
{
    static uint8_t bodies[16];
    bodies[number] = (uint8_t)('A' + number);
    struct push push = {.body = &bodies[number], .body_len = 1, .op = 5};
    room_push(&fixture, room, strlen(room), &push, counted);
}

/* Counts what has come by body. */
static void visitor_read(struct visitor *member)
{
    static uint8_t buf[65536];
    ssize_t n = recv(member->fd, buf, sizeof buf, MSG_DONTWAIT);
    if (n <= 0)
        return;
    if (buf[0] == 0x81) { /* JSON */
        for (ssize_t i = 0; i < n; i++) {
            if (buf[i] == '"' && buf[i + 2] == '"' && buf[i + 1] >= 'A' && buf[i + 1] < 'A' + 16)
                member->got[buf[i + 1] - 'A']++;
        }
        return;
    }
    struct frame frame;
    for (ssize_t at = 0; at < n;) {
        long len = frame_parse_reply(buf + at, (size_t)(n - at), 100, &frame);
        assert_true(len > 0);
        assert_int_equal(frame.op, 5);
        member->got[frame.body[0] - 'A']++;
        at += len;
    }
}

static void close_all(void)
{
    for (int i = 0; i < MEMBERS; i++) {
        if (members[i].conn != NULL)
            visitor_close(&members[i]);
    }
    step_until(frontend_connections(&fixture) == 0);
}

static void everybody_in_the_room_gets_it_and_nobody_else(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        visitor_open(&members[i], i % 2 == 0 ? LISTENER_TCP : LISTENER_WS);
        room_join(&fixture, members[i].conn, i < 50 ? "a" : "bb", i < 50 ? 1 : 2);
    }
    assert_int_equal(fixture_counters[COMET_ROOMS], 2);
    assert_int_equal(members_of("a"), 50);
    told = 0;
    push_room("a", 0);
    push_room("a", 1);
    push_room("nobody", 2);
    assert_int_equal(told, 1); /* nobody there */
    for (int i = 0; i < 5; i++)
        step();
    assert_int_equal(told, 3);
    for (int i = 0; i < 100; i++) {
        visitor_read(&members[i]);
        assert_int_equal(members[i].got[0], i < 50);
        assert_int_equal(members[i].got[1], i < 50);
    }
    assert_int_equal(fixture_counters[COMET_WALKS], 1); /* both pushes in one write */
    assert_int_equal(fixture_counters[COMET_DELIVERIES_ROOM], 100);
    close_all();
    assert_int_equal(fixture_counters[COMET_ROOMS], 0);
}

/* "r" is the main room of half the members; the others are in it beside other rooms. */
static void sit_in_r(int i)
{
    enum room_result result = i % 2 == 0 ? room_join(&fixture, members[i].conn, "r", 1)
                                         : room_join_beside(&fixture, members[i].conn, "r", 1);
    assert_int_equal(result, ROOM_OK);
}

/* Enters or leaves a room beside "r". */
static void move_elsewhere(int i)
{
    const char *room = &"xyz"[rand() % 3];
    if (rand() % 2 == 0)
        assert_int_equal(room_join_beside(&fixture, members[i].conn, room, 1), ROOM_OK);
    else
        room_leave_named(members[i].conn, room, 1);
}

/* The invariant of comet/fanout/fanout.h, by chance: members leave, join and close between any two
 * slices, pushes come all the time. Who was there from before a push was made until its walk was
 * over has it exactly once, and nobody has one twice. */
static void nobody_is_skipped_or_gets_it_twice(void **state)
{
    (void)state;
    enum { STAYED, LEFT, CLOSED } fate[MEMBERS];
    srand(1);
    for (int round = 0; round < 12; round++) {
        int n = 1 + rand() % (MEMBERS - 100), end = n;
        memset(fate, 0, sizeof fate);
        for (int i = 0; i < n; i++) {
            visitor_open(&members[i], i % 3 == 0 ? LISTENER_WS : LISTENER_TCP);
            sit_in_r(i);
        }
        int pushes = 0;
        while (pushes < 16) {
            for (int k = rand() % 3; k > 0 && pushes < 16; k--)
                push_room("r", pushes++);
            step(); /* one slice, or the end of a walk and the next one's first */
            clock_move((uint64_t)(rand() % 3));
            for (int k = rand() % 8; k > 0; k--) {
                int i = rand() % end;
                int how = rand() % 8;
                if (fate[i] != STAYED)
                    continue;
                if (how >= 4) {
                    move_elsewhere(i);
                    continue;
                }
                fate[i] = how < 2 ? CLOSED : LEFT;
                if (how == 0)
                    conn_kick(members[i].conn, CLOSE_KICKED, "by chance");
                else if (how == 1)
                    shutdown(members[i].fd, SHUT_WR);
                else
                    room_leave_named(members[i].conn, "r", 1);
                if (how == 3)
                    sit_in_r(i);
            }
            if (rand() % 2 == 0 && end < MEMBERS) {
                visitor_open(&members[end], LISTENER_TCP);
                sit_in_r(end);
                members[end].since = (size_t)pushes;
                end++;
            }
        }
        step_for(500); /* longer than what is left of the walks and their pauses */
        for (int i = 0; i < end; i++) {
            if (fate[i] == CLOSED)
                continue;
            visitor_read(&members[i]);
            for (int p = 0; p < 16; p++) {
                assert_true(members[i].got[p] <= 1);
                if (fate[i] == STAYED && (size_t)p >= members[i].since)
                    assert_int_equal(members[i].got[p], 1);
            }
        }
        close_all();
    }
}

static void a_small_room_does_not_wait_for_a_large_one(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        visitor_open(&members[i], LISTENER_TCP);
        room_join(&fixture, members[i].conn, i < 290 ? "large" : "small", 5);
    }
    push_room("large", 0);
    push_room("small", 1);
    step();
    step();
    int large = 0;
    for (int i = 0; i < 300; i++) {
        visitor_read(&members[i]);
        large += members[i].got[0];
        if (i >= 290)
            assert_int_equal(members[i].got[1], 1);
    }
    assert_true(large < 290); /* its walk takes several turns of 64 */
    for (int i = 0; i < 10; i++)
        step();
    for (int i = 0; i < 290; i++) {
        visitor_read(&members[i]);
        assert_int_equal(members[i].got[0], 1);
    }
    close_all();
}

static void many_small_rooms_are_walked_in_one_turn(void **state)
{
    (void)state;
    char name[4];
    fixture_config.walk_slice = 4096;
    for (int i = 0; i < MEMBERS; i++) {
        visitor_open(&members[i], LISTENER_TCP);
        (void)snprintf(name, sizeof name, "%03d", i / 10);
        room_join(&fixture, members[i].conn, name, 3);
    }
    assert_int_equal(fixture_counters[COMET_ROOMS], MEMBERS / 10);
    for (int i = 0; i < MEMBERS / 10; i++) {
        (void)snprintf(name, sizeof name, "%03d", i);
        push_room(name, 0);
    }
    step();
    assert_int_equal(fixture_counters[COMET_DELIVERIES_ROOM], MEMBERS);
    close_all();
}

static void a_walk_takes_at_most_its_bytes(void **state)
{
    (void)state;
    fixture_config.walk_bytes = 3;
    visitor_open(&members[0], LISTENER_TCP);
    room_join(&fixture, members[0].conn, "r", 1);
    told = 0;
    for (int i = 0; i < 10; i++)
        push_room("r", i);
    for (int i = 0; i < 10; i++)
        step();
    assert_int_equal(fixture_counters[COMET_WALKS], 4);
    assert_int_equal(told, 10);
    visitor_read(&members[0]);
    for (int i = 0; i < 10; i++)
        assert_int_equal(members[0].got[i], 1);
    close_all();
}

static void a_slow_member_is_kicked_and_the_others_go_on(void **state)
{
    (void)state;
    static uint8_t body[30000];
    struct push push = {.body = body, .body_len = sizeof body, .op = 5};
    static char sink[1 << 20];
    for (int i = 0; i < 3; i++) {
        int size = 4096;
        visitor_open(&members[i], LISTENER_TCP);
        setsockopt(members[i].conn->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        room_join(&fixture, members[i].conn, "r", 1);
    }
    size_t got = 0;
    for (int k = 0; k < 6; k++) {
        room_push(&fixture, "r", 1, &push, TICKET_NONE);
        for (int i = 0; i < 50; i++) {
            step();
            ssize_t n;
            while ((n = recv(members[0].fd, sink, sizeof sink, MSG_DONTWAIT)) > 0)
                got += (size_t)n;
            while (recv(members[2].fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
                continue;
        }
    }
    assert_int_equal(got, 6 * (16 + sizeof body));
    assert_int_equal(fixture_counters[COMET_KICKED_8], 1);
    assert_int_equal(members[1].conn->state, CONN_CLOSING);
    assert_int_equal(members_of("r"), 2);
    close_all();
}

static void a_large_room_gathers_for_max_delay_and_a_small_one_does_not(void **state)
{
    (void)state;
    fixture_config.walk_slice = 20;
    fixture_config.walk_delay_ms = 60;
    for (int i = 0; i < 60; i++) {
        visitor_open(&members[i], LISTENER_TCP);
        room_join(&fixture, members[i].conn, i < 50 ? "large" : "small", 5);
    }
    told = 0;
    push_room("large", 0);
    push_room("small", 1);
    step_for(30);
    push_room("large", 2);
    step_for(29);
    assert_int_equal(told, 1); /* the small room's */
    step_for(1 + REST_MS);
    assert_int_equal(told, 3);
    assert_int_equal(fixture_counters[COMET_WALKS], 2); /* both of the large room's in one */
    assert_int_equal(fixture_counters[COMET_DELIVERIES_ROOM], 2 * 50 + 10);

    fixture_config.walk_bytes = 1;
    push_room("large", 3); /* with a whole batch there is nothing to wait for */
    for (int i = 0; i < 10; i++)
        step();
    assert_int_equal(told, 4);
    close_all();
}

static void after_a_walk_over_many_half_of_its_time_passes(void **state)
{
    (void)state;
    fixture_config.walk_slice = 20;
    for (int i = 0; i < 50; i++) {
        visitor_open(&members[i], LISTENER_TCP);
        room_join(&fixture, members[i].conn, "large", 5);
    }
    told = 0;
    push_room("large", 0);
    step();
    assert_in_range(fixture_counters[COMET_DELIVERIES_ROOM], 1, 49);
    clock_move(80); /* the loop was busy for so long */
    for (int i = 0; i < 5; i++)
        step();
    assert_int_equal(fixture_counters[COMET_DELIVERIES_ROOM], 50);
    push_room("large", 1);
    push_room("large", 2);
    step_for(39);
    assert_int_equal(told, 1);
    step_for(1 + REST_MS);
    assert_int_equal(told, 3);
    assert_int_equal(fixture_counters[COMET_WALKS], 2);
    close_all();
}

/* Two of these fill a socket of the fixture and begin its queue. */
static uint8_t heavy[40000];

static void push_heavy(void)
{
    struct push push = {.body = heavy, .body_len = sizeof heavy, .op = 5};
    room_push(&fixture, "r", 1, &push, counted);
}

static void fill_sockets(int n)
{
    for (int i = 0; i < n; i++) {
        int size = 30000;
        visitor_open(&members[i], LISTENER_TCP);
        setsockopt(members[i].conn->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        room_join(&fixture, members[i].conn, "r", 1);
    }
    told = 0;
    while (fixture.frontend->n_queued == 0) {
        push_heavy();
        for (int i = 0; i < 20; i++)
            step();
    }
    assert_int_equal(fixture.frontend->n_queued, n);
}

static void read_all(int n)
{
    static char sink[1 << 20];
    for (int i = 0; i < n; i++) {
        while (recv(members[i].fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
            continue;
    }
}

static void a_walk_waits_for_sockets_that_are_behind(void **state)
{
    (void)state;
    fixture_config.walk_patience_ms = 60000;
    fill_sockets(100);
    int before = told;
    push_heavy();
    step_for(30);
    assert_int_equal(told, before);
    assert_true(fixture_counters[COMET_WALK_WAITS] > 1);
    read_all(100);
    step_for(REST_MS);
    assert_int_equal(told, before + 1);
    read_all(100);
    step_for(20);
    read_all(100);
    assert_int_equal(fixture_counters[COMET_KICKED_8], 0);
    close_all();
}

static void a_walk_has_not_more_than_patience(void **state)
{
    (void)state;
    fixture_config.walk_patience_ms = 50;
    fill_sockets(100);
    int before = told;
    push_heavy();
    step_for(49);
    assert_int_equal(told, before);
    step_for(1 + REST_MS);
    assert_int_equal(told, before + 1);
    push_heavy(); /* once it has run out, nobody is waited for before they have caught up */
    for (int i = 0; i < 20; i++)
        step();
    assert_int_equal(told, before + 2);
    close_all();
}

static void a_few_sockets_that_are_behind_hold_up_nobody(void **state)
{
    (void)state;
    fixture_config.walk_patience_ms = 60000;
    fill_sockets(64);
    int before = told;
    push_heavy();
    for (int i = 0; i < 20; i++)
        step();
    assert_int_equal(told, before + 1);
    assert_int_equal(fixture_counters[COMET_WALK_WAITS], 0);
    close_all();
}

static void sessions_that_are_not_open_get_nothing(void **state)
{
    (void)state;
    int pair[2];
    char byte;
    session_notes.hold = true;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct conn *conn = conn_accept(fixture.frontend, pair[0], false);
    session_connect(conn, (const uint8_t *)"t", 1, 1);
    room_join(&fixture, conn, "r", 1);
    push_room("r", 0);
    struct push push = {.body = (const uint8_t *)"x", .body_len = 1, .op = 5};
    room_push_all(&fixture, &push, 0, TICKET_NONE);
    step();
    step();
    assert_true(recv(pair[1], &byte, 1, MSG_DONTWAIT) < 0);
    close(pair[1]);
    step_until(frontend_connections(&fixture) == 0);
}

static void a_broadcast_reaches_every_session(void **state)
{
    (void)state;
    struct push push = {.body = (const uint8_t *)"A", .body_len = 1, .op = 5};
    for (int i = 0; i < MEMBERS; i++)
        visitor_open(&members[i], i % 2 == 0 ? LISTENER_TCP : LISTENER_WS);
    for (int i = 0; i < MEMBERS; i += 7)
        visitor_close(&members[i]);
    step_for(5);
    told = 0;
    room_push_all(&fixture, &push, 0, counted);
    for (int i = 0; i < 50; i++)
        step();
    assert_int_equal(told, 1);
    int n = 0;
    for (int i = 0; i < MEMBERS; i++) {
        if (members[i].conn == NULL)
            continue;
        visitor_read(&members[i]);
        assert_int_equal(members[i].got[0], 1);
        n++;
    }
    assert_int_equal(fixture_counters[COMET_DELIVERIES_ALL], n);
    close_all();
}

static void a_broadcast_keeps_its_speed(void **state)
{
    (void)state;
    struct push push = {.body = (const uint8_t *)"A", .body_len = 1, .op = 5};
    for (int i = 0; i < 200; i++)
        visitor_open(&members[i], LISTENER_TCP);
    told = 0;
    room_push_all(&fixture, &push, 400, counted);
    assert_int_equal(told, 1);
    step_for(200);
    assert_in_range(fixture_counters[COMET_DELIVERIES_ALL], 80, 80 + 400 * SPEED_TICK_MS / 1000);
    step_for(300);
    assert_int_equal(fixture_counters[COMET_DELIVERIES_ALL], 200);
    for (int i = 0; i < 200; i++) {
        visitor_read(&members[i]);
        assert_int_equal(members[i].got[0], 1);
    }
    close_all();
}

static int backing_frees;

static void count_free(struct backing *backing)
{
    (void)backing;
    backing_frees++;
}

static void the_backing_lives_as_long_as_the_walk(void **state)
{
    (void)state;
    struct backing backing = {.refs = 1, .free = count_free};
    struct push push = {.backing = &backing, .body = (const uint8_t *)"A", .body_len = 1, .op = 5};
    backing_frees = 0;
    for (int i = 0; i < 100; i++) {
        visitor_open(&members[i], LISTENER_TCP);
        room_join(&fixture, members[i].conn, "r", 1);
    }
    room_push(&fixture, "r", 1, &push, TICKET_NONE);
    room_push_all(&fixture, &push, 0, TICKET_NONE);
    room_push_all(&fixture, &push, 1, TICKET_NONE);
    backing_unref(&backing);
    for (int i = 0; i < 20; i++)
        step();
    assert_int_equal(backing_frees, 0); /* the slow one goes on */
    assert_int_equal(backing.refs, 1);
    close_all();
    fixture_close();
    assert_int_equal(backing_frees, 1);
}

int main(void)
{
#define WALK_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WALK_TEST(everybody_in_the_room_gets_it_and_nobody_else),
        WALK_TEST(nobody_is_skipped_or_gets_it_twice),
        WALK_TEST(a_small_room_does_not_wait_for_a_large_one),
        WALK_TEST(many_small_rooms_are_walked_in_one_turn),
        WALK_TEST(a_walk_takes_at_most_its_bytes),
        WALK_TEST(a_slow_member_is_kicked_and_the_others_go_on),
        WALK_TEST(a_large_room_gathers_for_max_delay_and_a_small_one_does_not),
        WALK_TEST(after_a_walk_over_many_half_of_its_time_passes),
        WALK_TEST(a_walk_waits_for_sockets_that_are_behind),
        WALK_TEST(a_walk_has_not_more_than_patience),
        WALK_TEST(a_few_sockets_that_are_behind_hold_up_nobody),
        WALK_TEST(sessions_that_are_not_open_get_nothing),
        WALK_TEST(a_broadcast_reaches_every_session),
        WALK_TEST(a_broadcast_keeps_its_speed),
        WALK_TEST(the_backing_lives_as_long_as_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
