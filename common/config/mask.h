/* mask.h - hides secrets in settings that are shown: by --dump-config, /config, the log and errors.
 * Any thread. */
#ifndef IMC_COMMON_CONFIG_MASK_H
#define IMC_COMMON_CONFIG_MASK_H

#include "common/config/row.h"
#include <stdbool.h>

/* Must nothing be shown of the value of ROW? */
bool config_row_is_secret(const struct config_row *row);
/* VALUE of ROW, in which everything is hidden that is or may be secret. The caller frees it. NULL:
 * all of VALUE may be shown. */
char *config_masked(const struct config_row *row, const char *value);
/* Is NAME a property of a library whose value is known not to be secret? */
bool config_option_is_harmless(const char *name, size_t len);

#endif
