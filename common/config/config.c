/* Defaults, then the file (inih), then the environment: all go through config_value_set(). The
 * first error ends it.
 *
 *   config.c    where values come from, and the refusals
 *   value.c     one value: text to field and back
 *   mask.c      what may be shown of a value
 *   live.c      what differs between two configurations, and what of it may change at run time
 *   document.c  the tables as an INI file and as Markdown */
#include "common/config/config.h"
#include "common/base/mem.h"
#include "common/config/mask.h"
#include "common/config/value.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#define NAME_MAX_LEN 256

struct loader {
    config_tables tables;
    const char *daemon, *path;
    void *conf;
    char *err;
    size_t errlen;
    FILE *file;
    int line; /* number of the line in the file, counted here because Debian's inih does not pass it
               * to handlers */
    bool partial, binary; /* PARTIAL: the last chunk did not end its line. BINARY: there was a NUL
                           * byte */
    size_t length;        /* length of the line so far */
    int *lines;           /* for each row, the line that set it */
    int rc;
};

static void refuse(struct loader *loader, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void refuse(struct loader *loader, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(loader->err, loader->errlen, fmt, args);
    va_end(args);
    loader->rc = -EINVAL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The Levenshtein distance of two names. Names longer than NAME_MAX_LEN count as far away. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LEN + 1], la = strlen(a), lb = strlen(b);
    if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
        return NAME_MAX_LEN;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t above = row[j];
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = least(replace, least(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[lb];
}

static void row_name(const struct loader *loader, const struct config_row *row, bool env, char *buf,
                     size_t len)
{
    if (env)
        config_env_name(row, loader->daemon, buf, len);
    else
        snprintf(buf, len, "%s.%s", row->section, row->key);
}

/* Appends "; did you mean lease.ttl?". If no name is near, says which command lists all names. KEY
 * (may be NULL) finds a setting that stands in the wrong section. */
static void suggest(const struct loader *loader, const char *name, const char *key, bool env,
                    char *buf, size_t len)
{
    char candidate[NAME_MAX_LEN], best[NAME_MAX_LEN] = "";
    size_t nearest = strlen(name) / 3 + 2;
    const struct config_row *row;
    for (size_t i = 0; (row = config_row_at(loader->tables, i)) != NULL; i++) {
        row_name(loader, row, env, candidate, sizeof(candidate));
        size_t far = distance(name, candidate);
        if (key != NULL && strcmp(key, row->key) == 0)
            far = least(far, 2);
        if (far < nearest) {
            nearest = far;
            snprintf(best, sizeof(best), "%s", candidate);
        }
    }
    if (best[0] != '\0')
        snprintf(buf, len, "did you mean %s?", best);
    else
        snprintf(buf, len, "--dump-config lists all");
}

static const struct config_row *find_row(const struct loader *loader, const char *section,
                                         const char *key, size_t *index)
{
    const struct config_row *row;
    for (*index = 0; (row = config_row_at(loader->tables, *index)) != NULL; ++*index) {
        if (strcmp(row->section, section) == 0 && strcmp(row->key, key) == 0)
            return row;
    }
    return NULL;
}

/* WHERE is "FILE:LINE: lease.ttl", or the name of the environment variable. */
static void set_value(struct loader *loader, const struct config_row *row, const char *where,
                      const char *value)
{
    char accepts[NAME_MAX_LEN], *masked;
    bool is_commented = strstr(value, " ;") != NULL || strstr(value, " #") != NULL;
    if (config_value_set(row, value, loader->conf) == 0)
        return;
    config_value_accepts(row, accepts, sizeof(accepts));
    masked = config_masked(row, value);
    refuse(loader, "%s: \"%s\" is not accepted; want %s%s", where, masked != NULL ? masked : value,
           accepts, is_commented ? ". A comment needs a line of its own" : "");
    free(masked);
}

/* Refuses a setting without a section. All texts of ours call a setting section.key, so some people
 * write it like this into the file. */
static void refuse_homeless(struct loader *loader, const char *key)
{
    char section[NAME_MAX_LEN], hint[2 * NAME_MAX_LEN];
    size_t index, len = strcspn(key, ".");
    snprintf(section, sizeof(section), "%.*s", (int)len, key);
    if (key[len] == '.' && find_row(loader, section, key + len + 1, &index) != NULL) {
        snprintf(hint, sizeof(hint), ": write [%s], and %s = ... below it", section, key + len + 1);
    } else {
        hint[0] = ';', hint[1] = ' ';
        suggest(loader, key, key, false, hint + 2, sizeof(hint) - 2);
    }
    refuse(loader, "%s:%d: %s stands before any [section]%s", loader->path, loader->line, key,
           hint);
}

static int on_setting(void *user, const char *section, const char *key, const char *value)
{
    struct loader *loader = user;
    char name[NAME_MAX_LEN], where[2 * NAME_MAX_LEN], hint[2 * NAME_MAX_LEN];
    size_t index;
    const struct config_row *row = find_row(loader, section, key, &index);
    snprintf(name, sizeof(name), "%s.%s", section, key);
    if (section[0] == '\0') {
        refuse_homeless(loader, key);
    } else if (row == NULL) {
        suggest(loader, name, key, false, hint, sizeof(hint));
        refuse(loader, "%s:%d: unknown setting %s; %s", loader->path, loader->line, name, hint);
    } else if (loader->lines[index] != 0) {
        refuse(loader, "%s:%d: %s is set twice, first in line %d; remove one", loader->path,
               loader->line, name, loader->lines[index]);
    } else {
        loader->lines[index] = loader->line;
        snprintf(where, sizeof(where), "%s:%d: %s", loader->path, loader->line, name);
        set_value(loader, row, where, value);
    }
    return loader->rc == 0;
}

/* As fgets(), but counts lines and notices NUL bytes. */
static char *read_line(char *buf, int size, void *stream)
{
    struct loader *loader = stream;
    int used = 0, c = 0;
    if (!loader->partial) {
        loader->line++;
        loader->length = 0;
    }
    while (used + 1 < size && c != '\n' && (c = fgetc(loader->file)) != EOF) {
        loader->binary |= c == '\0';
        buf[used++] = (char)c;
    }
    if (c == EOF) /* at the end of the file inih frees BUF, so overwrite it now */
        explicit_bzero(buf + used, (size_t)(size - used));
    buf[used] = '\0';
    loader->partial = c != '\n';
    loader->length += (size_t)used;
    return used > 0 && !loader->binary && loader->length < CONFIG_LINE_MAX - 1 ? buf : NULL;
}

void config_ini_rules(void)
{
    ini_use_stack = false;
    ini_allow_realloc = true;
    ini_max_line = CONFIG_LINE_MAX;
    ini_allow_inline_comments = false;
    ini_allow_multiline = false;
    ini_stop_on_first_error = true;
}

static void parse_file(struct loader *loader)
{
    config_ini_rules();
    int line = ini_parse_stream(read_line, loader, on_setting, loader);
    if (loader->rc != 0)
        return;
    if (loader->binary)
        refuse(loader, "%s:%d: a NUL byte; this is not a text file", loader->path, loader->line);
    else if (loader->length >= CONFIG_LINE_MAX - 1)
        refuse(loader, "%s:%d: line longer than %d bytes", loader->path, loader->line,
               CONFIG_LINE_MAX - 2);
    else if (line != 0)
        refuse(loader, "%s:%d: neither [section] nor key = value", loader->path, loader->line);
}

static void load_file(struct loader *loader)
{
    char buffer[4096];
    loader->file = fopen(loader->path, "re");
    if (loader->file == NULL) {
        refuse(loader, "%s: %s", loader->path, uv_strerror(-errno));
        return;
    }
    setvbuf(loader->file, buffer, _IOFBF, sizeof(buffer));
    parse_file(loader);
    if (loader->rc == 0 && ferror(loader->file))
        refuse(loader, "%s: cannot read: %s", loader->path, uv_strerror(-errno));
    fclose(loader->file);
    explicit_bzero(buffer, sizeof(buffer));
}

/* Sets a variable "NAME=value" of the environment, whose name has our prefix. */
static void load_variable(struct loader *loader, const char *name, size_t len, const char *value)
{
    char candidate[NAME_MAX_LEN], given[NAME_MAX_LEN], hint[2 * NAME_MAX_LEN];
    const struct config_row *row;
    snprintf(given, sizeof(given), "%.*s", (int)least(len, sizeof(given) - 1), name);
    for (size_t i = 0; (row = config_row_at(loader->tables, i)) != NULL; i++) {
        config_env_name(row, loader->daemon, candidate, sizeof(candidate));
        if (strcmp(candidate, given) == 0) {
            set_value(loader, row, given, value);
            return;
        }
    }
    suggest(loader, given, NULL, true, hint, sizeof(hint));
    refuse(loader, "environment: unknown setting %s; %s", given, hint);
}

static void load_environment(struct loader *loader)
{
    struct config_row none = {.section = "", .key = ""};
    char prefix[NAME_MAX_LEN];
    config_env_name(&none, loader->daemon, prefix, sizeof(prefix)); /* "IMC_COMET__" */
    size_t len = strlen(prefix) - 1;
    for (char **at = environ; *at != NULL && loader->rc == 0; at++) {
        const char *equals = strchr(*at, '=');
        if (equals != NULL && strncmp(*at, prefix, len) == 0)
            load_variable(loader, *at, (size_t)(equals - *at), equals + 1);
    }
}

static size_t load_defaults(struct loader *loader)
{
    const struct config_row *row;
    size_t n;
    for (n = 0; (row = config_row_at(loader->tables, n)) != NULL; n++) {
        int rc = config_value_set(row, row->init, loader->conf);
        assert(rc == 0 && "the default of a row must be valid");
        (void)rc;
    }
    return n;
}

int config_load(config_tables tables, const char *daemon, const char *path, void *conf, char *err,
                size_t errlen)
{
    struct loader loader = {.tables = tables,
                            .daemon = daemon,
                            .path = path,
                            .conf = conf,
                            .err = err,
                            .errlen = errlen};
    size_t n = load_defaults(&loader);
    loader.lines = mem_zalloc((n + 1) * sizeof(*loader.lines));
    if (path != NULL)
        load_file(&loader);
    if (loader.rc == 0)
        load_environment(&loader);
    free(loader.lines);
    if (loader.rc != 0)
        config_free(tables, conf);
    return loader.rc;
}

void config_free(config_tables tables, void *conf)
{
    const struct config_row *row;
    for (size_t i = 0; (row = config_row_at(tables, i)) != NULL; i++) {
        char *field = (char *)conf + row->offset, *string;
        if (!config_type_is_text(row->type))
            continue;
        memcpy(&string, field, sizeof(string));
        mem_wiped_free_text(string); /* it may be a key or a password */
        string = NULL;
        memcpy(field, &string, sizeof(string));
    }
}

void config_list_each(const char *list, void (*fn)(const char *item, size_t len, void *arg),
                      void *arg)
{
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        const char *item = list, *end = list + len;
        while (item < end && isspace((unsigned char)*item))
            item++;
        while (end > item && isspace((unsigned char)end[-1]))
            end--;
        if (end > item)
            fn(item, (size_t)(end - item), arg);
        list += len + (list[len] == ',');
    }
}

struct list_search {
    const char *text;
    size_t len;
    int (*compare)(const char *a, const char *b, size_t len);
    bool found;
};

static void list_compare(const char *item, size_t len, void *arg)
{
    struct list_search *search = arg;
    search->found |= len == search->len && search->compare(item, search->text, len) == 0;
}

bool config_list_has(const char *list, const char *text, size_t len)
{
    struct list_search search = {.text = text, .len = len, .compare = strncmp};
    config_list_each(list, list_compare, &search);
    return search.found;
}

bool config_list_has_name(const char *list, const char *name, size_t len)
{
    struct list_search search = {.text = name, .len = len, .compare = strncasecmp};
    config_list_each(list, list_compare, &search);
    return search.found;
}
