/* rawsend - prints the raw limit of this machine: send() calls per CPU-second of one process to N
 * sockets, in rounds, another process draining them. What a fan-out server can at best reach. */
#include "bench/raw.h"

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

static double number(const char *name, const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (end != text && *end == '\0' && value >= min && value <= max)
        return value;
    fprintf(stderr, "imc-rawsend: --%s %s: a number from %.0f to %.0f is wanted\n", name, text, min,
            max);
    exit(2);
}

static void parse(int argc, char **argv, struct raw_options *options)
{
    static const struct option names[] = {
        {"sockets", required_argument, NULL, 'n'}, {"bytes", required_argument, NULL, 'b'},
        {"seconds", required_argument, NULL, 's'}, {"ahead", required_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };

    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'n':
            options->sockets = (size_t)number("sockets", optarg, 1, 1e6);
            break;
        case 'b':
            options->bytes = (size_t)number("bytes", optarg, 1, 1e6);
            break;
        case 's':
            options->seconds = number("seconds", optarg, 0.1, 3600);
            break;
        case 'a':
            options->rounds_ahead = (unsigned)number("ahead", optarg, 1, 1000);
            break;
        default:
            fputs(usage, c == 'h' ? stdout : stderr);
            exit(c == 'h' ? 0 : 2);
        }
    }
}

int main(int argc, char **argv)
{
    struct raw_options options = {.sockets = 10000, .bytes = 64, .seconds = 3, .rounds_ahead = 3};
    struct raw_result result;
    char err[256];

    parse(argc, argv, &options);
    if (raw_measure(&options, &result, err, sizeof err) != 0) {
        fprintf(stderr, "imc-rawsend: %s\n", err);
        return 1;
    }
    printf(
        "%.0f send() per CPU-second, %.0f per second: %zu sockets, %zu bytes, %.2f s, CPU %.2f s",
        raw_per_cpu_s(&result), (double)result.writes / result.wall_s, result.sockets,
        options.bytes, result.wall_s, result.cpu_s);
    printf(result.full > 0 ? ", %llu times a full socket\n" : "\n",
           (unsigned long long)result.full);
    return 0;
}
