/* value.h - one value of a configuration table: from text, to text, in words. Internal to
 * this folder and its tests. Any thread; nothing is kept. */
#ifndef IMC_COMMON_CONFIG_VALUE_H
#define IMC_COMMON_CONFIG_VALUE_H

#include "common/config/config.h"

/* Row number INDEX over all tables; NULL past the last. */
const struct config_row *config_row_at(config_tables tables, size_t index);
/* Parses TEXT (trimmed) into CONF's field, freeing a string that was there. -EINVAL leaves the
 * field alone. */
int config_value_set(const struct config_row *row, const char *text, void *conf);
/* The value as it would be written in the file; never truncates silently: BUF must hold
 * CONFIG_NUMBER_MAX bytes for numbers, strings are returned in place. */
#define CONFIG_NUMBER_MAX 32
const char *config_value_text(const struct config_row *row, const void *conf, char *buf,
                              size_t len);
/* What a row accepts, in words: "a duration such as 250ms, 5s, 10m or 24h, from 1s to 1h". */
void config_value_accepts(const struct config_row *row, char *buf, size_t len);
/* The environment variable of a row: IMC_COMET_LEASE_TTL. */
void config_env_name(const struct config_row *row, const char *daemon, char *buf, size_t len);

#endif
