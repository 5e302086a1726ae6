#include "logic/feed/feed.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/kafka/kafka.h"
#include "common/kafka/shutdown.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    POLL_MS = 100,
    METADATA_MS = 1000,
    AGAIN_MS = 1000, /* between two looks whether Kafka is back */
    QUIET_MS = 5000, /* no event came for so long: is Kafka there? The library does not say it */
    FILL_MS = 3000,  /* what was there before the feed began is waited for so long */
    TOPIC_MAX = 250,
};

struct feed {
    struct logic *logic;
    pthread_t thread;
    bool running;                           /* THREAD has to be joined. Main loop's */
    char topic[TOPIC_MAX], told[TOPIC_MAX]; /* TOPIC: that the thread reads */
    _Atomic bool stop, over;
    _Atomic int64_t asked_ms; /* time_mono_ms() of the last question */
    _Atomic bool ready;
    pthread_mutex_t lock; /* guards what follows */
    uint64_t life;
    struct feed_ring ring;
    char why[FEED_WHY_MAX];
};

/* What the thread knows. */
struct reader {
    struct feed *feed;
    rd_kafka_t *rk;
    int partitions, ends;      /* ENDS: so many were read up to their end */
    bool assigned, troubled;   /* TROUBLED: why is not empty */
    int64_t filled_ms, try_ms; /* FILLED_MS: waits no longer than up to then for the ends */
    struct feed_event *before; /* those from before it began, until they are sorted */
    size_t n_before;
};

/* --- the thread --- */

static void tell_why(struct reader *reader, const char *why)
{
    struct feed *feed = reader->feed;

    pthread_mutex_lock(&feed->lock);
    snprintf(feed->why, sizeof feed->why, "%s", why);
    pthread_mutex_unlock(&feed->lock);
    reader->troubled = why[0] != '\0';
    reader->try_ms = time_mono_ms() + (reader->troubled ? AGAIN_MS : QUIET_MS);
}

static rd_kafka_t *consumer_new(const struct logic_config *config, char *why, size_t whylen)
{
    static const char *const ours[][2] = {
        {"group.id", "imc-feed"},         {"enable.auto.commit", "false"},
        {"enable.partition.eof", "true"}, {"allow.auto.create.topics", "false"},
        {"auto.offset.reset", "latest"},  {"queued.max.messages.kbytes", "4096"},
        {"fetch.wait.max.ms", "100"}};
    rd_kafka_conf_t *conf = kafka_conf_new(config->bus_brokers, "imc-feed", why, whylen);
    int bad = conf == NULL ? -EINVAL : kafka_conf_options(conf, config->bus_options, why, whylen);

    for (size_t i = 0; i < sizeof ours / sizeof ours[0] && bad == 0; i++)
        bad = kafka_conf_set(conf, ours[i][0], ours[i][1], why, whylen);
    rd_kafka_t *rk = bad == 0 ? rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, whylen) : NULL;
    if (rk == NULL && conf != NULL)
        rd_kafka_conf_destroy(conf);
    return rk;
}

/* Asks Kafka for the topic: whether it is there tells WHY. Returns the number of its partitions, 0:
 * it is not. */
static int look(struct reader *reader)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(reader->rk, reader->feed->topic, NULL);
    rd_kafka_resp_err_t err = rd_kafka_metadata(reader->rk, 0, topic, &metadata, METADATA_MS);
    int n = err == 0 && metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    char why[FEED_WHY_MAX];

    if (err == 0 && metadata->topic_cnt == 1)
        err = metadata->topics[0].err;
    snprintf(why, sizeof why, "topic %s: %s", reader->feed->topic,
             err != 0 ? rd_kafka_err2str(err) : "it has no partitions");
    tell_why(reader, n > 0 && err == 0 ? "" : why);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return err == 0 ? n : 0;
}

