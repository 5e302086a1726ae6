#include "bench/report/report.h"

#include "common/base/mem.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_WIDTH = 46 };

struct row {
    char *key, *label, *unit, *text; /* TEXT: printed instead of a value */
    double value;
    bool is_table;
};

struct report {
    struct row *rows;
    size_t n, printed;
};

struct report *report_new(void)
{
    return mem_zalloc(sizeof(struct report));
}

void report_free(struct report *report)
{
    if (report == NULL)
        return;
    for (size_t i = 0; i < report->n; i++) {
        free(report->rows[i].key);
        free(report->rows[i].label);
        free(report->rows[i].unit);
        free(report->rows[i].text);
    }
    free(report->rows);
    free(report);
}

static struct row *add(struct report *report, const char *key, const char *label)
{
    struct row *row;

    report->rows = mem_realloc(report->rows, (report->n + 1) * sizeof *report->rows);
    row = &report->rows[report->n++];
    *row = (struct row){.key = mem_strdup(key), .label = mem_strdup(label)};
    return row;
}

void report_table(struct report *report, const char *name, const char *title)
{
    add(report, name, title)->is_table = true;
}

void report_number(struct report *report, const char *key, const char *label, double value,
                   const char *unit)
{
    struct row *row = add(report, key, label);

    row->value = value;
    row->unit = mem_strdup(unit);
}

void report_text(struct report *report, const char *key, const char *label, const char *text)
{
    add(report, key, label)->text = mem_strdup(text);
}

void report_latency(struct report *report, const char *key, const char *label,
                    const struct hist *hist)
{
    static const struct {
        const char *key, *label;
        double q;
    } rows[] = {
        {"p50", "p50", 0.5}, {"p99", "p99", 0.99}, {"p999", "p99.9", 0.999}, {"max", "highest", 1}};
    char full_key[64], full_label[96];

    for (size_t i = 0; hist->count > 0 && i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(full_key, sizeof full_key, "%s_%s_ms", key, rows[i].key);
        snprintf(full_label, sizeof full_label, "%s, %s", label, rows[i].label);
        report_number(report, full_key, full_label, (double)hist_quantile(hist, rows[i].q) / 1e6,
                      "ms");
    }
}

/* 1234567 becomes 1,234,567; small values get three significant digits. */
static void format_number(double value, char *out, size_t size)
{
    char digits[64];
    size_t len, at = 0;

    if (value < 1000 && value > -1000) {
        double size_of = value < 0 ? -value : value;
        int decimals = size_of >= 100 || value == (double)(long)value ? 0 : size_of >= 10 ? 1 : 2;
        snprintf(out, size, "%.*f", size_of < 0.1 && size_of > 0 ? 3 : decimals, value);
        return;
    }
    len = (size_t)snprintf(digits, sizeof digits, "%.0f", value);
    for (size_t i = 0; i < len && at + 2 < size; i++) {
        out[at++] = digits[i];
        if (digits[i] != '-' && i + 1 < len && (len - i - 1) % 3 == 0)
            out[at++] = ',';
    }
    out[at] = '\0';
}

void report_print(struct report *report, FILE *out)
{
    char value[64];

    for (; report->printed < report->n; report->printed++) {
        const struct row *row = &report->rows[report->printed];
        if (row->is_table) {
            fprintf(out, "\n%s\n", row->label);
            continue;
        }
        if (row->text == NULL)
            format_number(row->value, value, sizeof value);
        fprintf(out, "  %-*s %14s %s\n", LABEL_WIDTH, row->label,
                row->text != NULL ? row->text : value, row->unit != NULL ? row->unit : "");
    }
    fflush(out);
}

int report_write_json(const struct report *report, const char *path)
{
    json_t *root = json_object(), *table = root;
    int failed;

    for (size_t i = 0; i < report->n; i++) {
        const struct row *row = &report->rows[i];
        if (row->is_table) {
            table = json_object();
            json_object_set_new(table, "title", json_string(row->label));
            json_object_set_new(root, row->key, table);
        } else {
            json_object_set_new(table, row->key,
                                row->text != NULL ? json_string(row->text) : json_real(row->value));
        }
    }
    errno = EIO;
    failed = json_dump_file(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 ? 0 : -errno;
    json_decref(root);
    return failed;
}
