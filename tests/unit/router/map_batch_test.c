/* Batches as logic packs them, replies as it unpacks them. */
#include "router/map_batch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PARTS_MAX = 16 };

struct fixture {
    struct map_shard shard;
    _Atomic int64_t counters[ROUTER_METRIC_COUNT];
    Imc__V1__MapReply *reply;
};

/* A batch under construction. */
struct draft {
    Imc__V1__MapBatch batch;
    Imc__V1__CometRef comets[PARTS_MAX], *comet_list[PARTS_MAX];
    Imc__V1__Put puts[PARTS_MAX], *put_list[PARTS_MAX];
    Imc__V1__Del dels[PARTS_MAX], *del_list[PARTS_MAX];
    Imc__V1__CometRegistered registered[PARTS_MAX], *registered_list[PARTS_MAX];
    int64_t lookups[PARTS_MAX];
    char *forget[PARTS_MAX];
    Imc__V1__RoomShare rooms[PARTS_MAX], *room_list[PARTS_MAX];
    Imc__V1__TopRooms tops[PARTS_MAX], *top_list[PARTS_MAX];
    char *totals[PARTS_MAX];
    char text[1024]; /* what the strings point to: protobuf-c's are not const */
    size_t text_len;
};

static void show(struct fixture *f, enum member_kind kind, const char *id, uint64_t epoch)
{
    struct member member = {.epoch = epoch, .weight = 1};
    struct member_list list = {.n = 1, .members = &member};

    snprintf(member.id, sizeof member.id, "%s", id);
    if (kind == MEMBER_COMET)
        map_shard_comets(&f->shard, &list);
    else
        map_shard_routers(&f->shard, &list, "r1");
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof *f);
    struct map_shard_limits limits = {.comet_grace_ms = 7000, .sweep_slice = 64, .max_counted = 3};

    map_shard_init(&f->shard, &limits, f->counters);
    f->shard.now_ms = 1000;
    f->shard.completeness.ready = true;
    show(f, MEMBER_ROUTER, "r1", 1);
    show(f, MEMBER_COMET, "c1", 5);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->reply != NULL)
        imc__v1__map_reply__free_unpacked(f->reply, NULL);
    map_shard_close(&f->shard);
    free(f);
    return 0;
}

static void draft_init(struct fixture *f, struct draft *d)
{
    memset(d, 0, sizeof *d);
    imc__v1__map_batch__init(&d->batch);
    d->batch.seq = 77;
    d->batch.ring = f->shard.completeness.hash;
    d->batch.comets = d->comet_list;
    d->batch.puts = d->put_list;
    d->batch.dels = d->del_list;
    d->batch.registered = d->registered_list;
    d->batch.lookups = d->lookups;
    d->batch.forget = d->forget;
    d->batch.rooms = d->room_list;
    d->batch.top = d->top_list;
    d->batch.totals = d->totals;
}

static char *draft_text(struct draft *d, const char *s)
{
    char *copy = d->text + d->text_len;

    d->text_len += strlen(s) + 1;
    assert_true(d->text_len <= sizeof d->text);
    memcpy(copy, s, strlen(s) + 1);
    return copy;
}

static void draft_comet(struct draft *d, const char *id, uint64_t epoch)
{
    size_t n = d->batch.n_comets++;

    imc__v1__comet_ref__init(&d->comets[n]);
    d->comets[n].id = draft_text(d, id);
    d->comets[n].epoch = epoch;
    d->comet_list[n] = &d->comets[n];
}

static void draft_room(struct draft *d, uint32_t comet, const char *room, uint32_t sessions)
{
    size_t n = d->batch.n_rooms++;
    Imc__V1__RoomShare *share = d->room_list[n] = &d->rooms[n];

    imc__v1__room_share__init(share);
    share->comet = comet;
    share->room = draft_text(d, room);
    share->sessions = sessions;
    share->number = 1 + n;
}

