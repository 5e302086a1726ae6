/* Events as they stand in events.topic, which anybody may have written. */
#include "common/protocol/json_scan.h"
#include "logic/feed/feed_ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed_event event;

    if (!feed_event_read(data, size, &event))
        return 0;
    assert(event.len <= size && event.text[event.len] == '\0');
    assert(event.text[0] == '{' && event.text[event.len - 1] == '}');
    assert(json_is_value((const uint8_t *)event.text, event.len));
    assert((event.type & (event.type - 1)) == 0);
    free(event.text);
    return 0;
}
