/* What the documents say: pages, and what they say of a word.
 *
 *   imc doc ImcJobLag ─► the section that has this heading
 *   imc doc lag ─► every table of every page: rows that have "lag" as a word before their last cell
 *              └─► none: the lines that have it
 *
 * Tables of settings and metrics are generated from those of the daemons. So a close code, the code
 * of a problem, a metric, the value of a label or a setting is found by its name. */
#include "cli/base/print.h"
#include "cli/commands/run.h"
#include "cli/pages/pages.h"
#include "cli/reference/reference.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WIDTH = 80, LINES_MOST = 20, CELLS_MOST = 12 };

/* --- printing --- */

/* A copy of TEXT without backquotes, with the words of links in place of the links; to be freed. */
static char *plain(struct page_line text)
{
    char *out = malloc(text.len + 1);
    size_t n = 0;

    if (out == NULL)
        abort();
    for (size_t i = 0; i < text.len; i++) {
        if (text.text[i] == '`' || text.text[i] == '[' ||
            (text.text[i] == '\\' && i + 1 < text.len && text.text[i + 1] == '|'))
            continue;
        if (text.text[i] == ']' && i + 1 < text.len && text.text[i + 1] == '(') {
            while (i < text.len && text.text[i] != ')')
                i++;
            continue;
        }
        if (text.text[i] != ']')
            out[n++] = text.text[i];
    }
    out[n] = '\0';
    return out;
}

static bool says(struct page_line cell, const char *text)
{
    return cell.len == strlen(text) && memcmp(cell.text, text, cell.len) == 0;
}

/* Prints a row of a table: the first cell, and below it the others, each with its HEAD's. LAST is
 * what stands in the last cell if that is not "as above". */
static void print_row(struct page_line row, struct page_line head, struct page_line last)
{
    struct page_line cell, name;

    for (size_t i = 0; page_cell(row, i, &cell); i++) {
        if (says(cell, "as above"))
            cell = last;
        char *text = plain(cell), *title = NULL, *whole = NULL;
        if (i == 0) {
            printf("  %s\n", text);
        } else if (cell.len > 0) {
            title = page_cell(head, i, &name) ? plain(name) : NULL;
            if (asprintf(&whole, "%s%s%s", title != NULL ? title : "",
                         title != NULL && title[0] != '\0' ? ": " : "", text) < 0)
                abort();
            wrap_print(stdout, whole, 6, WIDTH);
        }
        free(whole);
        free(title);
        free(text);
    }
}

/* --- a walk over a page --- */

struct walk {
    const struct page *page;
    size_t at;
    struct page_line line, heading, head, last; /* LAST: of the last cell with a meaning */
    bool in_table, is_row;                      /* IS_ROW: LINE is one, and neither head nor rule */
};

static bool walk_next(struct walk *walk)
{
    struct page_line cell, last = {0};

    walk->is_row = false;
    if (!page_next(walk->page, &walk->at, &walk->line))
        return false;
    if (!page_is_row(walk->line)) {
        walk->in_table = false;
        (void)page_heading(walk->line, &walk->heading);
        return true;
    }
    if (!walk->in_table) {
        walk->in_table = true;
        walk->head = walk->line;
        return true;
    }
    walk->is_row = !page_is_rule(walk->line);
    for (size_t i = 0; walk->is_row && page_cell(walk->line, i, &cell); i++)
        last = cell;
    if (walk->is_row && !says(last, "as above"))
        walk->last = last;
    return true;
}

/* Where LINE stands, unless *HEADING was told before. */
static void print_place(const struct walk *walk, const char **heading)
{
    if (walk->heading.text == *heading)
        return;
    printf("%sdocs/%s.md, %.*s\n", *heading != NULL ? "\n" : "", walk->page->name,
           (int)walk->heading.len, walk->heading.text);
    *heading = walk->heading.text;
}

/* --- pages --- */

static bool is_document(const struct page *page)
{
    return strchr(page->name, '.') == NULL;
}

static int list_pages(void)
{
    struct page page;
    struct page_line line, title;

    for (size_t i = 0; page_at(i, &page); i++) {
        size_t at = 0;
        if (is_document(&page) && page_next(&page, &at, &line) && page_heading(line, &title) > 0)
            printf("%-20s %.*s\n", page.name, (int)title.len, title.text);
    }
    return EXIT_DONE;
}

static void print_walked(const struct walk *walk)
{
    if (walk->is_row) {
        print_row(walk->line, walk->head, walk->last);
    } else if (!walk->in_table) {
        char *text = plain(walk->line);
        puts(text);
        free(text);
    }
}

static void print_page(const struct page *page)
{
    struct walk walk = {.page = page};

    while (walk_next(&walk))
        print_walked(&walk);
}

/* The tables below HEADING of PAGE. */
static void print_tables(const char *name, const char *heading)
{
    struct page page;
    struct walk walk = {.page = &page};
    bool any = false, there = page_find(name, &page);

    while (there && walk_next(&walk)) {
        if (!walk.is_row || !says(walk.heading, heading))
            continue;
        if (!any)
            printf("docs/%s.md, %s\n", name, heading);
        any = true;
        print_row(walk.line, walk.head, walk.last);
    }
    if (any)
        putchar('\n');
}