static Imc__V1__Put *draft_put(struct draft *d, uint32_t comet, int64_t uid, uint64_t handle)
{
    size_t n = d->batch.n_puts++;

    imc__v1__put__init(&d->puts[n]);
    d->puts[n].comet = comet;
    d->puts[n].uid = uid;
    d->puts[n].handle = handle;
    return d->put_list[n] = &d->puts[n];
}

static void draft_del(struct draft *d, uint32_t comet, int64_t uid, uint64_t handle)
{
    size_t n = d->batch.n_dels++;

    imc__v1__del__init(&d->dels[n]);
    d->dels[n].comet = comet;
    d->dels[n].uid = uid;
    d->dels[n].handle = handle;
    d->del_list[n] = &d->dels[n];
}

static void draft_registered(struct draft *d, uint32_t comet, uint32_t loop, uint32_t loops)
{
    size_t n = d->batch.n_registered++;

    imc__v1__comet_registered__init(&d->registered[n]);
    d->registered[n].comet = comet;
    d->registered[n].loop = loop;
    d->registered[n].loops = loops;
    d->registered_list[n] = &d->registered[n];
}

static void draft_lookup(struct draft *d, int64_t uid)
{
    d->lookups[d->batch.n_lookups++] = uid;
}

static void draft_top(struct draft *d, const char *prefix, uint32_t limit)
{
    size_t n = d->batch.n_top++;

    imc__v1__top_rooms__init(&d->tops[n]);
    d->tops[n].prefix = draft_text(d, prefix);
    d->tops[n].limit = limit;
    d->top_list[n] = &d->tops[n];
}

/* Over the wire and back, both ways. */
static const Imc__V1__MapReply *send_draft(struct fixture *f, const struct draft *d)
{
    uint8_t buf[8192];
    struct arena arena;
    size_t len = imc__v1__map_batch__get_packed_size(&d->batch);

    assert_true(len <= sizeof buf);
    imc__v1__map_batch__pack(&d->batch, buf);
    arena_init(&arena);
    ProtobufCAllocator allocator = arena_allocator(&arena);
    Imc__V1__MapBatch *batch = imc__v1__map_batch__unpack(&allocator, len, buf);
    assert_non_null(batch);
    struct msg *msg = map_batch_apply(&f->shard, batch, &arena);
    arena_free(&arena);
    assert_true(msg->len >= 9);
    assert_int_equal(msg->data[0], 0x09); /* field 1, fixed64: what common/rpc/pipe.h looks for */
    if (f->reply != NULL)
        imc__v1__map_reply__free_unpacked(f->reply, NULL);
    f->reply = imc__v1__map_reply__unpack(NULL, msg->len, msg->data);
    msg_unref(msg);
    assert_non_null(f->reply);
    assert_int_equal(f->reply->seq, d->batch.seq);
    return f->reply;
}

/* A session may be registered again by a comet that does not know of acknowledgements yet. */
static void whether_a_session_is_acknowledged_is_what_was_said_last(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        struct draft d;
        draft_init(f, &d);
        draft_comet(&d, "c1", 5);
        draft_put(&d, 0, 7, 30)->acked = i == 1;
        draft_lookup(&d, 7);
        const Imc__V1__MapReply *reply = send_draft(f, &d);
        assert_int_equal(reply->lookups[0]->n_sessions, 1);
        assert_int_equal(reply->lookups[0]->sessions[0]->acked, i == 1);
    }
}

