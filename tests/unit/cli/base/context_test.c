/* The file of contexts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base/context.h"

static struct context context;
static char err[CONTEXT_ERROR_MAX];

static int parse(const char *text, const char *name)
{
    context_free(&context);
    err[0] = '\0';
    return context_parse(&context, "/etc/imc/config", text, name, err, sizeof err);
}

static const char two[] =
    "context = b\n\n# a comment\n[a]\naddress = http://a:1\ninsecure = on\n"
    "[b]\naddress = https://b\nkey_file = b.key\nca=/ca.pem\ncomet_ws = c:8090\n"
    "[default]\naddress = http://d\n";

static void a_section_is_chosen(void **state)
{
    (void)state;
    assert_int_equal(parse(two, NULL), 0);
    assert_string_equal(context.name, "b");
    assert_string_equal(context.address, "https://b");
    assert_string_equal(context.key_file, "/etc/imc/b.key");
    assert_string_equal(context.ca, "/ca.pem");
    assert_string_equal(context.comet_ws, "c:8090");
    assert_null(context.comet_tcp);
    assert_false(context.insecure);
    assert_int_equal(parse(two, "a"), 0);
    assert_string_equal(context.address, "http://a:1");
    assert_true(context.insecure);
    assert_int_equal(parse(two, "c"), -ENOENT);
    assert_int_equal(parse(two + strlen("context = b\n"), NULL), 0);
    assert_string_equal(context.name, "default");
    assert_int_equal(parse("[x]\naddress = http://a\n", NULL),
                     0); /* no [default], and nobody asked for one */
    assert_null(context.name);
    assert_null(context.address);
    assert_int_equal(parse("", NULL), 0);
    setenv("HOME", "/home/me", 1);
    assert_int_equal(parse("[default]\nkey_file = ~/imc.key\n", NULL), 0);
    assert_string_equal(context.key_file, "/home/me/imc.key");
}

/* With the line, and nothing of a value. */
static void what_is_wrong_is_told(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"[default]\nadress = s3cret\n", "/etc/imc/config: adress: unknown"},
        {"[default]\nkey = s3cret\n", "key: a key is not kept here"},
        {"[default]\ninsecure = s3cret\n", "insecure: want yes or no"},
        {"[default]\naddress = x\ns3cret\n",
         "/etc/imc/config:3: neither [section] nor key = value"},
        {"address = s3cret\n", "address: before the first [section]"},
        {"context = nowhere\n[default]\naddress = s3cret\n", "has no section [nowhere]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_not_equal(parse(rows[i].text, NULL), 0);
        assert_non_null(strstr(err, rows[i].words));
        assert_null(strstr(err, "s3cret"));
    }
    context_free(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_section_is_chosen),
        cmocka_unit_test(what_is_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
