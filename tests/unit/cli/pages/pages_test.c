/* Markdown, as far as it is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cli/pages/pages.h"

static struct page_line line(const char *text)
{
    return (struct page_line){text, strlen(text)};
}

static void is_text(struct page_line got, const char *wanted)
{
    assert_int_equal(got.len, strlen(wanted));
    assert_memory_equal(got.text, wanted, got.len);
}

static void a_row_has_cells(void **state)
{
    struct page_line cell, row = line("| `a` |  | b \\| c |");

    (void)state;
    assert_true(page_is_row(row));
    assert_true(page_cell(row, 0, &cell));
    is_text(cell, "`a`");
    assert_true(page_cell(row, 1, &cell));
    is_text(cell, "");
    assert_true(page_cell(row, 2, &cell));
    is_text(cell, "b \\| c");
    assert_false(page_cell(row, 3, &cell));
    assert_false(page_cell(line("|"), 0, &cell));
    assert_false(page_cell(line("| open"), 0, &cell));
    assert_true(page_is_rule(line("| --- | :-: |")));
    assert_false(page_is_rule(row));
    assert_false(page_is_rule(line("---")));
}

static void a_heading_has_a_level(void **state)
{
    struct page_line text;

    (void)state;
    assert_int_equal(page_heading(line("## Two words"), &text), 2);
    is_text(text, "Two words");
    assert_int_equal(page_heading(line("#none"), &text), 0);
    assert_int_equal(page_heading(line("##"), &text), 0);
    assert_int_equal(page_heading(line("text # x"), &text), 0);
}

static void lines_follow_each_other(void **state)
{
    const struct page page = {"x", "one\n\ntwo", 8};
    struct page_line got;
    size_t at = 0;

    (void)state;
    assert_true(page_next(&page, &at, &got));
    is_text(got, "one");
    assert_true(page_next(&page, &at, &got));
    is_text(got, "");
    assert_true(page_next(&page, &at, &got));
    is_text(got, "two");
    assert_false(page_next(&page, &at, &got));
}

static void the_documents_are_there(void **state)
{
    struct page page;

    (void)state;
    assert_true(page_find("operations", &page));
    assert_memory_equal(page.text, "# Operations\n", 13);
    assert_true(page_find("comet.ini", &page));
    assert_false(page_find("nothing", &page));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_has_cells),
        cmocka_unit_test(a_heading_has_a_level),
        cmocka_unit_test(lines_follow_each_other),
        cmocka_unit_test(the_documents_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
