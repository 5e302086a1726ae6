#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include "common/net/address.h"
#include "common/tls/engine.h"
#include "common/tls/tls.h"
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define HEALTH_SECONDS 3
#define HEALTH_ANSWER  8192

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, DAEMON_CHECK},
    {"dump-config", no_argument, NULL, DAEMON_DUMP},
    {"version", no_argument, NULL, DAEMON_VERSION},
    {"help", no_argument, NULL, DAEMON_HELP},
    {"health", no_argument, NULL, DAEMON_HEALTH},
    {"new-key", required_argument, NULL, DAEMON_NEW_KEY},
    {"doc-config", no_argument, NULL, DAEMON_DOC_CONFIG},
    {"doc-metrics", no_argument, NULL, DAEMON_DOC_METRICS},
    {0},
};

void daemon_print_help(const struct daemon_spec *spec)
{
    printf(
        "imc-%s %s - %s\n\n"
        "usage: imc-%s [-c FILE] [command]\n\n"
        "  -c, --config FILE  read settings from FILE; IMC_<DAEMON>_<SECTION>_<KEY> in the "
        "environment wins\n"
        "      --check        check the configuration and exit\n"
        "      --dump-config  print the configuration in force, every setting explained, and exit\n"
        "      --health       ask a running daemon (admin.listen) whether it is ready; exit 0 if "
        "so\n"
        "      --new-key NAME SCOPES\n"
        "                     make a key with some of the scopes push,read,admin; print it, then "
        "its line for\n"
        "                     the file of keys, and exit\n"
        "      --doc-config   print the settings as Markdown\n"
        "      --doc-metrics  print the metrics as Markdown\n"
        "      --version      print the version\n"
        "      --help         print this\n",
        spec->name, IMC_VERSION, spec->summary, spec->name);
    for (const struct daemon_own_command *own = spec->own_commands;
         own != NULL && own->name != NULL; own++)
        printf("      --%s %s\n                     %s\n", own->name,
               own->argument != NULL ? own->argument : "", own->help);
    puts("\nSIGTERM and SIGINT drain and exit; a second one exits at once. SIGHUP reads keys and "
         "certificates "
         "anew; settings are read at the start only.");
}

static int usage(const struct daemon_spec *spec, const char *what, const char *argument)
{
    fprintf(stderr, "imc-%s: %s %s; --help lists what there is\n", spec->name, what, argument);
    return -EINVAL;
}

/* Writes the daemon's own commands to AT. */
static void add_own(const struct daemon_spec *spec, struct option *at)
{
    for (int i = 0; spec->own_commands != NULL && spec->own_commands[i].name != NULL; i++) {
        const struct daemon_own_command *own = &spec->own_commands[i];
        assert(i + 1 < DAEMON_OWN_MAX);
        *at++ = (struct option){own->name, own->argument != NULL ? required_argument : no_argument,
                                NULL, DAEMON_OWN_COMMAND + i};
    }
}

int daemon_parse(const struct daemon_spec *spec, int argc, char **argv,
                 struct daemon_arguments *arguments)
{
    int option;
    struct option all[sizeof(options) / sizeof(options[0]) + DAEMON_OWN_MAX] = {0};
    memcpy(all, options, sizeof(options));
    add_own(spec, &all[sizeof(options) / sizeof(options[0]) - 1]);
    arguments->command = DAEMON_RUN;
    arguments->path = NULL;
    opterr = 0;
    optind = 1;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs yet */
    while ((option = getopt_long(argc, argv, ":c:h", all, NULL)) != -1) {
        if (option == 'c')
            arguments->path = optarg;
        else if (option == ':')
            return usage(spec, "a value is missing after", argv[optind - 1]);
        else if (option == '?')
            return usage(spec, "unknown option", argv[optind - 1]);
        else if (arguments->command != DAEMON_RUN)
            return usage(spec, "one command at a time, not also", argv[optind - 1]);
        else
            arguments->command = option == 'h' ? DAEMON_HELP : (enum daemon_command)option;
        if (option >= DAEMON_OWN_COMMAND || option == DAEMON_NEW_KEY)
            arguments->argument = optarg;
    }
    if (arguments->command == DAEMON_NEW_KEY) {
        arguments->scopes = optind < argc ? argv[optind++] : NULL;
        if (arguments->scopes == NULL)
            return usage(spec, "SCOPES are missing after --new-key", arguments->argument);
    }
    return optind < argc ? usage(spec, "unexpected argument", argv[optind]) : 0;
}

