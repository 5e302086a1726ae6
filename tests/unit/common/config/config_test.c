#include "common/config/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/lib/freed.h"

struct settings {
    char *name, *listen, *off, *plain, *servers, *password, *options, *keys;
    _Atomic int64_t count;
    int64_t wait_ms, size, any, max_keys;
    bool flag;
};

#define AT(field) offsetof(struct settings, field)
static const struct config_row first[] = {
    {"main", "name", CONFIG_STRING, AT(name), "imc", 0, 0, "A name.", true},
    {"main", "listen", CONFIG_ADDRESS, AT(listen), "127.0.0.1:80", 0, 0, "Where | to listen.",
     false},
    {"main", "off", CONFIG_ADDRESS, AT(off), "", 0, 0, "Empty is off.", false},
    {"main", "plain", CONFIG_ADDRESS, AT(plain), "127.0.0.1:81", 0, CONFIG_MAY_BE_OFF,
     "Empty is off.", false},
    {"store", "servers", CONFIG_LIST, AT(servers), "a:1, b:2", 0, 0, "Servers.", false},
    {"store", "password", CONFIG_SECRET, AT(password), "", 0, 0, "Secret.", false},
    {"store", "options", CONFIG_OPTIONS, AT(options), "", 0, 0, "Of a library.", false},
    {"store", "keys", CONFIG_SECRETS, AT(keys), "", 0, 0, "Secrets.", false},
    {"store", "max_keys", CONFIG_INT, AT(max_keys), "7", 0, 0, "A number.", false},
    {0},
};
static const struct config_row second[] = {
    {"main", "count", CONFIG_INT, CONFIG_LIVE(struct settings, count), "5", -3, 10, "Small.", true},
    {"limits", "wait", CONFIG_DURATION, AT(wait_ms), "5s", 10, 3600000, "Time.", false},
    {"limits", "max-size", CONFIG_BYTES, AT(size), "64k", 0, 1 << 30, "Size.", false},
    {"limits", "any", CONFIG_INT, AT(any), "0", 0, 0, "Not negative.", false},
    {"main", "flag", CONFIG_BOOL, AT(flag), "no", 0, 0, "Flag.", false},
    {0},
};
static const struct config_row *const tables[] = {first, second, NULL};

static char path[64];
static struct settings conf;
static char err[1024];

static int load(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    config_free(tables, &conf);
    memset(&conf, 0, sizeof(conf));
    err[0] = '\0';
    return config_load(tables, "comet", path, &conf, err, sizeof(err));
}

static void refused(const char *text, const char *want)
{
    assert_int_equal(load(text), -EINVAL);
    if (strstr(err, want) == NULL)
        fail_msg("wanted \"%s\" in \"%s\"", want, err);
    assert_null(conf.name); /* nothing half filled stays behind */
}

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/imc-config-test-%d.ini", (int)getpid());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    config_free(tables, &conf);
    unlink(path);
    return 0;
}

static void test_defaults(void **state)
{
    (void)state;
    config_free(tables, &conf);
    memset(&conf, 0, sizeof(conf));
    assert_int_equal(config_load(tables, "comet", NULL, &conf, err, sizeof(err)), 0);
    assert_string_equal(conf.name, "imc");
    assert_string_equal(conf.listen, "127.0.0.1:80");
    assert_string_equal(conf.off, "");
    assert_int_equal(conf.count, 5);
    assert_int_equal(conf.wait_ms, 5000);
    assert_int_equal(conf.size, 65536);
    assert_false(conf.flag);
}

static void test_file(void **state)
{
    char text[20000];
    (void)state;
    assert_int_equal(
        load("\xef\xbb\xbf# comment\n; another\n[main]\nname = a b ; c\n  listen=[::1]:0\noff: "
             "h:65535\ncount = -3\n"
             "flag = On\n[store]\npassword = p#;w\n[limits]\nwait = 2m\nmax-size = 1G\nany=7"),
        0);
    assert_string_equal(conf.name, "a b ; c");
    assert_string_equal(conf.listen, "[::1]:0");
    assert_string_equal(conf.off, "h:65535");
    assert_string_equal(conf.password, "p#;w");
    assert_int_equal(conf.count, -3);
    assert_int_equal(conf.wait_ms, 120000);
    assert_int_equal(conf.size, 1 << 30);
    assert_int_equal(conf.any, 7);
    assert_true(conf.flag);
    assert_string_equal(conf.plain, "127.0.0.1:81");
    assert_int_equal(load("[main]\nplain =\n"), 0);
    assert_string_equal(conf.plain, "");
    /* A long line is one line. */
    int n = snprintf(text, sizeof(text), "[store]\nservers = ");
    memset(text + n, 's', 15000);
    snprintf(text + n + 15000, 100, "\n[main]\nname = end\n");
    assert_int_equal(load(text), 0);
    assert_int_equal(strlen(conf.servers), 15000);
    assert_string_equal(conf.name, "end");
}

