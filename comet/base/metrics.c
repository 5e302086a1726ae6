#include "comet/base/metrics.h"

const struct metric_row comet_metric_rows[COMET_METRIC_ROWS] = {
    COMET_METRICS(METRIC_ROW, METRIC_ROW_H)};
