/* saturate.h - arithmetic that stops at the end of its range instead of wrapping. Any thread. */
#ifndef IMC_COMMON_BASE_SATURATE_H
#define IMC_COMMON_BASE_SATURATE_H

#include <stdint.h>

/* What is left of FROM without PART; 0 if PART is more. */
static inline uint64_t saturate_sub(uint64_t from, uint64_t part)
{
    return from > part ? from - part : 0;
}

#endif
