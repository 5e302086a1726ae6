/* The core of job against a fake comet and a fake logic, without bus and Redis: the paths of
 * docs/job.md. */
#include "common/base/time.h"
#include "common/protocol/message_id.h"
#include "job/comets/comets.h"
#include "job/delivery/dispatch.h"
#include "job/job_parts.h"
#include "job/mailbox/mailbox_handover.h"
#include "job/partition/partition.h"
#include "tests/unit/lib/clock.h"
#include "tests/unit/lib/scripted_peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { COMETS = 2, LOGICS = 2 };

struct bench {
    struct loop loop;
    struct rpc *rpc;
    struct job_config config;
    _Atomic int64_t counters[JOB_METRIC_COUNT];
    struct job job;
    struct partition partition;
    struct fake_comet *comets[COMETS];
    struct fake_logic *logics[LOGICS];
    struct member comet_members[COMETS], logic_members[LOGICS];
    uv_timer_t wake;
    int64_t offset;
    bool partition_open;
};

static struct bench bench;
static char seen[FAKE_TEXT];

/* --- membership --- */

static void members_are(unsigned comets, unsigned logics)
{
    struct member list[COMETS];
    size_t n = 0;

    for (int i = 0; i < COMETS; i++) {
        if (comets & 1U << i)
            list[n++] = bench.comet_members[i];
    }
    comets_changed(bench.job.comets, &(struct member_list){n, list});
    n = 0;
    for (int i = 0; i < LOGICS; i++) {
        if (logics & 1U << i)
            list[n++] = bench.logic_members[i];
    }
    handover_logics_changed(bench.job.handover, &(struct member_list){n, list});
}

static void on_wake(uv_timer_t *timer)
{
    (void)timer;
}

static int setup(void **state)
{
    (void)state;
    memset(&bench, 0, sizeof bench);
    struct job_config *config = &bench.config;
    char topic[] = "test";
    *config = (struct job_config){.window = 1000,
                                  .window_bytes = 1 << 20,
                                  .max_message = 4096,
                                  .comet_window = 4,
                                  .comet_items = 16,
                                  .comet_bytes = 65536,
                                  .comet_timeout_ms = 3000,
                                  .logic_window = 2,
                                  .logic_items = 16,
                                  .logic_bytes = 65536,
                                  .logic_timeout_ms = 500,
                                  .retry_first_ms = 20,
                                  .retry_last_ms = 100,
                                  .patience_ms = 1000,
                                  .settle_window = 1000,
                                  .settle_window_bytes = 1 << 20,
                                  .settle_parked = 1000};
    config->bus_topic = mem_strdup(topic);
    clock_share(1, NULL);
    assert_int_equal(loop_init(&bench.loop, "test", 0), 0);
    assert_int_equal(rpc_open(&bench.rpc, 1 << 22), 0);
    job_parts_open(&bench.job, &bench.loop, bench.rpc, config, bench.counters);
    bench.job.comets_known = true;
    partition_init(&bench.partition, &bench.job, 3);
    bench.partition.fence = 9;
    bench.partition_open = true;
    for (int i = 0; i < COMETS; i++) {
        struct member *member = &bench.comet_members[i];
        bench.comets[i] = fake_comet_open(bench.rpc);
        *member = (struct member){.epoch = 100};
        snprintf(member->id, sizeof member->id, "comet-%d", i);
        snprintf(member->rpc, sizeof member->rpc, "127.0.0.1:%d", bench.comets[i]->port);
    }
    for (int i = 0; i < LOGICS; i++) {
        struct member *member = &bench.logic_members[i];
        bench.logics[i] = fake_logic_open(bench.rpc);
        *member = (struct member){.epoch = 100};
        snprintf(member->id, sizeof member->id, "logic-%d", i);
        snprintf(member->rpc, sizeof member->rpc, "127.0.0.1:%d", bench.logics[i]->port);
    }
    uv_timer_init(&bench.loop.uv, &bench.wake);
    uv_timer_start(&bench.wake, on_wake, 2, 2);
    members_are(3, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (bench.partition_open)
        partition_free(&bench.partition);
    job_parts_close(&bench.job);
    uv_close((uv_handle_t *)&bench.wake, NULL);
    for (int i = 0; i < 20; i++)
        uv_run(&bench.loop.uv, UV_RUN_NOWAIT);
    for (int i = 0; i < COMETS; i++)
        fake_comet_close(bench.comets[i]);
    for (int i = 0; i < LOGICS; i++)
        fake_logic_close(bench.logics[i]);
    rpc_close(bench.rpc);
    loop_close(&bench.loop);
    clock_give_back();
    free(bench.config.bus_topic);
    return 0;
}

/* --- messages --- */

/* What the bus keeps. */
enum { LOG_MOST = 64 };
static struct {
    uint8_t bytes[8192];
    size_t len;
} bus[LOG_MOST];

static void consume(const Imc__V1__PushMsg *envelope)
{
    size_t len = imc__v1__push_msg__get_packed_size(envelope);
    int64_t offset = bench.offset++;

    assert_true(offset < LOG_MOST && len <= sizeof bus[offset].bytes);
    imc__v1__push_msg__pack(envelope, bus[offset].bytes);
    bus[offset].len = len;
    dispatch_message(&bench.partition, offset, bus[offset].bytes, len);
}

/* As job/kafka/reread.c does with the messages from FIRST to LAST. */
static void read_again(int64_t first, int64_t last)
{
    for (int64_t offset = first; offset <= last; offset++)
        dispatch_again(&bench.partition, offset, bus[offset].bytes, bus[offset].len);
}

/* Message ID = 100 + offset. HINTS: "0:1,1:2" = handle 1 on comet-0 and handle 2 on comet-1; AWAY:
 * nobody is there, and that is known. */
#define AWAY "-"
static void push_epoch(int64_t uid, const char *hints, uint64_t epoch)
{
    Imc__V1__PushMsg envelope;
    Imc__V1__Session sessions[4];
    Imc__V1__Session *list[4];
    char comets[4][16];
    uint8_t body[] = "hello";

    imc__v1__push_msg__init(&envelope);
    envelope.has_uid = 1;
    envelope.uid = uid;
    envelope.operation = 5;
    envelope.id = 100 + (uint64_t)bench.offset;
    envelope.msg = (ProtobufCBinaryData){5, body};
    envelope.hints = list;
    envelope.away = strcmp(hints, AWAY) == 0;
    for (const char *at = envelope.away ? "" : hints; *at != '\0';
         at += strcspn(at, ",") + (at[strcspn(at, ",")] != '\0')) {
        size_t n = envelope.n_hints++;
        imc__v1__session__init(&sessions[n]);
        snprintf(comets[n], sizeof comets[n], "comet-%c", at[0]);
        sessions[n].comet = comets[n];
        sessions[n].epoch = epoch;
        sessions[n].handle = strtoull(at + 2, NULL, 10);
        list[n] = &sessions[n];
    }
    consume(&envelope);
}

static void push(int64_t uid, const char *hints)
{
    push_epoch(uid, hints, 100);
}

static void push_room(Imc__V1__PushMsg__Type type, const char *room, int speed)
{
    Imc__V1__PushMsg envelope;
    char name[32];

    snprintf(name, sizeof name, "%s", room);
    imc__v1__push_msg__init(&envelope);
    envelope.type = type;
    envelope.room = name;
    envelope.speed = speed;
    envelope.id = 100 + (uint64_t)bench.offset;
    consume(&envelope);
}

/* --- waiting --- */

#define wait_for(condition)                                       \
    do {                                                          \
        uint64_t hopeless_ = clock_real_ms() + CLOCK_HOPELESS_MS; \
        while (!(condition) && clock_real_ms() < hopeless_)       \
            uv_run(&bench.loop.uv, UV_RUN_ONCE);                  \
        assert_true(condition);                                   \
    } while (0)

static void turn_for(uint64_t ms)
{
    uint64_t until = loop_now_ms(&bench.loop) + ms;

    while (loop_now_ms(&bench.loop) < until)
        uv_run(&bench.loop.uv, UV_RUN_ONCE);
}

static int64_t position(void)
{
    return offset_tracker_position(&bench.partition.tracker);
}

static int64_t counter(enum job_metric id)
{
    return bench.counters[id];
}

static const char *comet_saw(int i)
{
    fake_read(&bench.comets[i]->lock, bench.comets[i]->seen, seen, true);
    return seen;
}

static bool comet_has_seen(int i, const char *text)
{
    fake_read(&bench.comets[i]->lock, bench.comets[i]->seen, seen, false);
    return strstr(seen, text) != NULL;
}

static const char *logic_saw(int i)
{
    fake_read(&bench.logics[i]->lock, bench.logics[i]->seen, seen, true);
    return seen;
}

static bool logic_has_seen(int i, const char *text)
{
    fake_read(&bench.logics[i]->lock, bench.logics[i]->seen, seen, false);
    return strstr(seen, text) != NULL;
}

/* --- comets take --- */

static void message_reaches_its_session(void **state)
{
    (void)state;
    push(7, "0:1");
    assert_int_equal(position(), 0);
    wait_for(position() == 1);
    assert_string_equal(comet_saw(0), "u7@0:1 ");
    assert_string_equal(comet_saw(1), "");
    assert_int_equal(counter(JOB_DELIVERED_UID), 1);
    assert_int_equal(windows_unresolved(&bench.job.windows), 0);
    assert_int_equal(bench.job.windows.delivering.bytes + bench.job.windows.storing.bytes, 0);
}

static void several_sessions_one_item_per_comet(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    push(7, "1:4,0:2,0:1");
    wait_for(comet_has_seen(0, "u7@0:1,2 ") && comet_has_seen(1, "u7@0:4 "));
    turn_for(50);
    assert_int_equal(position(), 0); /* comet-1 has not answered */
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, false);
    fake_comet_break(bench.comets[1]);
    wait_for(position() == 1);
    assert_int_equal(counter(JOB_RESENT), 1);
}

