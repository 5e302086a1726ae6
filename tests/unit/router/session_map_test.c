#include "common/base/mem.h"
#include "router/session_map.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1000, GRACE = 7000 };

struct fixture {
    struct comet_lives *comets;
    struct session_map *sessions;
    struct member shown[4]; /* by membership */
    size_t n_shown;
    int64_t
        owned_modulo; /* uids of which the remainder by 4 is at least this are another router's */
};

static bool fixture_owns(int64_t uid, void *arg)
{
    const struct fixture *f = arg;

    return uid % 4 < f->owned_modulo;
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);

    f->comets = comet_lives_new(GRACE);
    f->sessions = session_map_new(f->comets, fixture_owns, f);
    f->owned_modulo = 4;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    session_map_free(f->sessions);
    comet_lives_free(f->comets);
    free(f);
    return 0;
}

static uint16_t life_of(struct fixture *f, const char *id, uint64_t epoch)
{
    struct known_comet *comet;

    assert_int_equal(comet_lives_see(f->comets, id, epoch, NOW, &comet), 0);
    return comet_lives_current(f->comets, comet);
}

/* The same, and membership shows that it is this epoch by now. */
static uint16_t next_life_of(struct fixture *f, const char *id, uint64_t epoch)
{
    struct member_list list = {.members = f->shown};
    size_t i = 0;

    while (i < f->n_shown && strcmp(f->shown[i].id, id) != 0)
        i++;
    assert_true(i < sizeof f->shown / sizeof f->shown[0]);
    f->n_shown += i == f->n_shown;
    snprintf(f->shown[i].id, sizeof f->shown[i].id, "%s", id);
    f->shown[i].epoch = epoch;
    list.n = f->n_shown;
    comet_lives_members(f->comets, &list, NOW);
    return life_of(f, id, epoch);
}

static int put(struct fixture *f, uint16_t life, int64_t uid, uint64_t handle, const char *room)
{
    struct session_new session = {
        .uid = uid, .handle = handle, .life = life, .key = "", .room = room};

    return (int)session_map_put(f->sessions, &session);
}

static size_t found(struct fixture *f, int64_t uid)
{
    size_t n = 0;

    for (const struct session_row *at = session_map_first(f->sessions, uid); at != NULL;
         at = session_map_next(f->sessions, at))
        n++;
    return n;
}

static uint32_t room_count(struct fixture *f, const char *room)
{
    struct interned_strings *rooms = f->sessions->rooms;

    for (uint32_t at = interned_next(rooms, 0); at != 0; at = interned_next(rooms, at))
        if (strcmp(interned_text(rooms, at), room) == 0)
            return interned_refs(rooms, at);
    return 0;
}

static void sweep_all(struct fixture *f)
{
    while (session_map_sweep_waits(f->sessions))
        session_map_sweep(f->sessions, 100);
}

static void a_put_is_found_with_what_it_brought(void **state)
{
    struct fixture *f = *state;
    uint16_t life = life_of(f, "c1", 5);
    struct session_new session = {
        .uid = -7, .handle = 99, .life = life, .key = "phone", .room = "lobby"};

    assert_int_equal(session_map_put(f->sessions, &session), SESSION_MAP_OK);
    const struct session_row *at = session_map_first(f->sessions, -7);
    assert_non_null(at);
    assert_int_equal(at->handle, 99);
    assert_string_equal(interned_text(f->sessions->keys, at->key), "phone");
    assert_string_equal(interned_text(f->sessions->rooms, at->room), "lobby");
    assert_string_equal(f->comets->lives[at->life].comet->id, "c1");
    assert_null(session_map_next(f->sessions, at));
    assert_null(session_map_first(f->sessions, 7));
}

static void the_same_put_again_updates(void **state)
{
    struct fixture *f = *state;
    uint16_t life = life_of(f, "c1", 5);

    put(f, life, 1, 10, "a");
    put(f, life, 1, 10, "a");
    assert_int_equal(found(f, 1), 1);
    assert_int_equal(room_count(f, "a"), 1);
    put(f, life, 1, 10, "b");
    assert_int_equal(found(f, 1), 1);
    assert_int_equal(room_count(f, "a"), 0);
    assert_int_equal(room_count(f, "b"), 1);
    assert_int_equal(f->comets->live_sessions, 1);
}

