#include "common/kafka/kafka.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/config/mask.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- configuration --- */

/* Some brokers, such as our development bus, do not know allow.auto.create.topics. librdkafka says
 * so with every request for a topic, every few seconds. Once is enough. */
static bool was_told(const char *facility)
{
    static _Atomic int told;

    return strcmp(facility, "AUTOCREATE") == 0 &&
           atomic_exchange_explicit(&told, 1, memory_order_relaxed);
}

/* Runs on librdkafka's threads. LEVEL is one of syslog's. */
/* What a client of this process said last about a broker that is there and does not understand us,
 * or the other way round. librdkafka says the same thing once in 30 s. */
enum { DISTRUST_MS = 40000 };
static pthread_mutex_t distrust_lock = PTHREAD_MUTEX_INITIALIZER;
static char distrust[192];
static int64_t distrust_ms;

static void note_distrust(const char *facility, const char *text)
{
    const char *begin = strstr(text, "]: "); /* behind the thread's name */

    if (strcmp(facility, "FAIL") != 0 ||
        (strstr(text, "SSL") == NULL && strstr(text, "SASL") == NULL))
        return;
    pthread_mutex_lock(&distrust_lock);
    distrust_ms = time_mono_ms();
    snprintf(distrust, sizeof distrust, "%s", begin != NULL ? begin + 3 : text);
    pthread_mutex_unlock(&distrust_lock);
}

void kafka_why_silent(char *buf, size_t size)
{
    pthread_mutex_lock(&distrust_lock);
    if (distrust[0] != '\0' && time_mono_ms() - distrust_ms < DISTRUST_MS)
        snprintf(buf, size, "no Kafka broker lets us in: see bus.options (%s)", distrust);
    else
        snprintf(buf, size, "no Kafka broker answers: see bus.brokers");
    pthread_mutex_unlock(&distrust_lock);
}

static void kafka_on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    note_distrust(facility, text);
    if (was_told(facility))
        return;
    if (level <= 3)
        log_error("kafka client", "facility=%s text=\"%s\"", facility, text);
    else if (level == 4)
        log_warn("kafka client", "facility=%s text=\"%s\"", facility, text);
    else if (level <= 6)
        log_info("kafka client", "facility=%s text=\"%s\"", facility, text);
    else
        log_debug("kafka client", "facility=%s text=\"%s\"", facility, text);
}

int kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, char *err,
                   size_t errlen)
{
    char why[256];

    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, why, sizeof why);

    if (result == RD_KAFKA_CONF_OK)
        return 0;
    /* librdkafka's message contains the value, which may be secret. */
    if (config_option_is_harmless(name, strlen(name)))
        snprintf(err, errlen, "kafka property %s=%s: %s", name, value, why);
    else if (result == RD_KAFKA_CONF_UNKNOWN)
        snprintf(err, errlen, "kafka property %s: %s", name, why);
    else
        snprintf(err, errlen, "kafka property %s: its value (not shown) is not accepted", name);
    return -EINVAL;
}

int kafka_conf_set_int(rd_kafka_conf_t *conf, const char *name, int64_t value, char *err,
                       size_t errlen)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, value);
    return kafka_conf_set(conf, name, text, err, errlen);
}

/* By default librdkafka connects to a broker only when needed. Then a request that waits for a
 * certain broker (the controller, to create a topic) makes it connect again as soon as a connection
 * fails: thousands of times a second while nothing listens there. With sparse connections off,
 * reconnect.backoff holds. The property is not documented. A librdkafka that does not know it any
 * more keeps its default. */
static void kafka_conf_calm(rd_kafka_conf_t *conf)
{
    (void)rd_kafka_conf_set(conf, "enable.sparse.connections", "false", NULL, 0);
}

rd_kafka_conf_t *kafka_conf_new(const char *brokers, const char *client_id, char *err,
                                size_t errlen)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set_log_cb(conf, kafka_on_log);
    kafka_conf_calm(conf);
    /* Brokers close idle connections; do not log that. */
    if (kafka_conf_set(conf, "bootstrap.servers", brokers, err, errlen) == 0 &&
        kafka_conf_set(conf, "client.id", client_id, err, errlen) == 0 &&
        kafka_conf_set(conf, "log.connection.close", "false", err, errlen) == 0 &&
        /* topics.c creates the topic, with bus.partitions; a broker must not create it by
         * itself. */
        kafka_conf_set(conf, "allow.auto.create.topics", "false", err, errlen) == 0 &&
        kafka_conf_set_int(conf, "reconnect.backoff.max.ms", 1000, err, errlen) == 0)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

bool kafka_refusal(rd_kafka_resp_err_t code, const char *topic, const char *rights, char *buf,
                   size_t size)
{
    const char *name = rd_kafka_err2name(code);

    switch (code) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        snprintf(buf, size, "Kafka refuses topic %s (%s): grant this user %s on it", topic, name,
                 rights);
        return true;
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        snprintf(buf, size,
                 "Kafka refuses to begin (%s): grant %s on topic %s, before Kafka 2.8 "
                 "IdempotentWrite on the cluster",
                 name, rights, topic);
        return true;
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        snprintf(buf, size, "Kafka refuses the group (%s): grant Read on group bus.group", name);
        return true;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        snprintf(buf, size, "Kafka does not know this user or password (%s): see bus.options",
                 name);
        return true;
    case RD_KAFKA_RESP_ERR__SSL:
        snprintf(buf, size,
                 "no TLS with Kafka (%s): its certificate or ours is not believed, or one of both "
                 "speaks plain: see the log, and security.protocol and ssl.… in bus.options",
                 name);
        return true;
    default:
        return false;
    }
}

