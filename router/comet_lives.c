#include "router/comet_lives.h"
#include "common/base/array.h"
#include "common/base/mem.h"
#include "common/containers/map.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOMB_MS = 60000, /* an epoch that is over is remembered longer than any batch is under way */
    LIVES_MAX = UINT16_MAX,
    GUESTS_MAX = 4, /* epochs of one id that membership has not shown */
};

struct comet_lives *comet_lives_new(uint64_t grace_ms)
{
    struct comet_lives *comets = mem_zalloc(sizeof *comets);

    comets->by_id = strmap_new();
    comets->grace_ms = grace_ms;
    comets->lives_capacity = 16;
    comets->lives = mem_zalloc(comets->lives_capacity * sizeof *comets->lives);
    comets->n_lives = 1;
    comets->lives[LIFE_NONE].dead = true;
    return comets;
}

void comet_lives_free(struct comet_lives *comets)
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

/* The known epochs of ID, in no order; NULL: none is known. */
static struct known_comet *comets_chain(const struct comet_lives *comets, const char *id)
{
    return strmap_get(comets->by_id, id, strlen(id));
}

struct known_comet *comets_find(const struct comet_lives *comets, const char *id, uint64_t epoch)
{
    struct known_comet *comet = comets_chain(comets, id);

    while (comet != NULL && comet->epoch != epoch)
        comet = comet->next;
    return comet;
}

static struct known_comet *comet_add(struct comet_lives *comets, const char *id, uint64_t epoch)
{
    struct known_comet *comet = mem_zalloc(sizeof *comet);
    size_t len = strlen(id);

    assert(len <= COMET_ID_MAX);
    memcpy(comet->id, id, len + 1);
    comet->epoch = epoch;
    comet->next = comets_chain(comets, id);
    ARRAY_ROOM(comets->all, comets->n, comets->capacity, 16);
    comets->all[comets->n++] = comet;
    strmap_set(comets->by_id, comet->id, len, comet);
    return comet;
}

static void comet_remove(struct comet_lives *comets, size_t index)
{
    struct known_comet *comet = comets->all[index], *before = comets_chain(comets, comet->id);

    while (before != comet && before->next != comet)
        before = before->next;
    if (before != comet)
        before->next = comet->next;
    else if (comet->next != NULL)
        strmap_set(comets->by_id, comet->next->id, strlen(comet->id), comet->next);
    else
        strmap_del(comets->by_id, comet->id, strlen(comet->id));
    comets->all[index] = comets->all[--comets->n];
    free(comet);
}

static void life_free(struct comet_lives *comets, uint16_t number)
{
    struct life *life = &comets->lives[number];

    life->comet->lives--;
    *life = (struct life){.dead = true, .next_free = comets->free_life};
    comets->free_life = number;
}

static void comet_kill_life(struct comet_lives *comets, struct known_comet *comet)
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

void comet_lives_unregister(struct known_comet *comet)
{
    comet->loops = 0;
    comet->loops_registered = 0;
    memset(comet->registered, 0, sizeof comet->registered);
}

static void comet_be_guest(const struct comet_lives *comets, struct known_comet *comet,
                           uint64_t now_ms)
{
    comet->state = COMET_GUEST;
    comet->deadline_ms = now_ms + comets->grace_ms;
}

static void comet_be_gone(struct comet_lives *comets, struct known_comet *comet, uint64_t now_ms)
{
    comet_kill_life(comets, comet);
    comet_lives_unregister(comet);
    comet->state = COMET_GONE;
    comet->deadline_ms = now_ms + TOMB_MS;
}

/* Sets `doubted` of every epoch of ID, after a guest of that id came or went. */
static void comet_lives_doubt(struct comet_lives *comets, const char *id)
{
    struct known_comet *chain = comets_chain(comets, id);

    for (struct known_comet *comet = chain; comet != NULL; comet = comet->next) {
        comet->doubted = false;
        for (const struct known_comet *other = chain; other != NULL; other = other->next)
            comet->doubted |= other->state == COMET_GUEST && other->epoch > comet->epoch;
    }
}

/* 0 if ID may have an EPOCH that we have not heard of yet, or -E…. */
static int comet_lives_may_be(const struct comet_lives *comets, const char *id, uint64_t epoch)
{
    size_t guests = 0;

    for (const struct known_comet *comet = comets_chain(comets, id); comet != NULL;
         comet = comet->next) {
        if (comet->shown && comet->epoch > epoch)
            return -ESTALE;
        guests += comet->state == COMET_GUEST;
    }
    return guests >= GUESTS_MAX || comets->n >= COMETS_MAX ? -ENOSPC : 0;
}

int comet_lives_see(struct comet_lives *comets, const char *id, uint64_t epoch, uint64_t now_ms,
                    struct known_comet **comet)
{
    size_t len = strlen(id);

