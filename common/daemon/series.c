#include "common/daemon/series.h"

#include <assert.h>

static const struct {
    const char *name;
    enum series_kind kind;
} kinds[SERIES_COUNT] = {
#define X(id, name, kind) [SERIES_##id] = {name, kind},
    SERIES(X)
#undef X
};

const char *series_name(enum series_id id)
{
    return kinds[id].name;
}

enum series_kind series_kind_of(enum series_id id)
{
    return kinds[id].kind;
}

void series_put(struct series *series, const struct series_sample *sample)
{
    if (sample->slot == 0 || sample->slot + SERIES_SLOTS <= series->last)
        return;
    series->samples[sample->slot % SERIES_SLOTS] = *sample;
    if (sample->slot > series->last)
        series->last = sample->slot;
}

const struct series_sample *series_at(const struct series *series, uint64_t slot)
{
    const struct series_sample *sample = &series->samples[slot % SERIES_SLOTS];

    return slot != 0 && sample->slot == slot ? sample : NULL;
}

const struct series_sample *series_after(const struct series *series, uint64_t slot)
{
    uint64_t first = series->last >= SERIES_SLOTS ? series->last - SERIES_SLOTS + 1 : 1;

    for (uint64_t next = slot + 1 > first ? slot + 1 : first; next <= series->last; next++) {
        const struct series_sample *sample = series_at(series, next);
        if (sample != NULL)
            return sample;
    }
    return NULL;
}
