/* What a webhook posts, where, and what waits. */
#include "tests/unit/common/webhook/webhook_fixture.h"

static void what_comes_meanwhile_goes_together(void **state)
{
    char signature[WEBHOOK_SIGNATURE_MAX], err[128];
    struct webhook_keys *keys;

    (void)state;
    open_hook(true);
    assert_int_equal(webhook_keys_read(key_path, &keys, err, sizeof err), 0);
    assert_int_equal(send_event(1, 7), 0);
    assert_int_equal(business.n, 0); /* never within the call */
    run_until_posted(1);
    for (int i = 2; i <= 8; i++)
        assert_int_equal(send_event(i, i), 0);
    run_until_done(8);
    assert_int_equal(business.n, 3);
    assert_string_equal(business.text[0], "1");
    assert_string_equal(business.text[1], "2 3 4 5"); /* settings.batch */
    assert_string_equal(business.text[2], "6 7 8");
    assert_string_equal(done_order, "1 2 3 4 5 6 7 8 ");
    assert_string_equal(business.body, "[{\"n\":6},{\"n\":7},{\"n\":8}]");
    assert_string_equal(business.type, "application/cloudevents-batch+json; charset=UTF-8");
    assert_string_equal(business.path, "/events");
    assert_int_equal(webhook_sign(keys, business.id[2], atoll(business.timestamp), business.body,
                                  strlen(business.body), signature),
                     0);
    assert_string_equal(business.signature, signature);
    assert_int_equal(counted[WEBHOOK_POSTED], 3);
    assert_int_equal(counted[WEBHOOK_EVENTS], 8);
    assert_int_equal(webhook_waiting(hook), 0);
    assert_false(was_unready);
    webhook_keys_free(keys);
}

/* A user's events go one after the other; posts of others go beside them. */
static void lanes_are_apart(void **state)
{
    bool apart = false;

    (void)state;
    settings.in_flight = 8;
    open_hook(true);
    business.silent = true;
    for (int i = 1; i <= 40; i++)
        assert_int_equal(send_event(i, i % 2), 0);
    run_until_posted(2);
    run_for(100, NULL);
    assert_int_equal(business.n, 2); /* one post of each user */
    for (int i = 0; i < 2; i++)
        apart |= strcmp(business.text[i], "1 3 5 7") == 0;
    assert_true(apart);
    business.silent = false;
    run_until_done(40); /* what was not answered is posted again after url_timeout */
}

static void only_so_much_may_wait(void **state)
{
    int n = 0;

    (void)state;
    open_hook(false); /* 100 bytes: nine of 7, and of 8 from 10 on */
    while (n < MOST && send_event(n + 1, 7) == 0)
        n++;
    assert_int_equal(n, 13);
    run_until_done(13);
    assert_int_equal(send_event(14, 7), 0);
    run_until_done(14);
}

static void keys_change_on_reload(void **state)
{
    char before[200], err[256];

    (void)state;
    open_hook(true);
    assert_int_equal(send_event(1, 7), 0);
    run_until_done(1);
    memcpy(before, business.signature, sizeof before);
    assert_null(strchr(before, ' '));
    write_keys("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n" KEY "\n");
    assert_int_equal(webhook_reload(hook, err, sizeof err), 0);
    assert_int_equal(send_event(2, 7), 0);
    run_until_done(2);
    assert_non_null(strchr(business.signature, ' '));
    write_keys("nothing\n");
    assert_int_equal(webhook_reload(hook, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, "whsec_"));
    assert_int_equal(send_event(3, 7), 0);
    run_until_done(3);
    assert_non_null(strchr(business.signature, ' ')); /* the old ones stay */
}

static void a_long_answer_is_cut(void **state)
{
    (void)state;
    open_hook(false);
    business.answer = "0123456789";
    assert_int_equal(send_event(1, 7), 0);
    run_until_done(1);
    assert_int_equal(events[1].err, 0);
    assert_string_equal(answered_with, "01234567");
}

static void what_is_cancelled_is_not_told(void **state)
{
    (void)state;
    open_hook(true);
    business.status = 500;
    for (int i = 1; i <= 6; i++)
        assert_int_equal(send_event(i, 7), 0);
    webhook_cancel(&events[6].ticket);
    run_until_posted(1); /* 1 2 3 4 are under way */
    webhook_cancel(&events[2].ticket);
    webhook_cancel(&events[5].ticket);
    business.status = 200;
    wanted = 1;
    assert_true(run_for(5000, all_done));
    run_for(300, NULL);
    assert_string_equal(done_order, "1 3 4 ");
    assert_false(events[2].done || events[5].done || events[6].done);
    assert_int_equal(webhook_waiting(hook), 0);
}

