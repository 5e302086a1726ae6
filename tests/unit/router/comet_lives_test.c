#include "router/comet_lives.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { GRACE = 7000, TOMB = 60000 };

/* Membership as a test writes it: "c1" with epoch 5, and so on. */
struct shown {
    struct member members[4];
    struct member_list list;
};

static const struct member_list *show(struct shown *shown, const char *a, uint64_t a_epoch,
                                      const char *b, uint64_t b_epoch)
{
    const char *ids[] = {a, b};
    uint64_t epochs[] = {a_epoch, b_epoch};

    *shown = (struct shown){.list.members = shown->members};
    for (int i = 0; i < 2; i++) {
        if (ids[i] == NULL)
            continue;
        struct member *member = &shown->members[shown->list.n++];
        snprintf(member->id, sizeof member->id, "%s", ids[i]);
        member->epoch = epochs[i];
    }
    return &shown->list;
}

static int see(struct comet_lives *comets, const char *id, uint64_t epoch, uint64_t now)
{
    struct known_comet *comet;

    return comet_lives_see(comets, id, epoch, now, &comet);
}

static uint16_t put(struct comet_lives *comets, const char *id, uint64_t epoch, uint64_t now)
{
    struct known_comet *comet;

    assert_int_equal(comet_lives_see(comets, id, epoch, now, &comet), 0);
    uint16_t life = comet_lives_current(comets, comet);
    assert_int_not_equal(life, LIFE_NONE);
    comet_lives_take(comets, life);
    return life;
}

static bool is_doubted(const struct comet_lives *comets, uint16_t life)
{
    return comets->lives[life].comet->doubted;
}

static void older_epochs_are_stale_newer_ones_take_over_when_shown(void **state)
{
    (void)state;
    struct comet_lives *comets = comet_lives_new(GRACE);
    struct shown shown;

    comet_lives_members(comets, show(&shown, "c1", 5, NULL, 0), 1000);
    uint16_t old = put(comets, "c1", 5, 1000);
    assert_int_equal(see(comets, "c1", 4, 1000), -ESTALE);
    assert_false(is_doubted(comets, old));
    uint16_t new = put(comets, "c1", 6, 1000);
    assert_int_equal(see(comets, "c1", 5, 1000), 0);
    assert_false(comets->lives[old].dead);
    assert_true(is_doubted(comets, old));
    assert_false(is_doubted(comets, new));
    assert_int_equal(comet_lives_alive(comets), 1);
    assert_true(comet_lives_members(comets, show(&shown, "c1", 6, NULL, 0), 2000));
    assert_true(comets->lives[old].dead);
    assert_false(comets->lives[new].dead);
    assert_int_equal(see(comets, "c1", 5, 1000), -ESTALE);
    assert_int_equal(comets->live_sessions, 1);
    assert_int_equal(comets->dead_sessions, 1);
    assert_int_equal(comets->deaths, 1);
    comet_lives_free(comets);
}

/* Of those that were not shown nobody knows which is the truth. */
static void guests_of_one_id_live_side_by_side_up_to_a_limit(void **state)
{
    (void)state;
    struct comet_lives *comets = comet_lives_new(GRACE);
    struct shown shown;
    uint16_t first = put(comets, "c1", 5, 1000), last = put(comets, "c1", UINT64_MAX, 1000);

    put(comets, "c1", 4, 1000);
    put(comets, "c1", 3, 1000);
    assert_int_equal(see(comets, "c1", 6, 1000), -ENOSPC);
    assert_int_equal(see(comets, "c1", 5, 1000), 0);
    assert_int_equal(see(comets, "c2", 6, 1000), 0);
    comet_lives_members(comets, show(&shown, "c1", 5, NULL, 0), 2000);
    assert_false(comets->lives[first].dead);
    assert_false(comets->lives[last].dead);
    assert_int_equal(comets->dead_sessions, 2); /* those of 4 and 3 */
    comet_lives_tick(comets, 1000 + GRACE, true);
    assert_true(comets->lives[last].dead);
    assert_false(is_doubted(comets, first));
    assert_int_equal(see(comets, "c1", 6, 9000), 0);
    comet_lives_free(comets);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct comet_lives *comets = comet_lives_new(GRACE);
    char id[COMET_ID_MAX + 2];

    memset(id, 'x', sizeof id);
    id[COMET_ID_MAX + 1] = '\0';
    assert_int_equal(see(comets, id, 1, 1000), -EINVAL);
    id[COMET_ID_MAX] = '\0';
    assert_int_equal(see(comets, id, 1, 1000), 0);
    assert_int_equal(see(comets, "", 1, 1000), -EINVAL);
    assert_int_equal(see(comets, "c1", 0, 1000), -EINVAL);
    assert_int_equal(comets->n, 1);
    comet_lives_free(comets);
}