static void gone_on_one_comet_taken_on_the_other_is_done(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_GONE, false);
    push(7, "0:1,1:2");
    wait_for(position() == 1);
    assert_string_equal(logic_saw(0), "");
    assert_int_equal(counter(JOB_DELIVERED_UID), 1);
}

static void rooms_and_broadcasts_go_to_every_comet_in_order(void **state)
{
    (void)state;
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    push_room(IMC__V1__PUSH_MSG__TYPE__BROADCAST, "", 20);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(position() == 3);
    assert_string_equal(comet_saw(0), "r:lobby@0 a@1/10 r:lobby@2 ");
    assert_string_equal(comet_saw(1), "r:lobby@0 a@1/10 r:lobby@2 ");
    assert_int_equal(counter(JOB_DELIVERED_ROOM), 2);
    assert_int_equal(counter(JOB_DELIVERED_ALL), 1);
    members_are(0, 1);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    assert_int_equal(position(), 4);
}

static void room_is_done_where_the_comet_died(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(comet_has_seen(1, "r:lobby@0"));
    turn_for(30);
    assert_int_equal(position(), 0);
    members_are(1, 1);
    assert_int_equal(position(), 1);
}

/* --- comets that are taken for dead, and are not --- */

static int setup_with_processes(void **state)
{
    setup(state);
    bench.config.hold_ms = 60000;
    bench.config.hold_bytes = 1 << 20;
    members_are(0, 1);
    for (int i = 0; i < COMETS; i++)
        bench.comet_members[i].process = 1000 + (uint64_t)i;
    members_are(3, 1);
    return 0;
}

struct word {
    int standings;
    uint64_t link, process;
    bool missed_rooms, missed_all;
};

static struct word word_of(int i)
{
    struct fake_comet *comet = bench.comets[i];

