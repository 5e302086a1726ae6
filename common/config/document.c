#include "common/base/mem.h"
#include "common/config/config.h"
#include "common/config/mask.h"
#include "common/config/value.h"
#include <stdlib.h>
#include <string.h>

#define DOC_WIDTH 100
#define TEXT_MAX  256

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
        if (len > DOC_WIDTH) {
            take = DOC_WIDTH;
            while (take > 0 && text[take] != ' ')
                take--;
            if (take == 0)
                take = strcspn(text, " ");
        }
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
    write_comment(note, dump->out);
    write_setting(row, value, dump->out);
}

void config_dump(config_tables tables, const void *conf, FILE *out)
{
    struct dump dump = {conf, out};
    each_row(tables, dump_row, &dump);
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
    fputs(" |\n", out);
}

void config_document(config_tables tables, const char *daemon, FILE *out)
{
    struct document document = {daemon, out};
    fprintf(out, "## %s\n", daemon);
    each_row(tables, document_row, &document);
}
