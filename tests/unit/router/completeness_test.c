/* When is the map complete? Membership lists go in by hand, registrations as batches would bring
 * them. */
#include "router/completeness.h"
#include "router/map_shard.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static _Atomic int64_t counters[ROUTER_METRIC_COUNT];

/* "c1=5 c2=7" */
static void show(struct map_shard *shard, enum member_kind kind, const char *text)
{
    struct member members[8];
    struct member_list list = {.members = members};
    char copy[256], *save = NULL;

    memset(members, 0, sizeof members);
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        struct member *member = &members[list.n++];
        char *equals = strchr(word, '=');
        *equals = '\0';
        snprintf(member->id, sizeof member->id, "%s", word);
        member->epoch = strtoull(equals + 1, NULL, 10);
        member->weight = 1;
    }
    if (kind == MEMBER_COMET)
        map_shard_comets(shard, &list);
    else
        map_shard_routers(shard, &list, "r1");
}

static void open_shard(struct map_shard *shard)
{
    struct map_shard_limits limits = {
        .comet_grace_ms = 7000, .sweep_slice = 64, .max_counted = 100};

    map_shard_init(shard, &limits, counters);
    shard->now_ms = 1000;
}

static int registers(struct map_shard *shard, const char *id, uint64_t epoch, uint32_t loop,
                     uint32_t loops)
{
    struct known_comet *comet;
    int err = comet_lives_see(shard->comets, id, epoch, shard->now_ms, &comet);

    return err != 0 ? err : completeness_loop(comet, loop, loops);
}

/* One step each: what happens, and whether the map is complete then. */
struct step {
    enum { READY, COMETS, ROUTERS, LOOP, LATER } what;
    const char *text; /* member list, or the comet's id */
    uint64_t epoch;
    uint32_t loop, loops;
    bool complete;
};

static void walk(const struct step *steps, size_t n)
{
    struct map_shard shard;

    open_shard(&shard);
    for (size_t i = 0; i < n; i++) {
        const struct step *step = &steps[i];
        if (step->what == READY)
            shard.completeness.ready = true;
        else if (step->what == COMETS)
            show(&shard, MEMBER_COMET, step->text);
        else if (step->what == ROUTERS)
            show(&shard, MEMBER_ROUTER, step->text);
        else if (step->what == LATER)
            map_shard_tick(&shard, shard.now_ms + step->epoch, true);
        else
            registers(&shard, step->text, step->epoch, step->loop, step->loops);
        if (completeness_is_reached(&shard.completeness) != step->complete)
            fail_msg("step %zu: complete is %d", i, !step->complete);
    }
    map_shard_close(&shard);
}
#define WALK(...)                                    \
    do {                                             \
        const struct step steps[] = {__VA_ARGS__};   \
        walk(steps, sizeof steps / sizeof steps[0]); \
    } while (0)

static void nothing_is_complete_before_membership_is_read(void **state)
{
    (void)state;
    WALK({ROUTERS, "r1=1", .complete = false}, {COMETS, "", .complete = false},
         {READY, .complete = true});
    WALK({READY, .complete = false}, {ROUTERS, "r1=1", .complete = true});
}

static void every_loop_of_every_comet_has_to_register(void **state)
{
    (void)state;
    WALK({READY, .complete = false}, {ROUTERS, "r1=1", .complete = true},
         {COMETS, "c1=5 c2=6", .complete = false}, {LOOP, "c1", 5, 0, 2, .complete = false},
         {LOOP, "c1", 5, 0, 2, .complete = false}, {LOOP, "c2", 6, 0, 1, .complete = false},
         {LOOP, "c1", 5, 1, 2, .complete = true}, {COMETS, "c1=5 c2=6 c3=7", .complete = false},
         {LOOP, "c3", 7, 0, 1, .complete = true});
}

static void a_comet_that_goes_holds_nothing_up(void **state)
{
    (void)state;
    WALK({READY, .complete = false}, {ROUTERS, "r1=1", .complete = true},
         {COMETS, "c1=5 c2=6", .complete = false}, {LOOP, "c1", 5, 0, 1, .complete = false},
         {COMETS, "c1=5", .complete = true}, {COMETS, "", .complete = true});
}

static void another_epoch_has_to_register_anew(void **state)
{
    (void)state;
    WALK({READY, .complete = false}, {ROUTERS, "r1=1", .complete = true},
         {COMETS, "c1=5", .complete = false}, {LOOP, "c1", 5, 0, 1, .complete = true},
         {COMETS, "c1=6", .complete = false}, {LOOP, "c1", 5, 0, 1, .complete = false},
         {LOOP, "c1", 6, 0, 1, .complete = true});
}