    pthread_mutex_lock(&comet->lock);
    struct word word = {comet->standings, comet->link, comet->process, comet->missed_rooms,
                        comet->missed_all};
    pthread_mutex_unlock(&comet->lock);
    return word;
}

static void comet_is_back(int i)
{
    bench.comet_members[i].epoch++;
    members_are(3, 1);
}

static void room_items_are_kept_for_a_comet_that_stands_still(void **state)
{
    (void)state;
    wait_for(word_of(1).standings == 1);
    struct word before = word_of(1);
    assert_int_equal(before.process, 1001);
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0); /* on its way when it is lost */
    push(7, "1:4");
    wait_for(comet_has_seen(1, "u7@1:4"));
    comet_saw(1);
    members_are(1, 1);
    wait_for(position() == 2);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    push_room(IMC__V1__PUSH_MSG__TYPE__BROADCAST, "", 0);
    wait_for(position() == 4); /* nobody waits for it */
    assert_int_equal(counter(JOB_KEPT), 3);
    assert_true(comets_kept_bytes(bench.job.comets) > 0);
    fake_comet_break(bench.comets[1]);
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, false);
    comet_is_back(1);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(position() == 5 && word_of(1).standings == 2);
    const char *all = comet_saw(1), *last = strstr(all, "r:lobby@4");
    assert_non_null(last);
    assert_non_null(strstr(all, "r:lobby@0 r:lobby@2 a@3/0 "));
    assert_true(strstr(all, "a@3/0") < last);
    assert_int_equal(word_of(1).link, before.link);
    assert_false(word_of(1).missed_rooms || word_of(1).missed_all);
    assert_int_equal(comets_kept_bytes(bench.job.comets), 0);
    assert_int_equal(counter(JOB_KEPT_DROPPED), 0);
}

/* The partition's owner before us may have kept items for it: nobody may vouch for what came then.
 */
static void a_comet_lost_soon_after_a_partition_came_gets_another_link(void **state)
{
    (void)state;
    wait_for(word_of(1).standings == 1);
    uint64_t before = word_of(1).link;
    bench.config.daemon.lease_renew_ms = 60000; /* the partition came less than two of them ago */
    members_are(1, 1);
    comet_is_back(1);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(comet_has_seen(1, "r:lobby@0") && word_of(1).link != before);
    bench.config.daemon.lease_renew_ms = 0;
}

/* Redis has lost the leases, but its stream answers. */
static void a_lost_comet_that_listens_gets_room_items_at_once(void **state)
{
    (void)state;
    members_are(0, 1);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    assert_int_equal(position(), 1);
    wait_for(comet_has_seen(0, "r:lobby@0") && comet_has_seen(1, "r:lobby@0"));
    wait_for(comets_kept_bytes(bench.job.comets) == 0);
}

static void another_process_is_not_given_what_was_kept(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    wait_for(word_of(1).process == 1001);
    members_are(1, 1);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(comet_has_seen(1, "r:lobby@0") && word_of(1).process == 1001);
    comet_saw(1);
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, false);
    bench.comet_members[1].process = 2001;
    comet_is_back(1);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(position() == 2);
    assert_string_equal(comet_saw(1), "r:lobby@1 ");
    assert_int_equal(word_of(1).process, 2001);
    assert_int_equal(comets_kept_bytes(bench.job.comets), 0);
}

static void beyond_hold_bytes_it_is_told_what_it_missed(void **state)
{
    (void)state;
    bench.config.hold_bytes = 250; /* two and a half */
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    members_are(1, 1);
    for (int i = 0; i < 10; i++)
        push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(position() == 10);
    assert_true(comets_kept_bytes(bench.job.comets) <= 250);
    assert_true(counter(JOB_KEPT_DROPPED) >= 7);
    fake_comet_break(bench.comets[1]);
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, false);
    comet_is_back(1);
    wait_for(word_of(1).missed_rooms);
    assert_false(word_of(1).missed_all);
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(comet_has_seen(1, "r:lobby@10"));
}

static void after_hold_it_is_told_what_it_missed(void **state)
{
    (void)state;
    bench.config.hold_ms = 1;
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, true);
    members_are(1, 1);
    push_room(IMC__V1__PUSH_MSG__TYPE__BROADCAST, "", 0);
    wait_for(counter(JOB_KEPT_DROPPED) == 1);
    push_room(IMC__V1__PUSH_MSG__TYPE__BROADCAST, "", 0);
    assert_int_equal(counter(JOB_KEPT_DROPPED), 2);
    assert_int_equal(comets_kept_bytes(bench.job.comets), 0);
    fake_comet_tell(bench.comets[1], FAKE_TAKEN, false);
    comet_is_back(1);
    wait_for(word_of(1).missed_all);
    assert_false(word_of(1).missed_rooms);
}

static void a_comet_is_told_of_each_partition(void **state)
{
    (void)state;
    struct partition more;
    wait_for(word_of(0).standings == 1);
    partition_init(&more, &bench.job, 4);
    more.fence = 11;
    comets_state(bench.job.comets);
    wait_for(word_of(0).standings == 2 && word_of(1).standings == 2);
    partition_free(&more);
}

/* --- nobody takes it --- */

static void gone_message_is_settled_and_its_new_session_poked(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_GONE, false);
    fake_logic_tell(bench.logics[0], "", "comet-1", 100);
    push(7, "0:1");
    wait_for(position() == 1);
    assert_string_equal(logic_saw(0), "7/100 ");
    assert_string_equal(comet_saw(1), "p7#100:77 ");
    assert_int_equal(counter(JOB_GONE), 1);
    assert_int_equal(counter(JOB_SETTLED), 1);
    assert_int_equal(counter(JOB_POKED), 1);
}

static void message_without_usable_hint_is_settled(void **state)
{
    (void)state;
    push(7, "");
    push_epoch(8, "0:1", 99); /* a former life of comet-0 */
    push(9, "5:1");           /* a comet nobody knows */
    wait_for(position() == 3);
    assert_string_equal(logic_saw(0), "7/100 8/101 9/102 ");
    assert_string_equal(comet_saw(0), "");
}

