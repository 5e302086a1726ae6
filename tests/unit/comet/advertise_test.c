#include "comet/advertise.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char none[] = "", tcp_listen[] = "0.0.0.0:8080", ws_listen[] = "[::]:8090";
static struct comet_config config;

static int setup(void **state)
{
    (void)state;
    config = (struct comet_config){.tcp_listen = tcp_listen,
                                   .tcp_advertise = none,
                                   .ws_listen = ws_listen,
                                   .ws_advertise = none,
                                   .tcps_listen = none,
                                   .tcps_advertise = none,
                                   .wss_listen = none,
                                   .wss_advertise = none,
                                   .node_host = none,
                                   .node_ips = none};
    return 0;
}

static void what_is_not_set_follows_from_the_rpc_address(void **state)
{
    struct member self = {0};
    char err[256];

    (void)state;
    assert_int_equal(advertise_check(&config, err, sizeof err), 0);
    advertise_fill(&config, "comet.internal:8092", &self);
    assert_string_equal(self.tcp, "comet.internal:8080");
    assert_string_equal(self.ws, "comet.internal:8090");
    assert_string_equal(self.tcps, "");
    assert_string_equal(self.wss, "");
    assert_string_equal(self.host, "");
    assert_string_equal(self.ips, "");
}

static void tls_ports_of_our_own(void **state)
{
    static char tcps_listen[] = "0.0.0.0:8081", wss_listen[] = "0.0.0.0:8095";
    struct member self = {0};

    (void)state;
    config.tcps_listen = tcps_listen;
    config.wss_listen = wss_listen;
    advertise_fill(&config, "comet.internal:8092", &self);
    assert_string_equal(self.tcp, "comet.internal:8080");
    assert_string_equal(self.ws, "comet.internal:8090");
    assert_string_equal(self.tcps, "comet.internal:8081");
    assert_string_equal(self.wss, "comet.internal:8095");
}

/* A client without TLS is not sent to a port that has nothing else. */
static void ports_that_are_off_are_not_told(void **state)
{
    static char tcps_listen[] = "0.0.0.0:8081", wss_listen[] = "0.0.0.0:8095";
    struct member self = {0};

    (void)state;
    config.tcp_listen = config.ws_listen = none;
    config.tcps_listen = tcps_listen;
    config.wss_listen = wss_listen;
    advertise_fill(&config, "comet.internal:8092", &self);
    assert_string_equal(self.tcp, "");
    assert_string_equal(self.ws, "");
    assert_string_equal(self.tcps, "comet.internal:8081");
    assert_string_equal(self.wss, "comet.internal:8095");
}

static void what_is_set_is_told(void **state)
{
    static char tcp[] = "tcp.example:1", ws[] = "[2001:db8::1]:2", tcps[] = "tcps.example:3",
                wss[] = "wss.example:443", host[] = "c1", ips[] = " 192.0.2.1 ,, 2001:db8::1";
    struct member self = {0};
    char err[256];

    (void)state;
    config.tcp_advertise = tcp;
    config.ws_advertise = ws;
    config.tcps_advertise = tcps;
    config.wss_advertise = wss;
    config.node_host = host;
    config.node_ips = ips;
    assert_int_equal(advertise_check(&config, err, sizeof err), 0);
    advertise_fill(&config, "comet.internal:8092", &self);
    assert_string_equal(self.tcp, "tcp.example:1");
    assert_string_equal(self.ws, "[2001:db8::1]:2");
    assert_string_equal(self.tcps, "tcps.example:3");
    assert_string_equal(self.wss, "wss.example:443");
    assert_string_equal(self.host, "c1");
    assert_string_equal(self.ips, "192.0.2.1,2001:db8::1");
}

static void assert_refused(char **setting, const char *value, const char *name)
{
    char text[1024], err[1024] = "";

    snprintf(text, sizeof text, "%s", value);
    *setting = text;
    assert_int_equal(advertise_check(&config, err, sizeof err), -EINVAL);
    assert_non_null(strstr(err, name));
    *setting = none;
}

static void what_clients_could_not_use_is_refused(void **state)
{
    static const char *const publics[] = {"host", "host:", ":80", "::1:80", "host:99999"};
    static const char *const hosts[] = {"c1:80", "c 1", "c\"1", "c/1", "[::1]"};
    static const char nine[] = "1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,1.1.1.6,1.1.1.7,1.1.1.8,"
                               "1.1.1.9";
    static const char *const ips[] = {"c1",    "10.0.0.1:80", "10.0.0.0/8", "10.0.0.1 10.0.0.2",
                                      "[::1]", nine};
    char long_host[256], long_public[256];

    (void)state;
    for (size_t i = 0; i < sizeof publics / sizeof publics[0]; i++) {
        assert_refused(&config.tcp_advertise, publics[i], "tcp.advertise");
        assert_refused(&config.ws_advertise, publics[i], "ws.advertise");
        assert_refused(&config.tcps_advertise, publics[i], "tcps.advertise");
        assert_refused(&config.wss_advertise, publics[i], "wss.advertise");
    }
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        assert_refused(&config.node_host, hosts[i], "node.host");
    for (size_t i = 0; i < sizeof ips / sizeof ips[0]; i++)
        assert_refused(&config.node_ips, ips[i], "node.ips");
    snprintf(long_host, sizeof long_host, "%0128d", 0);
    snprintf(long_public, sizeof long_public, "%0126d:1", 0);
    assert_refused(&config.node_host, long_host, "node.host");
    assert_refused(&config.tcps_advertise, long_public, "tcps.advertise");
    assert_refused(&config.wss_advertise, long_public, "wss.advertise");
}

/* The longest that are taken fit into the record. */
static void limits_fit_into_the_record(void **state)
{
    static char ips[] =
        "2001:db8:1111:1111:1111:1111:1111:1111,2001:db8:1111:1111:1111:1111:1111:2,"
        "::ffff:111.111.111.111,1111:1111:1111:1111:1111:1111:111.111.111.111,"
        "1111:1111:1111:1111:1111:1111:111.111.111.112,"
        "1111:1111:1111:1111:1111:1111:111.111.111.113,"
        "1111:1111:1111:1111:1111:1111:111.111.111.114,"
        "1111:1111:1111:1111:1111:1111:111.111.111.115";
    struct member self = {0};
    char host[128], err[256];

    (void)state;
    snprintf(host, sizeof host, "%0127d", 0);
    config.node_host = host;
    config.node_ips = ips;
    assert_int_equal(advertise_check(&config, err, sizeof err), 0);
    advertise_fill(&config, "a:1", &self);
    assert_string_equal(self.ips, ips);
    assert_string_equal(self.host, host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_not_set_follows_from_the_rpc_address, setup),
        cmocka_unit_test_setup(tls_ports_of_our_own, setup),
        cmocka_unit_test_setup(ports_that_are_off_are_not_told, setup),
        cmocka_unit_test_setup(what_is_set_is_told, setup),
        cmocka_unit_test_setup(what_clients_could_not_use_is_refused, setup),
        cmocka_unit_test_setup(limits_fit_into_the_record, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
