#include "router/metrics.h"

const struct metric_row router_metric_rows[ROUTER_METRIC_COUNT] = {
#define X(id, name, labels, type, help) [ROUTER_##id] = {name, labels, type, help},
    ROUTER_METRICS(X)
#undef X
};