static void unknown_is_settled_again_until_stored(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "UFU", "comet-0", 100);
    push(7, "");
    wait_for(position() == 1);
    assert_string_equal(logic_saw(0), "7/100 7/100 7/100 7/100 ");
    assert_string_equal(comet_saw(0), "p7#100:77 ");
    assert_int_equal(counter(JOB_SETTLE_UNKNOWN), 2);
    assert_int_equal(counter(JOB_SETTLE_FAILED), 1);
}

static void many_for_an_absent_user_go_in_few_batches_in_order(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++)
        push(7, "");
    wait_for(position() == 30);
    assert_true(bench.logics[0]->batches <= 4);
    logic_saw(0);
    for (int i = 0; i < 30; i++) {
        char word[16];
        snprintf(word, sizeof word, "7/%d ", 100 + i);
        assert_int_equal(strncmp(seen + 6 * (size_t)i, word, 6), 0);
    }
    assert_int_equal(counter(JOB_HELD), 29); /* until the first is stored, then all together */
}

static void failed_settle_holds_back_the_later_messages(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "F", "comet-0", 100);
    push(7, "");
    push(7, "");
    wait_for(position() == 2);
    assert_string_equal(logic_saw(0), "7/100 7/100 7/101 ");
    assert_string_equal(comet_saw(0), "p7#100:77 p7#101:77 ");
}

/* The mailbox takes nothing, but the user is online again. */
static void what_cannot_be_stored_goes_to_who_is_there_now(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "FDD", "comet-0", 100);
    push(7, "");
    push(7, "0:77");
    wait_for(position() == 2);
    assert_string_equal(logic_saw(0), "7/100 7/100 ");
    assert_string_equal(comet_saw(0), "u7@0:77 u7@1:77 ");
    assert_int_equal(counter(JOB_DIVERTED), 1);
    assert_int_equal(counter(JOB_DELIVERED_UID), 2);
    assert_int_equal(counter(JOB_SETTLED), 0);
}

static void a_whole_run_that_cannot_be_stored_is_given_in_order(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "FDDEFDD", "comet-0", 100);
    for (int i = 0; i < 4; i++)
        push(7, "");
    push(7, "0:77");
    wait_for(position() == 5);
    assert_string_equal(comet_saw(0), "u7@0:77 u7@1:77 u7@2:77 u7@3:77 u7@4:77 ");
    assert_int_equal(counter(JOB_SETTLED), 0);
}

/* The session that is found is gone already: then storing is tried again, and works. */
static void what_nobody_takes_in_the_end_is_stored(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "DD", "comet-0", 100);
    fake_comet_tell(bench.comets[0], FAKE_GONE, false);
    push(7, "");
    push(7, "");
    wait_for(position() == 2);
    assert_int_equal(counter(JOB_SETTLED), 2);
    assert_int_equal(counter(JOB_DELIVERED_UID), 0);
}

static void failure_within_a_run_keeps_the_order_of_pokes(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "SFS", "comet-0", 100);
    push(7, "");
    push(7, "");
    push(7, ""); /* stored at once, but settled again after the second */
    wait_for(position() == 3);
    assert_string_equal(comet_saw(0), "p7#100:77 p7#101:77 p7#102:77 ");
    assert_true(counter(JOB_SETTLE_ORDER) >= 1);
}

/* Of a run, that is: what is to be stored while the one before it is not. Logic then stores none of
 * it alone. */
static void each_of_a_run_is_behind_the_one_before_it(void **state)
{
    (void)state;
    char behind[FAKE_TEXT];

    fake_logic_tell(bench.logics[0], "SFE", "", 0);
    push(7, "");
    push(8, "");
    push(7, ""); /* these two wait for the first one */
    push(7, "");
    wait_for(position() == 4);
    assert_string_equal(logic_saw(0), "7/100 8/101 7/102 7/103 8/101 7/102 7/103 ");
    fake_read(&bench.logics[0]->lock, bench.logics[0]->behind, behind, true);
    assert_string_equal(behind, "103<102 103<102 ");
    assert_int_equal(counter(JOB_SETTLE_ORDER), 2);
}

static void stored_for_a_comet_not_known_yet_is_asked_again(void **state)
{
    (void)state;
    members_are(1, 1);
    fake_logic_tell(bench.logics[0], "", "comet-1", 100);
    push(7, "");
    turn_for(100);
    assert_int_equal(position(), 0);
    members_are(3, 1);
    wait_for(position() == 1);
    assert_string_equal(comet_saw(1), "p7#100:77 ");
    assert_int_equal(counter(JOB_UNPOKED), 0);
}

static void stored_for_a_comet_that_never_comes_is_left_in_the_mailbox(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "", "comet-9", 100);
    push(7, "");
    wait_for(position() == 1);
    assert_int_equal(counter(JOB_UNPOKED), 1);
}

static void former_life_of_a_comet_is_not_poked(void **state)
{
    (void)state;
    fake_logic_tell(bench.logics[0], "", "comet-0", 50);
    push(7, "");
    wait_for(position() == 1);
    assert_string_equal(comet_saw(0), "");
    assert_int_equal(counter(JOB_POKED), 0);
}

static void without_logic_messages_wait_for_one(void **state)
{
    (void)state;
    members_are(3, 0);
    push(7, "");
    turn_for(50);
    assert_int_equal(position(), 0);
    members_are(3, 2);
    wait_for(position() == 1);
    assert_string_equal(logic_saw(1), "7/100 ");
}

static void silent_logic_loses_its_settles_to_another(void **state)
{
    (void)state;
    bench.logics[0]->mute = true;
    push(7, "");
    wait_for(logic_has_seen(0, "7/100"));
    members_are(3, 3);
    wait_for(position() == 1);
    assert_true(logic_has_seen(1, "7/100"));
}

