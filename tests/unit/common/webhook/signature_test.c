#include "common/webhook/signature.h"

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

/* The example of Standard Webhooks. */
#define KEY   "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const char id[] = "msg_p5jXN8AQM9LWM0D4loKWxJek", body[] = "{\"test\": 2432232314}";
enum { WHEN = 1614265330 };

static char path[] = "/tmp/imc-keys-XXXXXX";

static void write_file(const char *text, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

static void signature(const char *text, char *out)
{
    struct webhook_keys *keys;
    char err[256];

    write_file(text, strlen(text));
    if (webhook_keys_read(path, &keys, err, sizeof err) != 0)
        fail_msg("%s", err);
    assert_int_equal(webhook_sign(keys, id, WHEN, body, strlen(body), out), 0);
    webhook_keys_free(keys);
}

static void as_in_the_standard(void **state)
{
    char out[WEBHOOK_SIGNATURE_MAX];

    (void)state;
    signature(KEY, out);
    assert_string_equal(out, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    signature("# of May\n\n  " KEY " \r\n", out);
    assert_string_equal(out, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

static void two_keys_sign_both(void **state)
{
    char one[WEBHOOK_SIGNATURE_MAX], other[WEBHOOK_SIGNATURE_MAX], both[WEBHOOK_SIGNATURE_MAX];
    char wanted[2 * WEBHOOK_SIGNATURE_MAX];

    (void)state;
    signature(KEY, one);
    signature(OTHER "\n", other);
    assert_string_not_equal(one, other);
    signature(OTHER "\n" KEY "\n", both);
    snprintf(wanted, sizeof wanted, "%s %s", other, one);
    assert_string_equal(both, wanted);
}

static void refused(const char *text, size_t len, const char *words)
{
    struct webhook_keys *keys;
    char err[256];

    write_file(text, len);
    assert_int_not_equal(webhook_keys_read(path, &keys, err, sizeof err), 0);
    if (strstr(err, words) == NULL || strstr(err, path) == NULL)
        fail_msg("\"%s\" has not \"%s\"", err, words);
    assert_null(strstr(err, "MfKQ"));
}

static void what_is_no_file_of_keys(void **state)
{
    static const char zeros[5000];
    struct webhook_keys *keys;
    char err[256];

    (void)state;
#define REFUSED(text, words) refused(text, sizeof(text) - 1, words)
    REFUSED("", "no key");
    REFUSED("# nothing\n", "no key");
    REFUSED("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_");
    REFUSED("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "24 to 64");
    REFUSED("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=", "24 to 64"); /* 23 */
    REFUSED("whsec_MfKQ-r8GKYqrTwjUPD8ILPZIo2LaLaSw", "24 to 64");
    REFUSED(KEY " " KEY, "24 to 64");
    REFUSED(KEY "\n" OTHER "\n" KEY "\n", "two keys");
    REFUSED(KEY "\0\n", "not text");
    /* 65 bytes */
    REFUSED(
        "whsec_"
        "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ=",
        "24 to 64");
    refused(zeros, sizeof zeros, "too long");
    assert_int_equal(webhook_keys_read("/nowhere", &keys, err, sizeof err), -ENOENT);
    assert_non_null(strstr(err, "/nowhere"));
}

static void a_key_of_64_bytes(void **state)
{
    char out[WEBHOOK_SIGNATURE_MAX];

    (void)state;
    signature(
        "whsec_"
        "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMw==",
        out);
    assert_int_equal(strlen(out), 47);
}

static void an_id_is_of_the_bytes(void **state)
{
    char one[WEBHOOK_ID_MAX], other[WEBHOOK_ID_MAX];

    (void)state;
    webhook_id("[1]", 3, one);
    webhook_id("[1]", 3, other);
    assert_string_equal(one, other);
    webhook_id("[2]", 3, other);
    assert_string_not_equal(one, other);
    assert_int_equal(strlen(one), 36);
    assert_memory_equal(one, "msg_", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_in_the_standard),      cmocka_unit_test(two_keys_sign_both),
        cmocka_unit_test(what_is_no_file_of_keys), cmocka_unit_test(a_key_of_64_bytes),
        cmocka_unit_test(an_id_is_of_the_bytes),
    };
    int fd = mkstemp(path);

    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