/* Reads all partitions of the topic, from the last few events on; unless it is not there. */
static void assign(struct reader *reader)
{
    int n = look(reader);

    if (n == 0)
        return;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(list, reader->feed->topic, i)->offset =
            RD_KAFKA_OFFSET_TAIL(n < FEED_BEFORE ? FEED_BEFORE / n : 1);
    rd_kafka_resp_err_t err = rd_kafka_assign(reader->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err != 0)
        tell_why(reader, rd_kafka_err2str(err));
    reader->assigned = err == 0;
    reader->partitions = n;
    reader->filled_ms = time_mono_ms() + FILL_MS;
}

static int by_time(const void *a, const void *b)
{
    const struct feed_event *left = a, *right = b;

    return (left->ms > right->ms) - (left->ms < right->ms);
}

/* Puts what was there before in its order, which partitions do not have among each other. */
static void fill(struct reader *reader)
{
    struct feed *feed = reader->feed;

    if (reader->n_before > 1)
        qsort(reader->before, reader->n_before, sizeof *reader->before, by_time);
    pthread_mutex_lock(&feed->lock);
    for (size_t i = 0; i < reader->n_before; i++)
        feed_ring_put(&feed->ring, &reader->before[i]);
    pthread_mutex_unlock(&feed->lock);
    reader->n_before = 0;
    atomic_store(&feed->ready, true);
}

static void keep(struct reader *reader, const rd_kafka_message_t *message)
{
    struct feed *feed = reader->feed;
    struct feed_event event;

    if (!feed_event_read(message->payload, message->len, &event))
        return; /* something else than a job has written it */
    event.ms = rd_kafka_message_timestamp(message, NULL);
    if (event.ms < 0)
        event.ms = 0; /* it has none */
    if (!atomic_load(&feed->ready)) {
        reader->before[reader->n_before++] = event;
        return;
    }
    pthread_mutex_lock(&feed->lock);
    feed_ring_put(&feed->ring, &event);
    pthread_mutex_unlock(&feed->lock);
}

static void take(struct reader *reader, const rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        reader->ends++;
    else if (message->err != 0)
        tell_why(reader, rd_kafka_message_errstr(message));
    else
        keep(reader, message);
    if (message->err == 0 && reader->troubled)
        tell_why(reader, "");
    else if (message->err == 0)
        reader->try_ms = time_mono_ms() + QUIET_MS;
}

static bool goes_on(const struct feed *feed)
{
    return !atomic_load(&feed->stop) &&
           time_mono_ms() - atomic_load(&feed->asked_ms) < FEED_UNASKED_MS;
}

static void follow(struct reader *reader)
{
    struct feed *feed = reader->feed;

    rd_kafka_poll_set_consumer(reader->rk);
    while (goes_on(feed)) {
        bool due = time_mono_ms() >= reader->try_ms;
        if (!reader->assigned && due)
            assign(reader);
        else if (due)
            (void)look(reader);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->rk, POLL_MS);
        if (message != NULL) {
            take(reader, message);
            rd_kafka_message_destroy(message);
        }
        if (reader->assigned && !atomic_load(&feed->ready) &&
            (reader->ends >= reader->partitions || reader->n_before == FEED_BEFORE ||
             time_mono_ms() > reader->filled_ms))
            fill(reader);
    }
}

static void *feed_run(void *arg)
{
    struct feed *feed = arg;
    struct reader reader = {.feed = feed};
    char why[FEED_WHY_MAX] = "";

    reader.before = mem_alloc(FEED_BEFORE * sizeof *reader.before);
    reader.rk = consumer_new(feed->logic->config, why, sizeof why);
    if (reader.rk == NULL) {
        tell_why(&reader, why);
    } else {
        follow(&reader);
        kafka_shutdown_forget(kafka_shutdown(reader.rk, NULL));
    }
    for (size_t i = 0; i < reader.n_before; i++)
        free(reader.before[i].text);
    free(reader.before);
    atomic_store(&feed->over, true);
    return NULL;
}

/* --- main loop --- */

static void join(struct feed *feed)
{
    if (feed->running)
        pthread_join(feed->thread, NULL);
    feed->running = false;
}

