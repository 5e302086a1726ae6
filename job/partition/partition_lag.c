#include "job/partition/partition_lag.h"

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void partition_lag_begin(struct partition_lag *lag, uint64_t now_ms)
{
    *lag = (struct partition_lag){.begun_ms = now_ms, .caught_up_ms = now_ms};
}

int64_t partition_lag_look(struct partition_lag *lag, bool waiting, uint64_t now_ms,
                           int64_t unix_ms)
{
    int64_t late = lesser(lag->oldest_ms, (int64_t)(now_ms - lag->begun_ms));

    lag->oldest_ms = 0;
    if (!waiting) {
        lag->caught_up_ms = now_ms;
        return late;
    }
    /* Under steady traffic something waits at each look: then it is hardly older than what was read
     * last. After a pause that is old: then it came after nothing had waited. */
    int64_t waited = (int64_t)(now_ms - lag->caught_up_ms);
    if (lag->made_ms != 0)
        waited = lesser(waited, unix_ms - lag->made_ms);
    return waited > late ? waited : late;
}
