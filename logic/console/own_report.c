/* What only a logic tells in its reports to consoles: which key was refused what, and how many
 * messages are pushed to which room. */
#include "common/base/mem.h"
#include "common/base/time.h"
#include "logic/console/console.h"
#include "logic/console/reported.h"
#include "logic/http/callers.h"
#include "logic/http/refusals.h"
#include "logic/push/room_rates.h"

#include <string.h>

static void add_refusals(const struct logic *logic, Imc__V1__ReportBatch *batch,
                         struct arena *arena)
{
    struct caller_refusal refusals[REPORTED_KEY_REFUSALS];
    char word[REFUSAL_WORD_MAX + 1];
    size_t n = callers_refusals(logic->callers, refusals, REPORTED_KEY_REFUSALS);
    Imc__V1__ReportRefusal **list = arena_alloc(arena, (batch->n_refusals + n) * sizeof(void *));

    if (batch->n_refusals > 0)
        memcpy(list, batch->refusals, batch->n_refusals * sizeof(void *));
    batch->refusals = list;
    for (size_t i = 0; i < n; i++) {
        Imc__V1__ReportRefusal *refusal = arena_alloc(arena, sizeof *refusal);
        imc__v1__report_refusal__init(refusal);
        refusal->key = arena_strdup(arena, refusals[i].key);
        refusal_word(refusals[i].cause, word);
        refusal->name = arena_strdup(arena, word);
        refusal->total = refusals[i].total;
        refusal->lately = refusals[i].lately;
        list[batch->n_refusals++] = refusal;
    }
}

static void add_rooms(const struct logic *logic, Imc__V1__ReportBatch *batch, struct arena *arena)
{
    struct room_rate rates[REPORTED_ROOMS];
    size_t n = room_rates_top(logic->room_rates, (uint64_t)time_mono_ms(), rates, REPORTED_ROOMS);

    batch->rooms = arena_alloc(arena, n * sizeof(void *));
    for (size_t i = 0; i < n; i++) {
        Imc__V1__ReportRoom *room = arena_alloc(arena, sizeof *room);
        imc__v1__report_room__init(room);
        room->room = arena_strdup(arena, rates[i].room);
        room->pushes = rates[i].pushes;
        batch->rooms[batch->n_rooms++] = room;
    }
}

void console_report_own(struct daemon *daemon, Imc__V1__ReportBatch *batch, struct arena *arena)
{
    const struct logic *logic = daemon->state;

    if (logic->callers != NULL)
        add_refusals(logic, batch, arena);
    if (logic->room_rates != NULL)
        add_rooms(logic, batch, arena);
}
