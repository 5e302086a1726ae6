#include "common/kafka/shutdown.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct kafka_shutdown {
    LIST_ENTRY(kafka_shutdown) link; /* until it is over */
    rd_kafka_t *rk;
    struct kafka_look *look;
    int64_t late_ms; /* time_mono_ms() */
    bool over;
    int refs; /* one of the thread, one of the caller */
};

/* Guards everything in this file. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static LIST_HEAD(, kafka_shutdown) afoot = LIST_HEAD_INITIALIZER(afoot);

/* Under the lock. */
static void shutdown_unref(struct kafka_shutdown *end)
{
    if (--end->refs == 0)
        free(end);
}

static void shutdown_destroy(const struct kafka_shutdown *end)
{
    kafka_look_wait(end->look);
    if (rd_kafka_type(end->rk) == RD_KAFKA_PRODUCER)
        rd_kafka_purge(end->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy_flags(end->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

/* Under the lock. */
static void shutdown_over(struct kafka_shutdown *end)
{
    LIST_REMOVE(end, link);
    end->over = true;
    pthread_cond_broadcast(&changed);
}

static void *shutdown_thread(void *arg)
{
    struct kafka_shutdown *end = arg;

    shutdown_destroy(end);
    pthread_mutex_lock(&lock);
    shutdown_over(end);
    shutdown_unref(end);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static bool shutdown_start(struct kafka_shutdown *end)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, shutdown_thread, end) != 0)
        return false;
    pthread_detach(thread);
    return true;
}

struct kafka_shutdown *kafka_shutdown(rd_kafka_t *rk, struct kafka_look *look)
{
    struct kafka_shutdown *end = mem_zalloc(sizeof *end);

    *end = (struct kafka_shutdown){
        .rk = rk, .look = look, .late_ms = time_mono_ms() + KAFKA_SHUTDOWN_MS, .refs = 2};
    pthread_mutex_lock(&lock);
    LIST_INSERT_HEAD(&afoot, end, link);
    pthread_mutex_unlock(&lock);
    if (shutdown_start(end))
        return end;
    shutdown_destroy(end); /* no thread could be started: do it here */
    pthread_mutex_lock(&lock);
    shutdown_over(end);
    end->refs--;
    pthread_mutex_unlock(&lock);
    return end;
}

bool kafka_shutdown_is_over(const struct kafka_shutdown *end)
{
    pthread_mutex_lock(&lock);
    bool over = end->over || time_mono_ms() >= end->late_ms;
    pthread_mutex_unlock(&lock);
    return over;
}

void kafka_shutdown_forget(struct kafka_shutdown *end)
{
    if (end == NULL)
        return;
    pthread_mutex_lock(&lock);
    shutdown_unref(end);
    pthread_mutex_unlock(&lock);
}

bool kafka_shutdown_reap(struct kafka_shutdown **end)
{
    if (*end != NULL && !kafka_shutdown_is_over(*end))
        return false;
    kafka_shutdown_forget(*end);
    *end = NULL;
    return true;
}

/* Under the lock. The time at which the last of those that are not over is late; 0: there are
 * none. */
static int64_t latest_ms(void)
{
    const struct kafka_shutdown *end;
    int64_t latest = 0;

    LIST_FOREACH(end, &afoot, link)
        latest = end->late_ms > latest ? end->late_ms : latest;
    return latest;
}

/* Under the lock. */
static void wait_some(uint64_t ms)
{
    struct timespec until = time_in(CLOCK_REALTIME, ms);

    pthread_cond_timedwait(&changed, &lock, &until);
}

size_t kafka_shutdowns_wait(void)
{
    const struct kafka_shutdown *end;
    size_t left = 0;
    int64_t now, latest;

    pthread_mutex_lock(&lock);
    while ((now = time_mono_ms()) < (latest = latest_ms()))
        wait_some((uint64_t)(latest - now));
    LIST_FOREACH(end, &afoot, link)
        left++;
    pthread_mutex_unlock(&lock);
    if (left > 0)
        log_warn("kafka client does not end", "clients=%zu waited=%dms; left behind", left,
                 (int)KAFKA_SHUTDOWN_MS);
    return left;
}
