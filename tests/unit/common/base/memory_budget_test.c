/* Levels, and budgets of machines that the test makes up in a directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/memory_budget.h"

#define MIB (UINT64_C(1) << 20)

static void levels_are_left_lower_than_they_are_entered(void **state)
{
    static const struct {
        uint64_t used; /* of 1000 */
        enum memory_level level;
    } steps[] = {
        {0, MEMORY_OK},      {799, MEMORY_OK},        {800, MEMORY_SHORT},
        {760, MEMORY_SHORT}, {749, MEMORY_OK},        {799, MEMORY_OK},
        {899, MEMORY_SHORT}, {900, MEMORY_CRITICAL},  {850, MEMORY_CRITICAL},
        {849, MEMORY_SHORT}, {899, MEMORY_SHORT},     {5000, MEMORY_CRITICAL},
        {749, MEMORY_OK},    {1000, MEMORY_CRITICAL}, {800, MEMORY_SHORT},
    };
    struct memory_budget memory = {.budget = 1000 * MIB};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        enum memory_level before = memory.level;
        bool changed = memory_budget_see(&memory, steps[i].used * MIB + MIB / 2);
        if (memory.level != steps[i].level)
            fail_msg("step %zu: level %d", i, memory.level);
        assert_int_equal(changed, before != memory.level);
        assert_int_equal(memory.used, steps[i].used * MIB + MIB / 2);
    }
    assert_int_equal(memory.shortages, 3);
}

static void what_is_resident_is_told(void **state)
{
    enum { SIZE = 64 << 20 };
    uint64_t before = memory_budget_resident();
    (void)state;
    assert_true(before > MIB);
    volatile char *much = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i += 1024)
        much[i] = 1;
    assert_true(memory_budget_resident() >= before + SIZE / 10 * 9);
    free((void *)(uintptr_t)much);
}

/* --- machines --- */

static char root[64];

static int root_open(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/imc-memory-test-XXXXXX");
    return mkdtemp(root) == NULL;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int root_close(void **state)
{
    (void)state;
    return nftw(root, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s%s", root, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')) != NULL; *at++ = '/') {
        *at = '\0';
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_machine_without_limits_gives_half(void **state)
{
    (void)state;
    put("/proc/meminfo", "MemTotal:        8388608 kB\nMemFree: 1 kB\n");
    assert_int_equal(memory_budget_default(root), 4096 * MIB);
    put("/proc/self/cgroup", "0::/user.slice/app\n");
    put("/sys/fs/cgroup/user.slice/app/memory.max", "max\n");
    assert_int_equal(memory_budget_default(root), 4096 * MIB);
    put("/proc/self/cgroup", "nonsense\n7\n3:cpu\n0::/no/such/group\n");
    assert_int_equal(memory_budget_default(root), 4096 * MIB);
}

static void a_group_of_version_2_gives_three_quarters_of_the_narrowest(void **state)
{
    (void)state;
    put("/proc/meminfo", "MemTotal:        8388608 kB\n");
    put("/proc/self/cgroup", "0::/a/b/c\n");
    put("/sys/fs/cgroup/a/b/c/memory.max", "2147483648\n");
    assert_int_equal(memory_budget_default(root), 1536 * MIB);
    put("/sys/fs/cgroup/a/memory.max", "1073741824\n");
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    assert_int_equal(memory_budget_default(root), 768 * MIB);
    put("/sys/fs/cgroup/a/memory.max", "99999999999999\n"); /* more than the machine has */
    assert_int_equal(memory_budget_default(root), 1536 * MIB);
    put("/sys/fs/cgroup/a/b/c/memory.max", "8000000000\n");
    assert_int_equal(memory_budget_default(root), 4096 * MIB);
}

static void a_group_of_version_1_does_too(void **state)
{
    (void)state;
    put("/proc/meminfo", "MemTotal:        8388608 kB\n");
    put("/proc/self/cgroup", "9:name=systemd:/\n4:memory:/docker/0123\n0::/\n");
    put("/sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes", "1073741824\n");
    assert_int_equal(memory_budget_default(root), 768 * MIB);
}

/* The path is the host's; what is mounted is the container's own. */
static void a_container_has_its_limit_at_the_top(void **state)
{
    (void)state;
    put("/proc/meminfo", "MemTotal:        8388608 kB\n");
    put("/proc/self/cgroup", "4:memory:/docker/0123\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n");
    assert_int_equal(memory_budget_default(root), 384 * MIB);
}

static void this_machine_has_a_budget(void **state)
{
    (void)state;
    assert_in_range(memory_budget_default(""), 16 * MIB, UINT64_MAX / 4);
}

int main(void)
{
#define MACHINE_TEST(test) cmocka_unit_test_setup_teardown(test, root_open, root_close)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_left_lower_than_they_are_entered),
        cmocka_unit_test(what_is_resident_is_told),
        MACHINE_TEST(a_machine_without_limits_gives_half),
        MACHINE_TEST(a_group_of_version_2_gives_three_quarters_of_the_narrowest),
        MACHINE_TEST(a_group_of_version_1_does_too),
        MACHINE_TEST(a_container_has_its_limit_at_the_top),
        cmocka_unit_test(this_machine_has_a_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
