/* imc-rawsend - prints the raw limit of this machine: how many send() calls one process makes per
 * CPU-second, in rounds over N sockets, while another process drains them. No fan-out server can do
 * better. */
#include "bench/raw/raw.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: imc-rawsend [--sockets N] [--bytes B] [--seconds S] [--ahead ROUNDS]\n"
    "\n"
    "Sends frames of B bytes (64) to N sockets (10000), one after the other, for S seconds (3); "
    "waits\n"
    "when the reader is ROUNDS rounds (3) behind. Prints send() calls per CPU-second of the "
    "sender.\n";

static int number(const char *name, const char *text, double min, double max, double *out)
{
    char *end;
    double value = strtod(text, &end);

    if (end != text && *end == '\0' && value >= min && value <= max) {
        *out = value;
        return 0;
    }
    fprintf(stderr, "imc-rawsend: --%s %s: a number from %.0f to %.0f is wanted\n", name, text, min,
            max);
    return -EINVAL;
}

static int apply(struct raw_options *options, int c, const char *text)
{
    double value = 0;
    int failed;

    switch (c) {
    case 'n':
        failed = number("sockets", text, 1, 1e6, &value);
        options->sockets = (size_t)value;
        return failed;
    case 'b':
        failed = number("bytes", text, 1, 1e6, &value);
        options->bytes = (size_t)value;
        return failed;
    case 's':
        return number("seconds", text, 0.1, 3600, &options->seconds);
    case 'a':
        failed = number("ahead", text, 1, 1000, &value);
        options->rounds_ahead = (unsigned)value;
        return failed;
    default:
        return -EINVAL;
    }
}

/* 0; 1: help was printed; -EINVAL, which is told on stderr. */
static int parse(int argc, char **argv, struct raw_options *options)
{
    static const struct option names[] = {
        {"sockets", required_argument, NULL, 'n'}, {"bytes", required_argument, NULL, 'b'},
        {"seconds", required_argument, NULL, 's'}, {"ahead", required_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the only thread */
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'h') {
            fputs(usage, stdout);
            return 1;
        }
        if (apply(options, c, optarg) != 0)
            return -EINVAL;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct raw_options options = {.sockets = 10000, .bytes = 64, .seconds = 3, .rounds_ahead = 3};
    struct raw_result result;
    char err[256];
    int failed = parse(argc, argv, &options);

    if (failed != 0)
        return failed > 0 ? 0 : 2;
    if (raw_measure(&options, &result, err, sizeof err) != 0) {
        fprintf(stderr, "imc-rawsend: %s\n", err);
        return 1;
    }
    printf(
        "%.0f send() per CPU-second, %.0f per second: %zu sockets, %zu bytes, %.2f s, CPU %.2f s",
        raw_per_cpu_s(&result), (double)result.writes / result.wall_s, result.sockets,
        options.bytes, result.wall_s, result.cpu_s);
    if (result.full > 0)
        printf(", %llu times a full socket", (unsigned long long)result.full);
    puts("");
    return 0;
}