/* Readiness stands on this: a logic's lease outlives it by some seconds. */
static void a_logic_answers_as_long_as_it_takes_reports(void **state)
{
    (void)state;
    members_are(3, 3);
    assert_int_equal(handover_logics_answering(bench.job.handover), 0); /* not asked yet */
    handover_tell(bench.job.handover);
    wait_for(handover_logics_answering(bench.job.handover) == 2);
    bench.logics[0]->mute = true; /* as one that stands still */
    handover_tell(bench.job.handover);
    wait_for(handover_logics_answering(bench.job.handover) == 1);
    bench.logics[0]->mute = false;
    handover_tell(bench.job.handover);
    wait_for(handover_logics_answering(bench.job.handover) == 2);
    members_are(3, 2);
    assert_int_equal(handover_logics_answering(bench.job.handover), 1);
    members_are(3, 0);
    assert_int_equal(handover_logics_answering(bench.job.handover), 0);
}

/* --- streams break, comets die --- */

static void broken_stream_is_resent_in_order_before_newer(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, true);
    push(1, "0:1");
    wait_for(comet_has_seen(0, "u1@0:1"));
    push(2, "0:2");
    wait_for(comet_has_seen(0, "u2@1:2"));
    comet_saw(0);
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, false);
    fake_comet_break(bench.comets[0]);
    wait_for(bench.comets[0]->streams >= 2 || counter(JOB_RESENT) == 2);
    push(3, "0:3");
    wait_for(position() == 3);
    assert_string_equal(comet_saw(0), "u1@0:1 u2@1:2 u3@2:3 ");
    assert_int_equal(counter(JOB_RESENT), 2);
    assert_string_equal(logic_saw(0), "");
}

static void dead_comet_leaves_its_messages_to_the_mailbox(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, true);
    for (int i = 0; i < 40; i++)
        push(7, "0:1");
    wait_for(comet_has_seen(0, "u7@20:1"));
    members_are(2, 1);
    wait_for(position() == 40);
    logic_saw(0);
    assert_int_equal(strncmp(seen, "7/100 7/101 7/102 7/103 ", 24), 0);
    assert_int_equal(counter(JOB_SETTLED), 40);
}

static void new_life_of_a_comet_does_not_get_the_old_ones_messages(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, true);
    push(7, "0:1");
    wait_for(comet_has_seen(0, "u7@0:1"));
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, false);
    bench.comet_members[0].epoch = 101;
    members_are(3, 1);
    push_epoch(8, "0:1", 101);
    wait_for(position() == 2);
    assert_string_equal(logic_saw(0), "7/100 ");
    assert_string_equal(comet_saw(0), "u7@0:1 u8@1:1 ");
}

static void late_results_end_pending_items(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_PENDING, false);
    push(7, "0:1");
    push(8, "0:2");
    wait_for(comet_has_seen(0, "u8@1:2"));
    turn_for(50);
    assert_int_equal(position(), 0);
    uint64_t seq = fake_comet_seq(bench.comets[0]);
    fake_comet_late(bench.comets[0], seq, 1, FAKE_GONE);
    wait_for(logic_has_seen(0, "8/101"));
    assert_int_equal(position(), 0);
    fake_comet_late(bench.comets[0], seq, 0, FAKE_TAKEN);
    wait_for(position() == 2);
    assert_int_equal(counter(JOB_LATE), 2);
    fake_comet_late(bench.comets[0], seq, 0, FAKE_TAKEN); /* again: of nothing */
    fake_comet_late(bench.comets[0], 12345, 0, FAKE_TAKEN);
    wait_for(counter(JOB_MALFORMED_ANSWER) == 2);
}

static void pending_items_of_a_broken_stream_are_resent_first(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_PENDING, false);
    push(1, "0:1");
    wait_for(comet_has_seen(0, "u1@0:1"));
    turn_for(20); /* the answer is in: only its result is owed */
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, true);
    push(2, "0:2");
    wait_for(comet_has_seen(0, "u2@1:2"));
    comet_saw(0);
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, false);
    fake_comet_break(bench.comets[0]);
    wait_for(position() == 2);
    assert_string_equal(comet_saw(0), "u1@0:1 u2@1:2 ");
}

/* --- order --- */

static void moved_user_gets_the_new_message_after_the_old(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_GONE, true);
    fake_logic_tell(bench.logics[0], "", "comet-1", 100);
    push(7, "0:1");
    push(7, "1:2");
    push(8, "1:3"); /* another user does not wait */
    wait_for(comet_has_seen(1, "u8@2:3"));
    wait_for(comet_has_seen(0, "u7@0:1"));
    assert_false(comet_has_seen(1, "u7"));
    fake_comet_tell(bench.comets[0], FAKE_GONE, false);
    fake_comet_break(bench.comets[0]);
    wait_for(position() == 3);
    assert_string_equal(comet_saw(1), "u8@2:3 p7#100:77 u7@1:2 ");
    assert_int_equal(counter(JOB_HELD), 1);
}

static void gone_session_sends_the_whole_run_to_settle(void **state)
{
    (void)state;
    bench.comets[0]->gone_from = 2;
    for (int i = 0; i < 6; i++)
        push(7, "0:1");
    wait_for(position() == 6);
    assert_string_equal(logic_saw(0), "7/102 7/103 7/104 7/105 ");
    assert_int_equal(counter(JOB_DELIVERED_UID), 2);
}

/* --- what is wrong --- */

static void refused_partition_is_left_to_its_owner(void **state)
{
    (void)state;
    push(1, "0:1");
    wait_for(position() == 1);
    fake_comet_tell(bench.comets[0], FAKE_REFUSED, false);
    push(2, "0:1");
    push(3, "");
    fake_logic_tell(bench.logics[0], "UUUU", "", 0);
    wait_for(counter(JOB_REFUSED) == 1);
    assert_true(bench.partition.refused);
    assert_false(partition_wants(&bench.partition));
    assert_int_equal(position(), 1);
    assert_int_equal(windows_unresolved(&bench.job.windows), 0);
    turn_for(150); /* what is still answered is ignored */
    assert_int_equal(position(), 1);
}

