#include "job/log_anchors.h"

enum { LEVEL_SHIFT = 4 };

_Static_assert(ANCHOR_SLOTS == 1 << LEVEL_SHIFT, "a level has as many slots as there are steps to "
                                                 "the next one");

void anchors_init(struct anchors *anchors)
{
    for (int level = 0; level < ANCHOR_LEVELS; level++) {
        for (int slot = 0; slot < ANCHOR_SLOTS; slot++)
            anchors->at[level][slot] = (struct anchor){.offset = -1};
    }
}

void anchors_add(struct anchors *anchors, int64_t offset, uint64_t mark)
{
    uint64_t rest = (uint64_t)offset;

    for (int level = 0; level < ANCHOR_LEVELS; level++) {
        anchors->at[level][rest % ANCHOR_SLOTS] = (struct anchor){offset, mark};
        if (rest % ANCHOR_SLOTS != 0)
            return;
        rest >>= LEVEL_SHIFT;
    }
}

struct anchor anchors_below(const struct anchors *anchors, int64_t offset)
{
    struct anchor best = {.offset = -1};

    for (int level = 0; level < ANCHOR_LEVELS; level++) {
        for (int slot = 0; slot < ANCHOR_SLOTS; slot++) {
            const struct anchor *anchor = &anchors->at[level][slot];
            if (anchor->offset < offset && anchor->offset > best.offset)
                best = *anchor;
        }
    }
    return best;
}
