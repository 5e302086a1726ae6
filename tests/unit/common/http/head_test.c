#include "common/http/head.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 300 };

/* A head with the fields "n0: 0", "N1: 1", … and one more of NAME. */
static struct http_head *head_of(unsigned n, const char *name)
{
    struct http_head *head = http_head_new();
    size_t at = 0;

    head->size = head->len = ((size_t)n + 1) * 32;
    head->text = malloc(head->size);
    memset(head->text, ' ', head->size);
    for (unsigned i = 0; i <= n; i++, at += 32) {
        char text[32];
        int len = i < n ? snprintf(text, sizeof text, "%c%u", i % 2 == 0 ? 'n' : 'N', i)
                        : snprintf(text, sizeof text, "%s", name);
        memcpy(head->text + at, text, (size_t)len);
        struct http_field *field = http_head_add(head);
        http_head_slice(head, &field->name, head->text + at, (size_t)len);
        head->text[at + 24] = 'v';
        http_head_slice(head, &field->value, head->text + at + 24, 1);
    }
    return head;
}

/* More names than there are bits, and more than have room in the head itself. */
static void test_headers_are_found(void **state)
{
    const char *why = "";

    (void)state;
    for (unsigned n = 0; n < NAMES; n += n < 20 ? 1 : 70) {
        struct http_head *head = head_of(n, "Host");
        assert_int_equal(http_head_check(head, &why), 0); /* an answer's: no method */
        assert_non_null(http_head_get(head, "host", 0));
        assert_null(http_head_get(head, "host", 1));
        for (unsigned i = 0; i < NAMES; i++) {
            char name[32];
            snprintf(name, sizeof name, "n%u", i);
            const struct http_slice *value = http_head_get(head, name, 0);
            assert_int_equal(value != NULL, i < n);
            assert_null(http_head_get(head, name, 1));
        }
        http_head_free(head);
    }
}

static void test_a_second_header_is_found(void **state)
{
    const char *why = "";
    struct http_head *head = head_of(40, "n7");

    (void)state;
    assert_int_equal(http_head_check(head, &why), 0);
    assert_non_null(http_head_get(head, "n7", 1));
    assert_null(http_head_get(head, "n7", 2));
    assert_null(http_head_get(head, "n8", 1));
    http_head_free(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_are_found),
        cmocka_unit_test(test_a_second_header_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