static void comet_hears(uint64_t fence)
{
    pthread_mutex_lock(&bench.comets[0]->lock);
    bench.comets[0]->fence = fence;
    pthread_mutex_unlock(&bench.comets[0]->lock);
}

/* job would ask for one above it, and not get that: nor one above those that are. */
static void a_fence_that_cannot_be_is_not_believed_of_a_comet(void **state)
{
    (void)state;
    uint64_t now_ms = time_unix_ms();
    fake_comet_tell(bench.comets[0], FAKE_REFUSED, false);
    comet_hears(now_ms);
    push(7, "0:1");
    wait_for(counter(JOB_REFUSED) == 1);
    assert_int_equal(bench.job.fence_heard, now_ms);
    partition_own(&bench.partition, now_ms + 1);
    comet_hears(UINT64_MAX);
    push(7, "0:1");
    wait_for(counter(JOB_REFUSED) == 2);
    assert_int_equal(bench.job.fence_heard, now_ms);
    assert_int_equal(counter(JOB_MALFORMED_ANSWER), 1);
}

static void malformed_envelopes_are_skipped(void **state)
{
    (void)state;
    Imc__V1__PushMsg envelope;
    static const uint8_t garbage[] = {0xff, 0xff, 0xff};
    uint8_t large[4097] = {0};
    char key[] = "device-1", *keys[] = {key};

    dispatch_message(&bench.partition, bench.offset++, garbage, sizeof garbage);
    dispatch_message(&bench.partition, bench.offset++, NULL, 0);
    imc__v1__push_msg__init(&envelope);
    consume(&envelope); /* uid push without uid */
    envelope.n_keys = 1;
    envelope.keys = keys;
    consume(&envelope);
    envelope.type = IMC__V1__PUSH_MSG__TYPE__ROOM; /* without room */
    consume(&envelope);
    char room[130];
    memset(room, 'r', sizeof room - 1);
    room[sizeof room - 1] = '\0';
    envelope.room = room; /* a comet would close the stream, again and again */
    consume(&envelope);
    envelope.type = (Imc__V1__PushMsg__Type)17;
    consume(&envelope);
    envelope.type = IMC__V1__PUSH_MSG__TYPE__BROADCAST;
    envelope.msg = (ProtobufCBinaryData){sizeof large, large};
    consume(&envelope);
    assert_int_equal(position(), 8);
    assert_int_equal(counter(JOB_MALFORMED), 7);
    assert_int_equal(counter(JOB_KEYS), 1);
    push(7, "0:1");
    wait_for(position() == 9);
}

static int rooms, agains;

static void on_room(void *arg)
{
    (void)arg;
    rooms++;
}

static void on_again(void *arg)
{
    (void)arg;
    agains++;
}

static void on_idle(void *arg)
{
    (void)arg;
}

static const struct windows_events windows_events = {
    .room = on_room, .again = on_again, .idle = on_idle};

static void full_window_stops_reading_until_three_quarters(void **state)
{
    (void)state;
    bench.config.window = 8;
    bench.job.windows.events = &windows_events;
    rooms = 0;
    fake_comet_tell(bench.comets[0], FAKE_PENDING, false);
    for (int i = 0; i < 8; i++) {
        assert_true(partition_wants(&bench.partition));
        push(i, "0:1");
    }
    assert_false(partition_wants(&bench.partition));
    wait_for(comet_has_seen(0, "u7@7:1"));
    uint64_t seq = fake_comet_seq(bench.comets[0]);
    for (uint32_t i = 0; i < 3; i++) {
        fake_comet_late(bench.comets[0], seq, i, FAKE_TAKEN);
        wait_for(windows_unresolved(&bench.job.windows) == 7 - i);
        assert_int_equal(partition_wants(&bench.partition), i == 2);
    }
    assert_int_equal(rooms, 1);
}

static void short_memory_makes_windows_small_but_never_stops_reading(void **state)
{
    (void)state;
    bench.config.window = 33;
    bench.job.windows.events = &windows_events;
    rooms = 0;
    fake_comet_tell(bench.comets[0], FAKE_PENDING, false);
    for (int i = 0; i < 8; i++)
        push(i, "0:1");
    assert_true(partition_wants(&bench.partition));
    windows_set_memory(&bench.job.windows, true);
    assert_false(partition_wants(&bench.partition));
    windows_set_memory(&bench.job.windows, false);
    assert_true(partition_wants(&bench.partition));
    assert_int_equal(rooms, 1);
    windows_set_memory(&bench.job.windows, true);
    wait_for(comet_has_seen(0, "u7@7:1"));
    uint64_t seq = fake_comet_seq(bench.comets[0]);
    for (uint32_t i = 0; i < 8; i++) {
        assert_false(partition_wants(&bench.partition));
        fake_comet_late(bench.comets[0], seq, i, FAKE_TAKEN);
        wait_for(windows_unresolved(&bench.job.windows) == 7 - i);
        if (i == 6) /* a sixteenth, rounded up, is three: two are less, one is less than 3/4 */
            break;
    }
    assert_true(partition_wants(&bench.partition));
    assert_int_equal(rooms, 2);
    push(8, "0:1");
    assert_true(partition_wants(&bench.partition));
    push(9, "0:1");
    assert_false(partition_wants(&bench.partition));
    windows_set_memory(&bench.job.windows, false);
    assert_true(partition_wants(&bench.partition));
}

static void forgotten_partition_ignores_answers_and_keeps_its_position(void **state)
{
    (void)state;
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, true);
    push(7, "0:1");
    push(7, "1:1");
    wait_for(comet_has_seen(0, "u7@0:1"));
    partition_forget(&bench.partition);
    assert_int_equal(position(), 0);
    assert_int_equal(windows_unresolved(&bench.job.windows), 0);
    assert_int_equal(counter(JOB_DROPPED), 2);
    fake_comet_tell(bench.comets[0], FAKE_TAKEN, false);
    fake_comet_break(bench.comets[0]);
    turn_for(300);
    assert_false(comet_has_seen(1, "u7"));
    assert_int_equal(counter(JOB_DELIVERED_UID), 0);
}

