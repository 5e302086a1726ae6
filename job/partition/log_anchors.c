#include "job/partition/log_anchors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVEL_SHIFT = 4 };

_Static_assert(ANCHOR_SLOTS == 1 << LEVEL_SHIFT, "a level has as many slots as there are steps to "
                                                 "the next one");

void log_anchors_init(struct log_anchors *anchors)
{
    for (int level = 0; level < ANCHOR_LEVELS; level++) {
        for (int slot = 0; slot < ANCHOR_SLOTS; slot++)
            anchors->at[level][slot] = (struct log_anchor){.offset = -1};
    }
}

void log_anchors_add(struct log_anchors *anchors, int64_t offset, uint64_t mark)
{
    uint64_t rest = (uint64_t)offset;

    for (int level = 0; level < ANCHOR_LEVELS; level++) {
        anchors->at[level][rest % ANCHOR_SLOTS] = (struct log_anchor){offset, mark};
        if (rest % ANCHOR_SLOTS != 0)
            return;
        rest >>= LEVEL_SHIFT;
    }
}

struct log_anchor log_anchors_below(const struct log_anchors *anchors, int64_t offset)
{
    struct log_anchor best = {.offset = -1};

    for (int level = 0; level < ANCHOR_LEVELS; level++) {
        for (int slot = 0; slot < ANCHOR_SLOTS; slot++) {
            const struct log_anchor *anchor = &anchors->at[level][slot];
            if (anchor->offset < offset && anchor->offset > best.offset)
                best = *anchor;
        }
    }
    return best;
}

size_t log_anchor_write(struct log_anchor anchor, char text[ANCHOR_TEXT_MAX])
{
    if (anchor.offset < 0)
        return 0;
    return (size_t)snprintf(text, ANCHOR_TEXT_MAX, "imc1 %" PRId64 " %016" PRIx64, anchor.offset,
                            anchor.mark);
}

struct log_anchor log_anchor_read(const char *text, size_t len)
{
    const struct log_anchor none = {.offset = -1};
    struct log_anchor anchor;
    char copy[ANCHOR_TEXT_MAX], again[ANCHOR_TEXT_MAX], *end;

    if (text == NULL || len >= sizeof copy)
        return none;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (strncmp(copy, "imc1 ", 5) != 0)
        return none;
    anchor.offset = strtoll(copy + 5, &end, 10);
    anchor.mark = strtoull(end, NULL, 16);
    /* If it is the same when written again, nothing else was in the text. */
    if (log_anchor_write(anchor, again) != len || memcmp(copy, again, len) != 0)
        return none;
    return anchor;
}