static void a_failure_of_what_was_cancelled_is_none(void **state)
{
    (void)state;
    open_hook(true);
    business.status = 500;
    assert_int_equal(send_event(1, 7), 0);
    run_until_posted(2);
    assert_false(ready);
    webhook_cancel(&events[1].ticket); /* while it is under way, or in the pause */
    assert_true(ready);
    run_for(500, NULL);
    assert_true(ready);
    assert_true(business.n <= 3);
}

static void closing_gives_everything_back(void **state)
{
    (void)state;
    open_hook(true);
    business.silent = true;
    for (int i = 1; i <= 6; i++)
        assert_int_equal(send_event(i, 7), 0);
    run_until_posted(1);
    webhook_close(hook);
    hook = NULL;
    for (int i = 1; i <= 6; i++)
        assert_int_equal(events[i].err, -EAGAIN);
    assert_string_equal(done_order, "1 2 3 4 5 6 ");
}

/* This machine's own name leads to a private address. The URL does not say so. */
static void a_private_address_is_not_used_unless_it_is_allowed(void **state)
{
    char name[200];
    struct addrinfo *found = NULL;

    (void)state;
    assert_int_equal(gethostname(name, sizeof name), 0);
    if (getaddrinfo(name, NULL, NULL, &found) != 0) {
        print_message("this machine does not know its own name\n");
        skip();
    }
    freeaddrinfo(found);
    (void)snprintf(url, sizeof url, "http://%s:%d/", name, http_server_port(server));
    open_hook(false);
    assert_int_equal(send_event(1, 7), 0);
    run_until_done(1);
    assert_int_equal(events[1].err, -EAGAIN);
    assert_int_equal(business.n, 0);
    assert_non_null(strstr(why_unready, "private address"));
    assert_non_null(strstr(why_unready, "test.url_private = yes"));
}

static void localhost_says_so_itself(void **state)
{
    (void)state;
    (void)snprintf(url, sizeof url, "http://localhost:%d/", http_server_port(server));
    open_hook(true);
    assert_int_equal(send_event(1, 7), 0);
    run_until_done(1);
    assert_int_equal(events[1].err, 0);
}

static void a_name_that_is_none(void **state)
{
    (void)state;
    (void)snprintf(url, sizeof url, "http://nobody.invalid/");
    open_hook(false);
    assert_int_equal(send_event(1, 7), 0);
    run_until_done(1);
    assert_int_equal(events[1].err, -EAGAIN);
    assert_non_null(strstr(why_unready, "not resolved"));
}

static void check_is(const char *url_, const char *secret, const char *words)
{
    struct webhook_settings bad = {.url = mem_unconst(url_), .secret_file = mem_unconst(secret)};
    struct http_url parsed;
    char err[256];

    assert_int_equal(webhook_check(&bad, "test", &parsed, err, sizeof err), -EINVAL);
    if (strstr(err, words) == NULL)
        fail_msg("\"%s\" has not \"%s\"", err, words);
}

static void settings_are_checked(void **state)
{
    struct webhook_settings none = {.url = (char[]){""}};
    char err[256];

    (void)state;
    assert_int_equal(webhook_check(&none, "test", NULL, err, sizeof err), 0);
    check_is("ftp://a/", "/k", "test.url: it begins neither");
    check_is("https://u:p@a/", "/k", "knows us by the signature");
    check_is("https://a/", "", "test.url_secret_file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_meanwhile_goes_together),
        TEST(lanes_are_apart),
        TEST(only_so_much_may_wait),
        TEST(keys_change_on_reload),
        TEST(a_long_answer_is_cut),
        TEST(what_is_cancelled_is_not_told),
        TEST(a_failure_of_what_was_cancelled_is_none),
        TEST(closing_gives_everything_back),
        TEST(a_private_address_is_not_used_unless_it_is_allowed),
        TEST(localhost_says_so_itself),
        TEST(a_name_that_is_none),
        TEST(settings_are_checked),
    };

    return run_group(tests, sizeof tests / sizeof tests[0]);
}