static void a_batch_is_carried_out_in_the_stated_order(void **state)
{
    struct fixture *f = *state;
    struct draft d;

    draft_init(f, &d);
    draft_comet(&d, "c1", 5);
    Imc__V1__Put *put = draft_put(&d, 0, -3, 30);
    put->key = draft_text(&d, "phone");
    put->room = draft_text(&d, "lobby");
    draft_put(&d, 0, 4, 40);
    draft_del(&d, 0, 4, 40);
    draft_registered(&d, 0, 0, 1);
    draft_lookup(&d, -3);
    draft_lookup(&d, 4);
    d.forget[d.batch.n_forget++] = draft_text(&d, "c1");
    d.batch.count_comets = true;
    const Imc__V1__MapReply *reply = send_draft(f, &d);
    assert_int_equal(reply->n_puts, 2);
    assert_int_equal(reply->puts[0], IMC__V1__PUT_STATUS__PUT_OK);
    assert_true(reply->complete);
    assert_false(reply->ring_mismatch);
    assert_int_equal(reply->n_lookups, 2);
    assert_int_equal(reply->lookups[0]->n_sessions, 1);
    const Imc__V1__Session *session = reply->lookups[0]->sessions[0];
    assert_string_equal(session->comet, "c1");
    assert_int_equal(session->epoch, 5);
    assert_int_equal(session->handle, 30);
    assert_string_equal(session->key, "phone");
    assert_string_equal(session->room, "lobby");
    assert_int_equal(reply->lookups[1]->n_sessions, 0);
    assert_int_equal(reply->n_comets, 0);
    draft_init(f, &d);
    draft_lookup(&d, -3);
    reply = send_draft(f, &d);
    assert_int_equal(reply->lookups[0]->n_sessions, 0);
    assert_true(reply->complete);
    assert_int_equal(f->counters[ROUTER_LOOKUP_HIT], 1);
    assert_int_equal(f->counters[ROUTER_LOOKUP_MISS], 2);
}

static void another_ring_changes_nothing_but_dels(void **state)
{
    struct fixture *f = *state;
    struct draft d;

    draft_init(f, &d);
    draft_comet(&d, "c1", 5);
    draft_put(&d, 0, 1, 10);
    draft_put(&d, 0, 2, 20);
    send_draft(f, &d);
    draft_init(f, &d);
    d.batch.ring ^= 1;
    draft_comet(&d, "c1", 5);
    draft_put(&d, 0, 3, 30);
    draft_del(&d, 0, 1, 10);
    draft_registered(&d, 0, 0, 1);
    draft_lookup(&d, 1);
    draft_lookup(&d, 2);
    draft_lookup(&d, 3);
    const Imc__V1__MapReply *reply = send_draft(f, &d);
    assert_true(reply->ring_mismatch);
    assert_false(reply->complete);
    assert_int_equal(reply->n_puts, 0);
    assert_int_equal(reply->lookups[0]->n_sessions, 0);
    assert_int_equal(reply->lookups[1]->n_sessions, 1);
    assert_int_equal(reply->lookups[2]->n_sessions, 0);
    assert_false(completeness_is_reached(&f->shard.completeness));
    assert_int_equal(f->counters[ROUTER_PUT_RING], 1);
    assert_int_equal(f->counters[ROUTER_MISMATCHES], 1);
}

static void a_router_without_a_ring_agrees_with_nobody(void **state)
{
    struct fixture *f = *state;
    struct member_list none = {0};
    struct draft d;

    map_shard_routers(&f->shard, &none, "r1");
    draft_init(f, &d);
    d.batch.ring = 0;
    assert_true(send_draft(f, &d)->ring_mismatch);
}

static void every_put_has_its_status(void **state)
{
    struct fixture *f = *state;
    struct draft d;
    char room[MAP_BATCH_ROOM_MAX + 2];

    memset(room, 'r', sizeof room);
    room[sizeof room - 1] = '\0';
    draft_init(f, &d);
    draft_comet(&d, "c1", 5);
    draft_comet(&d, "c1", 4);
    draft_comet(&d, "", 4);
    draft_put(&d, 0, 1, 10);
    draft_put(&d, 0, 1, 11)->max_sessions = 1;
    draft_put(&d, 1, 1, 12);
    draft_put(&d, 2, 1, 13);
    draft_put(&d, 3, 1, 14);
    draft_put(&d, 0, 1, 15)->room = room;
    draft_put(&d, 0, 1, 16)->room = room + 1;
    const Imc__V1__MapReply *reply = send_draft(f, &d);
    const uint32_t expected[] = {
        IMC__V1__PUT_STATUS__PUT_OK,          IMC__V1__PUT_STATUS__PUT_TOO_MANY,
        IMC__V1__PUT_STATUS__PUT_STALE_COMET, IMC__V1__PUT_STATUS__PUT_REFUSED,
        IMC__V1__PUT_STATUS__PUT_REFUSED,     IMC__V1__PUT_STATUS__PUT_REFUSED,
        IMC__V1__PUT_STATUS__PUT_OK};
    assert_int_equal(reply->n_puts, 7);
    assert_memory_equal(reply->puts, expected, sizeof expected);
    assert_int_equal(f->counters[ROUTER_PUT_REFUSED], 3);
}

