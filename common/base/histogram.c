#include "common/base/histogram.h"

const uint64_t histogram_bounds[HISTOGRAM_BOUNDS + 1] = {
    10,      25,      50,       100,      250,      500,       1000,       2500,
    5000,    10000,   25000,    50000,    100000,   250000,    500000,     1000000,
    2500000, 5000000, 10000000, 25000000, 50000000, 100000000, UINT64_MAX,
};

/* clang-format off */
const uint8_t histogram_first[64] = {
    LE_10US, LE_10US, LE_10US,  LE_10US,                     /* 1, 2, 4, 8 µs */
    LE_25US, LE_50US, LE_100US, LE_250US, LE_500US, LE_1MS,  /* 16 to 512 µs */
    LE_2500US, LE_2500US, LE_5MS, LE_10MS, LE_25MS, LE_50MS, LE_100MS, /* 1 to 65 ms */
    LE_250MS, LE_500MS, LE_1S,                               /* 131, 262, 524 ms */
    LE_2500MS, LE_2500MS, LE_5S, LE_10S, LE_25S, LE_50S, LE_100S, /* 1 to 67 s */
    [27 ... 63] = HISTOGRAM_BOUNDS,
};
/* clang-format on */
