#include "cli/base/print.h"
#include "common/base/array.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- texts --- */

/* The code point of the UTF-8 character of LEN bytes at TEXT. */
static uint32_t code_point(const char *text, size_t len)
{
    unsigned char first = (unsigned char)text[0];
    uint32_t code = len == 1 ? first : first & (0x7fU >> len);

    for (size_t i = 1; i < len; i++)
        code = code << 6 | ((unsigned char)text[i] & 0x3f);
    return code;
}

/* Does a terminal act on it, or hide or turn around what follows? */
static bool is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0xfeff ||
           (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f);
}

void print_bytes(FILE *out, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = utf8_sequence((const uint8_t *)text + at, len - at);
        bool shown = n > 0 && !is_unsafe(code_point(text + at, n));
        for (size_t end = at + (n > 0 ? n : 1); at < end; at++) {
            if (shown)
                (void)fputc(text[at], out);
            else
                fprintf(out, "\\x%02x", (unsigned char)text[at]);
        }
    }
}

void print_text(FILE *out, const char *text)
{
    print_bytes(out, text, strlen(text));
}

void print_json_value(FILE *out, const json_t *value)
{
    char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    if (json_is_string(value))
        print_bytes(out, json_string_value(value), json_string_length(value));
    else
        print_text(out, text != NULL ? text : "-");
    free(text);
}

const char *print_duration(int64_t seconds, char buf[PRINT_DURATION_MAX])
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t i = 0;

    seconds = seconds > 0 ? seconds : 0;
    while (i < 3 && seconds < units[i].seconds)
        i++;
    int64_t many = seconds / units[i].seconds;
    if (i == 3)
        (void)snprintf(buf, PRINT_DURATION_MAX, "%" PRId64 "s", many);
    else
        (void)snprintf(buf, PRINT_DURATION_MAX, "%" PRId64 "%c %" PRId64 "%c", many, units[i].unit,
                       seconds % units[i].seconds / units[i + 1].seconds, units[i + 1].unit);
    return buf;
}

const char *print_time(int64_t unix_s, char buf[PRINT_TIME_MAX])
{
    time_t time = (time_t)unix_s;
    struct tm tm;

    if (gmtime_r(&time, &tm) == NULL || strftime(buf, PRINT_TIME_MAX, "%F %TZ", &tm) == 0)
        (void)snprintf(buf, PRINT_TIME_MAX, "%" PRId64, unix_s);
    return buf;
}

/* --- tables --- */

enum { COLUMNS_MAX = 16 };

struct table {
    size_t columns, n, cap;
    char **cells; /* the titles first */
    bool right[COLUMNS_MAX];
};

/* In characters. */
static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* Takes TEXT over. */
static void table_add(struct table *table, char *text)
{
    ARRAY_ROOM(table->cells, table->n, table->cap, 64);
    table->cells[table->n++] = text;
}

struct table *table_new(const char *const *titles)
{
    struct table *table = mem_zalloc(sizeof *table);

    for (; titles[table->columns] != NULL; table->columns++) {
        const char *title = titles[table->columns];
        assert(table->columns < COLUMNS_MAX);
        table->right[table->columns] = title[0] == '>';
        table_add(table, mem_strdup(title + (title[0] == '>')));
    }
    return table;
}

/* A stream to write a cell, and its end. */
struct cell {
    char *text;
    size_t len;
    FILE *out;
};

static FILE *cell_begin(struct cell *cell)
{
    cell->out = open_memstream(&cell->text, &cell->len);
    if (cell->out == NULL)
        abort(); /* no memory */
    return cell->out;
}

static void cell_end(struct table *table, struct cell *cell)
{
    (void)fclose(cell->out);
    table_add(table, cell->text);
}

void table_text(struct table *table, const char *text)
{
    struct cell cell;

    print_text(cell_begin(&cell), text != NULL ? text : "-");
    cell_end(table, &cell);
}

void table_json(struct table *table, const json_t *value)
{
    struct cell cell;

    if (value == NULL) {
        table_text(table, NULL);
        return;
    }
    print_json_value(cell_begin(&cell), value);
    cell_end(table, &cell);
}

/* The bytes of TEXT's first MOST characters. */
static size_t cut(const char *text, size_t most)
{
    size_t len = 0;

    while (text[len] != '\0') {
        if (((unsigned char)text[len] & 0xc0) != 0x80 && most-- == 0)
            break;
        len++;
    }
    return len;
}

static void print_row(const struct table *table, size_t row, const size_t *widths, FILE *out,
                      size_t width)
{
    size_t left = width > 0 ? width : SIZE_MAX;

    for (size_t i = 0; i < table->columns && left > 0; i++) {
        const char *text = table->cells[row * table->columns + i];
        size_t has = width_of(text), pad = widths[i] - has, gap = i > 0 ? 2 : 0;
        bool last = i + 1 == table->columns;
        size_t before = gap + (table->right[i] ? pad : 0);
        before = before < left ? before : left;
        fprintf(out, "%*s", (int)before, "");
        left -= before;
        (void)fwrite(text, 1, cut(text, left), out);
        left -= has < left ? has : left;
        size_t after = table->right[i] || last ? 0 : pad < left ? pad : left;
        fprintf(out, "%*s", (int)after, "");
        left -= after;
    }
    (void)fputc('\n', out);
}

void table_print(struct table *table, FILE *out, size_t width)
{
    size_t widths[COLUMNS_MAX] = {0};

    assert(table->n % table->columns == 0);
    for (size_t i = 0; i < table->n; i++) {
        size_t *widest = &widths[i % table->columns], has = width_of(table->cells[i]);
        *widest = has > *widest ? has : *widest;
    }
    for (size_t row = 0; row < table->n / table->columns; row++)
        print_row(table, row, widths, out, width);
    for (size_t i = 0; i < table->n; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

bool print_answer(struct cli *cli, struct api_answer *answer)
{
    if (!cli->json)
        return false;
    printf("%s\n", answer->text);
    api_answer_free(answer);
    return true;
}
