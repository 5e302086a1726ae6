/* config.h - loads the configuration by tables. A row per setting has its type, default, range and
 * documentation.
 *
 * Values come from three sources, of which later ones win: defaults, the INI file (-c FILE), the
 * environment. A variable is called IMC_<DAEMON>_<SECTION>_<KEY>, in upper case, with underscores
 * for dots and dashes. Unknown names and bad values are refused, with file, line and the nearest
 * valid name. Load it on the main thread, before there are other threads; afterwards it is
 * read-only, but for the rows that are live: they change when the daemon reads its settings anew.
 */
#ifndef IMC_COMMON_CONFIG_CONFIG_H
#define IMC_COMMON_CONFIG_CONFIG_H

#include "common/config/row.h"
#include <stdbool.h>
#include <stdio.h>

/* Fills the zeroed struct CONF. PATH may be NULL: there is no file. 0, or -EINVAL, and ERR says
 * what is wrong, where, and what to do. */
int config_load(config_tables tables, const char *daemon, const char *path, void *conf, char *err,
                size_t errlen);
void config_free(config_tables tables, void *conf);
/* A setting that is BEFORE in one struct and AFTER in another; both as they may be shown (mask.h).
 * Valid during the call. */
struct config_change {
    const struct config_row *row;
    const char *before, *after;
};
/* Calls FN for each setting of which CONF and NEXT differ. The number of them. */
size_t config_compare(config_tables tables, const void *conf, const void *next,
                      void (*fn)(const struct config_change *change, void *arg), void *arg);
/* Takes over from NEXT what is live. Other threads may read live numbers meanwhile; texts are
 * swapped with those of NEXT, and belong to the caller's thread. */
void config_take_live(config_tables tables, void *conf, void *next);
/* Writes an INI file with every setting, and its documentation as a comment. Values that are or may
 * be secret are masked (mask.h). */
void config_dump(config_tables tables, const void *conf, FILE *out);
/* A setting as it is shown: nothing secret is in VALUE. All of it is valid during the call. */
struct config_shown {
    const char *section, *key, *value, *init;
    bool changed; /* it is not the default */
};
/* Calls FN for every setting, section by section. */
void config_show(config_tables tables, const void *conf,
                 void (*fn)(const struct config_shown *shown, void *arg), void *arg);
/* Writes a Markdown table per section, for docs/configuration.md. */
void config_document(config_tables tables, const char *daemon, FILE *out);
enum { CONFIG_LINE_MAX = 64 * 1024 }; /* bytes of a line, with its end */
/* Sets inih's switches, which are of the whole process: long lines, and no comments behind a value
 * (a password may hold " ;"). For each file of ours. */
void config_ini_rules(void);
/* Calls FN for each item of a CONFIG_LIST that is not empty, without spaces around it. */
void config_list_each(const char *list, void (*fn)(const char *item, size_t len, void *arg),
                      void *arg);
/* Is one of the items TEXT, byte by byte? */
bool config_list_has(const char *list, const char *text, size_t len);
/* Is one of the items NAME? Case does not matter. */
bool config_list_has_name(const char *list, const char *name, size_t len);

#endif
