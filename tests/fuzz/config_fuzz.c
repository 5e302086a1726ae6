/* A configuration: what stands before the first byte 1 is the file, every text between two such
 * bytes a variable of the environment. It is refused with a reason in one line, or what it means
 * can be written down and read again. */
#include "common/base/mem.h"
#include "common/config/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VARIABLES_MOST = 8, ERR_SIZE = 1024 };

struct values {
    char *text, *address, *list, *password;
    int64_t number, any, delay, bytes;
    bool flag;
};

#define FIELD(name) offsetof(struct values, name)

/* clang-format off */
static const struct config_row rows[] = {
    {"a", "text", CONFIG_STRING, FIELD(text), "some text", 0, 0, "A text.", false},
    {"a", "list", CONFIG_LIST, FIELD(list), "a, b", 0, 0, "A list.", false},
    {"a", "address", CONFIG_ADDRESS, FIELD(address), "127.0.0.1:1", 0, 0, "An address.", false},
    {"b", "number", CONFIG_INT, FIELD(number), "5", -10, 10, "A number.", false},
    {"b", "any", CONFIG_INT, FIELD(any), "5", 0, 0, "Any number.", false},
    {"b", "delay", CONFIG_DURATION, FIELD(delay), "1s", 0, 3600000, "A time.", false},
    {"b", "bytes", CONFIG_BYTES, FIELD(bytes), "1k", 0, INT64_C(1) << 50, "A size.", false},
    {"b", "flag", CONFIG_BOOL, FIELD(flag), "no", 0, 0, "A switch.", false},
    {"b", "password", CONFIG_SECRET, FIELD(password), "", 0, 0, "A secret.", false},
    {0},
};
/* clang-format on */

static const struct config_row *const tables[] = {rows, NULL};

/* 0 or what config_load() says; FILE is what it reads. */
static int load(const void *file, size_t len, struct values *values, char *err)
{
    char path[64];
    int fd = memfd_create("config", MFD_CLOEXEC);

    if (fd < 0 || write(fd, file, len) != (ssize_t)len)
        abort();
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    memset(values, 0, sizeof *values);
    err[0] = '\0';
    int rc = config_load(tables, "fuzz", path, values, err, ERR_SIZE);
    close(fd);
    return rc;
}

static void check_ranges(const struct values *values)
{
    assert(values->number >= -10 && values->number <= 10 && values->any >= 0);
    assert(values->delay >= 0 && values->delay <= 3600000);
    assert(values->bytes >= 0 && values->bytes <= INT64_C(1) << 50);
    assert(values->address[0] == '\0' || strchr(values->address, ':') != NULL);
}

static char *dump(const struct values *values, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    config_dump(tables, values, out);
    fclose(out);
    return text;
}

/* The environment is away meanwhile: what was written down says all. */
static void check_round(const struct values *values)
{
    struct values again;
    char err[ERR_SIZE], *nobody[] = {NULL}, **before = environ;
    size_t len, len_again;
    char *text = dump(values, &len);

    environ = nobody;
    int rc = load(text, len, &again, err);
    environ = before;
    assert(rc == 0);
    char *text_again = dump(&again, &len_again);
    if (strstr(text, "not shown)") == NULL)
        assert(len == len_again && memcmp(text, text_again, len) == 0);
    free(text);
    free(text_again);
    config_free(tables, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct values values;
    char err[ERR_SIZE], *variables[VARIABLES_MOST + 1], **before = environ;
    char *copy = mem_strndup((const char *)data, size), *at = copy;
    const uint8_t *end = memchr(data, 1, size);
    size_t len = end == NULL ? size : (size_t)(end - data), n = 0;

    for (at += strcspn(at, "\1"); *at != '\0' && n < VARIABLES_MOST; at += strcspn(at, "\1")) {
        *at++ = '\0';
        variables[n++] = at;
    }
    *at = '\0';
    variables[n] = NULL;
    environ = variables;
    int rc = load(data, len, &values, err);
    environ = before;
    if (rc == 0) {
        check_ranges(&values);
        check_round(&values);
        config_free(tables, &values);
    } else {
        assert(err[0] != '\0');
    }
    free(copy);
    return 0;
}
