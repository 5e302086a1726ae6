#include "router/comets.h"
#include "common/map.h"
#include "common/mem.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How long the last epoch of a comet that is gone is kept: longer than any batch is under way. */
enum { TOMB_MS = 60000, LIVES_MAX = UINT16_MAX };

struct comets *comets_new(uint64_t grace_ms)
{
    struct comets *comets = mem_zalloc(sizeof *comets);

    comets->by_id = strmap_new();
    comets->grace_ms = grace_ms;
    comets->lives_capacity = 16;
    comets->lives = mem_zalloc(comets->lives_capacity * sizeof *comets->lives);
    comets->n_lives = 1;
    comets->lives[LIFE_NONE].dead = true;
    return comets;
}

void comets_free(struct comets *comets)
{
    if (comets == NULL)
        return;
    for (size_t i = 0; i < comets->n; i++)
        free(comets->all[i]);
    strmap_free(comets->by_id);
    free(comets->all);
    free(comets->lives);
    free(comets);
}

struct comet *comets_find(const struct comets *comets, const char *id)
{
    return strmap_get(comets->by_id, id, strlen(id));
}

static struct comet *comet_add(struct comets *comets, const char *id, uint64_t epoch)
{
    struct comet *comet = mem_zalloc(sizeof *comet);
    size_t len = strlen(id);

    assert(len <= COMET_ID_MAX);
    memcpy(comet->id, id, len + 1);
    comet->epoch = epoch;
    if (comets->n == comets->capacity) {
        comets->capacity = comets->capacity == 0 ? 16 : comets->capacity * 2;
        comets->all = mem_realloc(comets->all, comets->capacity * sizeof(struct comet *));
    }
    comets->all[comets->n++] = comet;
    strmap_set(comets->by_id, comet->id, len, comet);
    return comet;
}

static void comet_remove(struct comets *comets, size_t index)
{
    struct comet *comet = comets->all[index];

    strmap_del(comets->by_id, comet->id, strlen(comet->id));
    comets->all[index] = comets->all[--comets->n];
    free(comet);
}

static void life_free(struct comets *comets, uint16_t number)
{
    struct life *life = &comets->lives[number];

    life->comet->lives--;
    *life = (struct life){.dead = true, .next_free = comets->free_life};
    comets->free_life = number;
}

static void comet_kill_life(struct comets *comets, struct comet *comet)
{
    uint16_t number = comet->life;
    struct life *life = &comets->lives[number];

    if (number == LIFE_NONE)
        return;
    comet->life = LIFE_NONE;
    life->dead = true;
    comets->live_sessions -= life->sessions;
    comets->dead_sessions += life->sessions;
    if (life->sessions == 0)
        life_free(comets, number);
    else
        comets->deaths++;
}

void comet_unregister(struct comet *comet)
{
    comet->loops = 0;
    comet->loops_registered = 0;
    memset(comet->registered, 0, sizeof comet->registered);
}

static void comet_set_epoch(struct comets *comets, struct comet *comet, uint64_t epoch)
{
    comet_kill_life(comets, comet);
    comet_unregister(comet);
    comet->epoch = epoch;
}

static void comet_be_guest(const struct comets *comets, struct comet *comet, uint64_t now_ms)
{
    comet->state = COMET_GUEST;
    comet->deadline_ms = now_ms + comets->grace_ms;
}

static void comet_be_gone(struct comets *comets, struct comet *comet, uint64_t now_ms)
{
    comet_kill_life(comets, comet);
    comet_unregister(comet);
    comet->state = COMET_GONE;
    comet->deadline_ms = now_ms + TOMB_MS;
}

int comets_see(struct comets *comets, const char *id, uint64_t epoch, uint64_t now_ms,
               struct comet **comet)
{
    size_t len = strlen(id);

    if (len == 0 || len > COMET_ID_MAX || epoch == 0)
        return -EINVAL;
    struct comet *known = strmap_get(comets->by_id, id, len);
    if (known == NULL) {
        if (comets->n == COMETS_MAX)
            return -ENOSPC;
        known = comet_add(comets, id, epoch);
        comet_be_guest(comets, known, now_ms);
    } else if (epoch < known->epoch || (epoch == known->epoch && known->state == COMET_GONE)) {
        return -ESTALE;
    } else if (epoch > known->epoch) {
        comet_set_epoch(comets, known, epoch);
        comet_be_guest(comets, known, now_ms);
    }
    *comet = known;
    return 0;
}

