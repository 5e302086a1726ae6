/* imc-handshakes - prints how many TLS handshakes a server makes per second of its CPU. */
#include "bench/raw/handshakes.h"

#include <errno.h>
#include <getopt.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: imc-handshakes --pid PID [--version 1.3|1.2] [--resume] [--seconds S] [--clients N]\n"
    "                      ADDRESS PORT\n"
    "\n"
    "N clients (4) connect to ADDRESS, an IP address, shake hands, and cut, again and again for S\n"
    "seconds (5). Prints handshakes per second of process PID's CPU. The certificate is not "
    "checked.\n"
    "\n"
    "  --resume  all but each client's first resume a session\n";

enum { CLIENTS_MOST = 1000 };

/* 0: TEXT is no number from 1 to MOST. */
static long number(const char *text, long most)
{
    char *end;
    long value = strtol(text, &end, 10);

    return end != text && *end == '\0' && value >= 1 && value <= most ? value : 0;
}

/* False: it is not good. */
static bool apply(struct handshakes_options *options, int c, const char *text)
{
    switch (c) {
    case 'p':
        options->server = (pid_t)number(text, 1L << 30);
        return options->server > 0;
    case 'v':
        options->version = strcmp(text, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
        return strcmp(text, "1.2") == 0 || strcmp(text, "1.3") == 0;
    case 'r':
        options->resume = true;
        return true;
    case 's':
        options->seconds = (double)number(text, 3600);
        return options->seconds > 0;
    case 'c':
        options->clients = (unsigned)number(text, CLIENTS_MOST);
        return options->clients > 0;
    default:
        return false;
    }
}

static bool parse(int argc, char **argv, struct handshakes_options *options)
{
    static const struct option names[] = {
        {"pid", 1, NULL, 'p'},     {"version", 1, NULL, 'v'}, {"resume", 0, NULL, 'r'},
        {"seconds", 1, NULL, 's'}, {"clients", 1, NULL, 'c'}, {NULL, 0, NULL, 0},
    };

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the only thread */
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (!apply(options, c, optarg))
            return false;
    }
    if (optind != argc - 2 || options->server == 0)
        return false;
    options->host = argv[optind];
    options->port = argv[optind + 1];
    return true;
}

int main(int argc, char **argv)
{
    struct handshakes_options options = {.version = TLS1_3_VERSION, .seconds = 5, .clients = 4};
    struct handshakes_result result;

    if (!parse(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    int rc = handshakes_measure(&options, &result);
    if (rc != 0) {
        char why[128];
        fprintf(stderr, "imc-handshakes: %s\n",
                rc == -ESRCH ? "there is no process of that --pid"
                             : strerror_r(-rc, why, sizeof why));
        return 1;
    }
    double done = (double)(result.full + result.resumed);
    printf("%.0f per CPU-second: %.0f full, %.0f resumed, %.0f failed in %.2f s, CPU %.2f s\n",
           result.cpu_s > 0 ? done / result.cpu_s : 0, (double)result.full, (double)result.resumed,
           (double)result.failed, result.wall_s, result.cpu_s);
    return result.failed > 0 || done <= 0;
}
