/* Clients on real sockets that send a further token; logic is the test, which answers when and what
 * it likes. */
#include "comet/base/cluster_view.h"
#include "comet/logic/logic_requests.h"
#include "comet/session/ordered_rooms.h"
#include "comet/session/renewals.h"
#include "comet/session/token_ends.h"
#include "tests/unit/lib/frontend_fixture.h"

enum { EPOCH = 77, INTERVAL_MS = 3000 };

/* --- in place of comet/logic/logic_requests.c --- */

static struct logic_request_queue asked = STAILQ_HEAD_INITIALIZER(asked);
static int n_asked, ever_asked, link_;

struct logic_request *logic_requests_new(struct logic_requests *link, enum logic_request_kind kind)
{
    struct logic_request *request = mem_zalloc(sizeof *request);

    assert_non_null(link);
    request->kind = kind;
    return request;
}

void logic_requests_send(struct logic_requests *link, struct logic_request *request)
{
    (void)link;
    assert_int_equal(request->kind, REQUEST_RENEW);
    STAILQ_INSERT_TAIL(&asked, request, link);
    n_asked++;
    ever_asked++;
}

/* Of others who speak with logic, none is here. */
struct logic_requests *logic_requests_open(struct worker *worker, const struct logic_link *options)
{
    (void)worker, (void)options;
    return NULL;
}

void logic_requests_update(struct logic_requests *link)
{
    (void)link;
}

void logic_requests_confirm(struct logic_requests *link, const struct logic_confirm *confirm,
                            uint64_t id)
{
    (void)link, (void)confirm, (void)id;
}

size_t logic_requests_pending(const struct logic_requests *link)
{
    (void)link;
    return 0;
}

void logic_requests_close(struct logic_requests *link)
{
    (void)link;
}

static void answer_with(const struct logic_answer *answer)
{
    struct logic_request *request = STAILQ_TAKE(&asked, link);

    assert_non_null(request);
    n_asked--;
    request->done(&fixture, request, answer);
    free(request->bytes);
    free(request->key);
    free(request);
}

/* CODE as in operation 6. */
static void answer(uint32_t code, uint64_t token, uint64_t lifetime_ms)
{
    const struct admission said = {
        .reason = "logic says why", .token = {.token = token}, .lifetime_ms = lifetime_ms};

    answer_with(&(struct logic_answer){
        .answered = true, .status = code, .epoch = fixture.view->comet_epoch, .connect = &said});
}

/* --- sessions --- */

static void sees(uint64_t epoch)
{
    const struct member_list nobody = {0};

    if (fixture.view != NULL)
        cluster_view_unref(fixture.view);
    fixture.view = cluster_view_new(&nobody, &nobody, epoch, false);
}

static void on_closed(struct conn *conn)
{
    if (conn->renews)
        renewals_forget(conn);
    if (conn->expires)
        token_ends_forget(conn);
    session_closed(conn);
}

static int setup(void **state)
{
    static struct conn_events events;
    int failed = fixture_setup(state);

    events = fixture_events;
    events.closed = on_closed;
    fixture.frontend->events = &events;
    fixture_config.renew_interval_ms = INTERVAL_MS;
    fixture_config.connect_ms = 1000;
    fixture.logic = (struct logic_requests *)(void *)&link_;
    fixture.renewals = renewals_open(&fixture);
    fixture.token_ends = token_ends_open(&fixture);
    fixture.ordered_rooms = ordered_rooms_open(&fixture);
    sees(EPOCH);
    n_asked = ever_asked = 0;
    return failed;
}

static int teardown(void **state)
{
    while (n_asked > 0)
        answer_with(&(struct logic_answer){.answered = false});
    ordered_rooms_close(fixture.ordered_rooms);
    frontend_hang_up(&fixture);
    renewals_close(fixture.renewals);
    token_ends_close(fixture.token_ends);
    int failed = fixture_teardown(state);
    cluster_view_unref(fixture.view);
    fixture.view = NULL;
    return failed;
}

/* A session of the token TOKEN, which is good for LIFETIME_MS. */
static int login(uint64_t token, uint64_t lifetime_ms)
{
    int fd = client_login();

    session_notes.last->uid = 42;
    token_ends_set(session_notes.last, (struct token_marks){.token = token}, lifetime_ms);
    return fd;
}

static void send_token(int fd, const char *token, int32_t seq)
{
    int before = ever_asked;

    client_send_frame(fd, OP_AUTH, seq, token);
    while (ever_asked == before)
        step();
}

static void expect_reply(int fd, int32_t seq)
{
    struct frame frame;
    char body[64];

    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_AUTH_REPLY);
    assert_int_equal(frame.seq, seq);
    assert_int_equal(frame.body_len, 0);
}

