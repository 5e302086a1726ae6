#include "common/config/config.h"
#include "common/config/mask.h"
#include "common/config/value.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void tell(const struct config_row *row, const char *before, const char *after,
                 void (*fn)(const struct config_change *change, void *arg), void *arg)
{
    char *masked_before = config_masked(row, before), *masked_after = config_masked(row, after);
    struct config_change change = {row, masked_before != NULL ? masked_before : before,
                                   masked_after != NULL ? masked_after : after};

    fn(&change, arg);
    free(masked_before);
    free(masked_after);
}

size_t config_compare(config_tables tables, const void *conf, const void *next,
                      void (*fn)(const struct config_change *change, void *arg), void *arg)
{
    char old_number[CONFIG_NUMBER_MAX], new_number[CONFIG_NUMBER_MAX];
    const struct config_row *row;
    size_t n = 0;

    for (size_t i = 0; (row = config_row_at(tables, i)) != NULL; i++) {
        const char *before = config_value_text(row, conf, old_number, sizeof old_number);
        const char *after = config_value_text(row, next, new_number, sizeof new_number);

        if (strcmp(before, after) == 0)
            continue;
        tell(row, before, after, fn, arg);
        n++;
    }
    return n;
}

void config_take_live(config_tables tables, void *conf, void *next)
{
    const struct config_row *row;

    for (size_t i = 0; (row = config_row_at(tables, i)) != NULL; i++) {
        void *field = (char *)conf + row->offset, *from = (char *)next + row->offset;

        if (!row->live)
            continue;
        if (config_type_is_text(row->type)) {
            char *old = *(char **)field;

            *(char **)field = *(char **)from;
            *(char **)from = old;
        } else {
            atomic_store((_Atomic int64_t *)field, *(int64_t *)from);
        }
    }
}
