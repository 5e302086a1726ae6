/* former.h - daemons that were members and are none now, so that who looks at a list sees what is
 * missing from it. A lease does not say how a daemon went: it may have ended, or died, or hang.
 * Owner loop only. */
#ifndef IMC_COMMON_MEMBERSHIP_FORMER_H
#define IMC_COMMON_MEMBERSHIP_FORMER_H

#include "common/membership/membership.h"

enum {
    FORMER_MOST = 64,       /* of more, those that went first are forgotten */
    FORMER_FOR_MS = 3600000 /* and each after this time */
};

struct former_member {
    enum member_kind kind;
    char id[64];
    uint64_t gone_ms; /* Unix time at which it was no member any more */
};

struct former_members {
    size_t n;
    struct former_member gone[FORMER_MOST]; /* who went first comes first */
    struct {
        size_t n;
        char (*ids)[64]; /* as the last list had them */
    } known[MEMBER_KINDS];
};

/* LIST is that of KIND now: who was in the one before and is not in it has gone, who is in it is
 * back. For membership_events.changed(). All zeros are a valid start. */
void former_members_update(struct former_members *former, enum member_kind kind,
                           const struct member_list *list, uint64_t now_ms);
/* Forgets those that went too long ago. */
void former_members_age(struct former_members *former, uint64_t now_ms);
/* Frees what FORMER has, not FORMER. */
void former_members_free(struct former_members *former);

#endif
