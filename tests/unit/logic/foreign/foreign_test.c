/* foreign.c against a real Redis server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

/* needs cmocka.h */
#include "logic/foreign/foreign.h"
#include "tests/unit/lib/clock.h"

#include <errno.h>

enum { TTL_MS = 600000, FOUND = 8 };

static struct logic_config config = {.goim_session_ttl_ms = TTL_MS, .sessions_max_per_uid = 3};

/* needs the above */
#include "tests/unit/lib/logic_redis.h"

/* --- calls --- */

struct done {
    int n, result;
};

static void on_done(void *arg, int result)
{
    struct done *done = arg;

    done->n++;
    done->result = result;
}

static int wait_done(const struct done *done)
{
    assert_int_equal(done->n, 0); /* never within the call */
    assert_true(until(done->n == 1, uv_run(&f.loop.uv, UV_RUN_NOWAIT)));
    return done->result;
}

static int put(const char *key, const char *at, bool connects)
{
    struct done done = {0};
    struct foreign_session session = {.uid = uid, .key = key, .server = at};

    foreign_put(&logic, &session, connects, on_done, &done);
    return wait_done(&done);
}

static int del(const char *key, const char *at)
{
    struct done done = {0};
    struct foreign_session session = {.uid = uid, .key = key, .server = at};

    foreign_del(&logic, &session, on_done, &done);
    return wait_done(&done);
}

static char found[512]; /* "server/key …" */
static struct done finding;

static void on_found(void *arg, int err, const struct foreign_session *sessions, size_t n)
{
    (void)arg;
    finding = (struct done){1, err};
    found[0] = '\0';
    for (size_t i = 0, at = 0; i < n; i++) {
        assert_int_equal(sessions[i].uid, uid);
        at += (size_t)snprintf(found + at, sizeof found - at, "%s%s/%s%s", i > 0 ? " " : "",
                               sessions[i].server, sessions[i].key,
                               sessions[i].lives ? "" : " (silent)");
    }
}

static const char *find(void)
{
    finding = (struct done){0};
    foreign_find(&logic, uid, on_found, NULL);
    assert_int_equal(wait_done(&finding), 0);
    return found;
}

/* What another program does to the user's hash: HSET FIELD VALUE. */
static void write_field(const char *field, const char *value)
{
    char key[40];
    const char *argv[] = {"HSET", key, field, value};
    size_t len[] = {4, (size_t)snprintf(key, sizeof key, "imc:goim:%lld", (long long)uid),
                    strlen(field), strlen(value)};

    (void)ask(&f, 0, 4, argv, len);
}

/* --- tests --- */

static void sessions_are_found_by_server(void **state)
{
    (void)state;
    assert_string_equal(find(), "");
    assert_int_equal(put("k1", "goim-2", true), 1);
    assert_int_equal(put("k2", "goim-1", true), 1);
    assert_int_equal(put("a key", "a server", true), 1);
    assert_string_equal(find(), "a server/a key goim-1/k2 goim-2/k1");
    assert_int_equal(del("k2", "goim-1"), 1);
    assert_string_equal(find(), "a server/a key goim-2/k1");
}

static void a_comet_that_is_silent_may_have_ended(void **state)
{
    (void)state;
    assert_int_equal(put("k1", "mute-1", true), 1);
    assert_int_equal(put("k2", "mute-2", true), 1);
    assert_string_equal(find(), "mute-1/k1 mute-2/k2");
    clock_move(FOREIGN_SILENT_MS - 1000);
    foreign_heard(&logic, "mute-2");
    assert_string_equal(find(), "mute-1/k1 mute-2/k2");
    clock_move(2000);
    assert_string_equal(find(), "mute-1/k1 (silent) mute-2/k2");
    assert_int_equal(put("k1", "mute-1", false), 1); /* it says that its session lives */
    assert_string_equal(find(), "mute-1/k1 mute-2/k2");
}

static void a_key_is_where_it_connected_last(void **state)
{
    (void)state;
    assert_int_equal(put("k", "goim-1", true), 1);
    assert_int_equal(put("k", "goim-2", true), 1);
    assert_int_equal(put("k", "goim-1", false), 0); /* lives on there, as that server believes */
    assert_string_equal(find(), "goim-2/k");
    assert_int_equal(del("k", "goim-1"), 0);
    assert_int_equal(del("k", "goim-2"), 1);
    assert_int_equal(del("k", "goim-2"), 0);
    assert_int_equal(put("k", "goim-1", false), 1); /* a heartbeat makes it known */
    assert_string_equal(find(), "goim-1/k");
}

static void a_user_has_so_many(void **state)
{
    (void)state;
    assert_int_equal(put("1", "goim-1", true), 1);
    assert_int_equal(put("2", "goim-1", true), 1);
    assert_int_equal(put("3", "goim-1", true), 1);
    assert_int_equal(put("4", "goim-1", true), -EUSERS);
    assert_int_equal(put("3", "goim-2", true), 1); /* it is one of them */
    write_field("1", "1000 goim-1");               /* has expired long ago */
    assert_int_equal(put("4", "goim-1", true), 1);
    assert_string_equal(find(), "goim-1/2 goim-1/4 goim-2/3");
}

static void what_has_expired_is_not_found(void **state)
{
    (void)state;
    assert_int_equal(put("k", "goim-1", true), 1);
    write_field("old", "1000 goim-1");
    assert_string_equal(find(), "goim-1/k");
    write_field("k", "1000 goim-1");
    assert_int_equal(put("k", "goim-2", false), 1);
    assert_string_equal(find(), "goim-2/k");
}

static void what_nobody_of_ours_wrote_is_not_found(void **state)
{
    (void)state;
    static const char *const values[] = {"", " ", "x", "9999999999999", "9999999999999 ", "-1 s"};

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        write_field("k", values[i]);
        assert_string_equal(find(), "");
        assert_int_equal(del("k", "goim-1"), 0);
    }
    assert_int_equal(put("k", "goim-1", false), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, next_uid)
    const struct CMUnitTest tests[] = {
        TEST(sessions_are_found_by_server),     TEST(a_comet_that_is_silent_may_have_ended),
        TEST(a_key_is_where_it_connected_last), TEST(a_user_has_so_many),
        TEST(what_has_expired_is_not_found),    TEST(what_nobody_of_ours_wrote_is_not_found),
    };

    return cmocka_run_group_tests_name("foreign", tests, setup, teardown);
}
