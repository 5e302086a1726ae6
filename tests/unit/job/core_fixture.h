/* core_fixture.h - the core of job (docs/job.md) between two fake comets and two fake logics,
 * without bus and Redis, on one loop that the test turns.
 *
 *   push() ─► dispatch ─► comets ─► fake comets          comet_saw(): what arrived there
 *                      └► handover ─► fake logics        logic_saw()
 *
 * What was pushed stays in bus[], as in Kafka: read_again() takes it from there. */
#ifndef IMC_TESTS_UNIT_JOB_CORE_FIXTURE_H
#define IMC_TESTS_UNIT_JOB_CORE_FIXTURE_H

#include "common/protocol/message_id.h"
#include "job/comets/comets.h"
#include "job/delivery/dispatch.h"
#include "job/job_parts.h"
#include "job/mailbox/mailbox_handover.h"
#include "job/partition/partition.h"
#include "tests/unit/lib/clock.h"
#include "tests/unit/lib/job_config.h"
#include "tests/unit/lib/scripted_peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { COMETS = 2, LOGICS = 2 };

struct bench {
    bool store_first, any;         /* what is pushed has these marks */
    const char *device, *collapse; /* key of its hints, which acknowledge; its collapse key; or NULL
                                    */
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

static inline void members_are(unsigned comets, unsigned logics)
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

static inline void on_wake(uv_timer_t *timer)
{
    (void)timer;
}

static inline int setup(void **state)
{
    (void)state;
    memset(&bench, 0, sizeof bench);
    struct job_config *config = &bench.config;
    char topic[] = "test";
    *config = job_config_small(4096);
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

static inline int teardown(void **state)
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

static inline void consume(const Imc__V1__PushMsg *envelope)
{
    size_t len = imc__v1__push_msg__get_packed_size(envelope);
    int64_t offset = bench.offset++;

    assert_true(offset < LOG_MOST && len <= sizeof bus[offset].bytes);
    imc__v1__push_msg__pack(envelope, bus[offset].bytes);
    bus[offset].len = len;
    dispatch_message(&bench.partition, offset, bus[offset].bytes, len);
}

/* Message ID = 100 + offset. HINTS: "0:1,1:2" = handle 1 on comet-0 and handle 2 on comet-1; AWAY:
 * nobody is there, and that is known. */
#define AWAY "-"

static inline void push_epoch(int64_t uid, const char *hints, uint64_t epoch)
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
    envelope.store_first = bench.store_first;
    envelope.any = bench.any;
    if (bench.collapse != NULL)
        envelope.collapse = (char *)(uintptr_t)bench.collapse;
    for (const char *at = envelope.away ? "" : hints; *at != '\0';
         at += strcspn(at, ",") + (at[strcspn(at, ",")] != '\0')) {
        size_t n = envelope.n_hints++;
        imc__v1__session__init(&sessions[n]);
        snprintf(comets[n], sizeof comets[n], "comet-%c", at[0]);
        sessions[n].comet = comets[n];
        sessions[n].epoch = epoch;
        sessions[n].acked = bench.device != NULL;
        if (bench.device != NULL)
            sessions[n].key = (char *)(uintptr_t)bench.device;
        sessions[n].handle = strtoull(at + 2, NULL, 10);
        list[n] = &sessions[n];
    }
    consume(&envelope);
}

static inline void push(int64_t uid, const char *hints)
{
    push_epoch(uid, hints, 100);
}

static inline void push_room(Imc__V1__PushMsg__Type type, const char *room, int speed)
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

static inline void turn_for(uint64_t ms)
{
    uint64_t until = loop_now_ms(&bench.loop) + ms;

    while (loop_now_ms(&bench.loop) < until)
        uv_run(&bench.loop.uv, UV_RUN_ONCE);
}

static inline int64_t position(void)
{
    return offset_tracker_position(&bench.partition.tracker);
}

static inline int64_t counter(enum job_metric id)
{
    return bench.counters[id];
}

static inline const char *comet_saw(int i)
{
    fake_read(&bench.comets[i]->lock, bench.comets[i]->seen, seen, true);
    return seen;
}

static inline bool comet_has_seen(int i, const char *text)
{
    fake_read(&bench.comets[i]->lock, bench.comets[i]->seen, seen, false);
    return strstr(seen, text) != NULL;
}

static inline const char *logic_saw(int i)
{
    fake_read(&bench.logics[i]->lock, bench.logics[i]->seen, seen, true);
    return seen;
}

static inline bool logic_has_seen(int i, const char *text)
{
    fake_read(&bench.logics[i]->lock, bench.logics[i]->seen, seen, false);
    return strstr(seen, text) != NULL;
}

/* --- what is wrong --- */

static int rooms, agains;

static inline void on_room(void *arg)
{
    (void)arg;
    rooms++;
}

static inline void on_again(void *arg)
{
    (void)arg;
    agains++;
}

static inline void on_idle(void *arg)
{
    (void)arg;
}

static const struct windows_events windows_events = {
    .room = on_room, .again = on_again, .idle = on_idle};

/* --- put off --- */

#define core_test(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
