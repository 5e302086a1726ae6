#include "job/base/metrics.h"

const struct metric_row job_metric_rows[JOB_METRIC_COUNT] = {
#define X(id, name, labels, type, help) [JOB_##id] = {name, labels, type, help},
    JOB_METRICS(X)
#undef X
};
