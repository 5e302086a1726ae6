/* rows.h - prints lists of the API's objects as tables. One thread.
 *
 * An answer may get more fields than this program knows. They become columns, too, behind those
 * that it knows. */
#ifndef IMC_CLI_BASE_ROWS_H
#define IMC_CLI_BASE_ROWS_H

#include "cli/base/print.h"

/* The columns that people look at first. */
extern const char *const rows_daemons[], *const rows_rooms[];

/* Makes a table of the objects in ARRAY: first the columns of ORDER, up to NULL, of which those are
 * left out that no object has, then those of other fields. NULL: there is no object with a
 * field. */
struct table *rows_table(const json_t *array, const char *const *order);
/* The same, printed. NOTHING is printed if there are no objects. */
void rows_print(const json_t *array, const char *const *order, const char *nothing);
/* A line with the daemons of GONE, of /v1/cluster, and for how long; none if there are none. */
void rows_print_gone(FILE *out, const json_t *gone);

#endif