static void a_registration_may_come_before_membership_shows_the_comet(void **state)
{
    (void)state;
    WALK({READY, .complete = false}, {ROUTERS, "r1=1", .complete = true},
         {LOOP, "c1", 5, 0, 1, .complete = true}, {COMETS, "c1=5", .complete = true});
    /* Its next life as well; until membership shows it, the old one is there. */
    WALK({READY, .complete = false}, {ROUTERS, "r1=1", .complete = true},
         {COMETS, "c1=5", .complete = false}, {LOOP, "c1", 5, 0, 1, .complete = true},
         {LOOP, "c1", 6, 0, 1, .complete = true}, {COMETS, "c1=6", .complete = true});
    WALK({READY, .complete = false}, {ROUTERS, "r1=1", .complete = true},
         {COMETS, "c1=5", .complete = false}, {LOOP, "c1", 5, 0, 1, .complete = true},
         {LOOP, "c1", 6, 0, 2, .complete = true}, {COMETS, "c1=6", .complete = false},
         {LOOP, "c1", 6, 1, 2, .complete = true});
}

/* A number of the far future that nobody has: all is as before. */
static void a_registration_that_is_forged_leaves_the_map_complete(void **state)
{
    (void)state;
    WALK({READY, .complete = false}, {ROUTERS, "r1=1", .complete = true},
         {COMETS, "c1=5", .complete = false}, {LOOP, "c1", 5, 0, 1, .complete = true},
         {LOOP, "c1", UINT64_MAX, 0, 1, .complete = true}, {COMETS, "c1=5", .complete = true},
         {LATER, .epoch = 7000, .complete = true}, {COMETS, "c1=5", .complete = true});
}

static void a_change_of_routers_voids_all_registrations(void **state)
{
    (void)state;
    WALK({READY, .complete = false}, {ROUTERS, "r1=1", .complete = true},
         {COMETS, "c1=5", .complete = false}, {LOOP, "c1", 5, 0, 1, .complete = true},
         {ROUTERS, "r1=1", .complete = true}, {ROUTERS, "r1=1 r2=1", .complete = false},
         {LOOP, "c1", 5, 0, 1, .complete = true}, {ROUTERS, "r1=1 r2=2", .complete = false});
}

static void a_comet_that_hangs_holds_up_until_its_lease_lapses(void **state)
{
    (void)state;
    WALK({READY, .complete = false}, {ROUTERS, "r1=1", .complete = true},
         {COMETS, "c1=5 hangs=5", .complete = false}, {LOOP, "c1", 5, 0, 1, .complete = false},
         {LATER, .epoch = 60000, .complete = false}, {COMETS, "c1=5", .complete = true});
}

static void a_comet_that_contradicts_itself_begins_anew(void **state)
{
    (void)state;
    WALK({READY, .complete = false}, {ROUTERS, "r1=1", .complete = true},
         {COMETS, "c1=5", .complete = false}, {LOOP, "c1", 5, 0, 2, .complete = false},
         {LOOP, "c1", 5, 1, 3, .complete = false}, {LOOP, "c1", 5, 0, 3, .complete = false},
         {LOOP, "c1", 5, 2, 3, .complete = true});
}

static void impossible_loops_are_refused(void **state)
{
    (void)state;
    struct map_shard shard;

    open_shard(&shard);
    assert_int_equal(registers(&shard, "c1", 5, 0, 0), -EINVAL);
    assert_int_equal(registers(&shard, "c1", 5, 2, 2), -EINVAL);
    assert_int_equal(registers(&shard, "c1", 5, 0, COMET_LOOPS_MAX + 1), -EINVAL);
    assert_int_equal(registers(&shard, "c1", 5, COMET_LOOPS_MAX - 1, COMET_LOOPS_MAX), 0);
    map_shard_close(&shard);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    struct map_shard shard;
    char text[256], small[8];

    open_shard(&shard);
    show(&shard, MEMBER_ROUTER, "r1=1");
    show(&shard, MEMBER_COMET, "c1=5 c2=6 c3=7");
    registers(&shard, "c1", 5, 1, 4);
    registers(&shard, "c1", 5, 3, 4);
    registers(&shard, "c3", 7, 0, 1);
    assert_int_equal(completeness_missing(&shard.completeness, text, sizeof text), 2);
    assert_string_equal(text, "c1 loops=0,2/4 c2 loops=all");
    assert_int_equal(completeness_missing(&shard.completeness, small, sizeof small), 2);
    assert_int_equal(strlen(small), sizeof small - 1);
    map_shard_close(&shard);
}

