/* Reports that a daemon, or somebody who says he is one, sends to a logic with a console. The list
 * stays from one input to the next. */
#include "common/protocol/unpack.h"
#include "logic/console/reported.h"
#include "proto/report.pb-c.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ITEMS_MAX = 1024, LIVES = 20000, NOW_SLOT = 1000 };

static struct reported_list list;

/* What is kept stays within its limits, whatever came. */
static void check(const struct reported *daemon, const Imc__V1__ReportBatch *report)
{
    const struct series_sample *sample = NULL;
    uint64_t slot = 0;

    assert(list.n <= REPORTED_MOST);
    assert(strlen(daemon->ready) <= REPORTED_READY);
    assert(strncmp(daemon->id, report->id, sizeof daemon->id - 1) == 0);
    assert(daemon->n_settings <= REPORTED_SETTINGS && daemon->n_refusals <= REPORTED_REFUSALS);
    for (size_t i = 0; i < daemon->n_settings; i++) {
        assert(strlen(daemon->settings[i].name) <= REPORTED_NAME);
        assert(strlen(daemon->settings[i].value) <= REPORTED_VALUE);
        assert(strlen(daemon->settings[i].init) <= REPORTED_VALUE);
    }
    while ((sample = series_after(&daemon->series, slot)) != NULL) {
        assert(sample->slot > slot && sample->slot <= NOW_SLOT + 12);
        slot = sample->slot;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int lives;
    struct unpack_input in = {data, size, ITEMS_MAX};
    struct arena arena;
    const char *why;

    if (lives++ % LIVES == 0) {
        reported_end(&list);
        reported_init(&list);
    }
    arena_init(&arena);
    const Imc__V1__ReportBatch *report =
        (const Imc__V1__ReportBatch *)unpack(&imc__v1__report_batch__descriptor, &arena, &in, &why);
    if (report != NULL && member_kind_of(report->kind) != MEMBER_KINDS) {
        struct reported *daemon =
            reported_take(&list, member_kind_of(report->kind), report, (uint64_t)lives, NOW_SLOT);
        assert(daemon != NULL || list.n == REPORTED_MOST);
        if (daemon != NULL)
            check(daemon, report);
    }
    arena_free(&arena);
    return 0;
}
