#include "cli/pages/pages.h"
#include "cli/pages/page_files.inc"

#include <string.h>

enum { PAGES = sizeof page_files / sizeof page_files[0] };

bool page_at(size_t index, struct page *page)
{
    if (index >= PAGES)
        return false;
    *page = (struct page){page_files[index].name, (const char *)page_files[index].bytes,
                          page_files[index].len};
    return true;
}

bool page_find(const char *name, struct page *page)
{
    for (size_t i = 0; page_at(i, page); i++) {
        if (strcmp(page->name, name) == 0)
            return true;
    }
    return false;
}

bool page_next(const struct page *page, size_t *at, struct page_line *line)
{
    if (*at >= page->len)
        return false;
    const char *text = page->text + *at;
    const char *end = memchr(text, '\n', page->len - *at);
    line->text = text;
    line->len = end != NULL ? (size_t)(end - text) : page->len - *at;
    *at += line->len + 1;
    return true;
}

bool page_is_row(struct page_line line)
{
    return line.len > 1 && line.text[0] == '|';
}

/* The place of the next '|' that no backslash precedes, from FROM on; the length if there is
 * none. */
static size_t bar(struct page_line row, size_t from)
{
    while (from < row.len && (row.text[from] != '|' || row.text[from - 1] == '\\'))
        from++;
    return from;
}

bool page_cell(struct page_line row, size_t index, struct page_line *cell)
{
    size_t from = 1, to = bar(row, from);

    while (index-- > 0 && to < row.len) {
        from = to + 1;
        to = bar(row, from);
    }
    if (to >= row.len)
        return false;
    while (from < to && row.text[from] == ' ')
        from++;
    while (to > from && row.text[to - 1] == ' ')
        to--;
    *cell = (struct page_line){row.text + from, to - from};
    return true;
}

bool page_is_rule(struct page_line row)
{
    for (size_t i = 0; i < row.len; i++) {
        if (strchr("|- :", row.text[i]) == NULL)
            return false;
    }
    return page_is_row(row);
}

size_t page_heading(struct page_line line, struct page_line *text)
{
    size_t level = 0;

    while (level < line.len && line.text[level] == '#')
        level++;
    if (level == 0 || level >= line.len || line.text[level] != ' ')
        return 0;
    *text = (struct page_line){line.text + level + 1, line.len - level - 1};
    return level;
}
