#include "common/http/http.h"
#include "logic/http/local_callers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* In place of the HTTP server: a peer, and headers as name, value, name, value … */
static const char *peer;
static const char *const *headers;

const char *http_header_line(const struct http_request *request, const char *name, size_t index)
{
    (void)request;
    for (size_t i = 0; headers != NULL && headers[i] != NULL; i += 2) {
        if (strcmp(headers[i], name) == 0 && index-- == 0)
            return headers[i + 1];
    }
    return NULL;
}

const char *http_header(const struct http_request *request, const char *name)
{
    return http_header_line(request, name, 0);
}

bool http_has_header_like(const struct http_request *request, const char *part)
{
    (void)request;
    for (size_t i = 0; headers != NULL && headers[i] != NULL; i += 2) {
        if (strstr(headers[i], part) != NULL)
            return true;
    }
    return false;
}

const char *http_peer(const struct http_request *request)
{
    (void)request;
    return peer;
}

static bool let_in(const char *trusted, const char *hosts, const char *from,
                   const char *const *with)
{
    struct local_callers *local = local_callers_open(trusted, hosts);
    peer = from;
    headers = with;
    bool in = local_callers_refusal(local, NULL) == NULL;
    local_callers_close(local);
    return in;
}
#define WITH(...) ((const char *const[]){__VA_ARGS__, NULL})

static void only_loopback_is_near(void **state)
{
    static const char *const near[] = {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"};
    static const char *const far[] = {"10.1.2.3",       "172.16.0.1", "192.168.1.1", "169.254.1.1",
                                      "128.0.0.1",      "126.0.0.1",  "fd00::1",     "fe80::1",
                                      "::ffff:8.8.8.8", "::2",        "8.8.8.8",     ""};
    (void)state;
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++)
        assert_true(let_in("", "", near[i], NULL));
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++)
        assert_false(let_in("", "", far[i], NULL));
}

static void networks_may_be_trusted(void **state)
{
    static const char list[] = "10.0.0.0/8, 172.16.0.0/12,192.0.2.7,fd00::/7";
    (void)state;
    assert_true(let_in(list, "", "10.255.1.1", NULL));
    assert_true(let_in(list, "", "::ffff:10.1.1.1", NULL));
    assert_true(let_in(list, "", "172.31.255.255", NULL));
    assert_true(let_in(list, "", "192.0.2.7", NULL));
    assert_true(let_in(list, "", "fc00::1", NULL));
    assert_false(let_in(list, "", "11.0.0.1", NULL));
    assert_false(let_in(list, "", "172.32.0.1", NULL));
    assert_false(let_in(list, "", "192.0.2.8", NULL));
    assert_false(let_in(list, "", "fe00::1", NULL));
    assert_true(let_in("0.0.0.0/0", "", "8.8.8.8", NULL));
    assert_false(let_in("0.0.0.0/0", "", "2001:db8::1", NULL));
}

static void networks_are_checked(void **state)
{
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0/8",    "x",          "10.0.0.0/",
                                      "::1/129",     "10.0.0.0/8x", "10.0.0.0/-1"};
    char err[200] = "";
    (void)state;
    assert_int_equal(local_callers_check("", err, sizeof err), 0);
    assert_int_equal(local_callers_check("10.0.0.0/8,::1/128,0.0.0.0/0", err, sizeof err), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(local_callers_check(bad[i], err, sizeof err) < 0);
        assert_non_null(strstr(err, bad[i]));
    }
}

/* A name may resolve to loopback without being ours: DNS rebinding. */
static void a_host_has_to_be_ours(void **state)
{
    static const char *const ours[] = {"127.0.0.1",  "127.0.0.1:7172", "localhost:7172",
                                       "LOCALHOST",  "[::1]:7172",     "[::1]",
                                       "Logic:7172", "logic"};
    static const char *const others[] = {"evil.example",
                                         "localhost.evil.example",
                                         "10.0.0.1",
                                         "",
                                         "127.0.0.1.evil.example",
                                         "[fd00::1]",
                                         "logic2"};
    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        assert_true(let_in("", "logic, api", "127.0.0.1", WITH("host", ours[i])));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(let_in("", "logic", "127.0.0.1", WITH("host", others[i])));
}

static void web_pages_are_refused(void **state)
{
    static const char *const sites[] = {"cross-site", "same-site", "what-comes-next", ""};
    static const char *const origins[] = {"https://evil.example",  "null",
                                          "http://localhost:3000", "https://localhost:7172",
                                          "http://localhost",      ""};
    (void)state;
    for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++)
        assert_false(let_in("", "", "127.0.0.1", WITH("sec-fetch-site", sites[i])));
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++)
        assert_false(
            let_in("", "", "127.0.0.1", WITH("host", "localhost:7172", "origin", origins[i])));
    assert_false(let_in("", "", "127.0.0.1", WITH("origin", "http://localhost")));
    assert_true(let_in("", "", "127.0.0.1",
                       WITH("host", "localhost:7172", "origin", "http://localhost:7172",
                            "sec-fetch-site", "same-origin")));
    assert_true(let_in("", "", "127.0.0.1", WITH("sec-fetch-site", "none")));
}

