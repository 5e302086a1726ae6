#include "common/config/value.h"
#include "common/base/mem.h"
#include "common/net/address.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *suffix;
    int64_t factor;
};

/* Largest first, because the dump takes the first unit that divides the value. */
static const struct unit durations[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit sizes[] = {{"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}, {"", 1}};
#define UNITS 4

static const char *const truths[] = {"true", "yes", "on", "1"};
static const char *const lies[] = {"false", "no", "off", "0"};

const struct config_row *config_row_at(config_tables tables, size_t index)
{
    for (; *tables != NULL; tables++) {
        for (const struct config_row *row = *tables; row->key != NULL; row++) {
            if (index-- == 0)
                return row;
        }
    }
    return NULL;
}

void config_env_name(const struct config_row *row, const char *daemon, char *buf, size_t len)
{
    snprintf(buf, len, "IMC_%s_%s_%s", daemon, row->section, row->key);
    for (char *at = buf; *at != '\0'; at++) {
        if (*at >= 'a' && *at <= 'z')
            *at = (char)(*at - 'a' + 'A');
        else if (*at == '.' || *at == '-')
            *at = '_';
    }
}

static void range_of(const struct config_row *row, int64_t *min, int64_t *max)
{
    bool any = row->min == 0 && row->max == 0;
    *min = any ? 0 : row->min;
    *max = any ? INT64_MAX : row->max;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Parses digits with an optional sign. *END is the first character behind them. */
static int parse_digits(const char *text, int64_t *value, const char **end)
{
    bool negative = *text == '-';
    int64_t sum = 0;
    const char *at = text + negative;
    if (!is_digit(*at))
        return -EINVAL;
    for (; is_digit(*at); at++) {
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, *at - '0', &sum))
            return -EINVAL;
    }
    *value = negative ? -sum : sum;
    *end = at;
    return 0;
}

/* Parses a number with one of UNITS. A bare number has the last unit of the list. */
static int parse_number(const char *text, const struct unit *units, int64_t *value)
{
    const char *suffix;
    int64_t number;
    if (parse_digits(text, &number, &suffix) != 0)
        return -EINVAL;
    while (*suffix == ' ')
        suffix++;
    for (size_t i = 0; units != NULL && i < UNITS; i++) {
        if (strcasecmp(suffix, units[i].suffix) == 0)
            return __builtin_mul_overflow(number, units[i].factor, value) ? -EINVAL : 0;
    }
    if (*suffix != '\0')
        return -EINVAL;
    *value = number;
    return 0;
}

static const struct unit *units_of(const struct config_row *row)
{
    switch (row->type) {
    case CONFIG_DURATION:
        return durations;
    case CONFIG_BYTES:
        return sizes;
    default:
        return NULL;
    }
}

static int set_number(const struct config_row *row, const char *text, void *field)
{
    int64_t value, min, max;
    if (parse_number(text, units_of(row), &value) != 0)
        return -EINVAL;
    range_of(row, &min, &max);
    if (value < min || value > max)
        return -EINVAL;
    memcpy(field, &value, sizeof(value));
    return 0;
}

static int set_bool(const char *text, void *field)
{
    for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++) {
        bool yes = strcasecmp(text, truths[i]) == 0;
        if (yes || strcasecmp(text, lies[i]) == 0) {
            memcpy(field, &yes, sizeof(yes));
            return 0;
        }
    }
    return -EINVAL;
}

/* Is TEXT host:port or [v6]:port? Port 0 is allowed: the kernel chooses a free one. */
static bool is_address(const char *text)
{
    struct address address;
    return strpbrk(text, " \t,/") == NULL && address_parse(text, strlen(text), &address) == 0 &&
           address.host[0] != '\0';
}

static bool may_be_off(const struct config_row *row)
{
    return row->type == CONFIG_ADDRESS && (row->init[0] == '\0' || row->max == CONFIG_MAY_BE_OFF);
}

static int set_string(const struct config_row *row, const char *text, size_t len, void *field)
{
    char *old, *copy;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ' &&
            text[i] != '\t') /* a line break would look like another setting in a dump */
            return -EINVAL;
    }
    copy = mem_strndup(text, len);
    if (row->type == CONFIG_ADDRESS && !is_address(copy) && (len > 0 || !may_be_off(row))) {
        free(copy);
        return -EINVAL;
    }
    memcpy(&old, field, sizeof(old));
    free(old);
    memcpy(field, &copy, sizeof(copy));
    return 0;
}

int config_value_set(const struct config_row *row, const char *text, void *conf)
{
    void *field = (char *)conf + row->offset;
    char word[CONFIG_NUMBER_MAX];
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    if (config_type_is_text(row->type))
        return set_string(row, text, len, field);
    if (len >= sizeof(word))
        return -EINVAL;
    memcpy(word, text, len);
    word[len] = '\0';
    return row->type == CONFIG_BOOL ? set_bool(word, field) : set_number(row, word, field);
}

static void number_text(const struct unit *units, int64_t value, char *buf, size_t len)
{
    for (size_t i = 0; units != NULL && i < UNITS; i++) {
        if (value != 0 && value % units[i].factor == 0) {
            snprintf(buf, len, "%" PRId64 "%s", value / units[i].factor, units[i].suffix);
            return;
        }
    }
    snprintf(buf, len, "%" PRId64, value);
}

const char *config_value_text(const struct config_row *row, const void *conf, char *buf, size_t len)
{
    const char *field = (const char *)conf + row->offset;
    const char *string;
    int64_t number;
    bool yes;
    switch (row->type) {
    case CONFIG_STRING:
    case CONFIG_ADDRESS:
    case CONFIG_LIST:
    case CONFIG_SECRET:
    case CONFIG_SECRETS:
    case CONFIG_OPTIONS:
        memcpy(&string, field, sizeof(string));
        return string != NULL ? string : "";
    case CONFIG_BOOL:
        memcpy(&yes, field, sizeof(yes));
        return yes ? "true" : "false";
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_BYTES:
        memcpy(&number, field, sizeof(number));
        number_text(units_of(row), number, buf, len);
        break;
    }
    return buf;
}

void config_value_accepts(const struct config_row *row, char *buf, size_t len)
{
    static const char *const words[] = {
        [CONFIG_STRING] = "a text on one line",
        [CONFIG_INT] = "a whole number",
        [CONFIG_BOOL] = "true or false",
        [CONFIG_DURATION] = "a duration such as 250ms, 5s, 10m or 24h",
        [CONFIG_BYTES] = "a size in bytes such as 4096, 64k, 1m or 2g",
        [CONFIG_ADDRESS] = "an address host:port",
        [CONFIG_LIST] = "a list separated by commas",
        [CONFIG_SECRET] = "a text on one line (never shown)",
        [CONFIG_SECRETS] = "a list separated by commas (never shown)",
        [CONFIG_OPTIONS] = "a list name=value,name=value (secrets are not shown)",
    };
    char from[CONFIG_NUMBER_MAX], to[CONFIG_NUMBER_MAX];
    int64_t min, max;
    bool number =
        row->type == CONFIG_INT || row->type == CONFIG_DURATION || row->type == CONFIG_BYTES;
    range_of(row, &min, &max);
    number_text(units_of(row), min, from, sizeof(from));
    number_text(units_of(row), max, to, sizeof(to));
    if (!number)
        snprintf(buf, len, "%s%s", words[row->type], may_be_off(row) ? ", or nothing" : "");
    else if (max == INT64_MAX)
        snprintf(buf, len, "%s, %s or more", words[row->type], from);
    else
        snprintf(buf, len, "%s, from %s to %s", words[row->type], from, to);
}
