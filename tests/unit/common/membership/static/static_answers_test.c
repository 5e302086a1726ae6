/* What a daemon is asked and answers, and what it believes of the answers of others. */
#include "tests/unit/common/membership/static/static_fixture.h"

/* --- the tests --- */

static const char *const rubbish[] = {
    "",
    "<html>hello</html>",
    "null",
    "[]",
    "{}",
    "{\"kind\":\"comet\",\"id\":\"x\",\"state\":\"held\"}",
    "{\"kind\":\"king\",\"id\":\"x\",\"state\":\"held\",\"process\":\"1\",\"epoch\":\"1\","
    "\"weight\":1,"
    "\"connections\":0}",
    "{\"kind\":\"comet\",\"id\":\"\",\"state\":\"held\",\"process\":\"1\",\"epoch\":\"1\","
    "\"weight\":1,"
    "\"connections\":0}",
    "{\"kind\":\"comet\",\"id\":\"x\",\"state\":\"held\",\"process\":\"1\",\"epoch\":1,\"weight\":"
    "1,"
    "\"connections\":0}",
    "{\"kind\":\"comet\",\"id\":\"x\",\"state\":\"held\",\"process\":\"1\",\"epoch\":\"-1\","
    "\"weight\":1,"
    "\"connections\":0}",
    "{\"kind\":\"comet\",\"id\":\"x\",\"state\":\"held\",\"process\":\"1\",\"epoch\":\"1\","
    "\"weight\":1e99,"
    "\"connections\":0}",
    "{\"kind\":\"comet\",\"id\":\"x\",\"state\":\"held\",\"process\":\"1\",\"epoch\":\"1\","
    "\"weight\":-1,"
    "\"connections\":0}",
    "{\"kind\":\"logic\",\"id\":\"x\",\"state\":\"held\",\"process\":\"1\",\"epoch\":\"1\","
    "\"weight\":1,"
    "\"connections\":0,\"node\":1024}",
    "{\"kind\":\"comet\",\"id\":"
    "\"0123456789012345678901234567890123456789012345678901234567890123\","
    "\"state\":\"held\",\"process\":\"1\",\"epoch\":\"1\",\"weight\":1,\"connections\":0}",
};

static void rubbish_is_no_member(void **state)
{
    struct node *a = &nodes[0], *b = &nodes[1], *odd = &nodes[2];
    (void)state;
    for (int i = 0; i < 3; i++)
        prepare(&nodes[i], 0);
    odd->manner = TALKS;
    odd->status = 200;
    odd->answer = rubbish[0];
    join_list(a, MEMBER_COMET, "a", list_of(3));
    join_list(b, MEMBER_LOGIC, "b", list_of(3));
    turn_until(all_ready(2), 3000);
    for (size_t i = 0; i < sizeof rubbish / sizeof rubbish[0]; i++) {
        odd->answer = rubbish[i];
        int asked = odd->asked;
        turn_until(odd->asked >= asked + 4, 1000);
        turn_for(RENEW);
        assert_int_equal(membership_list(a->membership, MEMBER_COMET)->n, 1);
        assert_int_equal(membership_list(a->membership, MEMBER_LOGIC)->n, 1);
    }
    assert_true(stats_of(a).malformed >= (int64_t)(sizeof rubbish / sizeof rubbish[0]));
    int64_t malformed = stats_of(a).malformed;
    odd->manner = MUMBLES;
    turn_for(3 * RENEW);
    assert_true(stats_of(a).malformed > malformed);
    odd->manner = TALKS;
    malformed = stats_of(a).malformed;
    odd->status = 404;
    turn_for(3 * RENEW);
    assert_true(stats_of(a).malformed > malformed);
    /* 503 is what one says that starts. */
    odd->status = 503;
    turn_for(2 * RENEW);
    malformed = stats_of(a).malformed;
    turn_for(3 * RENEW);
    assert_int_equal(stats_of(a).malformed, malformed);
    /* What a daemon says is understood, though strange things are in it. */
    odd->status = 200;
    odd->answer =
        "{\"kind\":\"comet\",\"id\":\"x\",\"state\":\"held\",\"process\":\"9\",\"epoch\":\"5\","
        "\"weight\":1,\"connections\":0,\"rpc\":{},\"new\":[1]}";
    turn_until(sees(a, MEMBER_COMET, "x", 5), 1000);
    assert_int_equal(a->held + b->held, 2);
}