static void a_forwarded_request_is_not_local(void **state)
{
    static const char *const names[] = {
        "forwarded",        "forwarded-for",      "x-forwarded",
        "x-forwarded-for",  "x-forwarded-host",   "x-forwarded-proto",
        "x-forwarded-port", "x-forwarded-server", "x-original-forwarded-for",
        "x-real-ip",        "x-client-ip",        "x-cluster-client-ip",
        "fastly-client-ip", "x-azure-clientip",   "x-envoy-external-address",
        "cf-connecting-ip", "true-client-ip",     "via"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(let_in("0.0.0.0/0", "", "127.0.0.1", WITH(names[i], "127.0.0.1")));
    assert_true(let_in("", "", "127.0.0.1", WITH("user-agent", "x", "x-viaduct", "1")));
}

static void assert_client(const char *from, const char *forwarded, const char *want)
{
    struct local_callers *local = local_callers_open("192.0.2.0/24", "");
    char ip[LOCAL_CALLERS_IP_MAX];

    local_callers_client_behind(local, from, &forwarded, forwarded != NULL ? 1 : 0, ip);
    assert_string_equal(ip, want);
    local_callers_close(local);
}

/* The same for a whole request. */
static void assert_sender(const char *want, const char *const *with)
{
    struct local_callers *local = local_callers_open("192.0.2.0/24", "");
    char ip[LOCAL_CALLERS_IP_MAX];

    peer = "127.0.0.1";
    headers = with;
    local_callers_client(local, NULL, ip);
    assert_string_equal(ip, want);
    local_callers_close(local);
}

#define XFF "x-forwarded-for"

/* A proxy may leave the client's line as it is, and add its own. */
static void several_lines_are_one_list(void **state)
{
    const char *many[2 * 33 + 1] = {NULL};

    (void)state;
    assert_sender("10.1.2.3", WITH(XFF, "1.1.1.1", "via", "x", XFF, "10.1.2.3"));
    assert_sender("1.1.1.1", WITH(XFF, "2.2.2.2, 1.1.1.1", XFF, "192.0.2.8, 127.0.0.2"));
    assert_sender("10.1.2.3", WITH(XFF, "nonsense", XFF, "10.1.2.3, 192.0.2.8"));
    assert_sender("127.0.0.1", WITH(XFF, "nonsense", XFF, "192.0.2.8"));
    assert_sender("127.0.0.1", WITH("via", "x"));
    for (size_t i = 0; i < 33; i++) {
        many[2 * i] = XFF;
        many[2 * i + 1] = "10.1.2.3";
    }
    assert_sender("127.0.0.1", many);
    assert_sender("10.1.2.3", many + 2);
}

/* Only who is trusted may speak for another one, and only the last one who is not counts. */
static void a_proxy_speaks_for_its_client(void **state)
{
    (void)state;
    assert_client("8.8.8.8", NULL, "8.8.8.8");
    assert_client("8.8.8.8", "10.1.2.3", "8.8.8.8");
    assert_client("127.0.0.1", NULL, "127.0.0.1");
    assert_client("127.0.0.1", "10.1.2.3", "10.1.2.3");
    assert_client("192.0.2.9", "2001:db8::1", "2001:db8::1");
    assert_client("::1", "1.1.1.1, 10.1.2.3", "10.1.2.3");
    assert_client("::1", "1.1.1.1,10.1.2.3 , \t192.0.2.8,127.0.0.1 ", "10.1.2.3");
    assert_client("127.0.0.1", "192.0.2.8, 127.0.0.2", "192.0.2.8");
}

static void an_odd_list_is_not_believed(void **state)
{
    static const char *const odd[] = {"",
                                      ",",
                                      "10.1.2.3,",
                                      "10.1.2.3, unknown",
                                      "10.1.2.3:80",
                                      "[fd00::1]",
                                      "1.1.1.1,,127.0.0.1",
                                      "10.1.2.3;x",
                                      "10.1.2.3 10.1.2.4",
                                      "nonsense, 127.0.0.1",
                                      "11111111111111111111111111111111111111111111111"};

    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        assert_client("127.0.0.1", odd[i], "127.0.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proxy_speaks_for_its_client),
        cmocka_unit_test(several_lines_are_one_list),
        cmocka_unit_test(an_odd_list_is_not_believed),
        cmocka_unit_test(only_loopback_is_near),
        cmocka_unit_test(networks_may_be_trusted),
        cmocka_unit_test(networks_are_checked),
        cmocka_unit_test(a_host_has_to_be_ours),
        cmocka_unit_test(web_pages_are_refused),
        cmocka_unit_test(a_forwarded_request_is_not_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
