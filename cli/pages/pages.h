/* pages.h - what docs/ and configs/ say, which the build puts into the program. Both are generated
 * from the tables of the daemons, or checked against them, so this is what the daemons do. Pure. */
#ifndef IMC_CLI_PAGES_PAGES_H
#define IMC_CLI_PAGES_PAGES_H

#include <stdbool.h>
#include <stddef.h>

struct page {
    const char *name; /* "operations", "comet.ini" */
    const char *text; /* LEN bytes, and no NUL behind */
    size_t len;
};

/* Page number INDEX, in the order of their names; false: there are fewer. */
bool page_at(size_t index, struct page *page);
/* False: there is none of this name. */
bool page_find(const char *name, struct page *page);

/* A line, without its end. */
struct page_line {
    const char *text;
    size_t len;
};
/* The next line from place *AT on, which begins as 0. False: there is none. */
bool page_next(const struct page *page, size_t *at, struct page_line *line);
/* Is LINE a row of a table? */
bool page_is_row(struct page_line line);
/* Cell number INDEX of a row, without blanks around it; false: there are fewer. */
bool page_cell(struct page_line row, size_t index, struct page_line *cell);
/* Is it the line of dashes below a table's head? */
bool page_is_rule(struct page_line row);
/* The level of a heading, and its text; 0: it is none. */
size_t page_heading(struct page_line line, struct page_line *text);

#endif