static void expect_kick(int fd, int code, const char *reason)
{
    struct frame frame;
    char body[200], expected[200];

    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_DISCONNECT);
    (void)snprintf(expected, sizeof expected, "{\"code\":%d,\"reason\":\"%s\"}", code, reason);
    assert_string_equal(body, expected);
    close(fd);
    step_for(10);
}

static void is_alive(int fd)
{
    struct frame frame;
    char body[64];

    client_send_frame(fd, OP_HEARTBEAT, 9, "");
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_HEARTBEAT_REPLY);
}

static void pass(uint64_t ms)
{
    for (uint64_t at = 0; at < ms; at += 50) {
        clock_move(50);
        step();
    }
}

static int64_t counted(enum comet_metric metric)
{
    return atomic_load(&fixture_counters[metric]);
}

/* --- tests --- */

static void the_session_ends_with_the_new_token(void **state)
{
    (void)state;
    int fd = login(1, 10000);
    struct conn *conn = session_notes.last;
    send_token(fd, "\"new\"", 5);
    const struct logic_request *request = STAILQ_FIRST(&asked);
    assert_int_equal(request->uid, 42);
    assert_int_equal(request->handle, conn->handle);
    assert_string_equal(request->bytes, "new"); /* quotes are trimmed, as at first */
    assert_false(request->goim);
    is_alive(fd); /* meanwhile it goes on */
    answer(CLOSE_NONE, 2, 20000);
    expect_reply(fd, 5);
    assert_int_equal(token_ends_marks(conn).token, 2);
    pass(19000);
    is_alive(fd);
    pass(1500);
    expect_kick(fd, CLOSE_BAD_TOKEN, "the token has expired");
    assert_int_equal(counted(COMET_RENEWED), 1);
}

static void a_token_that_does_not_expire_is_good_for_ever(void **state)
{
    (void)state;
    int fd = login(1, 10000);
    struct conn *conn = session_notes.last;
    send_token(fd, "opaque", 5);
    answer(CLOSE_NONE, 0, 0);
    expect_reply(fd, 5);
    assert_false(conn->expires);
    pass(11000);
    is_alive(fd);
    assert_false(conn->renews); /* nothing is kept of it */
    close(fd);
}

static void a_session_that_did_not_expire_does(void **state)
{
    (void)state;
    int fd = client_login();
    send_token(fd, "jwt", 5);
    answer(CLOSE_NONE, 3, 4000);
    expect_reply(fd, 5);
    pass(4500);
    expect_kick(fd, CLOSE_BAD_TOKEN, "the token has expired");
}

static void a_bad_one_ends_the_session(void **state)
{
    (void)state;
    int fd = login(1, 10000);
    send_token(fd, "bad", 5);
    answer(CLOSE_BAD_TOKEN, 0, 0);
    expect_kick(fd, CLOSE_BAD_TOKEN, "logic says why");
    assert_int_equal(counted(COMET_RENEW_REFUSED), 1);
}

/* Bytes behind a NUL belong to the token. */
static void a_token_may_have_any_bytes(void **state)
{
    uint8_t frame[FRAME_HEADER + 4001] = {0};
    int fd = login(1, 10000);

    (void)state;
    frame_header(frame, 1, OP_AUTH, 5, 4001);
    frame[FRAME_HEADER] = 'a';
    memset(frame + FRAME_HEADER + 2, 'x', 3999);
    client_send(fd, frame, sizeof frame);
    while (ever_asked == 0)
        step();
    const struct logic_request *request = STAILQ_FIRST(&asked);
    assert_int_equal(request->bytes_len, 4001);
    assert_memory_equal(request->bytes, frame + FRAME_HEADER, 4001);
    answer(CLOSE_BAD_TOKEN, 0, 0);
    expect_kick(fd, CLOSE_BAD_TOKEN, "logic says why");
}

static void one_at_a_time(void **state)
{
    (void)state;
    int fd = login(1, 10000);
    send_token(fd, "one", 5);
    client_send_frame(fd, OP_AUTH, 6, "two");
    expect_kick(fd, CLOSE_RATE_LIMITED, "auth again, before the one before was answered");
    assert_int_equal(ever_asked, 1);
    answer(CLOSE_NONE, 2, 20000); /* nobody is there */
}

static void not_sooner_than_the_interval(void **state)
{
    (void)state;
    int fd = login(1, 60000);
    send_token(fd, "one", 5);
    pass(INTERVAL_MS - 1000); /* logic takes its time */
    answer(CLOSE_NONE, 2, 60000);
    expect_reply(fd, 5);
    pass(1200); /* the interval begins when the token comes */
    send_token(fd, "two", 6);
    answer(CLOSE_NONE, 3, 60000);
    expect_reply(fd, 6);
    pass(INTERVAL_MS - 200);
    client_send_frame(fd, OP_AUTH, 7, "three");
    expect_kick(fd, CLOSE_RATE_LIMITED, "auth again within session.renew_interval");
    assert_int_equal(ever_asked, 2);
    assert_int_equal(counted(COMET_RENEW_TOO_SOON), 1);
}

