#include "comet/net/handle_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 20000 };

static struct conn *fake(size_t i)
{
    return (struct conn *)(void *)((i + 1) * 64);
}

static size_t count(const struct handle_table *table)
{
    size_t found = 0;
    for (size_t slot = 0; slot < handle_table_slots(table); slot++)
        found += handle_table_at(table, slot) != NULL;
    return found;
}

static void handles_find_their_connection_and_nobody_else(void **state)
{
    (void)state;
    struct handle_table *table = handle_table_open(3);
    uint64_t a = handle_table_add(table, fake(1)), b = handle_table_add(table, fake(2));

    assert_true(a != 0 && b != 0 && a != b);
    assert_int_equal(handle_loop(a), 3);
    assert_ptr_equal(handle_table_find(table, a), fake(1));
    assert_ptr_equal(handle_table_find(table, b), fake(2));
    assert_null(handle_table_find(table, 0));
    assert_null(handle_table_find(table, a ^ (uint64_t)1 << 56)); /* another loop's */
    assert_null(handle_table_find(table, a + ((uint64_t)1 << 24)));
    assert_null(handle_table_find(table, a | 0xffffff)); /* a slot that never was */
    handle_table_remove(table, a);
    assert_null(handle_table_find(table, a));
    assert_int_equal(count(table), 1);
    handle_table_remove(table, b);
    handle_table_close(table);
}

static void a_slot_used_again_has_another_handle(void **state)
{
    (void)state;
    struct handle_table *table = handle_table_open(0);
    uint64_t old = handle_table_add(table, fake(1));
    handle_table_remove(table, old);
    uint64_t new = handle_table_add(table, fake(2));

    assert_int_equal(old & 0xffffff, new & 0xffffff);
    assert_true(old != new);
    assert_null(handle_table_find(table, old));
    assert_ptr_equal(handle_table_find(table, new), fake(2));
    handle_table_remove(table, new);
    handle_table_close(table);
}

/* Chunks that became empty are given back; handles from before must still find nobody when they
 * return. */
static void shrinks_and_old_handles_stay_dead(void **state)
{
    (void)state;
    struct handle_table *table = handle_table_open(0);
    uint64_t *handles = calloc(MANY, sizeof *handles);
    for (size_t i = 0; i < MANY; i++)
        handles[i] = handle_table_add(table, fake(i));
    assert_int_equal(handle_table_slots(table), MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_ptr_equal(handle_table_at(table, handles[i] & 0xffffff), fake(i));
    for (size_t i = MANY; i-- > 10;)
        handle_table_remove(table, handles[i]);
    assert_true(handle_table_slots(table) < MANY / 4);
    for (size_t i = 0; i < MANY - 10; i++)
        assert_true(handle_table_add(table, fake(MANY + i)) != 0);
    assert_int_equal(count(table), MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_ptr_equal(handle_table_find(table, handles[i]), i < 10 ? fake(i) : NULL);
    handle_table_close(table);
    free(handles);
}

/* A chunk in the middle that was given back is a run of free slots for whoever walks. */
static void walks_over_a_hole(void **state)
{
    (void)state;
    struct handle_table *table = handle_table_open(0);
    uint64_t *handles = calloc(MANY, sizeof *handles);
    for (size_t i = 0; i < MANY; i++)
        handles[i] = handle_table_add(table, fake(i));
    for (size_t i = 4000; i < 14000; i++)
        handle_table_remove(table, handles[i]);
    assert_int_equal(count(table), MANY - 10000);
    handle_table_close(table);
    free(handles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_find_their_connection_and_nobody_else),
        cmocka_unit_test(a_slot_used_again_has_another_handle),
        cmocka_unit_test(shrinks_and_old_handles_stay_dead),
        cmocka_unit_test(walks_over_a_hole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
