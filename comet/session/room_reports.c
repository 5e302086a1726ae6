#include "comet/session/room_reports.h"
#include "comet/base/worker.h"
#include "comet/fanout/room.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "common/base/mem.h"
#include "common/protocol/frame.h"
#include "common/protocol/ops.h"

#include <stdlib.h>
#include <string.h>

enum {
    GATHER_MS = 100,
    FRESH_MS = 1000,       /* a total as young as this is told without asking */
    ANSWER_MS = 1000,      /* without an answer by then, a heartbeat gets what was known */
    OUTSTANDING_MAX = 2000 /* words without an answer */
};

struct room_reports {
    struct worker *worker;
    uint64_t number; /* of the last word */
    size_t outstanding;
    uv_timer_t timer;
};

static void room_reports_send(uv_timer_t *timer);

static void send_later(struct room_reports *reports)
{
    if (!uv_is_active((uv_handle_t *)&reports->timer))
        uv_timer_start(&reports->timer, room_reports_send, GATHER_MS, 0);
}

static void rooms_changed(struct worker *worker)
{
    send_later(worker->room_reports);
}

/* --- words --- */

static struct logic_request *word_new(struct room_reports *reports, const char *room, size_t len,
                                      uint32_t members)
{
    struct logic_request *request = logic_requests_new(reports->worker->logic, REQUEST_ROOM);

    request->bytes = mem_strndup(room, len);
    request->bytes_len = len;
    request->members = members;
    request->number = ++reports->number;
    return request;
}

static bool total_take(struct worker *worker, const struct logic_request *request,
                       const struct logic_answer *answer)
{
    bool ok = answer->answered && answer->status == LOGIC_OK;
    struct room *room = room_find(worker, request->bytes, request->bytes_len);

    if (room == NULL)
        return ok;
    struct room_total *total = room_total(room);
    if (request->handle != 0)
        total->asked = false;
    if (ok) {
        total->sessions = answer->room_total;
        total->known_ms = loop_now_ms(&worker->loop);
    }
    return ok;
}

static void word_done(struct worker *worker, struct logic_request *request,
                      const struct logic_answer *answer)
{
    struct room_reports *reports = worker->room_reports;

    if (reports == NULL) /* the loop ends */
        return;
    reports->outstanding--;
    if (!total_take(worker, request, answer) && answer->answered)
        room_mark(worker, request->bytes, request->bytes_len);
}

static void room_reports_send(uv_timer_t *timer)
{
    struct room_reports *reports = container_of(timer, struct room_reports, timer);
    struct room_change change;

    while (reports->outstanding < OUTSTANDING_MAX && room_take_change(reports->worker, &change)) {
        struct logic_request *request = word_new(reports, change.name, change.len, change.members);
        request->done = word_done;
        reports->outstanding++;
        logic_requests_send(reports->worker->logic, request);
    }
    if (reports->outstanding >= OUTSTANDING_MAX)
        send_later(reports);
}

void room_reports_restate(struct room_reports *reports)
{
    loop_assert_owner(&reports->worker->loop);
    rooms_mark_all(reports->worker);
}

/* --- heartbeats --- */

static void heartbeat_reply(struct conn *conn, uint16_t version, int32_t seq, uint64_t sessions)
{
    uint8_t online[4];

    frame_write_be32(online, sessions > INT32_MAX ? INT32_MAX : (uint32_t)sessions);
    conn_reply(conn, version, OP_HEARTBEAT_REPLY, seq, online, sizeof online);
}

/* The best that is known: what all comets have, or, before that was ever told, this loop. */
static uint64_t sessions_known(struct room *room)
{
    const struct room_total *total = room_total(room);

    return total->known_ms != 0 ? total->sessions : room_members(room);
}

static void asked_done(struct worker *worker, struct logic_request *request,
                       const struct logic_answer *answer)
{
    struct conn *conn = handle_table_find(worker->table, request->handle);

    if (worker->rooms == NULL)
        return;
    bool ok = total_take(worker, request, answer);
    if (conn == NULL || conn->state != CONN_OPEN)
        return;
    struct room *room = ok ? NULL : room_find(worker, request->bytes, request->bytes_len);
    uint64_t sessions = ok ? answer->room_total : request->members;
    if (room != NULL)
        sessions = sessions_known(room);
    heartbeat_reply(conn, (uint16_t)(request->after >> 32), (int32_t)(uint32_t)request->after,
                    sessions);
}

static void heartbeat_ask(struct room_reports *reports, struct conn *conn, uint16_t version,
                          int32_t seq)
{
    struct worker *worker = reports->worker;
    size_t len;
    const char *name = room_name(conn->main.room, &len);
    struct logic_request *request = word_new(reports, name, len, room_members(conn->main.room));

    request->handle = conn->handle;
    request->after = (uint64_t)version << 32 | (uint32_t)seq;
    request->deadline_ms = loop_now_ms(&worker->loop) + ANSWER_MS;
    request->done = asked_done;
    logic_requests_send(worker->logic, request);
}

void room_reports_heartbeat(struct room_reports *reports, struct conn *conn, uint16_t version,
                            int32_t seq)
{
    struct loop *loop = &reports->worker->loop;

    loop_assert_owner(loop);
    if (conn->main.room == NULL) {
        heartbeat_reply(conn, version, seq, 0);
        return;
    }
    struct room_total *total = room_total(conn->main.room);
    bool fresh = total->known_ms != 0 && loop_now_ms(loop) - total->known_ms < FRESH_MS;
    if (!fresh && !total->asked) {
        total->asked = true;
        heartbeat_ask(reports, conn, version, seq);
        return;
    }
    heartbeat_reply(conn, version, seq, sessions_known(conn->main.room));
}

/* --- life --- */

struct room_reports *room_reports_open(struct worker *worker)
{
    struct room_reports *reports = mem_zalloc(sizeof *reports);

    loop_assert_owner(&worker->loop);
    reports->worker = worker;
    uv_timer_init(&worker->loop.uv, &reports->timer);
    rooms_watch(worker, rooms_changed);
    return reports;
}

static void room_reports_closed(uv_handle_t *timer)
{
    free(container_of(timer, struct room_reports, timer));
}

void room_reports_close(struct room_reports *reports)
{
    loop_assert_owner(&reports->worker->loop);
    if (reports->worker->rooms != NULL)
        rooms_watch(reports->worker, NULL);
    reports->worker->room_reports = NULL;
    uv_close((uv_handle_t *)&reports->timer, room_reports_closed);
}
