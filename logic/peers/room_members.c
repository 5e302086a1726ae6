/*   next_round ─► unit_ask, each of the round ─► on_answer … ─► round_over ─┬─► next_round
 *                                                                        └─► end: fn
 *
 * In a round of several units each is asked for its part of what the page still takes. If one has
 * more than its part, what was found behind it is thrown away, and the next round begins with it
 * alone. So the order stays, and no round fetches more than the page takes. */
#include "logic/peers/room_members.h"
#include "common/base/mem.h"
#include "common/membership/membership.h"
#include "logic/peers/questions.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ROUND_MAX = 64 }; /* units that are asked at once */

/* A loop of a comet. */
struct unit {
    struct room_members *of;
    uint32_t comet; /* index */
    uint32_t loop;
    bool away, more;
    uint32_t after; /* MORE: from this slot on */
    size_t n;
    struct room_member *members; /* what it has answered in this round */
};

struct room_members {
    struct logic *logic;
    members_fn fn;
    void *arg;
    struct arena arena;
    const char *room;
    uint32_t limit;
    uint64_t deadline_ms; /* loop time: no round begins later */
    size_t n_comets, n_units;
    struct members_comet {
        char id[64];
        bool away;
    } * comets;
    struct unit *units;
    size_t at;      /* units before it are done */
    uint32_t slot;  /* the page goes on at this slot of unit AT */
    size_t round;   /* units of the round under way */
    size_t pending; /* of them without an answer, and one more while they are asked */
    size_t width;   /* of the next round */
    size_t n;
    struct room_member *members; /* LIMIT of them */
};

/* --- the end --- */

static void end(struct room_members *page)
{
    const char **unanswered = arena_alloc(&page->arena, (page->n_comets + 1) * sizeof(char *));
    struct members_page out = {.n = page->n,
                               .members = page->members,
                               .more = page->at < page->n_units,
                               .unanswered = unanswered};

    for (size_t i = 0; i < page->n_comets; i++) {
        if (page->comets[i].away)
            unanswered[out.n_unanswered++] = page->comets[i].id;
    }
    if (out.more) {
        const struct unit *unit = &page->units[page->at];
        memcpy(out.next.comet, page->comets[unit->comet].id, sizeof out.next.comet);
        out.next.loop = unit->loop;
        out.next.slot = page->slot;
    }
    page->fn(page->arg, &out);
    arena_free(&page->arena);
    free(page);
}

/* --- a round --- */

static void next_round(struct room_members *page);

/* Takes what UNIT has. True: the page goes on with the next unit. */
static bool unit_take(struct room_members *page, const struct unit *unit)
{
    assert(unit->n <= page->limit - page->n);
    if (unit->away)
        page->comets[unit->comet].away = true;
    if (unit->n > 0)
        memcpy(&page->members[page->n], unit->members, unit->n * sizeof *unit->members);
    page->n += unit->n;
    page->slot = unit->more ? unit->after : 0;
    return !unit->more;
}

static void round_over(struct room_members *page)
{
    size_t last = page->at + page->round;
    bool whole = true;

    while (whole && page->at < last && page->n < page->limit) {
        whole = unit_take(page, &page->units[page->at]);
        page->at += whole;
    }
    /* What else a comet has that did not answer is not waited for, nor in the next page. */
    while (whole && page->at < page->n_units && page->comets[page->units[page->at].comet].away)
        page->at++;
    page->width = !whole ? 1 : 2 * page->width < ROUND_MAX ? 2 * page->width : ROUND_MAX;
    if (page->n == page->limit)
        end(page);
    else
        next_round(page);
}

static void round_drop(struct room_members *page)
{
    if (--page->pending == 0)
        round_over(page);
}

static void take_members(struct unit *unit, const Imc__V1__Answer *answer)
{
    struct room_members *page = unit->of;

    unit->members = arena_alloc(&page->arena, answer->n_sessions * sizeof *unit->members);
    for (; unit->n < answer->n_sessions; unit->n++) {
        const Imc__V1__AskedSession *session = answer->sessions[unit->n];
        unit->members[unit->n] =
            (struct room_member){.comet = page->comets[unit->comet].id,
                                 .handle = session->handle,
                                 .uid = session->uid,
                                 .key = arena_strdup(&page->arena, session->key)};
    }
    unit->more = answer->more;
    unit->after = answer->after;
}