/* The end of the value that begins at AT. It is the comma before the next part that has a '=', or
 * the end of the text. */
static char *value_end(char *at)
{
    char *comma = strchr(at, ',');

    while (comma != NULL) {
        size_t part = strcspn(comma + 1, ",=");
        if (comma[1 + part] == '=')
            return comma;
        comma = strchr(comma + 1, ',');
    }
    return at + strlen(at);
}

static char *trim(char *text)
{
    while (*text == ' ')
        text++;
    for (size_t len = strlen(text); len > 0 && text[len - 1] == ' '; len--)
        text[len - 1] = '\0';
    return text;
}

int kafka_conf_options(rd_kafka_conf_t *conf, const char *options, char *err, size_t errlen)
{
    if (options == NULL || options[strspn(options, " ,")] == '\0')
        return 0;
    char *copy = mem_strdup(options);
    char *at = copy;
    int result = 0;

    for (size_t len = strlen(copy); copy[len - 1] == ' ' || copy[len - 1] == ','; len--)
        copy[len - 1] = '\0';
    while (*at != '\0' && result == 0) {
        char *value = strchr(at, '=');
        if (value == NULL) {
            snprintf(err, errlen,
                     "bus.options: want name=value,name=value …; there is no '=' behind byte %zu",
                     (size_t)(at - copy));
            result = -EINVAL;
            break;
        }
        *value++ = '\0';
        char *end = value_end(value);
        bool last = *end == '\0';
        *end = '\0';
        result = kafka_conf_set(conf, trim(at), trim(value), err, errlen);
        at = last ? end : end + 1;
    }
    mem_wiped_free(copy, strlen(options));
    return result;
}

int kafka_options_check(const char *options, char *err, size_t errlen)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int result = kafka_conf_options(conf, options, err, errlen);

    rd_kafka_conf_destroy(conf);
    return result;
}

/* --- a queue on a loop --- */

struct kafka_queue {
    struct loop *loop;
    rd_kafka_queue_t *queue;
    kafka_drain_fn drain; /* NULL: closed */
    void *arg;
    struct loop_task again;
    int fd;
    uv_poll_t poll;
};

static void kafka_queue_run(struct kafka_queue *bus)
{
    if (bus->drain != NULL && bus->drain(bus->queue, bus->arg))
        kafka_queue_wake(bus);
}

static void kafka_queue_on_readable(uv_poll_t *poll, int status, int events)
{
    struct kafka_queue *bus = container_of(poll, struct kafka_queue, poll);
    uint64_t count;

    (void)status;
    (void)events;
    /* Clear the counter before reading the queue. A message that comes meanwhile sets it again. */
    ssize_t n = read(bus->fd, &count, sizeof count);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        log_error("kafka wakeup failed", "errno=%d", errno);
    kafka_queue_run(bus);
}

static void kafka_queue_on_closed(uv_handle_t *handle)
{
    struct kafka_queue *bus = container_of(handle, struct kafka_queue, poll);

    close(bus->fd);
    free(bus);
}

/* The deferred task also frees a queue that was closed, because it cannot be taken off the loop's
 * list. */
static void kafka_queue_on_again(struct loop *loop, struct loop_task *task)
{
    struct kafka_queue *bus = container_of(task, struct kafka_queue, again);

    (void)loop;
    if (bus->drain == NULL)
        uv_close((uv_handle_t *)&bus->poll, kafka_queue_on_closed);
    else
        kafka_queue_run(bus);
}

int kafka_queue_open(struct loop *loop, rd_kafka_queue_t *queue, kafka_drain_fn drain, void *arg,
                     struct kafka_queue **bus)
{
    static const uint64_t one = 1;
    struct kafka_queue *b = mem_zalloc(sizeof *b);

    loop_assert_owner(loop);
    *b = (struct kafka_queue){.loop = loop, .queue = queue, .drain = drain, .arg = arg};
    b->again.run = kafka_queue_on_again;
    b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (b->fd < 0) {
        int err = -errno;
        free(b);
        return err;
    }
    int err = uv_poll_init(&loop->uv, &b->poll, b->fd);
    if (err != 0) {
        close(b->fd);
        free(b);
        return err;
    }
    uv_poll_start(&b->poll, UV_READABLE, kafka_queue_on_readable);
    rd_kafka_queue_io_event_enable(queue, b->fd, &one, sizeof one);
    kafka_queue_wake(b);
    *bus = b;
    return 0;
}

void kafka_queue_wake(struct kafka_queue *bus)
{
    loop_defer(bus->loop, &bus->again);
}

void kafka_queue_close(struct kafka_queue *bus)
{
    if (bus == NULL)
        return;
    loop_assert_owner(bus->loop);
    rd_kafka_queue_io_event_enable(bus->queue, -1, NULL, 0);
    bus->drain = NULL;
    uv_poll_stop(&bus->poll);
    loop_defer(bus->loop, &bus->again);
}
