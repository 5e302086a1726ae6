/* options.h - imc-bench's command line. */
#ifndef IMC_BENCH_MAIN_OPTIONS_H
#define IMC_BENCH_MAIN_OPTIONS_H

#include "bench/run/config.h"

/* 0; 1: help or version was printed; or -EINVAL, which is told on stderr. Strings are borrowed from
 * ARGV. */
int options_parse(int argc, char **argv, struct config *config);

#endif
