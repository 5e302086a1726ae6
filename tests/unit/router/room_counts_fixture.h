/* room_counts_fixture.h - counts of rooms in router r1, told by comets c1 and c2 in epoch 5. */
#ifndef IMC_TESTS_ROUTER_ROOM_COUNTS_FIXTURE_H
#define IMC_TESTS_ROUTER_ROOM_COUNTS_FIXTURE_H

#include "common/base/mem.h"
#include "router/room_counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct comet_lives *comets;
    struct completeness completeness;
    struct room_counts *counts;
    uint64_t number, now_ms;
};

/* Membership shows the comets c1 … cN, each in epoch EPOCH. */
__attribute__((unused)) static void show(struct fixture *f, size_t n, uint64_t epoch)
{
    struct member members[8] = {0};
    struct member_list list = {.n = n, .members = members};

    for (size_t i = 0; i < n; i++) {
        members[i].epoch = epoch;
        snprintf(members[i].id, sizeof members[i].id, "c%zu", i + 1);
    }
    comet_lives_members(f->comets, &list, f->now_ms);
}

/* We are router r1 of N. */
static void routers(struct fixture *f, size_t n)
{
    struct member members[4] = {0};
    struct member_list list = {.n = n, .members = members};

    for (size_t i = 0; i < n; i++) {
        members[i].weight = 1;
        snprintf(members[i].id, sizeof members[i].id, "r%zu", i + 1);
    }
    completeness_set_ring(&f->completeness, member_list_ring(&list), &list, "r1");
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);

    f->now_ms = 1000;
    f->comets = comet_lives_new(7000);
    completeness_init(&f->completeness, f->comets);
    f->counts = room_counts_new(&f->completeness);
    show(f, 2, 5);
    routers(f, 1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    room_counts_free(f->counts);
    completeness_close(&f->completeness);
    comet_lives_free(f->comets);
    free(f);
    return 0;
}

static void say(struct fixture *f, const char *room, const char *comet, uint32_t loop, uint32_t n)
{
    const struct room_word word = {.room = room,
                                   .comet = comet,
                                   .epoch = 5,
                                   .loop = loop,
                                   .sessions = n,
                                   .number = ++f->number};
    room_counts_set(f->counts, &word, f->now_ms);
}

#endif
