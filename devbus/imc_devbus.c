/* imc-devbus - librdkafka's mock Kafka cluster in a process of its own: a bus for development
 * without Java.
 *
 *   imc-devbus ──writes──► bootstrap file ──read by──► make up ─┬─environment─► imc-logic: produces
 *                                                               └─environment─► imc-job: consumes
 *
 * The mock cluster listens on 127.0.0.1 at ports that the kernel picks, because librdkafka 2.0
 * cannot be told one. So the file is the only way to find it. It keeps about 5 MB per partition, in
 * memory, and drops older messages silently: never use it where messages matter.
 *
 * The main thread waits for a signal; librdkafka's own thread is the cluster. */
#include <errno.h>
#include <getopt.h>
#include <librdkafka/rdkafka.h>
/* needs rdkafka.h before it */
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_TOPICS = 32,
    MAX_PARTITIONS = 1024,
    MAX_TOPIC_NAME = 249, /* Kafka's own limit */
    MAX_TIMEOUT_S = 3600,
    EXIT_USAGE = 2,
};

struct topic {
    char name[MAX_TOPIC_NAME + 1];
    int partitions;
};

struct devbus_options {
    struct topic topics[MAX_TOPICS];
    int n_topics;
    const char *bootstrap_file; /* NULL: only stdout */
    const char *probe;          /* with --probe: the brokers to ask, instead of being a cluster */
    int timeout_s;
};

static const char usage[] =
    "usage: imc-devbus [--topic NAME:PARTITIONS]... [--bootstrap-file FILE]\n"
    "       imc-devbus --probe BROKERS [--timeout SECONDS]\n"
    "\n"
    "A Kafka broker for development, in one small process: keeps little (about 5 MB a\n"
    "partition, in memory), drops older messages silently. Never use it in production.\n"
    "\n"
    "  --topic NAME:PARTITIONS  create this topic (other topics appear when first used)\n"
    "  --bootstrap-file FILE    write host:port of the broker there; removed at the end\n"
    "  --probe BROKERS          ask whether any of these Kafka brokers answers: exit 0 if so\n"
    "  --timeout SECONDS        how long --probe goes on asking (default 1)\n"
    "  --version, --help\n"
    "\n"
    "Listens on 127.0.0.1, on a port that the system picks. SIGTERM or SIGINT ends it.\n";

static int fail_usage(const char *what, const char *value)
{
    fprintf(stderr, "imc-devbus: %s: '%s' (see --help)\n", what, value);
    return -EINVAL;
}

static int parse_number(const char *text, long max, int *out)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < 1 || n > max)
        return -EINVAL;
    *out = (int)n;
    return 0;
}

static int parse_topic(struct devbus_options *opt, const char *arg)
{
    const char *colon = strrchr(arg, ':');
    size_t len = colon != NULL ? (size_t)(colon - arg) : 0;
    struct topic *topic = &opt->topics[opt->n_topics];

    if (opt->n_topics == MAX_TOPICS)
        return fail_usage("more than 32 topics", arg);
    if (len == 0 || len > MAX_TOPIC_NAME)
        return fail_usage("--topic takes NAME:PARTITIONS", arg);
    if (parse_number(colon + 1, MAX_PARTITIONS, &topic->partitions) != 0)
        return fail_usage("--topic takes 1 to 1024 partitions", arg);
    memcpy(topic->name, arg, len);
    topic->name[len] = '\0';
    opt->n_topics++;
    return 0;
}

/* 0: go on; 1: help or version was printed; -EINVAL. */
static int parse_options(struct devbus_options *opt, int argc, char **argv)
{
    static const struct option longs[] = {
        {"topic", required_argument, NULL, 't'},
        {"bootstrap-file", required_argument, NULL, 'f'},
        {"probe", required_argument, NULL, 'p'},
        {"timeout", required_argument, NULL, 's'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    opt->timeout_s = 1;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread yet */
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        int err = 0;
        if (c == 't')
            err = parse_topic(opt, optarg);
        else if (c == 'f')
            opt->bootstrap_file = optarg;
        else if (c == 'p')
            opt->probe = optarg;
        else if (c == 's' && parse_number(optarg, MAX_TIMEOUT_S, &opt->timeout_s) != 0)
            err = fail_usage("--timeout takes 1 to 3600 seconds", optarg);
        else if (c == 'V' || c == 'h')
            return fputs(c == 'h' ? usage : "imc-devbus " IMC_VERSION "\n", stdout) < 0 ? -EIO : 1;
        else if (c == '?')
            err = -EINVAL; /* getopt has said what */
        if (err != 0)
            return err;
    }
    return optind == argc ? 0 : fail_usage("unexpected argument", argv[optind]);
}

/* NULL on failure, which is told on stderr. */
static rd_kafka_t *kafka_new(const char *brokers)
{
    char err[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk;

    if (rd_kafka_conf_set(conf, "client.id", "imc-devbus", err, sizeof err) != RD_KAFKA_CONF_OK ||
        (brokers != NULL && rd_kafka_conf_set(conf, "bootstrap.servers", brokers, err,
                                              sizeof err) != RD_KAFKA_CONF_OK)) {
        rd_kafka_conf_destroy(conf);
        fprintf(stderr, "imc-devbus: %s\n", err);
        return NULL;
    }
    /* No notices: as the cluster librdkafka says that it has no brokers, and while probing a
     * refused connection is expected. */
    (void)rd_kafka_conf_set(conf, "log_level", "4", err, sizeof err);
    if (brokers != NULL)
        rd_kafka_conf_set_log_cb(conf, NULL);
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof err);
    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        fprintf(stderr, "imc-devbus: librdkafka: %s\n", err);
    }
    return rk;
}