/* Its comet was taken for dead, and tells of it when newer ones have come. */
static void a_session_that_was_open_before_is_the_oldest(void **state)
{
    struct fixture *f = *state;
    uint16_t life = life_of(f, "c1", 5);
    struct session_new before = {
        .uid = 7, .handle = 3, .life = life, .key = "", .room = "", .again = true};
    static const uint64_t newest_first[] = {4, 2, 1, 3};
    size_t n = 0;

    for (int64_t uid = 0; uid < 100; uid++) /* some are in the same chain */
        put(f, life, 1000 + uid, 9, "");
    put(f, life, 7, 1, "");
    put(f, life, 7, 2, "");
    assert_int_equal(session_map_put(f->sessions, &before), SESSION_MAP_OK);
    assert_int_equal(session_map_put(f->sessions, &before), SESSION_MAP_OK);
    put(f, life, 7, 4, "");
    for (const struct session_row *at = session_map_first(f->sessions, 7); at != NULL;
         at = session_map_next(f->sessions, at))
        assert_int_equal(at->handle, newest_first[n++]);
    assert_int_equal(n, 4);
}

static void a_uid_has_as_many_sessions_as_allowed(void **state)
{
    struct fixture *f = *state;
    uint16_t life = life_of(f, "c1", 5);
    struct session_new session = {
        .uid = 1, .handle = 1, .life = life, .key = "", .room = "", .max_others = 2};

    assert_int_equal(session_map_put(f->sessions, &session), SESSION_MAP_OK);
    session.handle = 2;
    assert_int_equal(session_map_put(f->sessions, &session), SESSION_MAP_OK);
    session.handle = 3;
    assert_int_equal(session_map_put(f->sessions, &session), SESSION_MAP_TOO_MANY);
    assert_int_equal(found(f, 1), 2);
    session.handle = 2; /* not another one */
    assert_int_equal(session_map_put(f->sessions, &session), SESSION_MAP_OK);
    session.uid = 2;
    session.handle = 3;
    assert_int_equal(session_map_put(f->sessions, &session), SESSION_MAP_OK);
    session.uid = 1;
    session.max_others = 0;
    assert_int_equal(session_map_put(f->sessions, &session), SESSION_MAP_OK);
    assert_int_equal(found(f, 1), 3);
}

/* Nor do those of which only membership has not said yet that they are dead. */
static void dead_sessions_do_not_count_against_the_limit(void **state)
{
    struct fixture *f = *state;
    struct session_new session = {
        .uid = 1, .handle = 1, .life = life_of(f, "c1", 5), .key = "", .room = "", .max_others = 1};

    assert_int_equal(session_map_put(f->sessions, &session), SESSION_MAP_OK);
    session.life = life_of(f, "c1", 6);
    assert_int_equal(session_map_put(f->sessions, &session), SESSION_MAP_OK);
    assert_int_equal(found(f, 1), 2);
    session.life = next_life_of(f, "c1", 7);
    assert_int_equal(session_map_put(f->sessions, &session), SESSION_MAP_OK);
    assert_int_equal(found(f, 1), 1);
    session.handle = 2;
    assert_int_equal(session_map_put(f->sessions, &session), SESSION_MAP_TOO_MANY);
}

static void del_takes_out_one_session_and_only_once(void **state)
{
    struct fixture *f = *state;
    uint16_t life = life_of(f, "c1", 5), other = life_of(f, "c2", 5);

    put(f, life, 1, 10, "a");
    put(f, other, 1, 10, "a");
    assert_false(session_map_del(f->sessions, 1, life, 11));
    assert_false(session_map_del(f->sessions, 2, life, 10));
    assert_true(session_map_del(f->sessions, 1, life, 10));
    assert_false(session_map_del(f->sessions, 1, life, 10));
    assert_int_equal(found(f, 1), 1);
    assert_int_equal(f->sessions->uids, 1);
    assert_int_equal(room_count(f, "a"), 1);
    assert_true(session_map_del(f->sessions, 1, other, 10));
    assert_int_equal(f->sessions->uids, 0);
    assert_int_equal(interned_count(f->sessions->rooms), 0);
}

static void a_newer_epoch_hides_the_older_sessions_when_it_is_shown(void **state)
{
    struct fixture *f = *state;
    uint16_t old = life_of(f, "c1", 5);

    for (int64_t uid = 0; uid < 10000; uid++)
        put(f, old, uid, (uint64_t)uid, uid % 2 ? "odd" : "");
    uint16_t new = next_life_of(f, "c1", 6);
    put(f, new, 1, 1, "odd");
    for (int64_t uid = 0; uid < 10000; uid++)
        assert_int_equal(found(f, uid), uid == 1);
    assert_int_equal(f->comets->live_sessions, 1);
    assert_int_equal(f->comets->dead_sessions, 10000);
    assert_int_equal(f->comets->lives[new].sessions, 1);
}

