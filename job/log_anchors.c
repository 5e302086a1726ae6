#include "job/log_anchors.h"

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
