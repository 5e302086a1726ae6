/* Clients on real sockets; logic is the test, which answers when and what it likes. */
#include "comet/base/cluster_view.h"
#include "comet/logic/logic_requests.h"
#include "comet/session/upstream.h"
#include "tests/unit/lib/frontend_fixture.h"

enum { EPOCH = 77, FRAMES_MAX = 200 };

/* --- in place of comet/logic/logic_requests.c --- */

static struct logic_request_queue asked = STAILQ_HEAD_INITIALIZER(asked);
static int n_asked, links;

struct logic_requests *logic_requests_open(struct worker *worker, const struct logic_link *options)
{
    (void)worker;
    assert_true(options->slow && options->timeout_ms > fixture_config.upstream_timeout_ms);
    links++;
    return (struct logic_requests *)(void *)&links;
}

void logic_requests_update(struct logic_requests *link)
{
    (void)link;
}

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
    assert_int_equal(request->kind, REQUEST_UPSTREAM);
    STAILQ_INSERT_TAIL(&asked, request, link);
    n_asked++;
}

void logic_requests_confirm(struct logic_requests *link, const struct logic_confirm *confirm,
                            uint64_t id)
{
    (void)link, (void)confirm, (void)id;
}

size_t logic_requests_pending(const struct logic_requests *link)
{
    (void)link;
    return (size_t)n_asked;
}

static void answer_with(const struct logic_answer *answer)
{
    struct logic_request *request = STAILQ_TAKE(&asked, link);
    assert_non_null(request);
    n_asked--;
    request->done(&fixture, request, answer);
    free(request);
}

void logic_requests_close(struct logic_requests *link)
{
    (void)link;
    while (n_asked > 0)
        answer_with(&(struct logic_answer){.answered = false});
}

static void take(uint32_t n)
{
    size_t all = STAILQ_FIRST(&asked)->upstream->n;
    uint32_t status = n < all ? LOGIC_UNAVAILABLE : LOGIC_OK;
    answer_with(&(struct logic_answer){.answered = true, .status = status, .taken = n});
}

static const struct upstream_group *group(void)
{
    step_until(n_asked > 0);
    return STAILQ_FIRST(&asked)->upstream;
}

/* Bodies of the group, each with a blank behind it. */
static const char *bodies(void)
{
    static char text[8192];
    const struct upstream_frame *frame;
    size_t at = 0;
    text[0] = '\0';
    STAILQ_FOREACH(frame, &group()->frames, link)
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s ", (int)frame->body_len,
                               frame->data + frame->room_len + 1);
    return text;
}

/* --- clients --- */

static int setup(void **state)
{
    static const struct member_list nobody = {0};
    int rc = fixture_setup(state);
    fixture.view = cluster_view_new(&nobody, &nobody, EPOCH, false);
    links = 0;
    upstream_told(&fixture, true);
    assert_int_equal(links, 1);
    return rc;
}

static int teardown(void **state)
{
    struct cluster_view *view = fixture.view;
    int rc = fixture_teardown(state);
    cluster_view_unref(view);
    assert_true(STAILQ_EMPTY(&asked));
    return rc;
}

/* Frames of operation 4 in one write: sequence and body are FROM, FROM + 1, … */
static void send_numbers(int fd, int from, int n)
{
    static uint8_t bytes[FRAMES_MAX * (FRAME_HEADER + 8)];
    size_t at = 0;
    assert_true(n <= FRAMES_MAX);
    for (int i = from; i < from + n; i++) {
        char body[8];
        int len = snprintf(body, sizeof body, "%d", i);
        frame_header(bytes + at, 1, OP_SEND, i, (size_t)len);
        memcpy(bytes + at + FRAME_HEADER, body, (size_t)len);
        at += FRAME_HEADER + (size_t)len;
    }
    client_send(fd, bytes, at);
}

static void expect_replies(int fd, int from, int n)
{
    struct frame frame;
    char body[64];
    for (int i = from; i < from + n; i++) {
        assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_SEND_REPLY);
        assert_int_equal(frame.seq, i);
        assert_int_equal(frame.body_len, 0);
    }
}

static void expect_nothing(int fd)
{
    char byte;
    step_for(20);
    assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

static void expect_kicked(int fd, int code, const char *words)
{
    struct frame frame;
    char body[512], start[32];
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_DISCONNECT);
    (void)snprintf(start, sizeof start, "{\"code\":%d,", code);
    assert_memory_equal(body, start, strlen(start));
    assert_non_null(strstr(body, words));
}

/* --- tests --- */

static void frames_of_one_read_go_together_and_are_answered_when_taken(void **state)
{
    (void)state;
    int fd = client_login();
    send_numbers(fd, 1, 3);
    assert_string_equal(bodies(), "1 2 3 ");
    assert_int_equal(group()->epoch, EPOCH);
    assert_int_equal(group()->first, 1);
    assert_string_equal(group()->peer, "127.0.0.1");
    assert_int_equal(STAILQ_FIRST(&asked)->handle, session_notes.last->handle);
    expect_nothing(fd);
    send_numbers(fd, 4, 2); /* behind the group, not beside it */
    step_for(20);
    assert_int_equal(n_asked, 1);
    take(3);
    expect_replies(fd, 1, 3);
    assert_string_equal(bodies(), "4 5 ");
    assert_int_equal(group()->first, 4);
    take(2);
    expect_replies(fd, 4, 2);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_TAKEN], 5);
    close(fd);
}

