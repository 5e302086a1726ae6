/* What a webhook does when a post fails. */
#include "tests/unit/common/webhook/webhook_fixture.h"

static void what_fails_is_posted_again_first(void **state)
{
    (void)state;
    open_hook(true);
    business.status = 500;
    for (int i = 1; i <= 4; i++)
        assert_int_equal(send_event(i, 7), 0);
    run_until_posted(2);
    assert_false(ready);
    assert_non_null(strstr(why_unready, "HTTP status 500"));
    business.status = 204;
    assert_int_equal(send_event(5, 7), 0);
    run_until_done(5);
    assert_string_equal(business.text[0], "1 2 3 4");
    assert_string_equal(business.text[1], "1 2"); /* half of it */
    assert_string_equal(done_order, "1 2 3 4 5 ");
    for (int i = 0; i < 5; i++)
        assert_int_equal(events[i].err, 0);
    assert_true(business.at_ms[1] - business.at_ms[0] >= 125);
    assert_true(ready);
    assert_int_equal(counted[WEBHOOK_FAILED_STATUS], 2);
}

static void the_same_bytes_have_the_same_id(void **state)
{
    (void)state;
    open_hook(true);
    business.status = 503;
    assert_int_equal(send_event(1, 7), 0);
    run_until_posted(2);
    business.status = 200;
    run_until_done(1);
    assert_string_equal(business.id[0], business.id[1]);
}

static void pauses_grow(void **state)
{
    (void)state;
    settings.retry_ms = 1000;
    open_hook(true);
    business.status = 500;
    assert_int_equal(send_event(1, 7), 0);
    run_until_posted(4);
    assert_true(business.at_ms[1] - business.at_ms[0] >= 125);
    assert_true(business.at_ms[2] - business.at_ms[1] >= 250);
    assert_true(business.at_ms[3] - business.at_ms[2] >= 500);
    assert_true(business.at_ms[3] - business.at_ms[2] < 2000);
}

static void a_pause_that_is_asked_for_is_kept(void **state)
{
    (void)state;
    settings.in_flight = 4;
    open_hook(true);
    business.status = 429;
    business.extra = "Retry-After: 1\r\n";
    assert_int_equal(send_event(1, 1), 0);
    run_until_posted(1);
    business.status = 200;
    for (int i = 2; i <= 9; i++) /* lanes that did not fail wait as well */
        assert_int_equal(send_event(i, i), 0);
    run_until_done(9);
    for (int i = 1; i < business.n; i++)
        assert_true(business.at_ms[i] - business.at_ms[0] >= 990);
}

static void without_keeping_what_fails_is_done(void **state)
{
    (void)state;
    open_hook(false);
    business.status = 500;
    for (int i = 1; i <= 6; i++)
        assert_int_equal(send_event(i, 7), 0);
    run_until_done(6);
    assert_int_equal(business.n, 1);
    for (int i = 1; i <= 6; i++)
        assert_int_equal(events[i].err, -EAGAIN);
    assert_int_equal(send_event(7, 7), -EAGAIN); /* the pause */
    business.status = 200;
    do
        run_for(50, NULL);
    while (send_event(7, 7) != 0);
    wanted = 7;
    assert_true(run_for(5000, all_done));
    assert_int_equal(events[7].err, 0);
    assert_int_equal(webhook_waiting(hook), 0);
}

static void an_event_that_is_refused_is_found(void **state)
{
    (void)state;
    open_hook(false);
    business.bad = 3;
    business.bad_status = 422;
    for (int i = 1; i <= 8; i++)
        assert_int_equal(send_event(i, 7), 0);
    run_until_done(8);
    for (int i = 1; i <= 8; i++)
        assert_int_equal(events[i].err, i == 3 ? -EBADMSG : 0);
    assert_string_equal(done_order, "1 2 3 4 5 6 7 8 ");
    business.bad_status = 413;
    assert_int_equal(send_event(3, 7), 0);
    run_until_done(3);
    assert_int_equal(events[3].err, -EMSGSIZE);
    assert_false(was_unready);
}

/* If everything is refused, the URL is wrong. */
static void refusing_everything_is_a_failure(void **state)
{
    (void)state;
    settings.batch = 1;
    open_hook(false);
    business.status = 400;
    for (int i = 1; i <= 8; i++)
        assert_int_equal(send_event(i, 7), 0);
    run_until_done(8);
    assert_int_equal(business.n, 4);
    for (int i = 1; i <= 8; i++)
        assert_int_equal(events[i].err, i <= 3 ? -EBADMSG : -EAGAIN);
    assert_true(was_unready);
}

