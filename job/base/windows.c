#include "job/base/windows.h"
#include "job/base/message.h"

enum {
    STORING_MOST = 4, /* windows of messages that were out for delivery and have to be stored */
    /* Of each window, while memory is short. Some of it must be left: what the Kafka client has
     * read ahead is given back only when we take it, and what is parked only when it is read
     * again. If these fill the memory, nothing else would ever free it. */
    SHORT_PART = 16,
};

static void window_add(struct window *window, const struct message *message)
{
    window->count++;
    window->bytes += message->size;
}

static void window_sub(struct window *window, const struct message *message)
{
    window->count--;
    window->bytes -= message->size;
}

static bool window_is_below(const struct windows *windows, const struct window *window,
                            const struct window *share)
{
    size_t part = windows->short_of_memory ? SHORT_PART : 1;

    /* At least one message may be under way. */
    return window->count < (share->count + part - 1) / part &&
           window->bytes < (share->bytes + part - 1) / part;
}

static bool storing_is_below(const struct windows *windows, size_t num, size_t den)
{
    const struct job_config *config = windows->config;
    const struct window share = {(size_t)config->settle_window * num / den,
                                 (size_t)config->settle_window_bytes * num / den};

    return window_is_below(windows, &windows->storing, &share);
}

static bool delivering_is_below(const struct windows *windows, size_t num, size_t den)
{
    const struct job_config *config = windows->config;
    const struct window share = {(size_t)config->window * num / den,
                                 (size_t)config->window_bytes * num / den};

    return window_is_below(windows, &windows->delivering, &share);
}

/* Is less than NUM / DEN of what bounds reading used? */
static bool windows_are_below(const struct windows *windows, size_t num, size_t den)
{
    return delivering_is_below(windows, num, den) &&
           storing_is_below(windows, STORING_MOST * num, den);
}

/* Storing, what is parked or the memory at hand has changed. */
static void windows_filled(struct windows *windows)
{
    if (!windows->full)
        windows->full = !windows_are_below(windows, 1, 1) ||
                        windows->parked >= (size_t)windows->config->settle_parked;
    if (!windows->refill)
        windows->refill = !storing_is_below(windows, 1, 2);
}

static void windows_drained(struct windows *windows)
{
    const struct windows_events *events = windows->events;
    size_t parked = (size_t)windows->config->settle_parked;

    if (windows->full && windows_are_below(windows, 3, 4) &&
        windows->parked < parked - parked / 64) {
        windows->full = false;
        if (events != NULL)
            events->room(windows->arg);
    }
    if (windows->refill && windows_may_return(windows)) {
        windows->refill = false;
        if (events != NULL)
            events->again(windows->arg);
    }
}

void windows_set_memory(struct windows *windows, bool is_short)
{
    windows->short_of_memory = is_short;
    windows_filled(windows);
    windows_drained(windows);
}

void windows_charge(struct windows *windows, const struct message *message)
{
    if (message->storing) {
        window_add(&windows->storing, message);
        windows_filled(windows);
        return;
    }
    window_add(&windows->delivering, message);
    if (!windows->full)
        windows->full = !delivering_is_below(windows, 1, 1);
}

void windows_discharge(struct windows *windows, const struct message *message)
{
    window_sub(message->storing ? &windows->storing : &windows->delivering, message);
    windows_drained(windows);
    if (windows->closing && windows_unresolved(windows) == 0 && windows->events != NULL)
        windows->events->idle(windows->arg);
}

void windows_charge_storing(struct windows *windows, struct message *message)
{
    if (message->storing)
        return;
    window_sub(&windows->delivering, message);
    window_add(&windows->storing, message);
    message->storing = true;
    windows_filled(windows);
    windows_drained(windows);
}

bool windows_may_store(const struct windows *windows, enum presence user)
{
    switch (user) {
    case USER_THERE:
        return storing_is_below(windows, 1, 1);
    case USER_UNKNOWN:
        return storing_is_below(windows, 7, 8);
    default: /* in the order they came */
        return windows->parked == 0 && storing_is_below(windows, 3, 4);
    }
}

bool windows_may_return(const struct windows *windows)
{
    return !windows->closing && storing_is_below(windows, 1, 2);
}

void windows_park(struct windows *windows, int n)
{
    windows->parked += (size_t)n;
    if (n > 0)
        windows_filled(windows);
    else
        windows_drained(windows);
}