static void strangers_are_refused_while_memory_is_short(void **state)
{
    struct fixture *f = *state;
    struct draft d;

    for (int turn = 0; turn < 3; turn++) {
        f->shard.refuses = turn == 1;
        draft_init(f, &d);
        draft_comet(&d, "c1", 5);
        draft_put(&d, 0, 1, 10);
        draft_put(&d, 0, 2 + turn, 20);
        const Imc__V1__MapReply *reply = send_draft(f, &d);
        assert_int_equal(reply->puts[0], IMC__V1__PUT_STATUS__PUT_OK); /* the second time: again */
        assert_int_equal(reply->puts[1], turn == 1 ? IMC__V1__PUT_STATUS__PUT_REFUSED
                                                   : IMC__V1__PUT_STATUS__PUT_OK);
        assert_int_equal(f->counters[ROUTER_NO_MEMORY], turn > 0);
    }
}

static void two_epochs_in_a_batch_are_told_apart(void **state)
{
    struct fixture *f = *state;
    struct draft d;

    draft_init(f, &d);
    draft_comet(&d, "c1", 5);
    draft_comet(&d, "c1", 6);
    draft_put(&d, 0, 1, 10);
    draft_put(&d, 1, 1, 11)->max_sessions = 1; /* the earlier one is likely gone */
    draft_put(&d, 0, 1, 12)->max_sessions = 1; /* and this one is not over yet */
    draft_lookup(&d, 1);
    const Imc__V1__MapReply *reply = send_draft(f, &d);
    assert_int_equal(reply->puts[1], IMC__V1__PUT_STATUS__PUT_OK);
    assert_int_equal(reply->puts[2], IMC__V1__PUT_STATUS__PUT_TOO_MANY);
    assert_int_equal(reply->lookups[0]->n_sessions, 2);
    show(f, MEMBER_COMET, "c1", 6);
    draft_init(f, &d);
    draft_comet(&d, "c1", 5);
    draft_put(&d, 0, 1, 12);
    draft_lookup(&d, 1);
    reply = send_draft(f, &d);
    assert_int_equal(reply->puts[0], IMC__V1__PUT_STATUS__PUT_STALE_COMET);
    assert_int_equal(reply->lookups[0]->n_sessions, 1);
    assert_int_equal(reply->lookups[0]->sessions[0]->handle, 11);
}

/* 16 users with 3,000 sessions each, of some 100 bytes: more than one answer has room for. */
static void lookups_beyond_one_answer_are_left_out(void **state)
{
    enum { USERS = PARTS_MAX, EACH = 3000, AT_ONCE = PARTS_MAX };
    struct fixture *f = *state;
    struct draft d;
    char key[65];
    size_t answered = 0, replies = 0;

    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    for (size_t i = 0; i < USERS * EACH; i += AT_ONCE) {
        draft_init(f, &d);
        draft_comet(&d, "c1", 5);
        for (size_t j = i; j < i + AT_ONCE && j < USERS * EACH; j++)
            draft_put(&d, 0, (int64_t)(j / EACH), j + 1)->key = key;
        send_draft(f, &d);
    }
    while (answered < USERS) {
        draft_init(f, &d);
        for (size_t i = answered; i < USERS; i++)
            draft_lookup(&d, (int64_t)i);
        const Imc__V1__MapReply *reply = send_draft(f, &d);
        assert_true(reply->n_lookups > 0);
        for (size_t i = 0; i < reply->n_lookups; i++)
            assert_int_equal(reply->lookups[i]->n_sessions, EACH);
        assert_true(imc__v1__map_reply__get_packed_size(reply) < 4 << 20);
        replies += reply->n_lookups < d.batch.n_lookups;
        answered += reply->n_lookups;
    }
    assert_true(replies > 0);
    assert_int_equal(f->counters[ROUTER_LOOKUPS_CUT], 0);
}

