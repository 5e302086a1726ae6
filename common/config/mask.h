/* mask.h - what may be shown of a setting, in --dump-config, /config, the log and errors.
 * Any thread. */
#ifndef IMC_COMMON_CONFIG_MASK_H
#define IMC_COMMON_CONFIG_MASK_H

#include "common/config/config.h"

/* True for keys whose value must not be shown at all. */
bool config_row_is_secret(const struct config_row *row);
/* VALUE of ROW with what is, or may be, secret hidden; the caller frees. NULL: all of it may be
 * shown. */
char *config_masked(const struct config_row *row, const char *value);
/* NAME is a property of a library whose value is known to be no secret. */
bool config_option_is_harmless(const char *name, size_t len);

#endif