static void on_answer(void *arg, const Imc__V1__Answer *answer, bool done)
{
    struct unit *unit = arg;

    (void)done; /* it has one answer */
    if (answer == NULL)
        unit->away = true;
    else
        take_members(unit, answer);
    round_drop(unit->of);
}

static void unit_ask(struct room_members *page, struct unit *unit, uint32_t slot, uint32_t limit)
{
    struct members_comet *comet = &page->comets[unit->comet];
    Imc__V1__Question question;

    *unit = (struct unit){.of = page, .comet = unit->comet, .loop = unit->loop};
    imc__v1__question__init(&question);
    question.comet = comet->id;
    question.room = mem_unconst(page->room);
    question.loop = unit->loop;
    question.after = slot;
    question.limit = limit;
    page->pending++;
    if (comet->away || !questions_have_room(page->logic->questions) ||
        !question_ask(page->logic->questions, &question, on_answer, unit)) {
        unit->away = true;
        page->pending--;
    }
}

/* Asks the next units, or ends the page. */
static void next_round(struct room_members *page)
{
    size_t left = page->n_units - page->at;
    size_t wanted = page->limit - page->n;

    if (left == 0 || loop_now_ms(page->logic->loop) >= page->deadline_ms) {
        end(page);
        return;
    }
    page->round = page->width < left ? page->width : left;
    page->round = page->round < wanted ? page->round : wanted;
    page->pending = 1;
    for (size_t i = 0; i < page->round; i++)
        unit_ask(page, &page->units[page->at + i], i == 0 ? page->slot : 0,
                 (uint32_t)(wanted / page->round));
    round_drop(page);
}

/* --- the beginning --- */

static bool is_before(const char *comet, uint32_t loop, const struct members_place *from)
{
    int order = strcmp(comet, from->comet);

    return order < 0 || (order == 0 && loop < from->loop);
}

static void add_comet(struct room_members *page, const struct member *member,
                      const struct members_place *from)
{
    struct members_comet *comet = &page->comets[page->n_comets];

    memcpy(comet->id, member->id, sizeof comet->id);
    /* One of an earlier version knows no questions. */
    comet->away = member->loops == 0 && !is_before(member->id, 0, from);
    for (uint32_t loop = 0; loop < member->loops; loop++) {
        if (!is_before(member->id, loop, from))
            page->units[page->n_units++] =
                (struct unit){.comet = (uint32_t)page->n_comets, .loop = loop};
    }
    page->n_comets++;
}

static void add_comets(struct room_members *page, const struct members_place *from)
{
    const struct member_list *comets = membership_list(page->logic->membership, MEMBER_COMET);
    size_t loops = 0;

    for (size_t i = 0; i < comets->n; i++)
        loops += comets->members[i].loops;
    page->comets = arena_alloc(&page->arena, (comets->n + 1) * sizeof *page->comets);
    page->units = arena_alloc(&page->arena, (loops + 1) * sizeof *page->units);
    for (size_t i = 0; i < comets->n; i++) /* by id */
        add_comet(page, &comets->members[i], from);
}

/* Does the first unit hold the place FROM? If not, the page begins with its first member. */
static bool begins_at(const struct room_members *page, const struct members_place *from)
{
    return page->n_units > 0 && page->units[0].loop == from->loop &&
           strcmp(page->comets[page->units[0].comet].id, from->comet) == 0;
}

void room_members_page(struct logic *logic, const char *room, const struct members_place *from,
                       uint32_t limit, members_fn fn, void *arg)
{
    struct room_members *page = mem_zalloc(sizeof *page);

    if (!questions_have_room(logic->questions)) {
        free(page);
        fn(arg, &(struct members_page){.too_many = true});
        return;
    }
    page->logic = logic;
    page->fn = fn;
    page->arg = arg;
    arena_init(&page->arena);
    page->room = arena_strdup(&page->arena, room);
    page->limit = limit;
    page->deadline_ms = loop_now_ms(logic->loop) + (uint64_t)logic->config->rooms_timeout_ms;
    page->width = 1;
    page->members = arena_alloc(&page->arena, limit * sizeof *page->members);
    add_comets(page, from);
    page->slot = begins_at(page, from) ? from->slot : 0;
    next_round(page);
}