static void what_was_not_taken_comes_first_again_with_its_number(void **state)
{
    (void)state;
    int fd = client_login();
    send_numbers(fd, 1, 4);
    assert_string_equal(bodies(), "1 2 3 4 ");
    send_numbers(fd, 5, 1);
    take(1);
    expect_replies(fd, 1, 1);
    expect_nothing(fd);
    step_for(300);
    assert_string_equal(bodies(), "2 3 4 5 ");
    assert_int_equal(group()->first, 2);
    answer_with(&(struct logic_answer){.answered = false});
    step_for(300);
    assert_string_equal(bodies(), "2 3 4 5 ");
    assert_int_equal(group()->first, 2);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_AGAIN], 2);
    take(4);
    expect_replies(fd, 2, 4);
    close(fd);
}

static void beyond_the_window_nothing_is_read_and_the_client_lives(void **state)
{
    (void)state;
    fixture_config.heartbeat_ms = 2000;
    int fd = client_login();
    send_numbers(fd, 0, 200);
    send_numbers(fd, 200, 100);
    assert_int_equal(group()->n, 16);
    assert_true(session_notes.last->held != 0);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_HELD], 1);
    step_for(9000); /* longer than conn.heartbeat */
    assert_int_equal(session_notes.closed, 0);
    assert_true(session_notes.last->paused);
    for (int at = 0; at < 300;) {
        int n = (int)group()->n;
        assert_true(n > 0 && n <= 16);
        take((uint32_t)n);
        expect_replies(fd, at, n);
        at += n;
    }
    assert_false(session_notes.last->held != 0);
    client_send_frame(fd, OP_HEARTBEAT, 5, "");
    struct frame frame;
    char body[8];
    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_HEARTBEAT_REPLY);
    close(fd);
}

static void a_held_client_that_leaves_is_noticed_and_what_came_is_taken(void **state)
{
    (void)state;
    int fd = client_login();
    send_numbers(fd, 0, 20);
    assert_int_equal(group()->n, 16);
    close(fd);
    step_until(session_notes.closed == 1);
    assert_int_equal(upstream_pending(fixture.upstream), 1);
    take(10);
    step_for(300);
    assert_int_equal(group()->n, 6);
    take(6);
    assert_int_equal(upstream_pending(fixture.upstream), 0);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_TAKEN], 16);
}

static void after_the_timeout_the_client_is_told(void **state)
{
    (void)state;
    fixture_config.upstream_timeout_ms = 1000;
    int fd = client_login();
    send_numbers(fd, 1, 2);
    (void)group();
    take(1);
    expect_replies(fd, 1, 1);
    for (int i = 0; i < 2; i++) {
        step_for(300);
        take(0);
    }
    expect_nothing(fd);
    step_for(600);
    expect_kicked(fd, CLOSE_UNAVAILABLE, "neither Kafka nor the business confirmed it");
    while (n_asked > 0)
        take(0);
    step_for(1000);
    assert_int_equal(n_asked, 0);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_DROPPED], 1);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_TIMEOUTS], 1);
    close(fd);
}

static void a_logic_that_never_answers_is_named_and_what_it_took_still_counts(void **state)
{
    (void)state;
    fixture_config.upstream_timeout_ms = 1000;
    int fd = client_login();
    send_numbers(fd, 1, 2);
    (void)group();
    send_numbers(fd, 3, 1);
    step_for(1200);
    expect_kicked(fd, CLOSE_UNAVAILABLE, "no logic answered");
    close(fd);
    step_until(session_notes.closed == 1);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_DROPPED], 1);
    take(2);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_TAKEN], 2);
}

static void a_loop_that_keeps_too_much_takes_one_frame_a_session(void **state)
{
    (void)state;
    char large[4001];
    int full[2];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    fixture_config.upstream_window = 1000;
    fixture_config.upstream_max_waiting = 64 * 1024;
    full[0] = client_login();
    for (int i = 0; i < 20; i++)
        client_send_frame(full[0], OP_SEND, i, large);
    assert_true(session_notes.last->held != 0);
    int64_t first = fixture_counters[COMET_UPSTREAM_WAITING];
    assert_true(first >= 16 && first <= 17);
    full[1] = client_login();
    send_numbers(full[1], 1, 5);
    assert_true(session_notes.last->held != 0);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_WAITING], first + 1);
    take((uint32_t)group()->n);
    while (n_asked > 0)
        take((uint32_t)group()->n);
    step_for(20);
    while (n_asked > 0) {
        take((uint32_t)group()->n);
        step_for(20);
    }
    expect_replies(full[0], 0, 20);
    expect_replies(full[1], 1, 5);
    close(full[0]);
    close(full[1]);
}