/* --- put off --- */

/* A window for two that are away, and nothing can be stored. */
static void storing_stands_still(void)
{
    bench.config.settle_window = 3;
    fake_logic_tell(bench.logics[0], "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "",
                    0);
}

static void who_is_online_is_served_while_nothing_can_be_stored(void **state)
{
    (void)state;
    bench.config.window = 4;
    storing_stands_still();
    for (int i = 0; i < 20; i++)
        push(100 + i, AWAY);
    assert_true(partition_wants(&bench.partition));
    assert_int_equal(bench.job.windows.parked, 18);
    assert_int_equal(bench.job.windows.storing.count, 2);
    push(7, "0:1");
    push_room(IMC__V1__PUSH_MSG__TYPE__ROOM, "lobby", 0);
    wait_for(comet_has_seen(0, "u7@20:1") && comet_has_seen(0, "lobby"));
    wait_for(bench.job.windows.delivering.count == 0);
    assert_int_equal(position(), 0);
    assert_int_equal(counter(JOB_PARKED_ALL), 18);
    assert_int_equal(counter(JOB_DELIVERED_UID), 1);
}

/* Whoever is put off stays behind his own messages, and finds his new sessions afterwards. */
static void parked_user_who_comes_online_gets_all_in_order(void **state)
{
    (void)state;
    storing_stands_still();
    push(1, AWAY);
    push(2, AWAY);
    push(7, AWAY);
    push(7, "0:1"); /* has come online: not before the former */
    push(8, "0:2");
    wait_for(comet_has_seen(0, "u8@4:2"));
    assert_int_equal(bench.job.windows.parked, 2);
    fake_logic_tell(bench.logics[0], "", "", 0);
    wait_for(windows_unresolved(&bench.job.windows) == 0);
    assert_int_equal(position(), 2);
    (void)logic_saw(0);
    fake_logic_tell(bench.logics[0], "", "comet-0", 100);
    read_again(0, 4);
    assert_int_equal(bench.job.windows.parked, 0);
    wait_for(position() == 5);
    assert_string_equal(comet_saw(0), "u8@4:2 p7#102:77 u7@3:1 ");
}

static void messages_meant_for_sessions_keep_a_share(void **state)
{
    (void)state;
    storing_stands_still();
    fake_comet_tell(bench.comets[0], FAKE_GONE, false);
    for (int i = 0; i < 6; i++)
        push(100 + i, AWAY);  /* two of them fill what they may */
    push_epoch(1, "0:1", 99); /* its comet has restarted */
    assert_int_equal(bench.job.windows.storing.count, 3);
    push_epoch(2, "0:1", 99);
    assert_int_equal(bench.job.windows.storing.count, 3);
    push(3, "0:1"); /* what was sent and is gone is kept in any case */
    wait_for(bench.job.windows.storing.count == 4);
    assert_int_equal(bench.job.windows.parked, 5);
    assert_int_equal(bench.job.windows.delivering.count, 0);
}

/* No router had an answer in time: he is perhaps there, and does not wait behind those who are not.
 */