static size_t put_uids(struct map_shard *shard, int64_t n)
{
    struct known_comet *comet;
    size_t owned = 0;

    assert_int_equal(comet_lives_see(shard->comets, "c1", 5, shard->now_ms, &comet), 0);
    for (int64_t uid = 0; uid < n; uid++) {
        struct session_new put = {.uid = uid,
                                  .handle = 1,
                                  .life = comet_lives_current(shard->comets, comet),
                                  .key = "",
                                  .room = ""};
        assert_int_equal(session_map_put(shard->sessions, &put), SESSION_MAP_OK);
    }
    for (int64_t uid = 0; uid < n; uid++)
        owned += completeness_owns(&shard->completeness, uid);
    return owned;
}

static void sessions_of_uids_that_moved_are_dropped(void **state)
{
    (void)state;
    struct map_shard shard;

    open_shard(&shard);
    show(&shard, MEMBER_ROUTER, "r1=1");
    show(&shard, MEMBER_COMET, "c1=5");
    assert_int_equal(put_uids(&shard, 10000), 10000);
    while (session_map_sweep_waits(shard.sessions))
        map_shard_sweep(&shard);
    assert_int_equal(shard.comets->live_sessions, 10000);
    show(&shard, MEMBER_ROUTER, "r1=1 r2=1");
    assert_true(session_map_sweep_waits(shard.sessions));
    while (session_map_sweep_waits(shard.sessions))
        map_shard_sweep(&shard);
    size_t left = shard.comets->live_sessions;
    assert_in_range(left, 3000, 7000);
    for (int64_t uid = 0; uid < 10000; uid++)
        assert_int_equal(session_map_first(shard.sessions, uid) != NULL,
                         completeness_owns(&shard.completeness, uid));
    /* Not listed for a moment: keeps what it has. */
    show(&shard, MEMBER_ROUTER, "r2=1");
    while (session_map_sweep_waits(shard.sessions))
        map_shard_sweep(&shard);
    assert_int_equal(shard.comets->live_sessions, left);
    map_shard_close(&shard);
}

static void a_uid_that_comes_back_is_not_remembered(void **state)
{
    (void)state;
    struct map_shard shard;

    open_shard(&shard);
    show(&shard, MEMBER_ROUTER, "r1=1");
    show(&shard, MEMBER_COMET, "c1=5");
    put_uids(&shard, 10000);
    show(&shard, MEMBER_ROUTER, "r1=1 r2=1");
    map_shard_sweep(&shard); /* has hardly begun */
    show(&shard, MEMBER_ROUTER, "r1=1");
    while (session_map_sweep_waits(shard.sessions))
        map_shard_sweep(&shard);
    assert_in_range(shard.comets->live_sessions, 3000, 7000);
    map_shard_close(&shard);
}

static void losing_the_lease_forgets_everything(void **state)
{
    (void)state;
    struct map_shard shard;

    open_shard(&shard);
    shard.completeness.ready = true;
    show(&shard, MEMBER_ROUTER, "r1=1");
    show(&shard, MEMBER_COMET, "c1=5");
    put_uids(&shard, 100);
    registers(&shard, "c1", 5, 0, 1);
    assert_true(completeness_is_reached(&shard.completeness));
    map_shard_lost(&shard);
    assert_false(completeness_is_reached(&shard.completeness));
    assert_null(session_map_first(shard.sessions, 1));
    assert_int_equal(put_uids(&shard, 100), 100); /* and it goes on */
    assert_non_null(session_map_first(shard.sessions, 1));
    map_shard_close(&shard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_complete_before_membership_is_read),
        cmocka_unit_test(every_loop_of_every_comet_has_to_register),
        cmocka_unit_test(a_comet_that_goes_holds_nothing_up),
        cmocka_unit_test(another_epoch_has_to_register_anew),
        cmocka_unit_test(a_registration_may_come_before_membership_shows_the_comet),
        cmocka_unit_test(a_registration_that_is_forged_leaves_the_map_complete),
        cmocka_unit_test(a_change_of_routers_voids_all_registrations),
        cmocka_unit_test(a_comet_that_hangs_holds_up_until_its_lease_lapses),
        cmocka_unit_test(a_comet_that_contradicts_itself_begins_anew),
        cmocka_unit_test(impossible_loops_are_refused),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(sessions_of_uids_that_moved_are_dropped),
        cmocka_unit_test(a_uid_that_comes_back_is_not_remembered),
        cmocka_unit_test(losing_the_lease_forgets_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