static void start(struct feed *feed, const char *topic)
{
    join(feed); /* it is over */
    feed_ring_clear(&feed->ring);
    snprintf(feed->topic, sizeof feed->topic, "%s", topic);
    feed->why[0] = '\0';
    feed->life = random_number();
    atomic_store(&feed->ready, false);
    atomic_store(&feed->stop, false);
    atomic_store(&feed->over, false);
    int err = pthread_create(&feed->thread, NULL, feed_run, feed);
    feed->running = err == 0;
    if (err != 0)
        log_error("cannot follow events", "err=\"%s\"", uv_strerror(-err));
}

const char *feed_topic(const struct feed *feed)
{
    const char *topic = feed->logic->config->events_topic;

    return topic[0] != '\0' ? topic : feed->told;
}

void feed_told(struct feed *feed, const char *topic)
{
    loop_assert_owner(feed->logic->loop);
    snprintf(feed->told, sizeof feed->told, "%s", topic);
}

/* The thread runs for the topic, or begins to, or is about to end. */
void feed_ask(struct feed *feed)
{
    const char *topic = feed_topic(feed);

    loop_assert_owner(feed->logic->loop);
    atomic_store(&feed->asked_ms, time_mono_ms());
    if (feed->running && strcmp(feed->topic, topic) != 0)
        atomic_store(&feed->stop, true); /* a next question starts it for the other topic */
    if (!feed->running || atomic_load(&feed->over))
        start(feed, topic);
}

bool feed_is_ready(struct feed *feed)
{
    return atomic_load(&feed->ready);
}

struct feed_place feed_newest(struct feed *feed, const struct feed_filter *filter, size_t n)
{
    struct feed_place place;

    pthread_mutex_lock(&feed->lock);
    place = (struct feed_place){feed->life, feed_ring_newest(&feed->ring, filter, n),
                                (uint64_t)feed_ring_ms(&feed->ring)};
    pthread_mutex_unlock(&feed->lock);
    return place;
}

struct feed_place feed_now(struct feed *feed)
{
    if (feed_is_ready(feed))
        return feed_newest(feed, &(struct feed_filter){0}, 0);
    return (struct feed_place){.ms = time_unix_ms()};
}

size_t feed_print(struct feed *feed, const struct feed_filter *filter, size_t n,
                  struct feed_place *place, bool *gap, FILE *out)
{
    const struct feed_event *event;
    size_t printed = 0;

    pthread_mutex_lock(&feed->lock);
    bool none = place->life == 0;
    bool anew = !none && (place->life != feed->life || place->number > feed->ring.last);
    if (none || anew)
        *place = (struct feed_place){feed->life, feed_ring_later(&feed->ring, (int64_t)place->ms),
                                     place->ms};
    *gap = *gap || anew || feed_ring_has_lost(&feed->ring, place->number);
    while (printed < n && (event = feed_ring_next(&feed->ring, filter, &place->number)) != NULL) {
        if (printed++ > 0)
            fputc(',', out);
        (void)fwrite(event->text, 1, event->len, out);
        place->ms = (uint64_t)event->ms;
    }
    if (printed < n && (uint64_t)feed_ring_ms(&feed->ring) > place->ms)
        place->ms = (uint64_t)feed_ring_ms(&feed->ring);
    pthread_mutex_unlock(&feed->lock);
    return printed;
}

void feed_why(struct feed *feed, char why[FEED_WHY_MAX])
{
    pthread_mutex_lock(&feed->lock);
    snprintf(why, FEED_WHY_MAX, "%s", feed->why);
    pthread_mutex_unlock(&feed->lock);
}

struct feed *feed_open(struct logic *logic)
{
    struct feed *feed = mem_zalloc(sizeof *feed);

    feed->logic = logic;
    pthread_mutex_init(&feed->lock, NULL);
    return feed;
}

void feed_close(struct feed *feed)
{
    if (feed == NULL)
        return;
    atomic_store(&feed->stop, true);
    join(feed);
    feed_ring_clear(&feed->ring);
    pthread_mutex_destroy(&feed->lock);
    free(feed);
}
