#include "common/membership/former.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

static void forget(struct former_members *former, size_t i)
{
    former->n--;
    memmove(&former->gone[i], &former->gone[i + 1], (former->n - i) * sizeof former->gone[0]);
}

static bool is_in(const struct member_list *list, const char *id)
{
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->members[i].id, id) == 0)
            return true;
    }
    return false;
}

static void went(struct former_members *former, enum member_kind kind, const char *id,
                 uint64_t now_ms)
{
    if (former->n == FORMER_MOST)
        forget(former, 0);
    struct former_member *member = &former->gone[former->n++];
    *member = (struct former_member){.kind = kind, .gone_ms = now_ms};
    memcpy(member->id, id, sizeof member->id);
}

void former_members_update(struct former_members *former, enum member_kind kind,
                           const struct member_list *list, uint64_t now_ms)
{
    for (size_t i = former->n; i > 0; i--) {
        if (former->gone[i - 1].kind == kind && is_in(list, former->gone[i - 1].id))
            forget(former, i - 1);
    }
    for (size_t i = 0; i < former->known[kind].n; i++) {
        if (!is_in(list, former->known[kind].ids[i]))
            went(former, kind, former->known[kind].ids[i], now_ms);
    }
    free(former->known[kind].ids);
    former->known[kind].n = list->n;
    former->known[kind].ids = mem_alloc((list->n + 1) * sizeof former->known[kind].ids[0]);
    for (size_t i = 0; i < list->n; i++)
        memcpy(former->known[kind].ids[i], list->members[i].id, sizeof list->members[i].id);
    former_members_age(former, now_ms);
}

void former_members_age(struct former_members *former, uint64_t now_ms)
{
    while (former->n > 0 && former->gone[0].gone_ms + FORMER_FOR_MS < now_ms)
        forget(former, 0);
}

void former_members_free(struct former_members *former)
{
    for (size_t kind = 0; kind < MEMBER_KINDS; kind++)
        free(former->known[kind].ids);
    *former = (struct former_members){0};
}
