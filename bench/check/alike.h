/* alike.h - a run of frames that are all the same. Pure functions. */
#ifndef IMC_BENCH_CHECK_ALIKE_H
#define IMC_BENCH_CHECK_ALIKE_H

#include <stddef.h>
#include <stdint.h>

/* The number of whole frames equal to FRAME (of SIZE bytes, at least 1) at the start of DATA. */
size_t alike_count(const uint8_t *data, size_t len, const uint8_t *frame, size_t size);

#endif