    if (len == 0 || len > COMET_ID_MAX || epoch == 0)
        return -EINVAL;
    struct known_comet *known = comets_find(comets, id, epoch);
    if (known == NULL) {
        int err = comet_lives_may_be(comets, id, epoch);
        if (err != 0)
            return err;
        known = comet_add(comets, id, epoch);
        comet_be_guest(comets, known, now_ms);
        comet_lives_doubt(comets, id);
    } else if (known->state == COMET_GONE) {
        return -ESTALE;
    }
    *comet = known;
    return 0;
}

static uint16_t life_take(struct comet_lives *comets)
{
    uint16_t number = comets->free_life;

    if (number != LIFE_NONE) {
        comets->free_life = comets->lives[number].next_free;
        return number;
    }
    if (comets->n_lives > LIVES_MAX)
        return LIFE_NONE;
    ARRAY_ROOM(comets->lives, comets->n_lives, comets->lives_capacity, 16);
    return (uint16_t)comets->n_lives++;
}

uint16_t comet_lives_current(struct comet_lives *comets, struct known_comet *comet)
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

uint16_t comet_lives_of(const struct comet_lives *comets, const char *id, uint64_t epoch)
{
    const struct known_comet *comet = comets_find(comets, id, epoch);

    return comet != NULL ? comet->life : LIFE_NONE;
}

void comet_lives_take(struct comet_lives *comets, uint16_t life)
{
    assert(!comets->lives[life].dead);
    comets->lives[life].sessions++;
    comets->live_sessions++;
}

void comet_lives_release(struct comet_lives *comets, uint16_t life)
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

/* True if this changed what we believe of the comet. */
static bool comet_is_shown(struct comet_lives *comets, const struct member *member, uint64_t now_ms)
{
    struct known_comet *comet = comets_find(comets, member->id, member->epoch);

    if (comet == NULL)
        comet = comet_add(comets, member->id, member->epoch);
    comet->listed = true;
    if (comet->shown && comet->state == COMET_MEMBER)
        return false;
    comet->shown = true;
    comet->state = COMET_MEMBER;
    /* Guests with a later epoch stay: they have put sessions already, and membership will show
     * them. */
    for (struct known_comet *other = comets_chain(comets, member->id); other != NULL;
         other = other->next)
        if (other->state == COMET_GUEST && other->epoch < member->epoch)
            comet_be_gone(comets, other, now_ms);
    comet_lives_doubt(comets, member->id);
    return true;
}

bool comet_lives_members(struct comet_lives *comets, const struct member_list *list,
                         uint64_t now_ms)
{
    bool changed = false;

    for (size_t i = 0; i < comets->n; i++)
        comets->all[i]->listed = false;
    for (size_t i = 0; i < list->n; i++)
        changed |= comet_is_shown(comets, &list->members[i], now_ms);
    for (size_t i = 0; i < comets->n; i++) {
        struct known_comet *comet = comets->all[i];
        if (comet->listed || comet->state != COMET_MEMBER)
            continue;
        changed = true;
        comet_be_gone(comets, comet, now_ms);
    }
    return changed;
}

void comet_lives_forget(struct comet_lives *comets, const char *id)
{
    for (struct known_comet *comet = comets_chain(comets, id); comet != NULL; comet = comet->next)
        comet_kill_life(comets, comet);
}

void comet_lives_forget_all(struct comet_lives *comets)
{
    for (size_t i = 0; i < comets->n; i++) {
        comet_kill_life(comets, comets->all[i]);
        comet_lives_unregister(comets->all[i]);
    }
}

void comet_lives_tick(struct comet_lives *comets, uint64_t now_ms, bool reading)
{
    for (size_t i = 0; i < comets->n;) {
        struct known_comet *comet = comets->all[i];
        bool due = comet->state != COMET_MEMBER && comet->deadline_ms <= now_ms;
        if (comet->state == COMET_GUEST && !reading)
            comet->deadline_ms = now_ms + comets->grace_ms;
        else if (due && comet->state == COMET_GUEST) {
            comet_be_gone(comets, comet, now_ms); /* only puts spoke for it, never membership */
            comet_lives_doubt(comets, comet->id);
        } else if (due && comet->lives == 0) {
            comet_remove(comets, i); /* the last comet took its place */
            continue;
        }
        i++;
    }
}

size_t comet_lives_alive(const struct comet_lives *comets)
{
    size_t alive = 0;

    for (size_t i = 0; i < comets->n; i++)
        alive += comets->all[i]->state != COMET_GONE && !comets->all[i]->doubted;
    return alive;
}

size_t comet_lives_bytes(const struct comet_lives *comets)
{
    return comets->n * (sizeof(struct known_comet) + sizeof(struct known_comet *)) +
           comets->lives_capacity * sizeof(struct life);
}
