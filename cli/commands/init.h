/* init.h - the settings of a daemon, as configs/ has them. One thread. */
#ifndef IMC_CLI_COMMANDS_INIT_H
#define IMC_CLI_COMMANDS_INIT_H

#include "cli/pages/pages.h"

/* Up to NULL. */
extern const char *const daemon_kinds[];
/* False: there is no such daemon. */
bool settings_page(const char *kind, struct page *page);

/* A walk over the lines of PAGE, from AT 0 on. */
struct settings_walk {
    struct page page;
    size_t at;
    struct page_line line, section;
    struct page_line key, value; /* KEY.len 0: LINE is no setting */
};
/* The next line; false: there is none. */
bool settings_walk(struct settings_walk *walk);

#endif
