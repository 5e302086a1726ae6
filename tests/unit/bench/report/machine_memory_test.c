#include "bench/report/machine_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PAGE = 4096 };

static void lines_of_proc_are_read(void **state)
{
    struct machine machine = {0};

    (void)state;
    machine_line("MemTotal:       24683520 kB\n", PAGE, &machine);
    machine_line("MemFree:        20000000 kB\n", PAGE, &machine);
    machine_line("MemAvailable:   24053760 kB\n", PAGE, &machine);
    machine_line("Buffers:            1000 kB\n", PAGE, &machine);
    machine_line("Cached:           300000 kB\n", PAGE, &machine);
    machine_line("SwapCached:           70 kB\n", PAGE, &machine);
    machine_line("Shmem:             20000 kB\n", PAGE, &machine);
    machine_line("Slab:             102400 kB\n", PAGE, &machine);
    machine_line("sockets: used 120\n", PAGE, &machine);
    machine_line("TCP: inuse 14 orphan 2 tw 3 alloc 17 mem 5\n", PAGE, &machine);
    machine_line("UDP: inuse 1 mem 900\n", PAGE, &machine);
    assert_int_equal(machine.unused, 20281000LL * 1024);
    assert_int_equal(machine.slab, 102400ULL * 1024);
    assert_int_equal(machine.tcp_sockets, 14);
    assert_int_equal(machine.tcp_buffers, 5 * PAGE);
}

static void this_machine_tells(void **state)
{
    struct machine machine;

    (void)state;
    machine_read(&machine);
    assert_true(machine.unused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_proc_are_read),
        cmocka_unit_test(this_machine_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
