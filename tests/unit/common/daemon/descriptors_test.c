#include "common/daemon/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Whatever the limit is: all listeners together leave something for what we open ourselves. */
static void shares_leave_a_reserve(void **state)
{
    (void)state;
    for (int64_t limit = 256; limit <= 1 << 20; limit += limit / 16) {
        struct daemon_descriptors files;
        daemon_descriptors_share(limit, 1024, &files);
        int64_t logic = files.admin + files.rpc + files.http;
        int64_t comet = files.admin + files.rpc + files.clients;
        assert_true(limit - logic >= 64);
        assert_true(limit - comet >= 64);
        assert_in_range(files.rpc, 8, 1024);
        assert_in_range(files.http, 8, 4096);
        assert_in_range(files.admin, 8, 64);
    }
}

static void a_large_limit_is_for_clients(void **state)
{
    struct daemon_descriptors files;
    (void)state;
    daemon_descriptors_share(1 << 20, 1024, &files);
    assert_int_equal(files.rpc, 1024);
    assert_int_equal(files.http, 4096);
    assert_in_range(files.clients, (1 << 20) - 4096, 1 << 20);
}

static void a_tiny_limit_still_starts(void **state)
{
    struct daemon_descriptors files;
    (void)state;
    daemon_descriptors_share(1, 1, &files);
    assert_true(files.admin > 0 && files.rpc > 0 && files.http > 0 && files.clients > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_leave_a_reserve),
        cmocka_unit_test(a_large_limit_is_for_clients),
        cmocka_unit_test(a_tiny_limit_still_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
