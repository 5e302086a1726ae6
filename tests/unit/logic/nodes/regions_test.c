#include "logic/nodes/regions.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct regions *table_of(const char *text)
{
    struct regions *regions = NULL;
    char err[256] = "";

    assert_int_equal(regions_parse(text, &regions, err, sizeof err), 0);
    assert_string_equal(err, "");
    return regions;
}

static const char *region_of(const struct regions *regions, const char *text)
{
    struct ip ip;

    assert_true(ip_parse(text, strlen(text), &ip));
    int index = regions_find(regions, &ip);
    return index < 0 ? "none" : regions_name(regions, (size_t)index);
}

static void an_address_has_the_region_of_its_network(void **state)
{
    struct regions *regions =
        table_of("sh=10.1.0.0/16, bj=10.2.0.0/16 ,sh=2001:db8::/32,, \xe5\x8c\x97=192.0.2.7");

    (void)state;
    assert_int_equal(regions_count(regions), 3);
    assert_string_equal(region_of(regions, "10.1.255.1"), "sh");
    assert_string_equal(region_of(regions, "::ffff:10.2.0.1"), "bj");
    assert_string_equal(region_of(regions, "2001:db8:1::1"), "sh");
    assert_string_equal(region_of(regions, "192.0.2.7"), "\xe5\x8c\x97");
    assert_string_equal(region_of(regions, "192.0.2.8"), "none");
    assert_string_equal(region_of(regions, "10.3.0.1"), "none");
    regions_free(regions);
}

static void the_smaller_network_wins(void **state)
{
    struct regions *regions = table_of("all=0.0.0.0/0,host=10.1.2.3,wide=10.0.0.0/8,"
                                       "narrow=10.1.0.0/16,late=10.0.0.0/8,v6=::/0");

    (void)state;
    assert_string_equal(region_of(regions, "10.1.2.3"), "host");
    assert_string_equal(region_of(regions, "10.1.2.4"), "narrow");
    assert_string_equal(region_of(regions, "10.9.0.1"), "wide");
    assert_string_equal(region_of(regions, "8.8.8.8"), "all");
    assert_string_equal(region_of(regions, "2001:db8::1"), "v6");
    regions_free(regions);
}

static void no_table_has_no_regions(void **state)
{
    struct regions *regions = table_of(" , ,");

    (void)state;
    assert_int_equal(regions_count(regions), 0);
    assert_string_equal(region_of(regions, "10.1.2.3"), "none");
    regions_free(regions);
}

static void assert_refused(const char *table, const char *item, const char *why)
{
    struct regions *regions = NULL;
    char err[256] = "";

    assert_int_equal(regions_parse(table, &regions, err, sizeof err), -EINVAL);
    assert_null(regions);
    assert_non_null(strstr(err, "nodes.regions: \""));
    assert_non_null(strstr(err, item));
    assert_non_null(strstr(err, why));
}

static void a_bad_item_is_named(void **state)
{
    static const struct {
        const char *table, *item, *why;
    } rows[] = {
        {"sh", "\"sh\"", "REGION=NETWORK"},
        {"sh=10.0.0.0/8,=10.1.0.0/16", "\"=10.1.0.0/16\"", "REGION=NETWORK"},
        {"10.1.0.0/16", "\"10.1.0.0/16\"", "REGION=NETWORK"},
        {"sh:10.1.0.0/16", "\"sh:10.1.0.0/16\"", "REGION=NETWORK"},
        {"sh=", "\"sh=\"", "a network like"},
        {"sh==10.0.0.0/8", "\"sh==10.0.0.0/8\"", "a network like"},
        {"sh= 10.0.0.0/8", "\"sh= 10.0.0.0/8\"", "a network like"},
        {"sh=10.0.0.0/33", "10.0.0.0/33", "a network like"},
        {"sh=10.0.0/8", "10.0.0/8", "a network like"},
        {"sh=::1/129", "::1/129", "a network like"},
        {"sh=10.0.0.0-10.0.0.9", "10.0.0.0-10.0.0.9", "a network like"},
        {"sh=10.0.0.1 10.0.0.2", "10.0.0.1 10.0.0.2", "a network like"},
        {"ok=::1,bad=x,worse", "\"bad=x\"", "a network like"},
        {"12345678901234567890123456789012=::1", "\"1234567", "longer than 31"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(rows[i].table, rows[i].item, rows[i].why);
    struct regions *regions = table_of("1234567890123456789012345678901=::1");
    assert_string_equal(region_of(regions, "::1"), "1234567890123456789012345678901");
    regions_free(regions);
}

/* A table of N networks in as many regions, or in one. */
static char *table_with(int n, int regions)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    for (int i = 0; i < n; i++)
        fprintf(out, "r%d=10.%d.%d.0/24,", i % regions, i / 256, i % 256);
    fclose(out);
    return text;
}

static void regions_and_networks_have_a_limit(void **state)
{
    char *full = table_with(REGION_NETWORKS_MOST, REGIONS_MOST);
    char *crowded = table_with(REGION_NETWORKS_MOST + 1, 1);
    char *many = table_with(REGIONS_MOST + 1, REGIONS_MOST + 1);
    struct regions *regions = table_of(full);

    (void)state;
    assert_int_equal(regions_count(regions), REGIONS_MOST);
    assert_string_equal(region_of(regions, "10.3.255.9"), "r63");
    regions_free(regions);
    assert_refused(crowded, "r0=10.4.0.0/24", "more than 1024 networks");
    assert_refused(many, "r64=", "more than 64 regions");
    free(full);
    free(crowded);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_the_region_of_its_network),
        cmocka_unit_test(the_smaller_network_wins),
        cmocka_unit_test(no_table_has_no_regions),
        cmocka_unit_test(a_bad_item_is_named),
        cmocka_unit_test(regions_and_networks_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