static void test_units(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } waits[] = {{"10", 10}, {"250ms", 250}, {"5s", 5000}, {"10 m", 600000}, {"1h", 3600000}};
    char text[100];
    (void)state;
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        snprintf(text, sizeof(text), "[limits]\nwait = %s\n", waits[i].text);
        assert_int_equal(load(text), 0);
        assert_int_equal(conf.wait_ms, waits[i].ms);
    }
}

static void test_unknown_names(void **state)
{
    char want[200];
    (void)state;
    snprintf(want, sizeof(want), "%s:3: unknown setting main.lisen; did you mean main.listen?",
             path);
    refused("[main]\nname = x\nlisen = y\n", want);
    refused("[limit]\nwait = 5s\n", "unknown setting limit.wait; did you mean limits.wait?");
    refused("[main]\nservers = 5s\n", "did you mean store.servers?"); /* the wrong section */
    refused("name = x\n", ":1: name stands before any [section]; did you mean main.name?");
    refused("main.name = x\n",
            ":1: main.name stands before any [section]: write [main], and name = ... below it");
    refused("[main]\nxyzzyplugh = 1\n", "unknown setting main.xyzzyplugh; --dump-config lists all");
}

static void test_bad_values(void **state)
{
    (void)state;
    refused("[main]\n\n\ncount = 11\n",
            ":4: main.count: \"11\" is not accepted; want a whole number, from -3 to 10");
    refused("[main]\ncount = 5x\n", "whole number");
    refused("[main]\ncount =\n", "\"\" is not accepted");
    refused("[main]\ncount = 3 ; no more\n",
            "want a whole number, from -3 to 10. A comment needs a line of its own");
    refused("[main]\ncount = 99999999999999999999\n", "whole number");
    refused("[main]\nflag = maybe\n", "want true or false");
    refused("[limits]\nwait = 5 parsecs\n",
            "want a duration such as 250ms, 5s, 10m or 24h, from 10ms to 1h");
    refused("[limits]\nwait = 1.5s\n", "duration");
    refused("[limits]\nwait = 9223372036854775807h\n", "duration");
    refused("[limits]\nmax-size = 2g\n",
            "want a size in bytes such as 4096, 64k, 1m or 2g, from 0 to 1g");
    refused("[limits]\nany = -1\n", "0 or more");
    refused("[main]\nlisten =\n", "want an address host:port");
    refused("[main]\nlisten = 127.0.0.1\n", "address");
    refused("[main]\nlisten = :80\n", "address");
    refused("[main]\nlisten = h:65536\n", "address");
    refused("[main]\nlisten = h:-1\n", "address");
    refused("[main]\nlisten = ::1:80\n", "address");
    refused("[main]\nname = a\x01z\n", "text on one line");
    refused("[store]\npassword = geh\x01im\n", "\"********\" is not accepted"); /* not into logs */
}

static void test_bad_files(void **state)
{
    char want[200];
    (void)state;
    refused("[main]\nname = a\nname = b\n", ":3: main.name is set twice, first in line 2");
    refused("[main]\nname = a\nwhat is this\n", ":3: neither [section] nor key = value");
    refused("[main\nname = a\n", ":1: neither");
    FILE *file = fopen(path, "w");
    fwrite("[main]\nna\0me = a\n", 1, 17, file);
    fclose(file);
    memset(&conf, 0, sizeof(conf));
    assert_int_equal(config_load(tables, "comet", path, &conf, err, sizeof(err)), -EINVAL);
    assert_non_null(strstr(err, ":2: a NUL byte"));
    char *longest = malloc(200000);
    int n = snprintf(longest, 200000, "[main]\nname = ");
    memset(longest + n, 'n', 100000);
    snprintf(longest + n + 100000, 100, "\nflag = yes\n");
    refused(longest, ":2: line longer than");
    free(longest);
    memset(&conf, 0, sizeof(conf));
    assert_int_equal(config_load(tables, "comet", "/nonexistent/x.ini", &conf, err, sizeof(err)),
                     -EINVAL);
    assert_string_equal(err, "/nonexistent/x.ini: no such file or directory");
    memset(&conf, 0, sizeof(conf));
    assert_int_equal(config_load(tables, "comet", "/tmp", &conf, err, sizeof(err)), -EINVAL);
    snprintf(want, sizeof(want), "/tmp: cannot read: illegal operation on a directory");
    assert_string_equal(err, want);
}