/* Who hangs may be a member that the others still believe in. */
static void one_that_hangs_is_waited_for_and_one_that_is_not_there_is_not(void **state)
{
    struct node *a = &nodes[0], *hangs = &nodes[1], *none = &nodes[2];
    (void)state;
    for (int i = 0; i < 3; i++)
        prepare(&nodes[i], 0);
    shut(none);
    uint64_t begin = now_ms();
    join_list(a, MEMBER_ROUTER, "a", list_of(3));
    turn_until(membership_ready(a->membership), 1000);
    assert_true(now_ms() - begin < TTL / 2);
    vanish(a);
    prepare(a, 0);
    hangs->manner = HANGS;
    begin = now_ms();
    join_list(a, MEMBER_ROUTER, "a", list_of(3));
    turn_for(TTL / 2);
    assert_false(membership_ready(a->membership));
    turn_until(membership_ready(a->membership), 2 * TTL);
    assert_true(now_ms() - begin >= TTL);
    assert_int_equal(a->held, 1);
}

static void one_whose_list_lacks_us_does_not_know_us(void **state)
{
    struct node *comet = &nodes[1], *job = &nodes[0];
    (void)state;
    prepare(&nodes[0], 0);
    prepare(&nodes[1], 0);
    join_list(job, MEMBER_JOB, "job", list_of(1));
    join_list(comet, MEMBER_COMET, "comet", list_of(2));
    turn_until(all_ready(2), 3000);
    turn_for(TTL);
    assert_false(membership_known(comet->membership));
    assert_true(membership_known(job->membership));
    int port = job->port;
    vanish(job);
    prepare(job, port);
    join_list(job, MEMBER_JOB, "job", list_of(2));
    turn_until(membership_known(comet->membership), TTL);
}

/* --- what anybody may ask --- */

static struct {
    int calls, status;
    char body[HTTP_CLIENT_MAX];
} got;

static void on_answer(int status, const char *body, size_t len, void *arg)
{
    (void)arg;
    got.calls++;
    got.status = status;
    (void)snprintf(got.body, sizeof got.body, "%.*s", (int)len, body);
}

static void ask_by(void (*by)(struct http_client *, const char *, uint64_t), struct node *node,
                   const char *target, int status, const char *part)
{
    struct sockaddr_in address;
    uv_ip4_addr("127.0.0.1", node->port, &address);
    struct http_client *asker =
        http_client_open(&node->loop, (struct sockaddr *)&address, on_answer, NULL);
    got.calls = 0;
    by(asker, target, 1000);
    turn_until(got.calls == 1, 2000);
    http_client_close(asker);
    if (got.status != status || strstr(got.body, part) == NULL)
        fail_msg("%s: %d %s", target, got.status, got.body);
}

static void ask(struct node *node, const char *target, int status, const char *part)
{
    ask_by(http_client_get, node, target, status, part);
}

static void say(struct node *node, const char *target, int status, const char *part)
{
    ask_by(http_client_post, node, target, status, part);
}

static int64_t disbelieved(const struct node *node)
{
    struct membership_stats stats;
    membership_stats(node->membership, &stats);
    return stats.disbelieved;
}