static void dels_that_find_nothing_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct draft d;

    draft_init(f, &d);
    draft_comet(&d, "c1", 5);
    draft_comet(&d, "c1", 4);
    draft_comet(&d, "c9", 5);
    draft_put(&d, 0, 1, 10);
    draft_del(&d, 1, 1, 10); /* another epoch */
    draft_del(&d, 2, 1, 10); /* a comet nobody knows */
    draft_del(&d, 0, 1, 11);
    draft_del(&d, 7, 1, 10); /* no such reference */
    draft_lookup(&d, 1);
    assert_int_equal(send_draft(f, &d)->lookups[0]->n_sessions, 1);
    assert_int_equal(f->counters[ROUTER_DEL_UNKNOWN], 4);
    assert_null(comets_find(f->shard.comets, "c9", 5));
}

static void counts_list_what_lives_up_to_the_limit(void **state)
{
    struct fixture *f = *state;
    struct draft d;
    static const char *const rooms[] = {"a", "b", "c", "d"};

    draft_init(f, &d);
    draft_comet(&d, "c1", 5);
    draft_comet(&d, "c2", 5);
    for (uint32_t i = 0; i < 3; i++)
        draft_put(&d, i % 2, i, i);
    draft_room(&d, 0, "a", 2);
    draft_room(&d, 1, "a", 1);
    draft_room(&d, 1, "b", 0);
    draft_room(&d, 7, "a", 9); /* no such reference */
    d.batch.count_rooms = d.batch.count_comets = true;
    const Imc__V1__MapReply *reply = send_draft(f, &d);
    assert_int_equal(reply->n_room_totals, 4);
    assert_int_equal(reply->room_totals[0], 2);
    assert_int_equal(reply->room_totals[1], 3);
    assert_int_equal(reply->room_totals[2], 0);
    assert_int_equal(reply->room_totals[3], 3);
    assert_int_equal(reply->n_rooms, 1);
    assert_string_equal(reply->rooms[0]->name, "a");
    assert_int_equal(reply->rooms[0]->sessions, 3);
    assert_int_equal(reply->n_comets, 2);
    assert_string_equal(reply->comets[0]->name, "c1");
    assert_int_equal(reply->comets[0]->sessions, 2);
    assert_int_equal(f->counters[ROUTER_COUNTS_CUT], 0);
    for (uint32_t i = 0; i < 4; i++)
        draft_room(&d, 0, rooms[i], 1);
    assert_int_equal(send_draft(f, &d)->n_rooms, 3);
    assert_int_equal(f->counters[ROUTER_COUNTS_CUT], 1);
}