static int print_codes(void)
{
    print_tables("codes", "Why calls are refused");
    print_tables("codes", "Why sessions end");
    print_tables("codes", "Why connections are refused");
    print_tables("protocol", "Codes of operation 6");
    print_tables("http-api-v1", "Problems");
    print_tables("http-api", "Answers");
    printf("imc doc WORD says what a metric, the value of a label, or a setting means, as in\n"
           "imc doc lag, imc doc push.max_lag or imc doc imc_logic_refused_total.\n");
    return EXIT_DONE;
}

/* --- a section --- */

/* Prints the text below the heading that NAME is, up to the next one of that level or above. */
static bool print_section(const char *name)
{
    struct page page;
    struct page_line title;

    for (size_t i = 0; page_at(i, &page); i++) {
        struct walk walk = {.page = &page};
        size_t level = 0, here;
        while (is_document(&page) && walk_next(&walk)) {
            here = walk.in_table ? 0 : page_heading(walk.line, &title);
            if (level == 0 && here > 1 && says(title, name)) {
                level = here;
                printf("docs/%s.md, %s\n", page.name, name);
            } else if (level > 0 && here > 0 && here <= level) {
                return true;
            } else if (level > 0) {
                print_walked(&walk);
            }
        }
        if (level > 0)
            return true;
    }
    return false;
}

/* --- search --- */

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

/* Has TEXT the WORD, with no letters around it? */
static bool has_word(struct page_line text, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; len > 0 && i + len <= text.len; i++) {
        if (strncasecmp(text.text + i, word, len) == 0 &&
            (i == 0 || !is_word_byte(text.text[i - 1])) &&
            (i + len == text.len || !is_word_byte(text.text[i + len])))
            return true;
    }
    return false;
}

/* Does a cell before the last one have it? */
static bool row_is_of(struct page_line row, const char *word)
{
    struct page_line cell, next;

    for (size_t i = 0; page_cell(row, i, &cell) && page_cell(row, i + 1, &next); i++) {
        if (has_word(cell, word))
            return true;
    }
    return false;
}

struct search {
    const char *word, *heading;
    size_t found;
};

static void try_row(struct search *search, const struct walk *walk)
{
    if (!walk->is_row || !row_is_of(walk->line, search->word))
        return;
    print_place(walk, &search->heading);
    print_row(walk->line, walk->head, walk->last);
    search->found++;
}

static void try_line(struct search *search, const struct walk *walk)
{
    if (!has_word(walk->line, search->word) || search->found++ >= LINES_MOST)
        return;
    print_place(walk, &search->heading);
    char *text = plain(walk->line);
    wrap_print(stdout, text, 2, WIDTH);
    free(text);
}

/* Calls FN for each line of all documents. Returns how many it has found. */
static size_t search_all(const char *word,
                         void (*fn)(struct search *search, const struct walk *walk))
{
    struct search search = {.word = word};
    struct page page;

    for (size_t i = 0; page_at(i, &page); i++) {
        struct walk walk = {.page = &page};
        while (is_document(&page) && walk_next(&walk))
            fn(&search, &walk);
    }
    return search.found;
}

static size_t search_lines(const char *word)
{
    size_t found = search_all(word, try_line);

    if (found > LINES_MOST)
        printf("\n%zu lines more\n", found - LINES_MOST);
    return found;
}

static int doc(struct cli *cli)
{
    const char *word = cli->n_arguments > 0 ? cli->arguments[0] : NULL;

    if (word == NULL)
        return list_pages();
    if (strcmp(word, "codes") == 0)
        return print_codes();
    struct page page;
    if (page_find(word, &page) && is_document(&page)) {
        print_page(&page);
        return EXIT_DONE;
    }
    if (print_section(word) || search_all(word, try_row) > 0 || search_lines(word) > 0)
        return EXIT_DONE;
    return cli_fail(cli, EXIT_NOT_FOUND, "no document says anything of %s; imc doc lists them",
                    word);
}

const struct command command_doc = {
    .name = "doc",
    .arguments = "[PAGE|WORD]",
    .max = 1,
    .summary = "what the documents say: a page, an alert, a code, metric, setting or word",
    .doc = "Without an argument it lists the pages. With the name of one it prints it. With codes "
           "it prints the reasons that metrics and logs name, the close codes and the codes of the "
           "APIs. With the heading of a section, such as the name of an alert, it prints that. "
           "With anything else it prints what the "
           "tables say of it: a number, a code, a metric or the value of one of its labels, a "
           "setting or its variable of the environment.",
    .example = "imc doc codes\nimc doc lag\nimc doc push.max_lag\nimc doc ImcDaemonDown\nimc doc "
               "operations | less",
    .offline = true,
    .no_json = true,
    .run = doc,
};