static void test_environment(void **state)
{
    (void)state;
    setenv("IMC_COMET_LIMITS_MAX_SIZE", "2k", 1);
    setenv("IMC_COMET_MAIN_NAME", " env ", 1);
    setenv("IMC_COMETX_MAIN_NAME", "other", 1);
    setenv("IMC_LOGIC_WHATEVER", "other", 1);
    assert_int_equal(load("[main]\nname = file\ncount = 7\n"), 0);
    assert_string_equal(conf.name, "env");
    assert_int_equal(conf.size, 2048);
    assert_int_equal(conf.count, 7);
    setenv("IMC_COMET_MAIN_COUNT", "many", 1);
    refused("", "IMC_COMET_MAIN_COUNT: \"many\" is not accepted; want a whole number");
    unsetenv("IMC_COMET_MAIN_COUNT");
    setenv("IMC_COMET_MAIN_NAME", "two\nlines", 1);
    refused("", "IMC_COMET_MAIN_NAME: ");
    unsetenv("IMC_COMET_MAIN_NAME");
    setenv("IMC_COMET_MAIN_LISEN", "x", 1);
    refused(
        "",
        "environment: unknown setting IMC_COMET_MAIN_LISEN; did you mean IMC_COMET_MAIN_LISTEN?");
    unsetenv("IMC_COMET_MAIN_LISEN");
    unsetenv("IMC_COMET_LIMITS_MAX_SIZE");
    unsetenv("IMC_COMETX_MAIN_NAME");
    unsetenv("IMC_LOGIC_WHATEVER");
}

/* Not inlined: gcc 12 takes the stream's text for a pointer to the local variable. */
__attribute__((noinline)) static char *dump(void)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    config_dump(tables, &conf, out);
    fclose(out);
    return text;
}

/* What is dumped can be loaded, and gives the same again. */
static void test_dump(void **state)
{
    (void)state;
    assert_int_equal(
        load("[main]\nname = # x ; y\nflag = 1\n[limits]\nwait = 90s\nmax-size = 1536\n"), 0);
    char *text = dump();
    assert_non_null(strstr(text, "\nwait = 90s\n"));
    assert_non_null(strstr(text, "\nmax-size = 1536\n"));
    assert_non_null(strstr(text, "\nname = # x ; y\n"));
    assert_non_null(strstr(text, "# Where | to listen.\n"));
    assert_null(strstr(strstr(text, "[main]") + 1, "[main]")); /* two tables, one section */
    assert_int_equal(load(text), 0);
    char *again = dump();
    assert_string_equal(text, again);
    free(text);
    free(again);
}

static void test_dump_hides_secrets(void **state)
{
    (void)state;
    assert_int_equal(load("[store]\npassword = hush\n"), 0);
    char *text = dump();
    assert_null(strstr(text, "hush"));
    assert_non_null(strstr(text, "# password = ******** (set, not shown)"));
    assert_int_equal(load(text), 0);
    assert_string_equal(conf.password, "");
    free(text);
}

static void test_dump_hides_a_list_of_secrets(void **state)
{
    (void)state;
    assert_int_equal(load("[store]\nkeys = hush, hush\n"), 0);
    char *text = dump();
    assert_null(strstr(text, "hush"));
    assert_non_null(strstr(text, "# keys = ******** (set, not shown)"));
    free(text);
    refused("[store]\nkeys = geh\x01im\n", "\"********\" is not accepted");
}

/* Not the name of a setting makes it a secret: push.max_keys is a number that may be read. */
static void test_dump_shows_a_number_whatever_its_name(void **state)
{
    (void)state;
    assert_int_equal(load("[store]\nmax_keys = 9\n"), 0);
    char *text = dump();
    assert_non_null(strstr(text, "\nmax_keys = 9\n"));
    free(text);
    refused("[store]\nmax_keys = nine\n", "\"nine\" is not accepted");
}

