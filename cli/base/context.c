/* The file of contexts: what it says of one of them. context_load.c has the rest. */
#include "cli/base/context.h"
#include "common/base/mem.h"
#include "common/config/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reader {
    struct context *context;
    const char *path;
    const char *wanted; /* NULL: not known yet */
    bool found, names_itself;
    char chosen[64]; /* by `context = …` */
    char *err;
    size_t errlen;
    int rc;
};

static int refuse(struct reader *reader, const char *key, const char *why)
{
    (void)snprintf(reader->err, reader->errlen, "%s: %s: %s", reader->path, key, why);
    reader->rc = -EINVAL;
    return 0;
}

/* The folder of PATH, with the slash. */
static char *beside(const char *path, const char *file)
{
    const char *slash = strrchr(path, '/');
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment */
    const char *home = getenv("HOME");
    char *out = NULL;
    int n;

    if (strncmp(file, "~/", 2) == 0 && home != NULL)
        n = asprintf(&out, "%s/%s", home, file + 2);
    else if (file[0] == '/' || slash == NULL)
        n = asprintf(&out, "%s", file);
    else
        n = asprintf(&out, "%.*s/%s", (int)(slash - path), path, file);
    return n < 0 ? NULL : out;
}

void context_set(char **field, char *value)
{
    free(*field);
    *field = value;
}

static int set_flag(struct reader *reader, const char *value)
{
    static const char *const words[] = {"no", "false", "off", "0", "yes", "true", "on", "1"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(value, words[i]) == 0) {
            reader->context->insecure = i >= 4;
            return 1;
        }
    }
    return refuse(reader, "insecure", "want yes or no");
}

static int set_field(struct reader *reader, const char *key, const char *value)
{
    struct context *context = reader->context;
    const struct {
        const char *name;
        char **field;
        bool is_path;
    } fields[] = {
        {"address", &context->address, false},
        {"key_file", &context->key_file, true},
        {"ca", &context->ca, true},
        {"comet_tcp", &context->comet_tcp, false},
        {"comet_ws", &context->comet_ws, false},
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(fields[i].name, key) != 0)
            continue;
        context_set(fields[i].field,
                    fields[i].is_path ? beside(reader->path, value) : mem_strdup(value));
        return 1;
    }
    if (strcmp(key, "insecure") == 0)
        return set_flag(reader, value);
    if (strcmp(key, "key") == 0)
        return refuse(reader, key,
                      "a key is not kept here: put it into a file of its own, and set key_file");
    return refuse(reader, key,
                  "unknown; there are address, key_file, ca, comet_tcp, comet_ws and insecure");
}

/* The first time, to learn which section is meant. */
static int on_choice(void *user, const char *section, const char *key, const char *value)
{
    struct reader *reader = user;

    if (section[0] != '\0')
        return 1;
    if (strcmp(key, "context") != 0)
        return refuse(reader, key, "before the first [section] there can only be context = NAME");
    (void)snprintf(reader->chosen, sizeof reader->chosen, "%s", value);
    reader->names_itself = true;
    return 1;
}

static int on_setting(void *user, const char *section, const char *key, const char *value)
{
    struct reader *reader = user;

    if (section[0] == '\0' || strcmp(section, reader->wanted) != 0)
        return 1;
    reader->found = true;
    return set_field(reader, key, value);
}

static int walk(struct reader *reader, const char *text, ini_handler handler)
{
    config_ini_rules();
    int line = ini_parse_string(text, handler, reader);
    if (line > 0 && reader->rc == 0) {
        (void)snprintf(reader->err, reader->errlen, "%s:%d: neither [section] nor key = value",
                       reader->path, line);
        reader->rc = -EINVAL;
    }
    return reader->rc;
}

int context_parse(struct context *context, const char *path, const char *text, const char *name,
                  char *err, size_t errlen)
{
    struct reader reader = {.context = context, .path = path, .err = err, .errlen = errlen};

    if (walk(&reader, text, on_choice) != 0)
        return reader.rc;
    reader.wanted = name != NULL ? name : reader.names_itself ? reader.chosen : "default";
    if (walk(&reader, text, on_setting) != 0)
        return reader.rc;
    if (reader.found)
        context_set(&context->name, mem_strdup(reader.wanted));
    else if (name != NULL || reader.names_itself) {
        (void)snprintf(err, errlen, "%s has no section [%s] with a setting", path, reader.wanted);
        return -ENOENT;
    }
    return 0;
}

void context_free(struct context *context)
{
    mem_wiped_free_text(context->key);
    free(context->name);
    free(context->address);
    free(context->key_file);
    free(context->ca);
    free(context->comet_tcp);
    free(context->comet_ws);
    *context = (struct context){0};
}
