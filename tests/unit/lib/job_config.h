/* job_config.h - settings of a job that has no bus: small windows, and retries that come soon. */
#ifndef IMC_TESTS_UNIT_LIB_JOB_CONFIG_H
#define IMC_TESTS_UNIT_LIB_JOB_CONFIG_H

#include "job/base/config.h"

static inline struct job_config job_config_small(int64_t max_message)
{
    return (struct job_config){.window = 1000,
                               .window_bytes = 1 << 20,
                               .max_message = max_message,
                               .comet_window = 4,
                               .comet_items = 16,
                               .comet_bytes = 65536,
                               .comet_timeout_ms = 3000,
                               .logic_window = 2,
                               .logic_items = 16,
                               .logic_bytes = 65536,
                               .logic_timeout_ms = 500,
                               .retry_first_ms = 20,
                               .retry_last_ms = 100,
                               .patience_ms = 1000,
                               .settle_window = 1000,
                               .settle_window_bytes = 1 << 20,
                               .settle_parked = 1000};
}

#endif
