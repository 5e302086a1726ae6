#include "job/events/absences.h"
#include "common/containers/map.h"
#include "job/events/session_table.h"

#include <assert.h>
#include <stdlib.h>

static struct absence *absence_at(uint64_t value)
{
    return (struct absence *)(uintptr_t)value; /* NOLINT(performance-no-int-to-ptr) */
}

struct absence *absences_of(const struct absences *absences, int64_t uid)
{
    const uint64_t *value = map64_get(absences->users, (uint64_t)uid);

    return value != NULL ? absence_at(*value) : NULL;
}

struct absence *absences_find(const struct absences *absences, const struct session *session)
{
    struct absence *absence = absences_of(absences, session->uid);

    while (absence != NULL && absence->session != session)
        absence = absence->next;
    assert(absence != NULL);
    return absence;
}

void absences_add(struct absences *absences, struct absence *absence)
{
    struct absence *last = absences_of(absences, absence->uid);

    absence->next = NULL;
    absence->asked = false;
    while (last != NULL && last->next != NULL)
        last = last->next;
    if (last != NULL)
        last->next = absence;
    else
        map64_set(absences->users, (uint64_t)absence->uid, (uint64_t)(uintptr_t)absence);
    TAILQ_INSERT_TAIL(&absences->waiting, absence, link);
    absences->n++;
}

void absences_remove(struct absences *absences, struct absence *absence)
{
    struct absence *before = absences_of(absences, absence->uid);

    if (before == absence && absence->next == NULL) {
        map64_del(absences->users, (uint64_t)absence->uid);
    } else if (before == absence) {
        map64_set(absences->users, (uint64_t)absence->uid, (uint64_t)(uintptr_t)absence->next);
    } else {
        while (before->next != absence)
            before = before->next;
        before->next = absence->next;
    }
    if (absence->asked)
        TAILQ_REMOVE(&absences->asked, absence, link);
    else
        TAILQ_REMOVE(&absences->waiting, absence, link);
    absences->n--;
    free(absence);
}

void absences_asked(struct absences *absences, struct absence *absence)
{
    assert(!absence->asked);
    TAILQ_REMOVE(&absences->waiting, absence, link);
    absence->asked = true;
    TAILQ_INSERT_TAIL(&absences->asked, absence, link);
}

void absences_unasked(struct absences *absences, struct absence *absence)
{
    assert(absence->asked);
    TAILQ_REMOVE(&absences->asked, absence, link);
    absence->asked = false;
    TAILQ_INSERT_HEAD(&absences->waiting, absence, link);
}

void absences_init(struct absences *absences)
{
    *absences = (struct absences){.users = map64_new()};
    TAILQ_INIT(&absences->waiting);
    TAILQ_INIT(&absences->asked);
}

void absences_free(struct absences *absences)
{
    struct absence *absence;

    TAILQ_CONCAT(&absences->waiting, &absences->asked, link);
    while ((absence = TAILQ_FIRST(&absences->waiting)) != NULL) {
        TAILQ_REMOVE(&absences->waiting, absence, link);
        free(absence);
    }
    map64_free(absences->users);
}
