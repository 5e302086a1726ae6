#include "router/completeness.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MISSING_NAMED = 5, LOOPS_NAMED = 8 };

void completeness_init(struct completeness *completeness, struct comet_lives *comets)
{
    *completeness = (struct completeness){.comets = comets, .self = -1};
}

void completeness_close(struct completeness *completeness)
{
    ring_free(completeness->ring);
    completeness->ring = NULL;
}

void completeness_set_ring(struct completeness *completeness, struct ring *ring,
                           const struct member_list *list, const char *self)
{
    ring_free(completeness->ring);
    completeness->ring = ring;
    completeness->hash = ring_hash(ring);
    completeness->self = -1;
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->members[i].id, self) == 0)
            completeness->self = (int)i;
    for (size_t i = 0; i < completeness->comets->n; i++)
        comet_lives_unregister(completeness->comets->all[i]);
}

bool completeness_owns(const struct completeness *completeness, int64_t uid)
{
    if (completeness->self < 0)
        return true;
    return ring_find_uid(completeness->ring, uid) == completeness->self;
}

bool completeness_owns_room(const struct completeness *completeness, const char *room)
{
    if (completeness->self < 0)
        return true;
    return ring_find(completeness->ring, room, strlen(room)) == completeness->self;
}

int completeness_loop(struct known_comet *comet, uint32_t loop, uint32_t loops)
{
    if (loops == 0 || loops > COMET_LOOPS_MAX || loop >= loops)
        return -EINVAL;
    if (comet->loops != loops) {
        /* The first loop of this epoch under this ring, or a comet that changed its number of
         * loops: begins anew. */
        comet_lives_unregister(comet);
        comet->loops = loops;
    }
    uint64_t bit = (uint64_t)1 << loop % 64;
    if ((comet->registered[loop / 64] & bit) == 0) {
        comet->registered[loop / 64] |= bit;
        comet->loops_registered++;
    }
    return 0;
}

struct text {
    char *at;
    size_t left; /* at least 1, for the end */
};

/* Appends S; what does not fit is left out. */
static void text_add(struct text *text, const char *s)
{
    while (*s != '\0' && text->left > 1) {
        *text->at++ = *s++;
        text->left--;
    }
    *text->at = '\0';
}

static void text_add_number(struct text *text, const char *before, size_t number)
{
    char digits[24];

    (void)snprintf(digits, sizeof digits, "%zu", number);
    text_add(text, before);
    text_add(text, digits);
}

static void comet_missing(struct text *text, const struct known_comet *comet)
{
    uint32_t named = 0;

    text_add(text, comet->id);
    text_add(text, " loops=");
    if (comet->loops == 0) {
        text_add(text, "all");
        return;
    }
    for (uint32_t loop = 0; loop < comet->loops && named < LOOPS_NAMED; loop++)
        if ((comet->registered[loop / 64] >> loop % 64 & 1) == 0)
            text_add_number(text, named++ == 0 ? "" : ",", loop);
    uint32_t missing = comet->loops - comet->loops_registered;
    text_add_number(text, named < missing ? ",.../" : "/", comet->loops);
}

size_t completeness_missing(const struct completeness *completeness, char *buf, size_t len)
{
    struct text text = {.at = buf, .left = len};
    size_t missing = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < completeness->comets->n; i++) {
        const struct known_comet *comet = completeness->comets->all[i];
        if (completeness_has(comet))
            continue;
        if (missing < MISSING_NAMED) {
            text_add(&text, missing == 0 ? "" : " ");
            comet_missing(&text, comet);
        }
        missing++;
    }
    if (missing > MISSING_NAMED) {
        text_add_number(&text, " and ", missing - MISSING_NAMED);
        text_add(&text, " more");
    }
    return missing;
}
