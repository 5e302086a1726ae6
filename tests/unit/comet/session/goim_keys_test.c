/* Which sessions of a loop have which key. */
#include "comet/base/worker.h"
#include "comet/net/conn.h"
#include "comet/net/goim_client.h"
#include "comet/session/goim_keys.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* needs the above */
#include <cmocka.h>

static struct worker worker;

static int setup(void **state)
{
    (void)state;
    memset(&worker, 0, sizeof worker);
    return loop_init(&worker.loop, "test", 0);
}

static int teardown(void **state)
{
    (void)state;
    goim_keys_close(&worker);
    assert_null(worker.goim_keys);
    loop_close(&worker.loop);
    return 0;
}

static struct conn *enter(const char *key)
{
    struct conn *conn = mem_zalloc(sizeof *conn);

    conn->worker = &worker;
    conn->goim = goim_client_new(key);
    goim_keys_add(conn);
    return conn;
}

/* The key's memory goes, too. */
static void leave(struct conn *conn)
{
    goim_keys_remove(conn);
    goim_client_free(conn->goim);
    free(conn);
}

/* The sessions with KEY are these, the newest first. */
static void assert_found(const char *key, struct conn *const *conns, size_t n)
{
    const struct conn *found = goim_keys_find(&worker, key), *before = NULL;

    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(found, conns[i]);
        assert_ptr_equal(found->goim->key_prev, before);
        before = found;
        found = found->goim->key_next;
    }
    assert_null(found);
}

#define FOUND(key, ...)                                    \
    assert_found(key, (struct conn *const[]){__VA_ARGS__}, \
                 sizeof((struct conn *const[]){__VA_ARGS__}) / sizeof(struct conn *))

static void nobody_has_a_key_at_first(void **state)
{
    (void)state;
    assert_null(goim_keys_find(&worker, "a"));
    assert_null(goim_keys_find(&worker, ""));
}

static void each_key_has_its_sessions(void **state)
{
    struct conn *a = enter("a"), *b = enter("b"), *ab = enter("ab"), *none = enter("");

    (void)state;
    FOUND("a", a);
    FOUND("b", b);
    FOUND("ab", ab);
    FOUND("", none);
    assert_null(goim_keys_find(&worker, "abc"));
    leave(a);
    assert_null(goim_keys_find(&worker, "a"));
    FOUND("ab", ab);
    a = enter("a");
    FOUND("a", a);
    leave(a);
    leave(b);
    leave(ab);
    leave(none);
}

/* Whichever of three leaves first, and second: the map must not keep the text of one that left. */
static void sessions_with_one_key_leave_in_any_order(void **state)
{
    (void)state;
    for (int order = 0; order < 6; order++) {
        struct conn *conns[3]; /* the newest first */
        for (int i = 3; i > 0; i--)
            conns[i - 1] = enter("key");
        FOUND("key", conns[0], conns[1], conns[2]);
        int first = order / 2, second = (first + 1 + order % 2) % 3, last = 3 - first - second;
        leave(conns[first]);
        if (second < last)
            FOUND("key", conns[second], conns[last]);
        else
            FOUND("key", conns[last], conns[second]);
        leave(conns[second]);
        FOUND("key", conns[last]);
        struct conn *newest = enter("key");
        FOUND("key", newest, conns[last]);
        leave(conns[last]);
        leave(newest);
        assert_null(goim_keys_find(&worker, "key"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_has_a_key_at_first, setup, teardown),
        cmocka_unit_test_setup_teardown(each_key_has_its_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(sessions_with_one_key_leave_in_any_order, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
