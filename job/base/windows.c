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

/* At least one message may be under way. */
static size_t part_of(size_t share, size_t parts)
{
    return share > parts ? (share + parts - 1) / parts : 1;
}

/* Is WINDOW smaller than one of PARTS parts of SHARE? */
static bool window_is_below(const struct window *window, const struct window *share, size_t parts)
{
    return window->count < part_of(share->count, parts) &&
           window->bytes < part_of(share->bytes, parts);
}

static size_t memory_parts(const struct windows *windows)
{
    return windows->short_of_memory ? SHORT_PART : 1;
}

static struct window storing_share(const struct windows *windows, size_t num, size_t den)
{
    const struct job_config *config = windows->config;

    return (struct window){(size_t)config->settle_window * num / den,
                           (size_t)config->settle_window_bytes * num / den};
}

static bool storing_is_below(const struct windows *windows, size_t num, size_t den)
{
    const struct window share = storing_share(windows, num, den);

    return window_is_below(&windows->storing, &share, memory_parts(windows));
}

static bool shard_is_below(const struct windows *windows, size_t shard, size_t num, size_t den)
{
    const struct window share = storing_share(windows, num, den);

    return window_is_below(&windows->shards[shard].storing, &share,
                           memory_parts(windows) * windows->n_shards);
}

static bool delivering_is_below(const struct windows *windows, size_t num, size_t den)
{
    const struct job_config *config = windows->config;
    const struct window share = {(size_t)config->window * num / den,
                                 (size_t)config->window_bytes * num / den};

    return window_is_below(&windows->delivering, &share, memory_parts(windows));
}

/* Is less than NUM / DEN of what bounds reading used? */
static bool windows_are_below(const struct windows *windows, size_t num, size_t den)
{
    return delivering_is_below(windows, num, den) &&
           storing_is_below(windows, STORING_MOST * num, den);
}

static uint64_t shard_bit(size_t shard)
{
    return UINT64_C(1) << shard;
}

/* What is stored or parked, or the memory at hand, has changed. */
static void windows_filled(struct windows *windows, size_t shard)
{
    if (!windows->full)
        windows->full = !windows_are_below(windows, 1, 1) ||
                        windows->parked >= (size_t)windows->config->settle_parked;
    if (!windows->shards[shard].refill)
        windows->shards[shard].refill = !shard_is_below(windows, shard, 1, 2);
}

static void windows_tell_room(struct windows *windows)
{
    size_t parked = (size_t)windows->config->settle_parked;

    if (!windows->full || !windows_are_below(windows, 3, 4) ||
        windows->parked >= parked - parked / 64)
        return;
    windows->full = false;
    if (windows->events != NULL)
        windows->events->room(windows->arg);
}

/* A shard that was passed over needs more room: what stands in Kafka before the place where reading
 * is now has to be fetched for it once more. */
static void windows_tell_again(struct windows *windows, size_t shard)
{
    struct shard_window *at = &windows->shards[shard];
    bool passed = windows->passed & shard_bit(shard);

    if (!at->refill || windows->closing || !shard_is_below(windows, shard, 1, passed ? 4 : 2))
        return;
    at->refill = at->waited = false;
    windows->passed &= ~shard_bit(shard);
    if (windows->events != NULL)
        windows->events->again(windows->arg);
}

static void windows_drained(struct windows *windows, size_t shard)
{
    windows_tell_room(windows);
    windows_tell_again(windows, shard);
}

void windows_init(struct windows *windows, const struct job_config *config, size_t n)
{
    *windows = (struct windows){.config = config, .n_shards = n < SHARDS_MOST ? n : SHARDS_MOST};
}

void windows_set_memory(struct windows *windows, bool is_short)
{
    windows->short_of_memory = is_short;
    for (size_t shard = 0; shard < windows->n_shards; shard++) {
        windows_filled(windows, shard);
        windows_drained(windows, shard);
    }
}

void windows_charge(struct windows *windows, const struct message *message)
{
    if (message->storing) {
        window_add(&windows->storing, message);
        window_add(&windows->shards[message->shard].storing, message);
        windows_filled(windows, message->shard);
        return;
    }
    window_add(&windows->delivering, message);
    if (!windows->full)
        windows->full = !delivering_is_below(windows, 1, 1);
}

void windows_discharge(struct windows *windows, const struct message *message)
{
    if (message->storing) {
        window_sub(&windows->storing, message);
        window_sub(&windows->shards[message->shard].storing, message);
        windows_drained(windows, message->shard);
    } else {
        window_sub(&windows->delivering, message);
        windows_tell_room(windows);
    }
    if (windows->closing && windows_unresolved(windows) == 0 && windows->events != NULL)
        windows->events->idle(windows->arg);
}

void windows_charge_storing(struct windows *windows, struct message *message)
{
    if (message->storing)
        return;
    window_sub(&windows->delivering, message);
    message->storing = true;
    windows_charge(windows, message);
    windows_tell_room(windows);
}

bool windows_may_store(const struct windows *windows, size_t shard, enum presence user)
{
    switch (user) {
    case USER_THERE:
        return shard_is_below(windows, shard, 1, 1);
    case USER_UNKNOWN:
        return shard_is_below(windows, shard, 7, 8);
    default: /* in the order they came */
        return windows->shards[shard].parked == 0 && shard_is_below(windows, shard, 3, 4);
    }
}

bool windows_may_return(const struct windows *windows, size_t shard)
{
    return !windows->closing && (windows->passed & shard_bit(shard)) == 0 &&
           shard_is_below(windows, shard, 1, 2);
}

static void windows_pass(struct windows *windows, size_t shard)
{
    windows->passed |= shard_bit(shard);
    windows->shards[shard].refill = true;
}

bool windows_pass_if_full(struct windows *windows, size_t shard)
{
    if (windows->n_shards == 1 || shard_is_below(windows, shard, 1, 1))
        return false;
    windows_pass(windows, shard);
    return true;
}

void windows_look(struct windows *windows)
{
    if (windows->n_shards == 1) /* no other waits for it */
        return;
    for (size_t shard = 0; shard < windows->n_shards; shard++) {
        struct shard_window *at = &windows->shards[shard];
        if (at->waited && at->parked > 0)
            windows_pass(windows, shard);
        at->waited = at->refill;
    }
}

void windows_park(struct windows *windows, size_t shard, int n)
{
    windows->parked += (size_t)n;
    windows->shards[shard].parked += (size_t)n;
    if (n > 0)
        windows_filled(windows, shard);
    else
        windows_drained(windows, shard);
}
