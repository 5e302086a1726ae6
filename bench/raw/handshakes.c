#include "bench/raw/handshakes.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the children share. */
struct tally {
    _Atomic uint64_t full, resumed, failed;
    _Atomic bool stop;
};

/* --- a client --- */

static SSL_SESSION *newest; /* this process's */

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(newest);
    newest = session;
    return 1; /* kept */
}

static SSL_CTX *open_context(const struct handshakes_options *options)
{
    static char groups[] = "X25519:P-256"; /* a key of the first; that of the certificate */
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    SSL_CTX_set_min_proto_version(context, options->version);
    SSL_CTX_set_max_proto_version(context, options->version);
    SSL_CTX_set1_groups_list(context, groups);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY); /* SSL_read() returns behind a ticket */
    return context;
}

/* -1: it cannot be reached. What it says is waited for 5 s. */
static int dial(const struct addrinfo *address)
{
    const struct linger cut = {.l_onoff = 1}; /* or its port would be taken for a minute */
    const struct timeval most = {.tv_sec = 5};
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &cut, sizeof cut) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) == 0 &&
        connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* One connection. The server's work for it is done when it returns: with TLS 1.3 the ticket shows
 * that the server has read the client's last word. */
static void shake(const struct handshakes_options *options, SSL_CTX *context,
                  const struct addrinfo *address, struct tally *tally)
{
    char none[1];
    SSL_SESSION *shown = options->resume ? newest : NULL;
    int fd = dial(address);
    SSL *ssl = SSL_new(context);

    if (shown != NULL)
        SSL_set_session(ssl, shown);
    SSL_set_fd(ssl, fd);
    SSL_SESSION *before = newest;
    bool ok = fd >= 0 && SSL_connect(ssl) == 1;
    if (ok && options->version == TLS1_3_VERSION) {
        SSL_read(ssl, none, sizeof none);
        ok = newest != before;
    }
    if (!ok)
        tally->failed++;
    else if (SSL_session_reused(ssl) == 1)
        tally->resumed++;
    else
        tally->full++;
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* the session stays good */
    SSL_free(ssl);
    if (fd >= 0)
        close(fd);
}

static void run_client(const struct handshakes_options *options, const struct addrinfo *address,
                       struct tally *tally)
{
    SSL_CTX *context = open_context(options);

    while (!tally->stop)
        shake(options, context, address, tally);
    SSL_SESSION_free(newest);
    SSL_CTX_free(context);
}

/* --- all of them --- */

static double cpu_of(clockid_t clock)
{
    struct timespec at = {0};

    clock_gettime(clock, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

static int fork_all(const struct handshakes_options *options, const struct addrinfo *address,
                    struct tally *tally, pid_t *children)
{
    for (unsigned i = 0; i < options->clients; i++) {
        children[i] = fork();
        if (children[i] < 0)
            return -errno;
        if (children[i] == 0) {
            run_client(options, address, tally);
            _exit(0);
        }
    }
    return 0;
}

static struct handshakes_result counts(const struct tally *tally)
{
    return (struct handshakes_result){
        .full = tally->full, .resumed = tally->resumed, .failed = tally->failed};
}

static void wait_s(double seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* The first half second is not measured: clients get their tickets, the server its memory. */
static struct handshakes_result measure(const struct handshakes_options *options,
                                        const struct tally *tally, clockid_t cpu)
{
    wait_s(0.5);
    struct handshakes_result before = counts(tally);
    double cpu_s = cpu_of(cpu), wall_s = cpu_of(CLOCK_MONOTONIC);
    wait_s(options->seconds);
    struct handshakes_result after = counts(tally);
    after.full -= before.full;
    after.resumed -= before.resumed;
    after.failed -= before.failed;
    after.cpu_s = cpu_of(cpu) - cpu_s;
    after.wall_s = cpu_of(CLOCK_MONOTONIC) - wall_s;
    return after;
}

int handshakes_measure(const struct handshakes_options *options, struct handshakes_result *result)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *address = NULL;
    clockid_t cpu;

    if (clock_getcpuclockid(options->server, &cpu) != 0)
        return -ESRCH;
    if (getaddrinfo(options->host, options->port, &hints, &address) != 0)
        return -EINVAL;
    struct tally *tally =
        mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t *children = calloc(options->clients, sizeof *children);
    int rc = tally == MAP_FAILED || children == NULL ? -ENOMEM
                                                     : fork_all(options, address, tally, children);
    if (rc == 0)
        *result = measure(options, tally, cpu);
    if (tally != MAP_FAILED)
        tally->stop = true;
    for (unsigned i = 0; children != NULL && i < options->clients && children[i] > 0; i++)
        waitpid(children[i], NULL, 0);
    if (tally != MAP_FAILED)
        munmap(tally, sizeof *tally);
    free(children);
    freeaddrinfo(address);
    return rc;
}