static void whereabouts_unknown_is_not_put_off_behind_those_who_are_away(void **state)
{
    (void)state;
    bench.config.settle_window = 8;
    fake_logic_tell(bench.logics[0], "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "", 0);
    for (int i = 0; i < 20; i++)
        push(100 + i, AWAY); /* six of them fill what they may */
    assert_int_equal(bench.job.windows.parked, 14);
    push(7, "");
    assert_int_equal(bench.job.windows.storing.count, 7);
    push(8, ""); /* the last place is for those who are known to be there */
    assert_int_equal(bench.job.windows.parked, 15);
    push_epoch(9, "0:1", 99);
    assert_int_equal(bench.job.windows.storing.count, 8);
    fake_logic_tell(bench.logics[0], "", "comet-0", 100);
    wait_for(comet_has_seen(0, "p7#120"));
    wait_for(windows_unresolved(&bench.job.windows) == 0);
}

static void who_may_be_there_is_settled_before_those_who_are_away(void **state)
{
    (void)state;
    bench.config.logic_items = 4;
    bench.config.logic_window = 1;
    for (int i = 0; i < 8; i++)
        push(100 + i, AWAY);
    push(103, ""); /* his first is among those who are away: after that one */
    push(7, "");
    push_epoch(8, "0:1", 99);
    push(9, "");
    push(10, "");
    wait_for(position() == 13);
    /* A quarter of each batch is left to those who are away. */
    assert_string_equal(logic_saw(0), "7/109 8/110 9/111 100/100 10/112 101/101 102/102 103/103 "
                                      "104/104 105/105 106/106 107/107 103/108 ");
}

static void parked_messages_are_wanted_again_when_half_the_window_is_free(void **state)
{
    (void)state;
    bench.config.settle_window = 8;
    bench.job.windows.events = &windows_events;
    agains = 0;
    fake_logic_tell(bench.logics[0], "FFFFFFFF", "", 0);
    for (int i = 0; i < 20; i++)
        push(100 + i, AWAY);
    assert_int_equal(bench.job.windows.parked, 14);
    assert_false(windows_may_return(&bench.job.windows));
    assert_int_equal(agains, 0);
    wait_for(bench.job.windows.storing.count < 4);
    assert_int_equal(agains, 1);
    assert_true(windows_may_return(&bench.job.windows));
    read_again(0, 19);
    wait_for(position() == 20);
    assert_int_equal(counter(JOB_SETTLED), 20);
}

static void too_many_parked_stop_reading(void **state)
{
    (void)state;
    bench.config.settle_parked = 10;
    storing_stands_still();
    for (int i = 0; i < 11; i++)
        push(100 + i, "");
    assert_true(partition_wants(&bench.partition));
    push(200, "");
    assert_int_equal(bench.job.windows.parked, 10);
    assert_false(partition_wants(&bench.partition));
    partition_forget(&bench.partition);
    assert_true(partition_wants(&bench.partition));
}

static void what_is_unread_counts_while_something_is_parked(void **state)
{
    (void)state;
    storing_stands_still();
    push(1, "");
    push(2, "");
    assert_int_equal(partition_span_permille(&bench.partition, 100000), 0);
    push(3, "");
    assert_int_equal(partition_span_permille(&bench.partition, 100000), 500);
    assert_int_equal(partition_span_permille(&bench.partition, 0), 0);
}

static void forgotten_partition_forgets_what_is_parked(void **state)
{
    (void)state;
    storing_stands_still();
    push(1, "");
    push(2, "");
    push(7, "");
    push(7, "0:1");
    assert_int_equal(bench.job.windows.parked, 2);
    partition_forget(&bench.partition);
    assert_int_equal(position(), 0);
    assert_int_equal(bench.job.windows.parked + windows_unresolved(&bench.job.windows), 0);
    push(7, "0:1"); /* nothing is before it any more */
    wait_for(comet_has_seen(0, "u7@4:1"));
}

static void what_the_bus_has_lost_is_counted_and_holds_nobody_up(void **state)
{
    (void)state;
    storing_stands_still();
    push(1, "");
    push(2, "");
    for (int i = 0; i < 4; i++)
        push(7, "");
    fake_logic_tell(bench.logics[0], "", "", 0);
    wait_for(position() == 2);
    bus[4] = bus[1];  /* another one in its place */
    read_again(3, 4); /* 2 is not there any more */
    assert_int_equal(counter(JOB_PARKED_LOST), 2);
    assert_int_equal(bench.job.windows.parked, 1);
    read_again(5, 5);
    wait_for(position() == 6);
}

static void what_is_parked_in_a_log_that_is_no_more_is_lost(void **state)
{
    (void)state;
    storing_stands_still();
    push(1, "");
    push(2, "");
    push(7, "");
    push(8, "");
    partition_restart(&bench.partition);
    assert_int_equal(counter(JOB_PARKED_LOST), 2);
    assert_int_equal(bench.job.windows.parked, 0);
    bench.offset = 0;
    push(7, "0:1"); /* nothing is before it any more */
    wait_for(comet_has_seen(0, "u7@0:1"));
}

#define core_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#define PROCESS_TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_processes, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        core_test(message_reaches_its_session),
        core_test(several_sessions_one_item_per_comet),
        core_test(gone_on_one_comet_taken_on_the_other_is_done),
        core_test(rooms_and_broadcasts_go_to_every_comet_in_order),
        core_test(room_is_done_where_the_comet_died),
        PROCESS_TEST(room_items_are_kept_for_a_comet_that_stands_still),
        PROCESS_TEST(a_comet_lost_soon_after_a_partition_came_gets_another_link),
        PROCESS_TEST(a_lost_comet_that_listens_gets_room_items_at_once),
        PROCESS_TEST(another_process_is_not_given_what_was_kept),
        PROCESS_TEST(beyond_hold_bytes_it_is_told_what_it_missed),
        PROCESS_TEST(after_hold_it_is_told_what_it_missed),
        PROCESS_TEST(a_comet_is_told_of_each_partition),
        core_test(gone_message_is_settled_and_its_new_session_poked),
        core_test(message_without_usable_hint_is_settled),
        core_test(unknown_is_settled_again_until_stored),
        core_test(many_for_an_absent_user_go_in_few_batches_in_order),
        core_test(failed_settle_holds_back_the_later_messages),
        core_test(what_cannot_be_stored_goes_to_who_is_there_now),
        core_test(a_whole_run_that_cannot_be_stored_is_given_in_order),
        core_test(what_nobody_takes_in_the_end_is_stored),
        core_test(failure_within_a_run_keeps_the_order_of_pokes),
        core_test(each_of_a_run_is_behind_the_one_before_it),
        core_test(stored_for_a_comet_not_known_yet_is_asked_again),
        core_test(stored_for_a_comet_that_never_comes_is_left_in_the_mailbox),
        core_test(former_life_of_a_comet_is_not_poked),
        core_test(without_logic_messages_wait_for_one),
        core_test(silent_logic_loses_its_settles_to_another),
        core_test(a_logic_answers_as_long_as_it_takes_reports),
        core_test(broken_stream_is_resent_in_order_before_newer),
        core_test(dead_comet_leaves_its_messages_to_the_mailbox),
        core_test(new_life_of_a_comet_does_not_get_the_old_ones_messages),
        core_test(late_results_end_pending_items),
        core_test(pending_items_of_a_broken_stream_are_resent_first),
        core_test(moved_user_gets_the_new_message_after_the_old),
        core_test(gone_session_sends_the_whole_run_to_settle),
        core_test(refused_partition_is_left_to_its_owner),
        core_test(a_fence_that_cannot_be_is_not_believed_of_a_comet),
        core_test(malformed_envelopes_are_skipped),
        core_test(full_window_stops_reading_until_three_quarters),
        core_test(short_memory_makes_windows_small_but_never_stops_reading),
        core_test(who_is_online_is_served_while_nothing_can_be_stored),
        core_test(parked_user_who_comes_online_gets_all_in_order),
        core_test(messages_meant_for_sessions_keep_a_share),
        core_test(whereabouts_unknown_is_not_put_off_behind_those_who_are_away),
        core_test(who_may_be_there_is_settled_before_those_who_are_away),
        core_test(parked_messages_are_wanted_again_when_half_the_window_is_free),
        core_test(too_many_parked_stop_reading),
        core_test(what_is_unread_counts_while_something_is_parked),
        core_test(forgotten_partition_forgets_what_is_parked),
        core_test(what_the_bus_has_lost_is_counted_and_holds_nobody_up),
        core_test(what_is_parked_in_a_log_that_is_no_more_is_lost),
        core_test(forgotten_partition_ignores_answers_and_keeps_its_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