static void rooms_are_listed_by_size_and_told_by_name(void **state)
{
    struct fixture *f = *state;
    struct draft d;

    draft_init(f, &d);
    draft_comet(&d, "c1", 5);
    draft_room(&d, 0, "live://1", 2);
    draft_room(&d, 0, "live://2", 7);
    draft_room(&d, 0, "game://1", 9);
    draft_top(&d, "live://", 5);
    draft_top(&d, "", 1);
    draft_top(&d, "", 0);
    for (size_t i = 0; i < 3; i++)
        d.totals[i] = draft_text(&d, ((const char *[]){"live://2", "nobody", "live://2"})[i]);
    d.batch.n_totals = 3;
    const Imc__V1__MapReply *reply = send_draft(f, &d);
    assert_int_equal(reply->n_top, 3);
    assert_int_equal(reply->top[0]->n_rooms, 2);
    assert_string_equal(reply->top[0]->rooms[0]->name, "live://2");
    assert_int_equal(reply->top[0]->rooms[0]->sessions, 7);
    assert_string_equal(reply->top[0]->rooms[1]->name, "live://1");
    assert_int_equal(reply->top[1]->n_rooms, 1);
    assert_string_equal(reply->top[1]->rooms[0]->name, "game://1");
    assert_int_equal(reply->top[2]->n_rooms, 0);
    assert_int_equal(reply->n_totals, 3);
    assert_true(reply->totals[0] == 7 && reply->totals[1] == 0 && reply->totals[2] == 7);
    assert_int_equal(f->counters[ROUTER_ROOM_TOTALS], 3);
}

static void only_some_lists_are_made_at_once(void **state)
{
    struct fixture *f = *state;
    struct draft d;

    draft_init(f, &d);
    draft_comet(&d, "c1", 5);
    draft_room(&d, 0, "a", 2);
    draft_top(&d, "", 1);
    draft_top(&d, "", 2);
    draft_top(&d, "", 1);
    draft_top(&d, "a", 1);
    draft_top(&d, "", 1);
    draft_top(&d, "", 1);
    const Imc__V1__MapReply *reply = send_draft(f, &d);
    assert_int_equal(reply->n_top, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(reply->top[i]->n_rooms, 1);
    assert_int_equal(f->counters[ROUTER_ROOM_LISTS], 3); /* the repeated one was made once */
}

/* What a batch can ask for at most still fits a reply, and the list has no more than 1,000. */
static void the_longest_lists_fit_a_reply(void **state)
{
    enum { ROOMS = 1008 };
    struct fixture *f = *state;
    struct draft d;
    char name[MAP_BATCH_ROOM_MAX + 1];

    for (size_t i = 0; i < ROOMS; i += 4) {
        draft_init(f, &d);
        draft_comet(&d, "c1", 5);
        for (size_t k = i; k < i + 4; k++) {
            snprintf(name, sizeof name, "%0*zu", MAP_BATCH_ROOM_MAX, k);
            draft_room(&d, 0, name, UINT32_MAX);
        }
        send_draft(f, &d);
    }
    draft_init(f, &d);
    for (size_t i = 0; i < 4; i++)
        draft_top(&d, "", UINT32_MAX);
    const Imc__V1__MapReply *reply = send_draft(f, &d);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(reply->top[i]->n_rooms, 1000);
    assert_true(imc__v1__map_reply__get_packed_size(reply) < 640 << 10);
}

static void an_empty_batch_is_answered(void **state)
{
    struct fixture *f = *state;
    struct draft d;

    draft_init(f, &d);
    const Imc__V1__MapReply *reply = send_draft(f, &d);
    assert_false(reply->complete); /* c1 has not registered */
    assert_int_equal(reply->n_puts + reply->n_lookups + reply->n_rooms + reply->n_comets, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(whether_a_session_is_acknowledged_is_what_was_said_last),
        TEST(a_batch_is_carried_out_in_the_stated_order),
        TEST(another_ring_changes_nothing_but_dels),
        TEST(a_router_without_a_ring_agrees_with_nobody),
        TEST(every_put_has_its_status),
        TEST(strangers_are_refused_while_memory_is_short),
        TEST(two_epochs_in_a_batch_are_told_apart),
        TEST(lookups_beyond_one_answer_are_left_out),
        TEST(dels_that_find_nothing_change_nothing),
        TEST(counts_list_what_lives_up_to_the_limit),
        TEST(rooms_are_listed_by_size_and_told_by_name),
        TEST(only_some_lists_are_made_at_once),
        TEST(the_longest_lists_fit_a_reply),
        TEST(an_empty_batch_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
