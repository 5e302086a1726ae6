/* PROXY headers: the specification's examples, and what only resembles one. */
#include "comet/wire/proxy_header.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static long parse(const char *bytes, size_t len, char client[IP_TEXT_MAX])
{
    struct proxy_header header = {0};
    long taken = proxy_header_parse((const uint8_t *)bytes, len, &header);

    client[0] = '\0';
    if (taken > 0 && header.known)
        ip_text(&header.client, client);
    return taken;
}

/* A good header: of no beginning more is known than that it is not whole, and what follows does not
 * matter. */
static void expect(const char *bytes, size_t len, const char *client)
{
    char got[IP_TEXT_MAX], more[2048];

    for (size_t n = 0; n < len; n++) {
        if (parse(bytes, n, got) != 0)
            fail_msg("%zu bytes of %.*s", n, (int)len, bytes);
    }
    memcpy(more, bytes, len);
    memcpy(more + len, "GET /sub\r\n", 10);
    assert_int_equal(parse(more, len + 10, got), (long)len);
    assert_string_equal(got, client);
}

#define EXPECT(bytes, client) expect(bytes, sizeof(bytes) - 1, client)

static void headers_of_version_1(void **state)
{
    (void)state;
    EXPECT("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", "192.168.0.1");
    EXPECT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255");
    EXPECT("PROXY TCP6 2001:db8::7 ::1 0 65535\r\n", "2001:db8::7");
    EXPECT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    EXPECT("PROXY TCP6 ::ffff:10.0.0.1 ::1 1 2\r\n", "10.0.0.1");
    EXPECT("PROXY UNKNOWN\r\n", "");
    /* the longest line there is: 107 bytes */
    EXPECT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
           "");
}

static void lines_that_are_no_header(void **state)
{
    static const char *const bad[] = {
        "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\n",
        "PROXY TCP4 192.168.0.1 192.168.0.11 56324\r\n",
        "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 \r\n",
        "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 1\r\n",
        "PROXY TCP4  192.168.0.1 192.168.0.11 56324 443\r\n",
        "PROXY TCP4 192.168.0.1  192.168.0.11 56324 443\r\n",
        "PROXY  TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        "PROXY TCP4 192.168.0.256 192.168.0.11 56324 443\r\n",
        "PROXY TCP4 192.168.000.1 192.168.0.11 56324 443\r\n",
        "PROXY TCP4 192.168.1 192.168.0.11 56324 443\r\n",
        "PROXY TCP4 0x7f000001 192.168.0.11 56324 443\r\n",
        "PROXY TCP4 192.168.0.1 nowhere 56324 443\r\n",
        "PROXY TCP4 192.168.0.1 192.168.0.11 65536 443\r\n",
        "PROXY TCP4 192.168.0.1 192.168.0.11 056324 443\r\n",
        "PROXY TCP4 192.168.0.1 192.168.0.11 -1 443\r\n",
        "PROXY TCP4 192.168.0.1 192.168.0.11 1 4 43\r\n",
        "PROXY TCP4 192.168.0.1 192.168.0.11 1 99999999999\r\n",
        "PROXY TCP4 ::1 ::1 1 443\r\n",
        "PROXY TCP6 192.168.0.1 192.168.0.11 1 443\r\n",
        "PROXY TCP6 [::1] ::1 1 443\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 1 443\r\n",
        "PROXY TCP5 192.168.0.1 192.168.0.11 1 443\r\n",
        "PROXY UDP4 192.168.0.1 192.168.0.11 1 443\r\n",
        "PROXY tcp4 192.168.0.1 192.168.0.11 1 443\r\n",
        "PROXY TCP4\r\n",
        "PROXY \r\n",
        "PROXY\r\n",
        "PROXY UNKNOWNS\r\n",
        "proxy TCP4 192.168.0.1 192.168.0.11 1 443\r\n",
        " PROXY TCP4 192.168.0.1 192.168.0.11 1 443\r\n",
        "GET /sub HTTP/1.1\r\n",
        "\n",
    };
    char got[IP_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parse(bad[i], strlen(bad[i]), got) != -EPROTO)
            fail_msg("%s", bad[i]);
    }
    static const char nul[] = "PROXY TCP4 192.168.0.1\0 192.168.0.11 1 443\r\n";
    assert_int_equal(parse(nul, sizeof nul - 1, got), -EPROTO);
}