static uint16_t life_take(struct comets *comets)
{
    uint16_t number = comets->free_life;

    if (number != LIFE_NONE) {
        comets->free_life = comets->lives[number].next_free;
        return number;
    }
    if (comets->n_lives > LIVES_MAX)
        return LIFE_NONE;
    if (comets->n_lives == comets->lives_capacity) {
        comets->lives_capacity *= 2;
        comets->lives = mem_realloc(comets->lives, comets->lives_capacity * sizeof *comets->lives);
    }
    return (uint16_t)comets->n_lives++;
}

uint16_t comets_life(struct comets *comets, struct comet *comet)
{
    if (comet->life != LIFE_NONE || comet->state == COMET_GONE)
        return comet->life;
    uint16_t number = life_take(comets);
    if (number == LIFE_NONE)
        return LIFE_NONE;
    comets->lives[number] = (struct life){.comet = comet, .epoch = comet->epoch};
    comet->life = number;
    comet->lives++;
    return number;
}

uint16_t comets_life_of(const struct comets *comets, const char *id, uint64_t epoch)
{
    struct comet *comet = comets_find(comets, id);

    return comet != NULL && comet->epoch == epoch ? comet->life : LIFE_NONE;
}

void comets_take(struct comets *comets, uint16_t life)
{
    assert(!comets->lives[life].dead);
    comets->lives[life].sessions++;
    comets->live_sessions++;
}

void comets_release(struct comets *comets, uint16_t life)
{
    struct life *its = &comets->lives[life];

    assert(its->sessions > 0);
    its->sessions--;
    if (!its->dead) {
        comets->live_sessions--;
        return;
    }
    comets->dead_sessions--;
    if (its->sessions == 0)
        life_free(comets, life);
}

/* True if this changed what is believed of the comet. */
static bool comet_shown(struct comets *comets, struct comet *comet, uint64_t epoch)
{
    bool changed = comet->member_epoch != epoch;

    comet->listed = true;
    comet->member_epoch = epoch;
    if (epoch < comet->epoch && comet->state == COMET_GUEST)
        return changed; /* its next life has put sessions already: membership will follow */
    if (epoch != comet->epoch)
        comet_set_epoch(comets, comet, epoch);
    comet->state = COMET_MEMBER;
    return changed;
}

bool comets_members(struct comets *comets, const struct member_list *list, uint64_t now_ms)
{
    bool changed = false;

    for (size_t i = 0; i < comets->n; i++)
        comets->all[i]->listed = false;
    for (size_t i = 0; i < list->n; i++) {
        const struct member *member = &list->members[i];
        struct comet *comet = comets_find(comets, member->id);
        if (comet == NULL)
            comet = comet_add(comets, member->id, member->epoch);
        changed |= comet_shown(comets, comet, member->epoch);
    }
    for (size_t i = 0; i < comets->n; i++) {
        struct comet *comet = comets->all[i];
        if (comet->listed)
            continue;
        changed |= comet->member_epoch != 0;
        comet->member_epoch = 0;
        if (comet->state == COMET_MEMBER)
            comet_be_gone(comets, comet, now_ms);
    }
    return changed;
}

void comets_forget(struct comets *comets, const char *id)
{
    struct comet *comet = comets_find(comets, id);

    if (comet != NULL)
        comet_kill_life(comets, comet);
}

void comets_forget_all(struct comets *comets)
{
    for (size_t i = 0; i < comets->n; i++) {
        comet_kill_life(comets, comets->all[i]);
        comet_unregister(comets->all[i]);
    }
}

/* Nobody but puts spoke for this epoch. Membership may still show an older one: then that is the
 * comet. */
static void guest_expire(struct comets *comets, struct comet *comet, uint64_t now_ms)
{
    comet_be_gone(comets, comet, now_ms);
    if (comet->member_epoch != 0)
        comet_shown(comets, comet, comet->member_epoch);
}

void comets_tick(struct comets *comets, uint64_t now_ms, bool reading)
{
    for (size_t i = 0; i < comets->n;) {
        struct comet *comet = comets->all[i];
        bool due = comet->state != COMET_MEMBER && comet->deadline_ms <= now_ms;
        if (comet->state == COMET_GUEST && !reading)
            comet->deadline_ms = now_ms + comets->grace_ms;
        else if (due && comet->state == COMET_GUEST)
            guest_expire(comets, comet, now_ms);
        else if (due && comet->lives == 0) {
            comet_remove(comets, i); /* the last one took its place */
            continue;
        }
        i++;
    }
}

size_t comets_alive(const struct comets *comets)
{
    size_t alive = 0;

    for (size_t i = 0; i < comets->n; i++)
        alive += comets->all[i]->state != COMET_GONE;
    return alive;
}

size_t comets_bytes(const struct comets *comets)
{
    return comets->n * (sizeof(struct comet) + sizeof(struct comet *)) +
           comets->lives_capacity * sizeof(struct life);
}