static void a_comet_that_leaves_membership_is_dead_at_once(void **state)
{
    (void)state;
    struct comet_lives *comets = comet_lives_new(GRACE);
    struct shown shown;

    assert_true(comet_lives_members(comets, show(&shown, "c1", 5, "c2", 7), 1000));
    uint16_t gone = put(comets, "c1", 5, 1000), stays = put(comets, "c2", 7, 1000);
    assert_false(comet_lives_members(comets, show(&shown, "c1", 5, "c2", 7), 2000));
    assert_true(comet_lives_members(comets, show(&shown, "c2", 7, NULL, 0), 3000));
    assert_true(comets->lives[gone].dead);
    assert_false(comets->lives[stays].dead);
    assert_int_equal(comet_lives_alive(comets), 1);
    /* What a slow logic still says for it is not believed; its next life is. */
    assert_int_equal(see(comets, "c1", 5, 3000), -ESTALE);
    assert_int_equal(see(comets, "c1", 6, 3000), 0);
    comet_lives_free(comets);
}

static void a_new_epoch_in_membership_kills_the_old_sessions(void **state)
{
    (void)state;
    struct comet_lives *comets = comet_lives_new(GRACE);
    struct shown shown;

    comet_lives_members(comets, show(&shown, "c1", 5, NULL, 0), 1000);
    uint16_t old = put(comets, "c1", 5, 1000);
    assert_true(comet_lives_members(comets, show(&shown, "c1", 6, NULL, 0), 2000));
    assert_true(comets->lives[old].dead);
    assert_int_equal(see(comets, "c1", 5, 2000), -ESTALE);
    assert_int_equal(comet_lives_of(comets, "c1", 5), LIFE_NONE);
    comet_lives_free(comets);
}

static void a_guest_is_believed_for_the_grace_time(void **state)
{
    (void)state;
    struct comet_lives *comets = comet_lives_new(GRACE);
    struct shown shown;
    uint16_t early = put(comets, "early", 1, 1000), never = put(comets, "never", 1, 1000);

    comet_lives_members(comets, show(&shown, NULL, 0, NULL, 0), 2000);
    assert_false(comets->lives[early].dead);
    comet_lives_members(comets, show(&shown, "early", 1, NULL, 0), 3000);
    comet_lives_tick(comets, 1000 + GRACE - 1, true);
    assert_false(comets->lives[never].dead);
    comet_lives_tick(comets, 1000 + GRACE, true);
    assert_true(comets->lives[never].dead);
    assert_false(comets->lives[early].dead);
    comet_lives_free(comets);
}

static void guests_are_kept_while_membership_is_not_read(void **state)
{
    (void)state;
    struct comet_lives *comets = comet_lives_new(GRACE);
    uint16_t guest = put(comets, "c1", 1, 1000);

    for (uint64_t now = 2000; now < 60000; now += 500)
        comet_lives_tick(comets, now, false);
    assert_false(comets->lives[guest].dead);
    comet_lives_tick(comets, 60000, true);
    assert_false(comets->lives[guest].dead);
    comet_lives_tick(comets, 60000 + GRACE, true);
    assert_true(comets->lives[guest].dead);
    comet_lives_free(comets);
}

static void a_newer_life_that_membership_never_shows_gives_way(void **state)
{
    (void)state;
    struct comet_lives *comets = comet_lives_new(GRACE);
    struct shown shown;

    comet_lives_members(comets, show(&shown, "c1", 5, NULL, 0), 1000);
    uint16_t life = put(comets, "c1", 5, 1000);
    uint16_t wrong = put(comets, "c1", 9, 1000);
    assert_false(comet_lives_members(comets, show(&shown, "c1", 5, NULL, 0), 2000));
    assert_int_equal(see(comets, "c1", 5, 2000), 0);
    comet_lives_tick(comets, 1000 + GRACE, true);
    assert_true(comets->lives[wrong].dead);
    assert_false(comets->lives[life].dead); /* nobody would have put it again */
    assert_int_equal(see(comets, "c1", 5, 9000), 0);
    assert_int_equal(see(comets, "c1", 9, 9000), -ESTALE);
    assert_int_equal(comets_find(comets, "c1", 5)->state, COMET_MEMBER);
    comet_lives_free(comets);
}

