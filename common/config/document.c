#include "common/base/mem.h"
#include "common/config/config.h"
#include "common/config/mask.h"
#include "common/config/value.h"
#include <stdlib.h>
#include <string.h>

#define DOC_WIDTH 100
#define TEXT_MAX  256

static const char at_reload[] = "A reload changes it.";

/* Calls FN for every row, section by section in order of first appearance, since tables may share a
 * section. FIRST marks the first row of a section. */
static void each_row(config_tables tables,
                     void (*fn)(const struct config_row *row, bool first, void *arg), void *arg)
{
    const struct config_row *row, *other;
    for (size_t i = 0; (row = config_row_at(tables, i)) != NULL; i++) {
        size_t j = 0;
        while (strcmp((other = config_row_at(tables, j))->section, row->section) != 0)
            j++;
        if (other != row) /* an earlier row has the same section, which is done */
            continue;
        for (; (other = config_row_at(tables, j)) != NULL; j++) {
            if (strcmp(other->section, row->section) == 0)
                fn(other, other == row, arg);
        }
    }
}

/* Writes TEXT as comment lines, broken between words. */
static void write_comment(const char *text, FILE *out)
{
    while (*text != '\0') {
        size_t len = strlen(text), take = len;
        const char *space = len > DOC_WIDTH ? memrchr(text, ' ', DOC_WIDTH + 1) : NULL;
        if (space != NULL)
            take = (size_t)(space - text);
        else if (len > DOC_WIDTH)
            take = strcspn(text, " ");
        fprintf(out, "# %.*s\n", (int)take, text);
        text += take;
        text += strspn(text, " ");
    }
}

struct dump {
    const void *conf;
    FILE *out;
};

/* Writes one setting. A masked value becomes a comment, so that loading the dump does not set a
 * wrong secret. */
static void write_setting(const struct config_row *row, const char *value, FILE *out)
{
    char *masked = config_masked(row, value);
    if (config_row_is_secret(row) && value[0] != '\0')
        fprintf(out, "# %s = ******** (set, not shown)\n\n", row->key);
    else if (masked != NULL)
        fprintf(out, "# %s = %s (secrets not shown)\n\n", row->key, masked);
    else
        fprintf(out, "%s = %s\n\n", row->key, value);
    free(masked);
}

static void dump_row(const struct config_row *row, bool first, void *arg)
{
    struct dump *dump = arg;
    char accepts[TEXT_MAX], number[CONFIG_NUMBER_MAX], note[2 * TEXT_MAX];
    const char *value = config_value_text(row, dump->conf, number, sizeof(number));
    if (first)
        fprintf(dump->out, "[%s]\n", row->section);
    config_value_accepts(row, accepts, sizeof(accepts));
    snprintf(note, sizeof(note), "(%s; default: %s)", accepts,
             row->init[0] != '\0' ? row->init : "empty");
    write_comment(row->doc, dump->out);
    if (row->live)
        write_comment(at_reload, dump->out);
    write_comment(note, dump->out);
    write_setting(row, value, dump->out);
}

void config_dump(config_tables tables, const void *conf, FILE *out)
{
    struct dump dump = {conf, out};
    each_row(tables, dump_row, &dump);
}

struct show {
    const void *conf;
    void (*fn)(const struct config_shown *shown, void *arg);
    void *arg;
};

/* Is VALUE what the default of ROW would be written as? The default is read into a struct of one
 * field, since "60s" and "1m" are one value. */
static bool is_default(const struct config_row *row, const char *value)
{
    union {
        char *text;
        int64_t number;
        bool on;
    } field = {0};
    struct config_row alone = *row;
    char number[CONFIG_NUMBER_MAX];

    alone.offset = 0;
    if (config_value_set(&alone, row->init, &field) != 0)
        return false;
    bool same = strcmp(config_value_text(&alone, &field, number, sizeof(number)), value) == 0;
    if (config_type_is_text(row->type))
        free(field.text);
    return same;
}

static void show_row(const struct config_row *row, bool first, void *arg)
{
    struct show *show = arg;
    char number[CONFIG_NUMBER_MAX];
    const char *value = config_value_text(row, show->conf, number, sizeof(number));
    char *masked = config_masked(row, value);
    struct config_shown shown = {
        .section = row->section,
        .key = row->key,
        .value = config_row_is_secret(row) && value[0] != '\0' ? "********"
                 : masked != NULL                              ? masked
                                                               : value,
        .init = row->init,
        .changed = !is_default(row, value),
    };

    (void)first;
    show->fn(&shown, show->arg);
    free(masked);
}

void config_show(config_tables tables, const void *conf,
                 void (*fn)(const struct config_shown *shown, void *arg), void *arg)
{
    struct show show = {conf, fn, arg};
    each_row(tables, show_row, &show);
}

struct document {
    const char *daemon;
    FILE *out;
};

/* Writes a cell of a Markdown table, in which a bar has to be escaped. */
static void write_cell(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void document_row(const struct config_row *row, bool first, void *arg)
{
    struct document *document = arg;
    FILE *out = document->out;
    char accepts[TEXT_MAX], env[TEXT_MAX];
    if (first)
        fprintf(out,
                "\n### [%s]\n\n| setting | default | accepts | environment | meaning |\n"
                "| --- | --- | --- | --- | --- |\n",
                row->section);
    config_value_accepts(row, accepts, sizeof(accepts));
    config_env_name(row, document->daemon, env, sizeof(env));
    fprintf(out, "| `%s.%s` | ", row->section, row->key);
    if (row->init[0] != '\0')
        fprintf(out, "`%s`", row->init);
    else
        fputs("empty", out);
    fputs(" | ", out);
    write_cell(accepts, out);
    fprintf(out, " | `%s` | ", env);
    write_cell(row->doc, out);
    fprintf(out, "%s%s |\n", row->live ? " " : "", row->live ? at_reload : "");
}

void config_document(config_tables tables, const char *daemon, FILE *out)
{
    struct document document = {daemon, out};
    fprintf(out, "## %s\n", daemon);
    each_row(tables, document_row, &document);
}
