#include "common/auth/keys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* needs the above */
#include <cmocka.h>

/* sha256sum of "alpha" and of "beta" */
#define ALPHA "sha256:8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8"
#define BETA  "sha256:f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753"

static char err[KEYS_ERROR_MAX];

static int parse(struct keys *keys, const char *text)
{
    err[0] = '\0';
    return keys_parse(keys, "f", text, strlen(text), err, sizeof(err));
}

static struct keys *parsed(const char *text)
{
    struct keys *keys = keys_new();
    if (parse(keys, text) != 0)
        fail_msg("%s", err);
    return keys;
}

static void refused(const char *text, const char *why)
{
    struct keys *keys = keys_new();
    assert_int_not_equal(parse(keys, text), 0);
    if (strstr(err, why) == NULL)
        fail_msg("wanted \"%s\" in \"%s\"", why, err);
    keys_free(keys);
}

static const struct key *find(const struct keys *keys, const char *presented)
{
    ssize_t index = keys_find(keys, presented);
    return index >= 0 ? keys_at(keys, (size_t)index) : NULL;
}

static void a_file_names_keys(void **state)
{
    (void)state;
    struct keys *keys = parsed("# who  scopes  digest\n\n  billing\tpush,read " ALPHA "\r\n"
                               "#x push " ALPHA "\nops admin " BETA);
    assert_int_equal(keys_count(keys), 2);
    const struct key *billing = find(keys, "alpha"), *ops = find(keys, "beta");
    assert_string_equal(billing->name, "billing");
    assert_string_equal(ops->name, "ops");
    assert_null(find(keys, "alph"));
    assert_null(find(keys, "alpha "));
    assert_null(find(keys, ""));
    assert_null(find(keys, ALPHA)); /* the digest is no key */
    assert_true(key_may(billing, KEY_PUSH) && key_may(billing, KEY_READ));
    assert_false(key_may(billing, KEY_ADMIN));
    assert_true(key_may(ops, KEY_PUSH) && key_may(ops, KEY_READ) && key_may(ops, KEY_ADMIN));
    keys_free(keys);
}

static void what_is_wrong_is_told_by_its_line(void **state)
{
    (void)state;
    refused("a push " ALPHA "\nb push\n", "f:2: fewer than three fields");
    refused("a push " ALPHA " x\n", "f:1: more than three fields");
    refused("a push " ALPHA "\n\na read " BETA, "f:3: the name of line 1 again");
    refused("a push " ALPHA "\nb read " ALPHA, "f:2: the key of line 1 again");
    refused("a puhs " ALPHA, "f:1: the scopes: want some of push, read and admin");
    refused("a push,, " ALPHA, "the scopes");
    refused("a ,push " ALPHA, "the scopes");
    refused("a PUSH " ALPHA, "the scopes");
    refused(".a push " ALPHA, "f:1: the name: want");
    refused("a/b push " ALPHA, "the name: want");
    refused("a push sha256:8ed3", "f:1: the digest: want sha256: and 64");
    refused("a push 8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8",
            "the digest");
    refused("a push sha256:ged3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8",
            "the digest");
    refused("", "f: no key in it");
    refused("# a push " ALPHA "\n", "f: no key in it");
}

/* Somebody takes the key for its digest, or mixes up the columns. */
static void no_refusal_quotes_the_line(void **state)
{
    static const char *const lines[] = {
        "a push hush", "hush push " ALPHA " x",        "hush! push " ALPHA, "a hush " ALPHA,
        "hush",        "a push " ALPHA "\na hush hush"};
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        refused(lines[i], "f:");
        assert_null(strstr(err, "hush"));
    }
}

static void a_name_has_a_limit(void **state)
{
    char name[KEY_NAME_MAX + 1];
    (void)state;
    memset(name, 'a', KEY_NAME_MAX);
    name[KEY_NAME_MAX] = '\0';
    assert_false(key_name_is_fine(name, KEY_NAME_MAX));
    assert_true(key_name_is_fine(name, KEY_NAME_MAX - 1));
    assert_false(key_name_is_fine("", 0));
    assert_true(key_name_is_fine("A-b_c.9", 7));
    assert_false(key_name_is_fine("a b", 3));
    assert_false(key_name_is_fine("a\0b", 3));
}

static void a_set_has_a_limit(void **state)
{
    static char text[(KEYS_MOST + 1) * 96];
    size_t len = 0, whole = 0;
    (void)state;
    for (unsigned i = 0; i <= KEYS_MOST; i++) {
        whole = i == KEYS_MOST ? len : 0;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "k%u read sha256:%064x\n", i, i);
    }
    refused(text, "f:1001: more than 1000 keys");
    text[whole] = '\0';
    struct keys *keys = parsed(text);
    assert_int_equal(keys_count(keys), KEYS_MOST);
    assert_int_equal(keys_add_list(keys, "one more", "list", KEY_READ), -E2BIG);
    keys_free(keys);
}

static void a_list_has_plain_keys(void **state)
{
    struct keys *keys = keys_new();
    (void)state;
    assert_int_equal(keys_add_list(keys, " , ", "list", KEY_ADMIN), 0);
    assert_int_equal(keys_count(keys), 0);
    assert_int_equal(keys_add_list(keys, "k1, alpha, k1", "list", KEY_ADMIN), 0);
    assert_int_equal(keys_count(keys), 2);
    assert_string_equal(find(keys, "k1")->name, "list");
    assert_null(find(keys, "k1, alpha"));
    assert_null(find(keys, "K1"));
    assert_int_not_equal(parse(keys, "a push " ALPHA), 0);
    assert_non_null(strstr(err, "in the list of plain keys already"));
    assert_int_not_equal(parse(keys, "list push " BETA), 0);
    assert_non_null(strstr(err, "this name stands for the list"));
    keys_free(keys);
}

static int read_file(const void *data, size_t len)
{
    char path[] = "/tmp/imc-keys-test-XXXXXX";
    struct keys *keys = keys_new();
    int fd = mkstemp(path);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    close(fd);
    int rc = keys_read(keys, path, err, sizeof(err));
    unlink(path);
    keys_free(keys);
    return rc;
}

static void files_are_read(void **state)
{
    static char large[KEYS_FILE_MAX + 1];
    struct keys *keys = keys_new();
    (void)state;
    assert_int_equal(read_file("a push " ALPHA "\n", strlen("a push " ALPHA "\n")), 0);
    memset(large, '\n', sizeof(large));
    memcpy(large, "a push " ALPHA, strlen("a push " ALPHA));
    assert_int_equal(read_file(large, sizeof(large) - 1), 0);
    assert_int_equal(read_file(large, sizeof(large)), -EFBIG);
    assert_non_null(strstr(err, "more than 262144 bytes"));
    assert_int_equal(keys_read(keys, "/nowhere/keys", err, sizeof(err)), -ENOENT);
    assert_string_equal(err, "/nowhere/keys: no such file or directory");
    assert_int_equal(keys_read(keys, "/tmp", err, sizeof(err)), -EISDIR);
    keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_names_keys),
        cmocka_unit_test(what_is_wrong_is_told_by_its_line),
        cmocka_unit_test(no_refusal_quotes_the_line),
        cmocka_unit_test(a_name_has_a_limit),
        cmocka_unit_test(a_set_has_a_limit),
        cmocka_unit_test(a_list_has_plain_keys),
        cmocka_unit_test(files_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