/* Logic cannot say, an older one knows nothing of it, or none answers. */
static void it_is_asked_again_until_somebody_can_say(void **state)
{
    (void)state;
    int fd = login(1, 60000);
    send_token(fd, "new", 5);
    answer(CLOSE_UNAVAILABLE, 0, 0);
    assert_int_equal(n_asked, 0);
    pass(900);
    assert_int_equal(n_asked, 0);
    pass(800);
    assert_int_equal(n_asked, 1);
    answer_with(&(struct logic_answer){.answered = true, .status = CLOSE_UNAVAILABLE});
    pass(1700);
    answer_with(&(struct logic_answer){.answered = false});
    pass(1700);
    assert_string_equal(STAILQ_FIRST(&asked)->bytes, "new");
    is_alive(fd);
    answer(CLOSE_NONE, 2, 60000);
    expect_reply(fd, 5);
    assert_int_equal(counted(COMET_RENEW_AGAIN), 3);
    close(fd);
}

static void what_was_said_in_an_earlier_life_is_asked_again(void **state)
{
    const struct admission said = {.token = {.token = 2}, .lifetime_ms = 60000};

    (void)state;
    int fd = login(1, 60000);
    send_token(fd, "new", 5);
    sees(EPOCH + 1); /* others took us for dead; it may have been revoked meanwhile */
    answer_with(&(struct logic_answer){.answered = true, .epoch = EPOCH, .connect = &said});
    assert_int_equal(token_ends_marks(session_notes.last).token, 1);
    pass(1700);
    answer(CLOSE_BAD_TOKEN, 0, 0);
    expect_kick(fd, CLOSE_BAD_TOKEN, "logic says why");
}

static void who_is_not_answered_in_time_may_come_again(void **state)
{
    (void)state;
    int fd = login(1, 2000);
    send_token(fd, "new", 5);
    pass(2500);
    expect_kick(fd, CLOSE_UNAVAILABLE,
                "the token has expired, and nobody could say what the new one is worth");
}

/* --- a revocation meanwhile --- */

static struct {
    int n;
    uint32_t sessions, undecided;
} told;

static void finish(struct room_order *order)
{
    told.n++;
    told.sessions = order->sessions;
    told.undecided = order->undecided;
    free(order);
}

/* The sessions of TOKEN are to end. */
static void end_those_of(uint64_t token, uint64_t handle)
{
    struct room_order *order = mem_zalloc(sizeof *order + sizeof handle);

    memset(&told, 0, sizeof told);
    order->of = (struct room_orders *)(void *)&told;
    order->finish = finish;
    order->uid = 42;
    order->close = true;
    order->end.code = CLOSE_BAD_TOKEN;
    order->end.token = token;
    (void)snprintf(order->end.reason, sizeof order->end.reason, "revoked");
    order->deadline_ms = loop_now_ms(&fixture.loop) + 1000;
    order->n_handles = 1;
    order->handles[0] = handle;
    ordered_rooms_take(&fixture, order);
}

/* Logic had found the new one good before it was revoked: the order waits for the answer. */
static void a_new_token_that_is_revoked_meanwhile_ends_the_session(void **state)
{
    (void)state;
    int fd = login(1, 60000);
    send_token(fd, "new", 5);
    end_those_of(2, session_notes.last->handle);
    assert_int_equal(told.n, 0);
    answer(CLOSE_NONE, 2, 60000);
    expect_reply(fd, 5);
    pass(100);
    expect_kick(fd, CLOSE_BAD_TOKEN, "revoked");
    assert_int_equal(told.n, 1);
    assert_int_equal(told.sessions, 1);
}

static void an_old_token_that_is_revoked_meanwhile_does_not(void **state)
{
    (void)state;
    int fd = login(1, 60000);
    send_token(fd, "new", 5);
    end_those_of(1, session_notes.last->handle);
    answer(CLOSE_NONE, 2, 60000);
    expect_reply(fd, 5);
    pass(100);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.sessions, 0);
    assert_int_equal(told.undecided, 0);
    is_alive(fd);
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_session_ends_with_the_new_token),
        TEST(a_token_that_does_not_expire_is_good_for_ever),
        TEST(a_session_that_did_not_expire_does),
        TEST(a_bad_one_ends_the_session),
        TEST(a_token_may_have_any_bytes),
        TEST(one_at_a_time),
        TEST(not_sooner_than_the_interval),
        TEST(it_is_asked_again_until_somebody_can_say),
        TEST(what_was_said_in_an_earlier_life_is_asked_again),
        TEST(who_is_not_answered_in_time_may_come_again),
        TEST(a_new_token_that_is_revoked_meanwhile_ends_the_session),
        TEST(an_old_token_that_is_revoked_meanwhile_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
