/* Data is a run of one frame if it begins with that frame, and every later byte is equal to the
 * byte one frame earlier:
 *
 *   data        F R A M E F R A M E F R A M E
 *   data + 5              F R A M E F R A M E F R A M E      one memcmp, at the speed of memory
 */
#include "bench/check/alike.h"

#include <string.h>

static size_t count_singly(const uint8_t *data, size_t len, const uint8_t *frame, size_t size)
{
    size_t n = 0;

    while ((n + 1) * size <= len && memcmp(data + n * size, frame, size) == 0)
        n++;
    return n;
}

size_t alike_count(const uint8_t *data, size_t len, const uint8_t *frame, size_t size)
{
    size_t n = len / size;

    if (n == 0 || memcmp(data, frame, size) != 0)
        return 0;
    if (memcmp(data, data + size, (n - 1) * size) == 0)
        return n;
    return count_singly(data, len, frame, size);
}