static void questions(void **state)
{
    struct node *a = &nodes[0];
    char target[200], part[64];
    (void)state;
    prepare(a, 0);
    ask(a, "/member", 503, "not a member yet");
    join_list(a, MEMBER_LOGIC, "a", list_of(1));
    ask(a, "/member", 200, "\"id\":\"a\"");
    ask(a, "/member?dead=abc", 400, "decimal number");
    ask(a, "/member?epoch=-1", 400, "decimal number");
    ask(a, "/member?epoch=", 400, "decimal number");
    ask(a, "/member?dead=123456789012345678901", 400, "decimal number");
    ask(a, "/member?kind=king&id=x", 400, "kind: comet, logic");
    ask(a, "/member?kind=comet", 400, "both or none");
    ask(a, "/member?id=x", 400, "both or none");
    turn_until(membership_ready(a->membership), 1000);
    uint64_t epoch = epoch_of(a), held_ms = members_now();
    (void)snprintf(part, sizeof part, "\"epoch\":\"%llu\"", (unsigned long long)epoch);
    ask(a, "/member?kind=comet&id=x&epoch=1", 200, part);
    say(a, "/member?kind=comet&id=x&epoch=1&dead=77", 200, part); /* not ours */
    say(a, "/member?kind=comet&id=x&epoch=1&leaving=1", 200, part);
    say(a, "/member?kind=comet&id=x&epoch=1", 405, "only GET"); /* nothing is said */
    say(a, "/member?kind=comet&id=x&epoch=x&dead=1", 400, "decimal number");
    ask(a, "/member?kind=comet&id=x&epoch=1", 200, "\"state\":\"held\"");
    (void)snprintf(target, sizeof target, "/member?dead=%llu", (unsigned long long)epoch);
    say(a, target, 200, part); /* by nobody */
    assert_int_equal(a->lost, 0);
    (void)snprintf(target, sizeof target, "/member?kind=comet&id=x&epoch=1&dead=%llu",
                   (unsigned long long)epoch);
    ask(a, target, 200, part); /* a question changes nothing */
    int64_t before = disbelieved(a);
    say(a, target, 200, part); /* nobody can have missed us for lease.ttl yet */
    assert_int_equal(disbelieved(a), before + 1);
    turn_until(members_now() >= held_ms + TTL, 10 * TTL);
    assert_int_equal(a->lost, 0);
    say(a, target, 200, "\"kind\":\"logic\"");
    assert_null(strstr(got.body, part));
    turn_until(a->held == 2, 1000);
    assert_int_equal(a->lost, 1);
    membership_leave(a->membership, NULL, NULL);
    ask(a, "/member", 200, "\"state\":\"leaving\"");
}

static void expect_refusal(const char *list, const char *part)
{
    char err[300] = "";
    assert_int_equal(membership_check_addresses(list, err, sizeof err), -EINVAL);
    if (strstr(err, part) == NULL)
        fail_msg("%s: %s", list, err);
}

static void lists_are_checked(void **state)
{
    char err[300], longest[300];
    (void)state;
    assert_int_equal(membership_check_addresses("", err, sizeof err), 0);
    assert_int_equal(
        membership_check_addresses("a:1,b-c.d_e:65535, 10.0.0.1:80 ,[::1]:1,a:2", err, sizeof err),
        0);
    expect_refusal("a", "\"a\": host:port is wanted");
    expect_refusal(":1", "host before the colon is missing");
    expect_refusal("a:1,b:0", "\"b:0\": its port is no number from 1 to 65535");
    expect_refusal("a:65536", "port");
    expect_refusal("a:", "port");
    expect_refusal("a:1x", "port");
    expect_refusal("a:123456", "port");
    expect_refusal("10.0.0.256:1", "no IPv4 address");
    expect_refusal("10.0.0:1", "no IPv4 address");
    expect_refusal("::1:80", "[address]:port");
    expect_refusal("[10.0.0.1]:80", "no IPv6 address");
    expect_refusal("http://a:80", "characters that no name has");
    expect_refusal("a b:80", "characters that no name has");
    expect_refusal("[:80", "characters");
    expect_refusal("a:80,b:80,a:80", "\"a:80\": it is listed twice");
    expect_refusal(" , ", "host:port, host:port");
    memset(longest, 'x', sizeof longest);
    memcpy(longest + 254, ":80", 4);
    expect_refusal(longest, "too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        member_test(rubbish_is_no_member),
        member_test(one_that_hangs_is_waited_for_and_one_that_is_not_there_is_not),
        member_test(one_whose_list_lacks_us_does_not_know_us),
        member_test(questions),
        member_test(lists_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
