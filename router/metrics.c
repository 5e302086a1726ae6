#include "router/metrics.h"

const struct metric_row router_metric_rows[ROUTER_METRIC_ROWS] = {
    ROUTER_METRICS(METRIC_ROW, METRIC_ROW_H)};
