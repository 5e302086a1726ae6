#include "logic/hook/breaker.h"
#include "common/base/random.h"

static void begin_pause(struct hook_breaker *breaker, uint64_t now_ms)
{
    breaker->probing = false;
    breaker->probe_ms = now_ms + breaker->pause_ms - random_number() % (breaker->pause_ms / 2);
}

bool hook_breaker_lets(struct hook_breaker *breaker, uint64_t now_ms)
{
    if (!breaker->open)
        return true;
    if (now_ms < breaker->probe_ms)
        return false;
    breaker->probing = true;
    breaker->probe_ms = now_ms + breaker->pause_ms; /* if nothing is heard of that one */
    return true;
}

bool hook_breaker_answered(struct hook_breaker *breaker)
{
    bool open = breaker->open;

    *breaker = (struct hook_breaker){.answers = breaker->answers + 1};
    return open;
}

bool hook_breaker_failed(struct hook_breaker *breaker, uint32_t answers, uint64_t now_ms)
{
    if (answers != breaker->answers)
        return false;
    if (breaker->open && !breaker->probing)
        return false; /* it was asked before the pause */
    if (breaker->open) {
        breaker->pause_ms *= 2;
        if (breaker->pause_ms > BREAKER_PAUSE_MOST_MS)
            breaker->pause_ms = BREAKER_PAUSE_MOST_MS;
        begin_pause(breaker, now_ms);
        return false;
    }
    if (++breaker->failures < BREAKER_FAILURES)
        return false;
    breaker->open = true;
    breaker->pause_ms = BREAKER_PAUSE_MS;
    begin_pause(breaker, now_ms);
    return true;
}
