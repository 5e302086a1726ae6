#include "router/config.h"

#define ROW(section, key, type, field, init, min, max, doc)                                   \
    {                                                                                         \
        section, key, type, offsetof(struct router_config, field), init, min, max, doc, false \
    }

const struct config_row router_config_rows[] = {
    ROW("map", "sweep_slice", CONFIG_INT, sweep_slice, "2048", 64, 1048576,
        "Sessions that are looked at in one go when those of a dead comet are taken out, or those "
        "that moved to another "
        "router. Larger: gone sooner; smaller: other requests wait less meanwhile."),
    ROW("map", "max_counted", CONFIG_INT, max_counted, "100000", 1, 131072,
        "Most rooms that one answer to a request for counts lists; what is beyond is left out and "
        "counted in "
        "imc_router_counts_cut_total."),
    {.key = NULL},
};
