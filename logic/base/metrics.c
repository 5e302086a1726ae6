#include "logic/base/metrics.h"

const struct metric_row logic_metric_rows[LOGIC_METRIC_ROWS] = {
    LOGIC_METRICS(METRIC_ROW, METRIC_ROW_H)};