static void the_sweep_works_in_slices_and_frees_everything(void **state)
{
    struct fixture *f = *state;
    uint16_t dies = life_of(f, "c1", 5), stays = life_of(f, "c2", 5);

    for (int64_t uid = 0; uid < 50000; uid++)
        put(f, uid < 40000 ? dies : stays, uid, (uint64_t)uid, "r");
    comet_lives_forget(f->comets, "c1");
    assert_true(session_map_sweep_waits(f->sessions));
    assert_true(session_map_sweep(f->sessions, 1000));
    assert_int_equal(f->comets->dead_sessions, 39000);
    assert_int_equal(f->sessions->pool.used, 49000);
    sweep_all(f);
    assert_int_equal(f->comets->dead_sessions, 0);
    assert_int_equal(f->sessions->pool.used, 10000);
    assert_int_equal(f->sessions->uids, 10000);
    assert_int_equal(room_count(f, "r"), 10000);
    assert_int_equal(f->sessions->swept_dead, 40000);
    assert_int_equal(f->sessions->sweeps, 1);
    /* Those that stay lie in four chunks; one empty chunk is kept. */
    assert_true(f->sessions->pool.bytes <= 5 * SLOTS_PER_CHUNK * sizeof(struct session_row));
    for (int64_t uid = 40000; uid < 50000; uid++)
        assert_int_equal(found(f, uid), 1);
}

static void what_dies_behind_the_cursor_is_swept_by_another_pass(void **state)
{
    struct fixture *f = *state;

    uint16_t first = life_of(f, "c1", 1);
    for (int64_t uid = 0; uid < 3000; uid++)
        put(f, first, uid, 1, "");
    uint16_t second = life_of(f, "c2", 1);
    for (int64_t uid = 3000; uid < 6000; uid++)
        put(f, second, uid, 1, "");
    comet_lives_forget(f->comets, "c2");
    session_map_sweep(f->sessions, 3500);
    comet_lives_forget(f->comets, "c1");
    sweep_all(f);
    assert_int_equal(f->sessions->pool.used, 0);
    assert_int_equal(f->sessions->sweeps, 2);
    assert_int_equal(f->sessions->uids, 0);
}

static void a_life_number_is_used_again_only_when_it_is_swept(void **state)
{
    struct fixture *f = *state;
    uint16_t old = life_of(f, "c1", 1);

    put(f, old, 1, 1, "");
    uint16_t new = next_life_of(f, "c1", 2);
    assert_int_not_equal(old, new);
    sweep_all(f);
    assert_int_equal(life_of(f, "c3", 1), old);
    assert_int_equal(found(f, 1), 0);
}

static void what_moved_to_another_router_is_dropped(void **state)
{
    struct fixture *f = *state;
    uint16_t life = life_of(f, "c1", 5);

    for (int64_t uid = 0; uid < 20000; uid++)
        put(f, life, uid, 1, "");
    f->owned_modulo = 3;
    session_map_moved(f->sessions);
    assert_true(session_map_sweep(f->sessions, 10));
    sweep_all(f);
    assert_int_equal(f->sessions->swept_moved, 5000);
    assert_int_equal(f->comets->live_sessions, 15000);
    for (int64_t uid = 0; uid < 20000; uid++)
        assert_int_equal(found(f, uid), uid % 4 < 3);
}

static void a_ring_that_changes_again_first_gets_its_pass(void **state)
{
    struct fixture *f = *state;
    uint16_t life = life_of(f, "c1", 5);

    for (int64_t uid = 0; uid < 20000; uid++)
        put(f, life, uid, 1, "");
    f->owned_modulo = 2;
    session_map_moved(f->sessions);
    session_map_sweep(f->sessions, 10);
    session_map_moved(f->sessions);
    session_map_sweep_moved(f->sessions, 64);
    f->owned_modulo = 4;
    assert_false(session_map_sweep_waits(f->sessions));
    assert_int_equal(f->comets->live_sessions, 10000);
}

/* Many operations against the plainest model there is: an array of everything that was put. */
enum { MODEL_UIDS = 300, MODEL_HANDLES = 4, MODEL_COMETS = 3, MODEL_STEPS = 300000 };

struct model {
    bool there[MODEL_COMETS][MODEL_UIDS][MODEL_HANDLES];
    int room[MODEL_COMETS][MODEL_UIDS][MODEL_HANDLES];
    uint64_t epoch[MODEL_COMETS];
};