/* Returns a connected socket, or -E…. */
static int health_connect(const char *host, const char *port)
{
    struct addrinfo *list, *at;
    struct timeval limit = {.tv_sec = HEALTH_SECONDS};
    int fd = -1, err = EHOSTUNREACH;
    if (address_lookup(host, port, AF_UNSPEC, 0, &list) != 0)
        return -EHOSTUNREACH;
    for (at = list; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
            continue;
        err = errno;
        close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    return fd < 0 ? -err : fd;
}

/* One question to a daemon: over ENGINE, or in plain text if that is NULL. */
struct question {
    int fd;
    struct tls_engine *engine;
};

/* Sends what ENGINE has. 0, or -E…. */
static int question_flush(const struct question *question)
{
    const uint8_t *bytes;
    size_t len;
    while ((len = tls_engine_output(question->engine, &bytes)) > 0) {
        ssize_t n = send(question->fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0)
            return -errno;
        tls_engine_sent(question->engine, (size_t)n);
    }
    return 0;
}

/* Feeds ENGINE what comes. 0; 1: the end; -E…. */
static int question_feed(const struct question *question)
{
    char bytes[4096];
    ssize_t n = recv(question->fd, bytes, sizeof(bytes), 0);
    if (n <= 0)
        return n == 0 ? 1 : -errno;
    tls_engine_feed(question->engine, bytes, (size_t)n);
    return 0;
}

static int question_shake(const struct question *question)
{
    char none[1];
    int rc = question_flush(question);
    while (rc == 0 && tls_engine_state(question->engine) == TLS_HANDSHAKE) {
        rc = question_feed(question);
        (void)tls_engine_read(question->engine, none, 1); /* a server does not speak first */
        if (rc == 0)
            rc = question_flush(question);
    }
    if (rc == 0 && tls_engine_state(question->engine) != TLS_OPEN)
        rc = -EPROTO;
    return rc > 0 ? -ECONNRESET : rc;
}

static int question_send(const struct question *question, const char *text, size_t len)
{
    if (question->engine == NULL)
        return send(question->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -errno;
    int rc = question_shake(question);
    if (rc == 0 && tls_engine_write(question->engine, text, len) != len)
        rc = -EPROTO;
    return rc == 0 ? question_flush(question) : rc;
}

/* As recv(). */
static ssize_t question_read(const struct question *question, char *buf, size_t len)
{
    if (question->engine == NULL) {
        ssize_t n = recv(question->fd, buf, len, 0);
        return n < 0 ? -errno : n;
    }
    for (;;) {
        size_t n = tls_engine_read(question->engine, buf, len);
        int rc =
            n == 0 && tls_engine_state(question->engine) == TLS_OPEN ? question_feed(question) : 1;
        if (rc != 0)
            return rc < 0 ? rc : (ssize_t)n;
    }
}

/* Sends the request and reads the whole answer into BUF, with a NUL behind it. Its length, or
 * -E…. */
static ssize_t health_ask(const struct question *question, char *buf, size_t size)
{
    static const char request[] =
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    size_t used = 0;
    ssize_t n = question_send(question, request, sizeof(request) - 1);
    if (n < 0)
        return n;
    while ((n = question_read(question, buf + used, size - 1 - used)) > 0)
        used += (size_t)n;
    if (n < 0 && used == 0)
        return n == -EAGAIN ? -ETIMEDOUT : n;
    buf[used] = '\0';
    return (ssize_t)used;
}

/* An engine to ask this machine's own daemon. Its certificate is for the names by which others know
 * it, so it is not checked. NULL: none, after a line on stderr. */
static struct tls_engine *health_engine(const struct daemon_config *config, struct tls **tls)
{
    const struct tls_client_options unchecked = {.name = "health", .insecure = true};
    struct tls_settings settings;
    struct tls_client *client;
    char err[TLS_ERROR_MAX];
    daemon_tls_settings(config, &settings);
    if (tls_open(&settings, tls, err, sizeof(err)) == 0 &&
        tls_client_open(*tls, &unchecked, &client, err, sizeof(err)) == 0)
        return tls_engine_connect(client, "localhost", NULL);
    fprintf(stderr, "%s\n", err);
    return NULL;
}

int daemon_health(const struct daemon_config *config)
{
    char answer[HEALTH_ANSWER];
    struct address address;
    struct tls *tls = NULL;
    struct question question = {0};
    const char *listen = config->admin_listen;
    if (address_parse(listen, strlen(listen), &address) != 0) {
        fprintf(stderr, "admin.listen is empty: there is nothing to ask\n");
        return 1;
    }
    if (config->admin_tls && (question.engine = health_engine(config, &tls)) == NULL)
        return 1;
    question.fd = health_connect(address_reached(address.host), address.port_text);
    ssize_t n = question.fd;
    if (question.fd >= 0) {
        n = health_ask(&question, answer, sizeof(answer));
        close(question.fd);
    }
    tls_engine_free(question.engine);
    tls_close(tls);
    if (n < 0) {
        fprintf(stderr, "no answer from %s: %s\n", listen, uv_strerror((int)n));
        return 1;
    }
    const char *body = strstr(answer, "\r\n\r\n");
    if (strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 8, " 200", 4) == 0)
        return 0;
    fputs(body != NULL ? body + 4 : answer, stdout);
    return 1;
}