/* As bus.options: what is not known to be harmless is hidden. */
static void test_dump_hides_options_that_may_be_secret(void **state)
{
    static const struct {
        const char *value, *shown; /* NULL: all of it */
    } cases[] = {
        {"security.protocol=SASL_SSL,sasl.mechanisms=PLAIN,sasl.username=imc", NULL},
        {"linger.ms=1, batch.size = 100,debug=broker,topic,socket.keepalive.enable=true", NULL},
        {"SASL.Username=imc", NULL},
        {"sasl.oauthbearer.config=hush", "sasl.oauthbearer.config=********"},
        {"acks=all,sasl.oauthbearer.config=principal=hush scope=hush,linger.ms=2",
         "acks=all,sasl.oauthbearer.config=********,linger.ms=2"},
        {"ssl.keystore.location=/a,ssl.keystore.password=hush",
         "ssl.keystore.location=/a,ssl.keystore.password=********"},
        {"ssl.key.pem=hush,ssl.ca.pem=hush", "ssl.key.pem=********,ssl.ca.pem=********"},
        {"plugin.library.paths=hush", "plugin.library.paths=********"},
        {"of.a.later.version=hush,retries=1", "of.a.later.version=********,retries=1"},
        {"sasl.password=hush,x=hush", "sasl.password=********,x=********"},
        {"hush", "********"},
        {"batch.=hush", "batch.=********"},
        {"socketx=hush", "socketx=********"},
    };
    char text[200], want[200];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *shown = cases[i].shown;
        snprintf(text, sizeof(text), "[store]\noptions = %s\n", cases[i].value);
        assert_int_equal(load(text), 0);
        char *dumped = dump();
        assert_null(strstr(dumped, "hush"));
        if (shown != NULL)
            snprintf(want, sizeof(want), "\n# options = %s (secrets not shown)\n", shown);
        else
            snprintf(want, sizeof(want), "\noptions = %s\n", cases[i].value);
        if (strstr(dumped, want) == NULL)
            fail_msg("wanted \"%s\" in \"%s\"", want, dumped);
        free(dumped);
    }
    refused("[store]\noptions = sasl.oauthbearer.config=geh\x01im\n",
            "\"sasl.oauthbearer.config=********\"");
}

/* Somebody pastes an address as other programs take it. */
static void test_dump_hides_credentials_of_addresses(void **state)
{
    (void)state;
    assert_int_equal(load("[store]\nservers = redis://imc:hush@a:1, b:2\n"), 0);
    char *dumped = dump();
    assert_null(strstr(dumped, "hush"));
    assert_non_null(strstr(dumped, "# servers = ********@a:1, b:2 (secrets not shown)"));
    free(dumped);
}

/* Any other text of the form "name=value,name=value". */
static void test_dump_hides_secret_items(void **state)
{
    static const struct {
        const char *value, *shown;
    } cases[] = {
        {"sasl.username=imc,sasl.password=hush,acks=all",
         "sasl.username=imc,sasl.password=********,acks=all"},
        {"ssl.key.password = hush", "ssl.key.password =********"},
        {"SASL.PASSWORD=hush,debug=broker,topic", "SASL.PASSWORD=********,debug=broker,topic"},
        /* commas and equal signs in the secret itself */
        {"sasl.password=hush,hush,acks=1", "sasl.password=********,acks=1"},
        {"sasl.password=hush=hush,,hush", "sasl.password=********"},
        {"debug=a,b,sasl.oauthbearer.client.secret=hush",
         "debug=a,b,sasl.oauthbearer.client.secret=********"},
        {"ssl.key.pem=hush,", "ssl.key.pem=********"},
        {"xsecretx=1,sasl.password=hush", "xsecretx=********,sasl.password=********"},
    };
    static const char *const shown[] = {"linger.ms=1", "a secret password",   "sasl.password=", "=",
                                        ",,",          "sasl.password,acks=1"};
    char text[200], want[200];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text), "[main]\nname = %s\n", cases[i].value);
        assert_int_equal(load(text), 0);
        char *dumped = dump();
        assert_null(strstr(dumped, "hush"));
        snprintf(want, sizeof(want), "\n# name = %s (secrets not shown)\n", cases[i].shown);
        if (strstr(dumped, want) == NULL)
            fail_msg("wanted \"%s\" in \"%s\"", want, dumped);
        free(dumped);
    }
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        snprintf(text, sizeof(text), "[main]\nname = %s\n", shown[i]);
        assert_int_equal(load(text), 0);
        char *dumped = dump();
        snprintf(want, sizeof(want), "\nname = %s\n", shown[i]);
        assert_non_null(strstr(dumped, want));
        free(dumped);
    }
    refused("[main]\nname = sasl.password=geh\x01im\n", "\"sasl.password=********\" is not");
}

