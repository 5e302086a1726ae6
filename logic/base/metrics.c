#include "logic/base/metrics.h"

const struct metric_row logic_metric_rows[LOGIC_METRIC_COUNT] = {
#define X(id, name, labels, type, help) [LOGIC_##id] = {name, labels, type, help},
    LOGIC_METRICS(X)
#undef X
};
