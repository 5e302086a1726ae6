/* Which address a daemon names to others. What its host says of itself is what the test says: this
 * file's gethostname(), getaddrinfo() and getifaddrs() stand before libc's. */
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <arpa/inet.h>
#include <cmocka.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

/* The host: what its name leads to ("" nothing), and the addresses of its interfaces. */
static struct host {
    const char *resolved;
    const char *interfaces[3];
} host;

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (void *)&address;
    struct sockaddr_in6 *v6 = (void *)&address;
    bool is_v6 = strchr(text, ':') != NULL;
    address.ss_family = is_v6 ? AF_INET6 : AF_INET;
    void *raw = is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr;
    assert_int_equal(inet_pton(address.ss_family, text, raw), 1);
    return address;
}

/* libc's headers name these parameters otherwise. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
int gethostname(char *name, size_t len)
{
    snprintf(name, len, "box");
    return 0;
}

static struct {
    struct addrinfo info;
    struct sockaddr_storage address;
} resolved;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **list)
{
    (void)service;
    (void)hints;
    assert_string_equal(name, "box");
    if (host.resolved[0] == '\0')
        return EAI_NONAME;
    resolved.address = address_of(host.resolved);
    resolved.info.ai_family = resolved.address.ss_family;
    resolved.info.ai_addr = (void *)&resolved.address;
    *list = &resolved.info;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    assert_ptr_equal(list, &resolved.info);
}

static struct {
    struct ifaddrs entry;
    struct sockaddr_storage address;
} interfaces[3];

int getifaddrs(struct ifaddrs **list)
{
    *list = NULL;
    for (int i = 2; i >= 0; i--) {
        if (host.interfaces[i] == NULL)
            continue;
        bool down = host.interfaces[i][0] == '-';
        interfaces[i].address = address_of(host.interfaces[i] + (down ? 1 : 0));
        interfaces[i].entry = (struct ifaddrs){.ifa_next = *list,
                                               .ifa_flags = down ? 0 : IFF_UP,
                                               .ifa_addr = (void *)&interfaces[i].address};
        *list = &interfaces[i].entry;
    }
    return 0;
}

void freeifaddrs(struct ifaddrs *list)
{
    (void)list;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

static void expect(const char *listen, const char *advertise, const char *want)
{
    char listens[64], advertises[64];
    snprintf(listens, sizeof(listens), "%s", listen);
    snprintf(advertises, sizeof(advertises), "%s", advertise);
    struct daemon_config config = {.rpc_listen = listens, .rpc_advertise = advertises};
    struct daemon_internal internal = {0};
    struct daemon daemon = {.config = &config, .internal = &internal};
    daemon_set_rpc_port(&daemon, 4321);
    assert_string_equal(daemon_advertised(&daemon), want);
}

static void test_what_the_settings_say(void **state)
{
    (void)state;
    host = (struct host){.resolved = "192.0.2.7"};
    expect("127.0.0.1:7170", "", "127.0.0.1:7170");
    expect("[::1]:7170", "", "[::1]:7170");
    expect("0.0.0.0:7170", "logic.example", "logic.example:7170");
    expect("0.0.0.0:7170", "x:99", "x:99");
    expect("0.0.0.0:7170", "[fd00::1]", "[fd00::1]:7170");
    expect("0.0.0.0:0", "h", "h:4321");
    expect("", "h", "");
}

static void test_the_name_of_the_host(void **state)
{
    (void)state;
    host = (struct host){.resolved = "192.0.2.7", .interfaces = {"127.0.0.1", "192.0.2.8"}};
    expect("0.0.0.0:7170", "", "box:7170");
    expect("[::]:7170", "", "box:7170");
    host.resolved = "2001:db8::7";
    expect("[::]:7170", "", "box:7170");
}

/* Debian writes "127.0.1.1 box" into /etc/hosts: others who look that up stay where they are. */
static void test_a_name_that_leads_to_loopback(void **state)
{
    (void)state;
    host = (struct host){.resolved = "127.0.1.1", .interfaces = {"127.0.0.1", "192.0.2.8"}};
    expect("0.0.0.0:7170", "", "192.0.2.8:7170");
    host = (struct host){.resolved = "::1", .interfaces = {"fe80::1", "2001:db8::8"}};
    expect("[::]:7170", "", "[2001:db8::8]:7170");
    host = (struct host){.resolved = "127.0.1.1", .interfaces = {"127.0.0.1"}};
    expect("0.0.0.0:7170", "", "box:7170");
}

static void test_a_name_that_leads_nowhere(void **state)
{
    (void)state;
    host = (struct host){.resolved = "", .interfaces = {"127.0.0.1", "2001:db8::8", "192.0.2.8"}};
    expect("0.0.0.0:7170", "", "192.0.2.8:7170");
    host = (struct host){.resolved = "", .interfaces = {"127.0.0.1", "-192.0.2.8", "fe80::1"}};
    expect("0.0.0.0:7170", "", "127.0.0.1:7170");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_settings_say),
        cmocka_unit_test(test_the_name_of_the_host),
        cmocka_unit_test(test_a_name_that_leads_to_loopback),
        cmocka_unit_test(test_a_name_that_leads_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
