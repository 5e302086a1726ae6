#include "comet/base/metrics.h"

const struct metric_row comet_metric_rows[COMET_METRIC_COUNT] = {
#define X(id, name, labels, type, help) [COMET_##id] = {name, labels, type, help},
    COMET_METRICS(X)
#undef X
};
