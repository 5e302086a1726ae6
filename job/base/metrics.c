#include "job/base/metrics.h"

const struct metric_row job_metric_rows[JOB_METRIC_ROWS] = {JOB_METRICS(METRIC_ROW, METRIC_ROW_H)};