static const char *const model_ids[MODEL_COMETS] = {"c0", "c1", "c2"};
static const char *const model_rooms[] = {"", "red", "green", "blue"};

static unsigned model_random(unsigned below)
{
    static uint64_t x = 88172645463325252ULL;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (unsigned)(x >> 33) % below;
}

static void model_step(struct fixture *f, struct model *m)
{
    unsigned comet = model_random(MODEL_COMETS), uid = model_random(MODEL_UIDS);
    unsigned handle = model_random(MODEL_HANDLES), what = model_random(10000);
    unsigned room = model_random(4);
    uint16_t life = life_of(f, model_ids[comet], m->epoch[comet]);

    if (what < 5) {
        memset(m->there[comet], 0, sizeof m->there[comet]);
        next_life_of(f, model_ids[comet], ++m->epoch[comet]);
    } else if (what < 10) {
        memset(m->there[comet], 0, sizeof m->there[comet]);
        comet_lives_forget(f->comets, model_ids[comet]);
    } else if (what < 5000) {
        assert_int_equal(put(f, life, uid, handle, model_rooms[room]), SESSION_MAP_OK);
        m->there[comet][uid][handle] = true;
        m->room[comet][uid][handle] = (int)room;
    } else if (what < 9000) {
        assert_int_equal(session_map_del(f->sessions, uid, life, handle),
                         m->there[comet][uid][handle]);
        m->there[comet][uid][handle] = false;
    } else {
        session_map_sweep(f->sessions, model_random(50));
    }
}

static void model_check_uid(struct fixture *f, const struct model *m, unsigned uid)
{
    size_t expected = 0;

    for (unsigned comet = 0; comet < MODEL_COMETS; comet++)
        for (unsigned handle = 0; handle < MODEL_HANDLES; handle++)
            expected += m->there[comet][uid][handle];
    for (const struct session_row *at = session_map_first(f->sessions, uid); at != NULL;
         at = session_map_next(f->sessions, at)) {
        unsigned comet = (unsigned)(f->comets->lives[at->life].comet->id[1] - '0');
        assert_true(m->there[comet][uid][at->handle]);
        assert_string_equal(interned_text(f->sessions->rooms, at->room),
                            model_rooms[m->room[comet][uid][at->handle]]);
    }
    assert_int_equal(found(f, uid), expected);
}

static void model_check_totals(struct fixture *f, const struct model *m)
{
    size_t rooms[4] = {0}, total = 0, uids = 0;

    for (unsigned uid = 0; uid < MODEL_UIDS; uid++) {
        size_t before = total;
        for (unsigned i = 0; i < MODEL_COMETS * MODEL_HANDLES; i++) {
            unsigned comet = i / MODEL_HANDLES, handle = i % MODEL_HANDLES;
            if (!m->there[comet][uid][handle])
                continue;
            total++;
            rooms[m->room[comet][uid][handle]]++;
        }
        uids += total > before;
        model_check_uid(f, m, uid);
    }
    assert_int_equal(f->comets->live_sessions, total);
    sweep_all(f);
    assert_int_equal(f->sessions->pool.used, total);
    assert_int_equal(f->sessions->uids, uids);
    for (int room = 1; room < 4; room++)
        assert_int_equal(room_count(f, model_rooms[room]), rooms[room]);
}

static void random_operations_agree_with_a_model(void **state)
{
    struct fixture *f = *state;
    struct model *m = mem_zalloc(sizeof *m);

    for (int i = 0; i < MODEL_COMETS; i++)
        m->epoch[i] = 1;
    for (int step = 0; step < MODEL_STEPS; step++) {
        model_step(f, m);
        model_check_uid(f, m, model_random(MODEL_UIDS));
        if (step % 10000 == 0)
            model_check_totals(f, m);
    }
    model_check_totals(f, m);
    free(m);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_put_is_found_with_what_it_brought),
        TEST(the_same_put_again_updates),
        TEST(a_session_that_was_open_before_is_the_oldest),
        TEST(a_uid_has_as_many_sessions_as_allowed),
        TEST(dead_sessions_do_not_count_against_the_limit),
        TEST(del_takes_out_one_session_and_only_once),
        TEST(a_newer_epoch_hides_the_older_sessions_when_it_is_shown),
        TEST(the_sweep_works_in_slices_and_frees_everything),
        TEST(what_dies_behind_the_cursor_is_swept_by_another_pass),
        TEST(a_life_number_is_used_again_only_when_it_is_swept),
        TEST(what_moved_to_another_router_is_dropped),
        TEST(a_ring_that_changes_again_first_gets_its_pass),
        TEST(random_operations_agree_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