static void a_line_of_107_bytes_is_the_longest(void **state)
{
    char line[PROXY_V1_MAX + 2] = "PROXY UNKNOWN ", got[IP_TEXT_MAX];

    (void)state;
    memset(line + 14, 'x', sizeof line - 14);
    memcpy(line + PROXY_V1_MAX - 2, "\r\n", 2);
    assert_int_equal(parse(line, PROXY_V1_MAX, got), PROXY_V1_MAX);
    memcpy(line + PROXY_V1_MAX - 2, "x\r\n", 3);
    assert_int_equal(parse(line, PROXY_V1_MAX - 1, got), 0);
    assert_int_equal(parse(line, PROXY_V1_MAX, got), -EPROTO);
    assert_int_equal(parse(line, PROXY_V1_MAX + 1, got), -EPROTO);
}

static void headers_of_version_2(void **state)
{
    (void)state;
    EXPECT(V2 "\x21\x11\0\x0c\xc0\xa8\0\x01\xc0\xa8\0\x0b\xdc\x04\x01\xbb", "192.168.0.1");
    /* additions behind the addresses: PP2_TYPE_NOOP of 3 bytes */
    EXPECT(V2 "\x21\x11\0\x12\x0a\0\0\x07\x0a\0\0\x08\0\1\0\2\x04\0\x03xyz", "10.0.0.7");
    EXPECT(V2 "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
              "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2",
           "2001:db8::7");
    EXPECT(V2 "\x20\0\0\0", "");                                 /* LOCAL: a health check */
    EXPECT(V2 "\x20\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\2", ""); /* its addresses do not matter */
    EXPECT(V2 "\x21\0\0\0", "");                                 /* UNSPEC */
    EXPECT(V2 "\x21\0\0\x03xyz", "");
}

static void bytes_that_are_no_header(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
#define BAD(bytes) {bytes, sizeof(bytes) - 1}
        BAD(V2 "\x11\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\2"), /* version 1 */
        BAD(V2 "\x31\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\2"), /* version 3 */
        BAD(V2 "\x22\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\2"), /* no such command */
        BAD(V2 "\x21\x12\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\2"), /* UDP */
        BAD(V2 "\x21\x31\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\2"), /* UNIX */
        BAD(V2 "\x21\x01\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\2"),
        BAD(V2 "\x21\x11\0\x0b\x7f\0\0\1\x7f\0\0\1\0\1\0"), /* too short for its addresses */
        BAD(V2 "\x21\x21\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\2"),
        BAD(V2 "\x21\x11\0\0"),
        BAD("\r\n\r\n\0\r\nQUIT\r"),
        BAD("\r\n\r\n\1"),
        BAD("\x16\x03\x01"), /* TLS */
#undef BAD
    };
    char got[IP_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parse(bad[i].bytes, bad[i].len, got) != -EPROTO)
            fail_msg("number %zu", i);
    }
}

static void a_header_of_1024_bytes_is_the_longest(void **state)
{
    char bytes[PROXY_HEADER_MAX] = V2 "\x21\x11\x03\xf0\x0a\0\0\x07\x0a\0\0\x08\0\1\0\2",
         got[IP_TEXT_MAX];

    (void)state;
    assert_int_equal(parse(bytes, sizeof bytes - 1, got), 0);
    assert_int_equal(parse(bytes, sizeof bytes, got), PROXY_HEADER_MAX);
    assert_string_equal(got, "10.0.0.7");
    bytes[15]++;
    assert_int_equal(parse(bytes, 16, got), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_version_1),
        cmocka_unit_test(lines_that_are_no_header),
        cmocka_unit_test(a_line_of_107_bytes_is_the_longest),
        cmocka_unit_test(headers_of_version_2),
        cmocka_unit_test(bytes_that_are_no_header),
        cmocka_unit_test(a_header_of_1024_bytes_is_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