static void beyond_twice_as_much_one_more_is_refused(void **state)
{
    (void)state;
    fixture_config.upstream_max_waiting = 50; /* a frame of one byte takes 42 */
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = client_login();
        send_numbers(fds[i], 1, 1);
    }
    expect_kicked(fds[3], CLOSE_UNAVAILABLE, "too much waits");
    assert_int_equal(fixture_counters[COMET_UPSTREAM_REFUSED], 1);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_WAITING], 3);
    for (int i = 0; i < 3; i++)
        take(1);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

static void a_body_that_the_topic_does_not_take_ends_the_session(void **state)
{
    (void)state;
    int fd = client_login();
    send_numbers(fd, 1, 3);
    (void)group();
    answer_with(&(struct logic_answer){.answered = true, .status = LOGIC_TOO_LARGE, .taken = 1});
    expect_replies(fd, 1, 1);
    expect_kicked(fd, CLOSE_BODY_TOO_LARGE, "no body of that size");
    assert_int_equal(fixture_counters[COMET_UPSTREAM_DROPPED], 2);
    close(fd);
}

static void what_the_business_refuses_ends_the_session(void **state)
{
    (void)state;
    int fd = client_login();
    send_numbers(fd, 1, 3);
    (void)group();
    answer_with(&(struct logic_answer){.answered = true, .status = LOGIC_REFUSED, .taken = 1});
    expect_replies(fd, 1, 1);
    expect_kicked(fd, CLOSE_MALFORMED, "the business refuses");
    assert_int_equal(fixture_counters[COMET_UPSTREAM_DROPPED], 2);
    close(fd);
}

static void expect_reply(int fd, int seq, const char *text)
{
    struct frame frame;
    char body[64];

    assert_int_equal(client_read_frame(fd, &frame, body, sizeof body), OP_SEND_REPLY);
    assert_int_equal(frame.seq, seq);
    assert_int_equal(frame.body_len, strlen(text));
    assert_memory_equal(body, text, strlen(text));
}

/* Each goes to its own frame, and none to a frame that was not taken. */
static void replies_of_the_business_are_bodies_of_answers(void **state)
{
    static const uint8_t one[] = "one", three[] = "{\"n\":3}", nobody[] = "x";
    const struct upstream_reply replies[] = {{0, one, 3}, {2, three, 7}, {3, nobody, 1}};

    (void)state;
    int fd = client_login();
    send_numbers(fd, 1, 4);
    (void)group();
    answer_with(&(struct logic_answer){.answered = true,
                                       .status = LOGIC_UNAVAILABLE,
                                       .taken = 3,
                                       .replies = replies,
                                       .n_replies = 3});
    expect_reply(fd, 1, "one");
    expect_reply(fd, 2, "");
    expect_reply(fd, 3, "{\"n\":3}");
    expect_nothing(fd);
    step_for(300);
    take(1);
    expect_reply(fd, 4, "");
    close(fd);
}

static void without_a_topic_all_is_answered(void **state)
{
    (void)state;
    int fd = client_login();
    send_numbers(fd, 1, 2);
    (void)group();
    answer_with(&(struct logic_answer){.answered = true, .status = LOGIC_NOT_CONFIGURED});
    expect_replies(fd, 1, 2);
    upstream_told(&fixture, false);
    send_numbers(fd, 3, 2);
    expect_replies(fd, 3, 2);
    assert_int_equal(n_asked, 0);
    assert_int_equal(fixture_counters[COMET_UPSTREAM_UNHANDLED], 4);
    close(fd);
}

static void the_loop_may_end_while_frames_wait(void **state)
{
    (void)state;
    int asking = client_login(), resting = client_login();
    send_numbers(asking, 1, 2);
    send_numbers(resting, 1, 2);
    (void)group();
    take(0);
    send_numbers(asking, 3, 1); /* teardown ends it */
    close(asking);
    close(resting);
}

#define UPSTREAM_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPSTREAM_TEST(frames_of_one_read_go_together_and_are_answered_when_taken),
        UPSTREAM_TEST(what_was_not_taken_comes_first_again_with_its_number),
        UPSTREAM_TEST(beyond_the_window_nothing_is_read_and_the_client_lives),
        UPSTREAM_TEST(a_held_client_that_leaves_is_noticed_and_what_came_is_taken),
        UPSTREAM_TEST(after_the_timeout_the_client_is_told),
        UPSTREAM_TEST(a_logic_that_never_answers_is_named_and_what_it_took_still_counts),
        UPSTREAM_TEST(a_loop_that_keeps_too_much_takes_one_frame_a_session),
        UPSTREAM_TEST(beyond_twice_as_much_one_more_is_refused),
        UPSTREAM_TEST(a_body_that_the_topic_does_not_take_ends_the_session),
        UPSTREAM_TEST(what_the_business_refuses_ends_the_session),
        UPSTREAM_TEST(replies_of_the_business_are_bodies_of_answers),
        UPSTREAM_TEST(without_a_topic_all_is_answered),
        UPSTREAM_TEST(the_loop_may_end_while_frames_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
