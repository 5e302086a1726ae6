#include "common/base/exposition.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

static const char openmetrics_type[] = "application/openmetrics-text";

/* --- which format --- */

/* "q=0", "q=0.000": by no means. */
static bool is_refused(const char *parameters, size_t len)
{
    const char *q = memmem(parameters, len, "q=", 2);

    if (q == NULL)
        return false;
    size_t value = (size_t)(q + 2 - parameters);
    return strspn(q + 2, "0.") >= strcspn(q + 2, ",; ") && value < len;
}

bool exposition_wanted(const char *accept)
{
    enum { NAME = sizeof openmetrics_type - 1 };

    for (const char *item = accept; item != NULL && *item != '\0';) {
        item += strspn(item, " \t,");
        size_t len = strcspn(item, ",");
        if (len >= NAME && strncasecmp(item, openmetrics_type, NAME) == 0)
            return !is_refused(item + NAME, len - NAME);
        item += len;
    }
    return false;
}

const char *exposition_type(bool openmetrics)
{
    return openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                       : "text/plain; version=0.0.4; charset=utf-8";
}

/* --- heads --- */

static void write_escaped(FILE *out, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\\' || (quotes && *text == '"'))
            fputc('\\', out);
        if (*text == '\n')
            fputs("\\n", out);
        else
            fputc(*text, out);
    }
}

void exposition_label(FILE *out, const char *text)
{
    write_escaped(out, text, true);
}

static bool ends_in(const char *name, const char *ending)
{
    size_t len = strlen(name), end = strlen(ending);

    return len > end && strcmp(name + len - end, ending) == 0;
}

static const char *type_of(const struct exposition *to, const struct metric_row *row)
{
    if (to->openmetrics && ends_in(row->name, "_info"))
        return "info";
    return metric_type_name(row->type);
}

/* OpenMetrics names the family without what its kind adds: _total, _info. */
static int family_len(const struct exposition *to, const struct metric_row *row)
{
    size_t len = strlen(row->name);

    if (to->openmetrics && strcmp(type_of(to, row), "counter") == 0 && ends_in(row->name, "_total"))
        len -= sizeof "_total" - 1;
    else if (to->openmetrics && ends_in(row->name, "_info"))
        len -= sizeof "_info" - 1;
    return (int)len;
}

static void write_head(struct exposition *to, const struct metric_row *row)
{
    int len = family_len(to, row);

    if (to->family != NULL && strcmp(to->family, row->name) == 0)
        return;
    to->family = row->name;
    fprintf(to->out, "# HELP %.*s ", len, row->name);
    write_escaped(to->out, row->help, to->openmetrics);
    fprintf(to->out, "\n# TYPE %.*s %s\n", len, row->name, type_of(to, row));
}

/* --- series --- */

static void write_name(struct exposition *to, const struct metric_row *row, const char *labels)
{
    write_head(to, row);
    fputs(row->name, to->out);
    if (labels != NULL)
        fprintf(to->out, "{%s}", labels);
}

void exposition_int(struct exposition *to, const struct metric_row *row, const char *labels,
                    int64_t value)
{
    write_name(to, row, labels);
    if (metric_scale(row->type) > 1)
        fprintf(to->out, " %.3f\n", (double)value / metric_scale(row->type));
    else
        fprintf(to->out, " %" PRId64 "\n", value);
}

void exposition_real(struct exposition *to, const struct metric_row *row, const char *labels,
                     double value)
{
    write_name(to, row, labels);
    fprintf(to->out, " %.3f\n", value);
}

/* As client libraries write them: OpenMetrics wants a point in each. */
static const char *const bound_texts[HISTOGRAM_BOUNDS] = {
    "0.00001", "0.000025", "0.00005", "0.0001", "0.00025", "0.0005", "0.001", "0.0025",
    "0.005",   "0.01",     "0.025",   "0.05",   "0.1",     "0.25",   "0.5",   "1.0",
    "2.5",     "5.0",      "10.0",    "25.0",   "50.0",    "100.0",
};

static void write_bucket(struct exposition *to, const struct metric_row *row, const char *labels,
                         const char *bound, int64_t count)
{
    fprintf(to->out, "%s_bucket{%s%sle=\"%s\"} %" PRId64 "\n", row->name,
            labels != NULL ? labels : "", labels != NULL ? "," : "", bound, count);
}

static void write_suffixed(struct exposition *to, const struct metric_row *row, const char *suffix,
                           const char *labels)
{
    fprintf(to->out, "%s_%s", row->name, suffix);
    if (labels != NULL)
        fprintf(to->out, "{%s}", labels);
}

void exposition_histogram(struct exposition *to, const struct metric_row *row, const char *labels,
                          const int64_t *slots)
{
    int64_t count = 0;

    write_head(to, row);
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        count += slots[i];
        if (i >= row->first && i <= row->last)
            write_bucket(to, row, labels, bound_texts[i], count);
    }
    count += slots[HISTOGRAM_BOUNDS];
    write_bucket(to, row, labels, "+Inf", count);
    write_suffixed(to, row, "sum", labels);
    fprintf(to->out, " %.6f\n", (double)slots[HISTOGRAM_SUM] / 1e6);
    write_suffixed(to, row, "count", labels);
    fprintf(to->out, " %" PRId64 "\n", count);
}

void exposition_end(struct exposition *to)
{
    if (to->openmetrics)
        fputs("# EOF\n", to->out);
}
