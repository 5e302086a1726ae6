/* value.h - parses and writes one value of a configuration table. Only for this folder and its
 * tests. Any thread. */
#ifndef IMC_COMMON_CONFIG_VALUE_H
#define IMC_COMMON_CONFIG_VALUE_H

#include "common/config/row.h"

/* The row with number INDEX, counted over all tables; NULL behind the last. */
const struct config_row *config_row_at(config_tables tables, size_t index);
/* Parses TEXT, without spaces around it, into the field of CONF. Frees the string that was there.
 * 0, or -EINVAL, and the field is unchanged. */
int config_value_set(const struct config_row *row, const char *text, void *conf);
/* The value as it would be written in the file. A number is written to BUF, which needs
 * CONFIG_NUMBER_MAX bytes. A string is returned in place. */
#define CONFIG_NUMBER_MAX 32
const char *config_value_text(const struct config_row *row, const void *conf, char *buf,
                              size_t len);
/* Writes what a row accepts, in words: "a duration such as 250ms, 5s, 10m or 24h, from 1s to
 * 1h". */
void config_value_accepts(const struct config_row *row, char *buf, size_t len);
/* The environment variable of a row: IMC_COMET_LEASE_TTL. */
void config_env_name(const struct config_row *row, const char *daemon, char *buf, size_t len);

#endif
