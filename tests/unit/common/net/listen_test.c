#include "common/net/listen.h"
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void one_address_one_socket(void **state)
{
    int fds[LISTEN_MOST], again[LISTEN_MOST];
    char address[64];
    (void)state;
    assert_int_equal(listen_open("127.0.0.1:0", 8, fds), 1);
    assert_in_range(listen_port(fds[0]), 1, 65535);
    snprintf(address, sizeof address, "127.0.0.1:%d", listen_port(fds[0]));
    assert_int_equal(listen_open(address, 8, again), -EADDRINUSE);
    listen_close(fds, 1);
    assert_int_equal(listen_open(address, 8, again), 1);
    listen_close(again, 1);
}

static bool reaches(int family, int port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(family, SOCK_STREAM, 0);

    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v6.sin6_addr = in6addr_loopback;
    bool ok = fd >= 0 && (family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof v4)
                                            : connect(fd, (struct sockaddr *)&v6, sizeof v6)) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* All of a name's addresses, with one port; how many there are is the machine's affair. */
static void a_name_is_all_its_addresses(void **state)
{
    int fds[LISTEN_MOST];
    (void)state;
    int n = listen_open("localhost:0", 8, fds);
    assert_in_range(n, 1, LISTEN_MOST);
    int port = listen_port(fds[0]);
    for (int i = 0; i < n; i++) {
        struct sockaddr_storage address;
        socklen_t len = sizeof address;
        assert_int_equal(getsockname(fds[i], (struct sockaddr *)&address, &len), 0);
        assert_int_equal(listen_port(fds[i]), port);
        assert_true(reaches(address.ss_family, port));
    }
    listen_close(fds, n);
}

static void what_cannot_be_listened_on(void **state)
{
    static const char *const bad[] = {"", "127.0.0.1", "127.0.0.1:http!", "no.such.name.invalid:0"};
    int fds[LISTEN_MOST];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_true(listen_open(bad[i], 8, fds) < 0);
    assert_int_equal(listen_open("192.0.2.1:0", 8, fds), -EADDRNOTAVAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_address_one_socket),
        cmocka_unit_test(a_name_is_all_its_addresses),
        cmocka_unit_test(what_cannot_be_listened_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
