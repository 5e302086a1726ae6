#include "comet/base/worker.h"
#include "comet/net/client_ips.h"
#include "comet/net/conn.h"
#include "common/net/address.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { CONNS = 20000 };

static struct worker worker;
static struct conn conns[CONNS];
static const char *peer; /* the address of the connection that enters; NULL: the socket has gone */

/* In place of libc's. */
int getpeername(int fd, struct sockaddr *address, socklen_t *len)
{
    union endpoint endpoint;

    (void)fd;
    if (peer == NULL)
        return -1;
    assert_true(endpoint_parse(peer, 1, &endpoint));
    *len = sizeof endpoint;
    memcpy(address, &endpoint, sizeof endpoint);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    if (loop_init(&worker.loop, "test", 0) != 0)
        return -1;
    for (int i = 0; i < CONNS; i++)
        conns[i].worker = &worker;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    loop_close(&worker.loop);
    return 0;
}

static void enter(int i, const char *from)
{
    peer = from;
    client_ips_enter(&conns[i]);
}

static void an_address_counts_once_until_its_last_session_ends(void **state)
{
    (void)state;
    assert_int_equal(client_ips_count(), 0);
    enter(0, "10.0.0.1");
    enter(1, "10.0.0.1");
    enter(2, "::ffff:10.0.0.1");
    assert_int_equal(client_ips_count(), 1);
    enter(3, "10.0.0.2");
    enter(4, "2001:db8:0:1::1");
    enter(5, "2001:db8:0:1:9::2"); /* the same network of 64 bits */
    enter(6, "2001:db8:0:2::1");
    assert_int_equal(client_ips_count(), 4);
    enter(7, NULL);
    enter(8, NULL);
    assert_int_equal(client_ips_count(), 5);
    client_ips_leave(&conns[0]);
    client_ips_leave(&conns[2]);
    client_ips_leave(&conns[7]);
    assert_int_equal(client_ips_count(), 5);
    client_ips_leave(&conns[1]);
    assert_int_equal(client_ips_count(), 4);
    static const int others[] = {3, 4, 5, 6, 8};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        client_ips_leave(&conns[others[i]]);
    assert_int_equal(client_ips_count(), 0);
}

static void many_addresses_are_counted_within_one_per_cent(void **state)
{
    char text[32];

    (void)state;
    for (int i = 0; i < CONNS; i++) {
        snprintf(text, sizeof text, "10.%d.%d.%d", i % 7, i / 256, i % 256);
        enter(i, text);
    }
    assert_in_range(client_ips_count(), CONNS - CONNS / 100, CONNS + CONNS / 100);
    for (int i = 0; i < CONNS; i++)
        client_ips_leave(&conns[i]);
    assert_int_equal(client_ips_count(), 0);
}

static void the_estimate_has_an_end(void **state)
{
    int64_t n = CLIENT_IPS_COUNTERS;

    (void)state;
    assert_int_equal(client_ips_estimate(0, n), 0);
    assert_int_equal(client_ips_estimate(10, n), 10);
    /* what 300,000 leave: n (1 - e^(-k/n)) */
    int64_t hit = (int64_t)((double)n * (1 - exp(-300000.0 / (double)n)));
    assert_in_range(client_ips_estimate(hit, n), 299000, 301000);
    assert_in_range(client_ips_estimate(n - 1, n), 700000, 800000);
    assert_int_equal(client_ips_estimate(n, n), client_ips_estimate(n - 1, n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_counts_once_until_its_last_session_ends),
        cmocka_unit_test(many_addresses_are_counted_within_one_per_cent),
        cmocka_unit_test(the_estimate_has_an_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