static void test_document(void **state)
{
    char *text = NULL;
    size_t len;
    (void)state;
    FILE *out = open_memstream(&text, &len);
    config_document(tables, "comet", out);
    fclose(out);
    assert_non_null(strstr(text, "### [limits]\n"));
    assert_non_null(strstr(
        text,
        "| `limits.wait` | `5s` | a duration such as 250ms, 5s, 10m or 24h, from 10ms to 1h | "
        "`IMC_COMET_LIMITS_WAIT` | Time. |\n"));
    assert_non_null(strstr(text, "Where \\| to listen."));
    free(text);
}

static void note(const struct config_change *change, void *arg)
{
    char *all = arg;

    snprintf(all + strlen(all), 256, "%s.%s %s %s;", change->row->section, change->row->key,
             change->before, change->after);
}

/* What is live is taken over; the rest is told and stays. No secret is told. */
static void test_live(void **state)
{
    struct settings next = {0};
    char told[1024] = "";

    (void)state;
    assert_int_equal(load("[main]\nname = a\ncount = 1\nflag = yes\n[store]\npassword = hidden\n"),
                     0);
    struct settings before = conf;
    memset(&conf, 0, sizeof conf);
    assert_int_equal(load("[main]\nname = b\ncount = 2\n[store]\npassword = secret\n"), 0);
    next = conf;
    conf = before;
    assert_int_equal(config_compare(tables, &conf, &next, note, told), 4);
    assert_non_null(strstr(told, "main.name a b;"));
    assert_non_null(strstr(told, "main.count 1 2;"));
    assert_non_null(strstr(told, "main.flag true false;"));
    assert_non_null(strstr(told, "store.password "));
    assert_null(strstr(told, "hidden"));
    assert_null(strstr(told, "secret"));
    config_take_live(tables, &conf, &next);
    assert_string_equal(conf.name, "b");
    assert_string_equal(next.name, "a");
    assert_int_equal(conf.count, 2);
    assert_true(conf.flag);
    assert_string_equal(conf.password, "hidden");
    told[0] = '\0';
    assert_int_equal(config_compare(tables, &conf, &conf, note, told), 0);
    config_free(tables, &next);
}

static void collect(const char *item, size_t len, void *arg)
{
    char *text = arg;
    size_t used = strlen(text);
    snprintf(text + used, 100 - used, "<%.*s>", (int)len, item);
}

static void test_list(void **state)
{
    char text[100] = "";
    (void)state;
    config_list_each(" a , b:1,,  , c d ,", collect, text);
    assert_string_equal(text, "<a><b:1><c d>");
    text[0] = '\0';
    config_list_each("", collect, text);
    assert_string_equal(text, "");
    assert_true(config_list_has(" a , b:1,", "b:1", 3));
    assert_false(config_list_has("a,Bc", "bc", 2));
    assert_true(config_list_has_name("a,Bc", "bCd", 2));
    assert_false(config_list_has_name("a,bc", "bcd", 3));
    assert_false(config_list_has_name("a,,", "", 0));
    assert_false(config_list_has("a,bc", "b", 1));
    assert_false(config_list_has("a,bc", "bcd", 3));
    assert_false(config_list_has("a,,", "", 0));
}

static void test_secrets_are_overwritten(void **state)
{
    (void)state;
    if (!freed_is_watched)
        skip();
    config_free(tables, &conf);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    fputs("[store]\npassword = " FREED_SECRET "\noptions = a=" FREED_SECRET "\n", file);
    fclose(file);
    freed_watch(false);
    assert_int_equal(config_load(tables, "comet", path, &conf, err, sizeof(err)), 0);
    assert_string_equal(conf.password, FREED_SECRET);
    config_free(tables, &conf);
    assert_int_equal(freed_end(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_secrets_are_overwritten),
        cmocka_unit_test(test_dump),
        cmocka_unit_test(test_dump_hides_secrets),
        cmocka_unit_test(test_dump_hides_a_list_of_secrets),
        cmocka_unit_test(test_dump_shows_a_number_whatever_its_name),
        cmocka_unit_test(test_dump_hides_secret_items),
        cmocka_unit_test(test_dump_hides_options_that_may_be_secret),
        cmocka_unit_test(test_dump_hides_credentials_of_addresses),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_live),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