static void with_keeping_a_refused_event_holds_up_those_behind_it(void **state)
{
    (void)state;
    open_hook(true);
    business.bad = 3;
    business.bad_status = 400;
    for (int i = 1; i <= 8; i++)
        assert_int_equal(send_event(i, 7), 0);
    run_until_done(2);
    run_for(600, NULL);
    assert_false(events[3].done || events[4].done);
    assert_false(ready);
    business.bad = 0;
    run_until_done(8);
    assert_string_equal(done_order, "1 2 3 4 5 6 7 8 ");
    assert_true(ready);
}

static void gone_stops_everything_until_reload(void **state)
{
    char err[128];

    (void)state;
    settings.in_flight = 4;
    open_hook(true);
    business.status = 410;
    assert_int_equal(send_event(1, 7), 0);
    run_until_posted(1);
    run_for(50, NULL);
    for (int i = 2; i <= 9; i++)
        assert_int_equal(send_event(i, i), 0);
    run_for(700, NULL);
    assert_int_equal(business.n, 1);
    assert_true(webhook_is_disabled(hook));
    assert_non_null(strstr(why_unready, "410 Gone"));
    assert_non_null(strstr(why_unready, "SIGHUP"));
    business.status = 200;
    assert_int_equal(webhook_reload(hook, err, sizeof err), 0);
    assert_false(webhook_is_disabled(hook));
    assert_true(ready);
    run_until_done(9);
}

static void gone_without_keeping(void **state)
{
    (void)state;
    open_hook(false);
    business.status = 410;
    for (int i = 1; i <= 6; i++)
        assert_int_equal(send_event(i, 7), 0);
    run_until_done(6);
    for (int i = 1; i <= 6; i++)
        assert_int_equal(events[i].err, -EAGAIN);
    assert_int_equal(send_event(7, 7), -EAGAIN);
}

static void no_redirect_is_followed(void **state)
{
    char to[100];

    (void)state;
    open_hook(false);
    (void)snprintf(to, sizeof to, "Location: http://127.0.0.1:%d/other\r\n",
                   http_server_port(server));
    business.status = 307;
    business.extra = to;
    assert_int_equal(send_event(1, 7), 0);
    run_until_done(1);
    assert_int_equal(events[1].err, -EAGAIN);
    run_for(50, NULL);
    assert_int_equal(business.n, 1);
    assert_non_null(strstr(why_unready, "307; no redirect is followed"));
}

static void what_does_not_answer_is_posted_again(void **state)
{
    (void)state;
    open_hook(true);
    business.silent = true;
    assert_int_equal(send_event(1, 7), 0);
    run_until_posted(2);
    assert_true(business.at_ms[1] - business.at_ms[0] >= 400);
    business.silent = false;
    run_until_done(1);
    assert_true(counted[WEBHOOK_FAILED_TIMEOUT] >= 1);
    assert_non_null(strstr(why_unready, "test.url_timeout"));
}

static void nobody_listens(void **state)
{
    (void)state;
    http_server_close(server);
    server = NULL;
    open_hook(false);
    assert_int_equal(send_event(1, 7), 0);
    run_until_done(1);
    assert_int_equal(events[1].err, -EAGAIN);
    assert_int_equal(counted[WEBHOOK_FAILED_CONNECT], 1);
    assert_non_null(strstr(why_unready, "no connection"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_fails_is_posted_again_first),
        TEST(the_same_bytes_have_the_same_id),
        TEST(pauses_grow),
        TEST(a_pause_that_is_asked_for_is_kept),
        TEST(without_keeping_what_fails_is_done),
        TEST(an_event_that_is_refused_is_found),
        TEST(refusing_everything_is_a_failure),
        TEST(with_keeping_a_refused_event_holds_up_those_behind_it),
        TEST(gone_stops_everything_until_reload),
        TEST(gone_without_keeping),
        TEST(no_redirect_is_followed),
        TEST(what_does_not_answer_is_posted_again),
        TEST(nobody_listens),
    };

    return run_group(tests, sizeof tests / sizeof tests[0]);
}