static void a_member_whose_clock_went_back_is_believed(void **state)
{
    (void)state;
    struct comet_lives *comets = comet_lives_new(GRACE);
    struct shown shown;

    comet_lives_members(comets, show(&shown, "c1", 5, NULL, 0), 1000);
    uint16_t old = put(comets, "c1", 5, 1000);
    comet_lives_members(comets, show(&shown, "c1", 4, NULL, 0), 2000);
    assert_true(comets->lives[old].dead);
    assert_int_equal(see(comets, "c1", 4, 2000), 0);
    comet_lives_free(comets);
}

static void comets_are_forgotten_when_they_are_long_gone_and_swept(void **state)
{
    (void)state;
    struct comet_lives *comets = comet_lives_new(GRACE);
    struct shown shown;

    comet_lives_members(comets, show(&shown, "c1", 5, "c2", 5), 1000);
    uint16_t life = put(comets, "c1", 5, 1000);
    comet_lives_members(comets, show(&shown, NULL, 0, NULL, 0), 1000);
    comet_lives_tick(comets, 1000 + TOMB, true);
    assert_null(comets_find(comets, "c2", 5));
    assert_non_null(comets_find(comets, "c1", 5)); /* a session still names it */
    comet_lives_release(comets, life);
    comet_lives_tick(comets, 1000 + TOMB, true);
    assert_null(comets_find(comets, "c1", 5));
    assert_int_equal(comets->n, 0);
    comet_lives_free(comets);
}

/* Whichever goes first, the others are found. */
static void epochs_of_one_id_are_forgotten_one_by_one(void **state)
{
    (void)state;
    for (uint64_t first = 1; first <= 3; first++) {
        struct comet_lives *comets = comet_lives_new(GRACE);
        for (uint64_t epoch = 1; epoch <= 3; epoch++)
            see(comets, "c1", epoch, epoch == first ? 1000 : 2000);
        comet_lives_tick(comets, 1000 + GRACE, true);
        comet_lives_tick(comets, 1000 + GRACE + TOMB, true);
        for (uint64_t epoch = 1; epoch <= 3; epoch++)
            assert_int_equal(comets_find(comets, "c1", epoch) == NULL, epoch == first);
        comet_lives_free(comets);
    }
}

static void forgetting_kills_sessions_but_not_the_comet(void **state)
{
    (void)state;
    struct comet_lives *comets = comet_lives_new(GRACE);
    uint16_t old = put(comets, "c1", 5, 1000);

    comet_lives_forget(comets, "c1");
    comet_lives_forget(comets, "nobody");
    assert_true(comets->lives[old].dead);
    uint16_t new = put(comets, "c1", 5, 1000);
    assert_int_not_equal(new, old);
    assert_int_equal(comets->live_sessions, 1);
    assert_int_equal(comet_lives_of(comets, "c1", 5), new);
    comet_lives_free(comets);
}

static void lives_run_out_and_come_back(void **state)
{
    (void)state;
    struct comet_lives *comets = comet_lives_new(GRACE);
    struct known_comet *comet;
    uint16_t first = LIFE_NONE;

    for (int i = 1; i <= UINT16_MAX; i++) {
        char id[16];
        snprintf(id, sizeof id, "c%d", i);
        uint16_t life = put(comets, id, 1, 1000);
        first = i == 1 ? life : first;
    }
    assert_int_equal(comet_lives_see(comets, "one more", 1, 1000, &comet), 0);
    assert_int_equal(comet_lives_current(comets, comet), LIFE_NONE);
    comet_lives_forget(comets, "c1");
    assert_int_equal(comet_lives_current(comets, comet), LIFE_NONE);
    comet_lives_release(comets, first);
    assert_int_equal(comet_lives_current(comets, comet), first);
    comet_lives_free(comets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_epochs_are_stale_newer_ones_take_over_when_shown),
        cmocka_unit_test(guests_of_one_id_live_side_by_side_up_to_a_limit),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(a_comet_that_leaves_membership_is_dead_at_once),
        cmocka_unit_test(a_new_epoch_in_membership_kills_the_old_sessions),
        cmocka_unit_test(a_guest_is_believed_for_the_grace_time),
        cmocka_unit_test(guests_are_kept_while_membership_is_not_read),
        cmocka_unit_test(a_newer_life_that_membership_never_shows_gives_way),
        cmocka_unit_test(a_member_whose_clock_went_back_is_believed),
        cmocka_unit_test(comets_are_forgotten_when_they_are_long_gone_and_swept),
        cmocka_unit_test(epochs_of_one_id_are_forgotten_one_by_one),
        cmocka_unit_test(forgetting_kills_sessions_but_not_the_comet),
        cmocka_unit_test(lives_run_out_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