static int probe(const struct devbus_options *opt)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_t *rk = kafka_new(opt->probe);
    rd_kafka_resp_err_t err;
    int brokers;

    if (rk == NULL)
        return EXIT_FAILURE;
    err = rd_kafka_metadata(rk, 0, NULL, &metadata, opt->timeout_s * 1000);
    brokers = err == RD_KAFKA_RESP_ERR_NO_ERROR ? metadata->broker_cnt : 0;
    if (metadata != NULL)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(rk);
    if (brokers > 0) {
        printf("%d broker%s\n", brokers, brokers == 1 ? "" : "s");
        return EXIT_SUCCESS;
    }
    fprintf(stderr, "imc-devbus: no Kafka broker answers at %s within %d s: %s\n", opt->probe,
            opt->timeout_s, rd_kafka_err2str(err));
    return EXIT_FAILURE;
}

/* Writes the file at once, as a whole, because readers poll for it. 0, or -E…, which is told on
 * stderr. */
static int write_bootstrap(const char *path, const char *bootstraps)
{
    char tmp[4096];
    int n = snprintf(tmp, sizeof tmp, "%s.tmp", path), err = 0;
    FILE *file;

    if (n < 0 || (size_t)n >= sizeof tmp)
        return fail_usage("--bootstrap-file: the path is too long", path);
    file = fopen(tmp, "w");
    if (file == NULL) {
        err = -errno;
        goto out;
    }
    if (fprintf(file, "%s\n", bootstraps) < 0)
        err = -EIO;
    if (fclose(file) != 0 && err == 0)
        err = -errno;
    if (err == 0 && rename(tmp, path) != 0)
        err = -errno;
    if (err != 0)
        (void)unlink(tmp);
out:
    if (err != 0) {
        errno = -err;
        perror("imc-devbus: cannot write the bootstrap file");
    }
    return err;
}

/* Waits until librdkafka's cluster thread sleeps again. That thread reads its wake-up pipe after it
 * has looked at its queue, so a request in between would wait for a poll() of one second. */
static void let_cluster_sleep(void)
{
    static const struct timespec moment = {.tv_nsec = 5000000};

    (void)nanosleep(&moment, NULL);
}

static int create_topics(rd_kafka_mock_cluster_t *cluster, const struct devbus_options *opt)
{
    for (int i = 0; i < opt->n_topics; i++) {
        const struct topic *topic = &opt->topics[i];
        let_cluster_sleep();
        rd_kafka_resp_err_t err =
            rd_kafka_mock_topic_create(cluster, topic->name, topic->partitions, 1);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            fprintf(stderr, "imc-devbus: topic %s:%d: %s\n", topic->name, topic->partitions,
                    rd_kafka_err2str(err));
            return -EINVAL;
        }
        printf("topic %s with %d partitions\n", topic->name, topic->partitions);
    }
    return 0;
}

static int serve_cluster(rd_kafka_mock_cluster_t *cluster, const struct devbus_options *opt,
                         const sigset_t *signals)
{
    const char *bootstraps = rd_kafka_mock_cluster_bootstraps(cluster);
    int sig, err = create_topics(cluster, opt);

    if (err == 0 && opt->bootstrap_file != NULL)
        err = write_bootstrap(opt->bootstrap_file, bootstraps);
    if (err != 0)
        return EXIT_FAILURE;
    printf("imc-devbus " IMC_VERSION " serves at %s\n"
           "FOR DEVELOPMENT ONLY: keeps about 5 MB a partition in memory and drops what is older "
           "without a word\n",
           bootstraps);
    (void)fflush(stdout);
    (void)sigwait(signals, &sig);
    if (opt->bootstrap_file != NULL)
        (void)unlink(opt->bootstrap_file);
    printf("ended by signal %d\n", sig);
    return EXIT_SUCCESS;
}

static int serve(const struct devbus_options *opt)
{
    rd_kafka_mock_cluster_t *cluster;
    rd_kafka_t *rk;
    sigset_t signals;
    int code = EXIT_FAILURE;

    /* Signals are blocked before librdkafka starts threads, which inherit that. So only sigwait()
     * receives them. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    rk = kafka_new(NULL);
    if (rk == NULL)
        return code;
    cluster = rd_kafka_mock_cluster_new(rk, 1);
    if (cluster == NULL) {
        fputs("imc-devbus: librdkafka cannot start its mock cluster\n", stderr);
        goto out;
    }
    code = serve_cluster(cluster, opt, &signals);
    rd_kafka_mock_cluster_destroy(cluster);
out:
    rd_kafka_destroy(rk);
    return code;
}

int main(int argc, char **argv)
{
    struct devbus_options opt = {0};
    int err = parse_options(&opt, argc, argv);

    if (err != 0)
        return err > 0 ? EXIT_SUCCESS : EXIT_USAGE;
    return opt.probe != NULL ? probe(&opt) : serve(&opt);
}
