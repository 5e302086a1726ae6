/* Everything happens, at random. */
#include "tests/unit/comet/session/reregister_fixture.h"

/* --- the link and logic --- */

static void link_breaks(void)
{
    if (w.sent == NULL)
        return;
    STAILQ_INSERT_HEAD(&w.queued, w.sent, link);
    w.sent = NULL;
}

/* --- the world --- */

static void router_event(void)
{
    int i = rand() % ROUTERS;
    switch (rand() % 4) {
    case 0: /* restarts, or appears */
        w.lives[i] = ++w.next_life;
        break;
    case 1: /* goes; back to a ring that was there before only after we have seen this one */
        if (w.worker.view->ring_hash != w.truth->ring_hash)
            return;
        w.lives[i] = 0;
        break;
    default:
        w.away = !w.away;
        return;
    }
    routers_changed();
}

static void random_event(bool *lapsed)
{
    struct session *any = w.n_sessions > 0 ? &w.sessions[rand() % (int)w.n_sessions] : NULL;
    switch (rand() % 16) {
    case 0:
    case 1:
        session_begin();
        break;
    case 2:
    case 3:
    case 4:
        if (any != NULL)
            session_admitted(any);
        break;
    case 5:
        if (any != NULL && rand() % 3 == 0)
            session_ends(any);
        break;
    case 6:
        if (rand() % 3 == 0)
            router_event();
        break;
    case 7:
        logic_learns();
        break;
    case 8:
        view_arrives(*lapsed);
        break;
    case 9:
        if (rand() % 6 == 0 && w.worker.view->comet_epoch != 0)
            lease_event(lapsed);
        break;
    case 10:
        logic_carries_out(false);
        link_breaks();
        break;
    case 11:
        timers_fire();
        break;
    case 12:
        if (any != NULL)
            settle(any);
        break;
    default:
        turn();
        link_send_one();
        logic_carries_out(true);
    }
}

static void random_run(unsigned seed)
{
    bool lapsed = false;

    srand(seed);
    world_open(SESSIONS);
    for (int i = 0; i < 2000; i++)
        random_event(&lapsed);
    if (w.dead)
        lease_event(&lapsed);
    for (size_t i = 0; i < w.n_sessions; i++)
        session_admitted(&w.sessions[i]);
    if (w.lives[0] == 0)
        w.lives[0] = ++w.next_life;
    settle_down();
    assert_true(reregister_complete(w.worker.reregister));
    assert_true(routers_complete());
    for (size_t i = 0; i < w.n_sessions; i++) {
        assert_int_equal(routers_have(&w.sessions[i]), w.sessions[i].conn.counted);
        assert_false(w.sessions[i].missed);
    }
    assert_true(STAILQ_EMPTY(&w.queued));
    world_close();
}

static void routers_learn_the_truth_whatever_happens(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= SEEDS; seed++)
        random_run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routers_learn_the_truth_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
