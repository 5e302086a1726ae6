/* reregister_fixture.h - registering again, against a model: routers that know what was put, logics
 * that see other routers than we do, streams that break, sessions that come and go.
 *
 * What must hold: Registered is never sent while a session is unknown to the routers; in the end
 * routers know exactly the sessions there are; and no message waits in a mailbox of which its
 * session has not been told. */
#ifndef IMC_TESTS_UNIT_COMET_SESSION_REREGISTER_FIXTURE_H
#define IMC_TESTS_UNIT_COMET_SESSION_REREGISTER_FIXTURE_H

#include "comet/base/cluster_view.h"
#include "comet/base/comet.h"
#include "comet/base/metrics.h"
#include "comet/fanout/room.h"
#include "comet/logic/logic_requests.h"
#include "comet/net/conn.h"
#include "comet/net/handle_table.h"
#include "comet/session/reregister.h"
#include "comet/session/room_reports.h"
#include "comet/session/session.h"
#include "comet/session/token_ends.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A sanitizer makes a run ten times as long, and it is not for the order of events. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define FEWER 4
#endif
#endif
#ifndef FEWER
#define FEWER 1
#endif

enum { SESSIONS = 40, ROUTERS = 3, SEEDS = 400 / FEWER };

struct session {
    struct conn conn;
    uint64_t handle; /* 0: never connected */
    bool connecting; /* logic has put it, and has not answered yet */
    struct logic_answer answer;
    int router;           /* which one has it; -1: none */
    uint64_t router_life; /* … as long as it lives this life */
    uint64_t epoch;       /* of ours, under which it was put */
    uint32_t revoked;     /* what logic says of it when it is asked */
    bool missed;          /* a message was put into its mailbox, and it does not know */
    int refetches;
};

static struct {
    struct worker worker;
    struct comet comet;
    _Atomic int64_t counters[COMET_METRIC_COUNT];
    struct session *sessions;
    size_t n_sessions;
    struct logic_request_queue queued; /* not sent yet */
    struct logic_request *sent;        /* one at a time, under the view it was sent under */
    uint64_t sent_ring, sent_epoch;
    /* routers */
    uint64_t lives[ROUTERS]; /* 0: not there */
    uint64_t next_life;
    struct cluster_view *truth; /* as routers see it */
    struct cluster_view *logic; /* as logic sees it */
    uint64_t epoch;             /* ours, as routers see it */
    bool dead;                  /* our lease has lapsed */
    bool away;                  /* routers do not answer */
    bool late; /* routers carry out what they are asked, and logic has given up waiting */
    uint64_t registered_ring, registered_epoch;
    int claims;
} w;

/* --- fakes --- */

struct logic_request *logic_requests_new(struct logic_requests *link, enum logic_request_kind kind)
{
    (void)link;
    struct logic_request *request = mem_zalloc(sizeof *request);
    request->kind = kind;
    return request;
}

void logic_requests_send(struct logic_requests *link, struct logic_request *request)
{
    (void)link;
    STAILQ_INSERT_TAIL(&w.queued, request, link);
}

struct token_marks token_ends_marks(const struct conn *conn)
{
    return (struct token_marks){.token = (uint64_t)conn->uid + 1, .id = 2, .issued_s = 3};
}

/* How often sessions were kicked, and for what at last. */
static int kicks;
static enum close_code kicked;

void conn_kick(struct conn *conn, enum close_code code, const char *reason)
{
    (void)reason;
    conn->state = CONN_CLOSING;
    kicks++;
    kicked = code;
}

const char *room_name(const struct room *room, size_t *len)
{
    (void)room;
    *len = 4;
    return "room";
}

void room_reports_restate(struct room_reports *reports)
{
    (void)reports;
}

static inline struct session *session_of(uint64_t handle)
{
    for (size_t i = 0; i < w.n_sessions; i++) {
        if (w.sessions[i].handle == handle)
            return &w.sessions[i];
    }
    return NULL;
}

static inline void refetch(struct conn *conn)
{
    struct session *session = container_of(conn, struct session, conn);
    assert_true(conn->registered); /* put, then fetch */
    session->missed = false;
    session->refetches++;
}

/* --- routers --- */

static inline struct cluster_view *view_of_routers(uint64_t epoch, bool lapsed)
{
    static char ids[ROUTERS][8] = {"r0", "r1", "r2"};
    struct member members[ROUTERS];
    struct member_list routers = {.members = members}, nobody = {0};

    for (int i = 0; i < ROUTERS; i++) {
        if (w.lives[i] == 0)
            continue;
        struct member *member = &members[routers.n++];
        memset(member, 0, sizeof *member);
        memcpy(member->id, ids[i], sizeof ids[i]);
        member->epoch = w.lives[i];
        member->weight = 1;
    }
    return cluster_view_new(&nobody, &routers, epoch, lapsed);
}

static inline int owner(const struct cluster_view *view, int64_t uid)
{
    if (view->ring == NULL)
        return -1;
    const struct member *member = &view->routers[ring_find_uid(view->ring, uid)];
    return member->id[1] - '0';
}

static inline bool routers_have(const struct session *session)
{
    return session->router >= 0 && session->router_life == w.lives[session->router] &&
           session->epoch == w.epoch && !w.dead;
}

/* Another ring: what moved is dropped, registrations are void. */
static inline void routers_changed(void)
{
    struct cluster_view *before = w.truth;
    w.truth = view_of_routers(0, false);
    bool same = before->ring_hash == w.truth->ring_hash;
    cluster_view_unref(before);
    if (same)
        return;
    w.registered_ring = 0;
    for (size_t i = 0; i < w.n_sessions; i++) {
        struct session *session = &w.sessions[i];
        if (session->router >= 0 &&
            (!routers_have(session) || owner(w.truth, session->conn.uid) != session->router))
            session->router = -1;
    }
}

static inline uint32_t routers_put(struct session *session, uint64_t ring, uint64_t epoch)
{
    if (ring != w.logic->ring_hash || ring != w.truth->ring_hash)
        return LOGIC_RING_MISMATCH;
    if (w.away || ring == 0 || epoch != w.epoch || w.dead)
        return LOGIC_UNAVAILABLE;
    session->router = owner(w.truth, session->conn.uid);
    session->router_life = w.lives[session->router];
    session->epoch = epoch;
    return LOGIC_OK;
}

static inline bool routers_complete(void)
{
    return w.truth->ring_hash != 0 &&
           (w.dead || (w.registered_ring == w.truth->ring_hash && w.registered_epoch == w.epoch));
}

/* job has settled a message: stored, then looked up. */
static inline void settle(struct session *session)
{
    if ((session->conn.counted || session->connecting) && routers_complete() &&
        !routers_have(session))
        session->missed = true;
}

/* --- the link and logic --- */

static inline void assert_claim_is_true(void)
{
    if (w.worker.view->ring_hash != w.truth->ring_hash || w.worker.view->comet_epoch != w.epoch ||
        w.dead)
        return; /* will be refused */
    for (size_t i = 0; i < w.n_sessions; i++) {
        struct session *session = &w.sessions[i];
        if (session->conn.counted && !routers_have(session))
            fail_msg("Registered is sent, but session %zu is not", i);
    }
    w.claims++;
}

static inline void link_send_one(void)
{
    if (STAILQ_EMPTY(&w.queued) || w.sent != NULL || w.worker.view->comet_epoch == 0)
        return;
    w.sent = STAILQ_TAKE(&w.queued, link);
    w.sent_ring = w.worker.view->ring_hash;
    w.sent_epoch = w.worker.view->comet_epoch;
    if (w.sent->kind == REQUEST_REGISTERED && !w.sent->cancelled)
        assert_claim_is_true();
}

static inline uint32_t logic_registered(const struct logic_request *request)
{
    if (request->cancelled)
        return LOGIC_OK; /* the batch did not carry it */
    if (w.sent_ring != w.logic->ring_hash || w.sent_ring != w.truth->ring_hash)
        return LOGIC_RING_MISMATCH;
    if (w.away || w.dead || w.sent_epoch != w.epoch)
        return LOGIC_UNAVAILABLE;
    w.registered_ring = w.sent_ring;
    w.registered_epoch = w.sent_epoch;
    return LOGIC_OK;
}

static inline void logic_carries_out(bool answers)
{
    struct logic_request *request = w.sent;
    if (request == NULL)
        return;
    struct session *session = session_of(request->handle);
    struct logic_answer answer = {
        .answered = true, .ring = w.logic->ring_hash, .epoch = w.sent_epoch};
    if (request->kind == REQUEST_REGISTER) {
        answer.status = routers_put(session, w.sent_ring, w.sent_epoch);
        if (w.late && answer.status == LOGIC_OK)
            answer.status = LOGIC_UNAVAILABLE;
        if (answer.status == LOGIC_OK && request->judge) {
            assert_int_equal(request->token.token, request->uid + 1);
            answer.revoked = session->revoked;
            answer.revoked_why = "the token was revoked";
        }
    } else if (request->kind == REQUEST_REGISTERED) {
        answer.status = logic_registered(request);
    } else {
        assert_int_equal(request->kind, REQUEST_DISCONNECT);
        answer.status = w.away ? LOGIC_UNAVAILABLE : LOGIC_OK;
        if (!w.away && w.sent_epoch == w.epoch)
            session->router = -1;
    }
    if (!answers)
        return; /* it was done, but the stream will break */
    w.sent = NULL;
    request->done(&w.worker, request, &answer);
    free(request->bytes);
    free(request);
}

/* --- sessions --- */

static inline void session_begin(void)
{
    if (w.n_sessions == SESSIONS || w.worker.view->comet_epoch == 0)
        return;
    struct session *session = &w.sessions[w.n_sessions];
    session->conn.worker = &w.worker;
    session->conn.uid = (int64_t)w.n_sessions * 7919;
    session->router = -1;
    uint64_t epoch = w.worker.view->comet_epoch;
    if (routers_put(session, w.logic->ring_hash, epoch) != LOGIC_OK)
        return; /* refused: the client comes again */
    w.n_sessions++;
    session->handle = session->conn.handle = handle_table_add(w.worker.table, &session->conn);
    session->connecting = true;
    session->answer =
        (struct logic_answer){.answered = true, .ring = w.logic->ring_hash, .epoch = epoch};
}

static inline void session_admitted(struct session *session)
{
    if (!session->connecting)
        return;
    session->connecting = false;
    session->conn.counted = true;
    session->conn.state = CONN_OPEN;
    w.worker.sessions++;
    reregister_admitted(w.worker.reregister, &session->conn, &session->answer);
}

static inline void session_ends(struct session *session)
{
    if (!session->conn.counted)
        return;
    handle_table_remove(w.worker.table, session->handle);
    reregister_closed(w.worker.reregister, &session->conn);
    session->conn.counted = false;
    session->missed = false;
    w.worker.sessions--;
    reregister_disconnect(w.worker.reregister, session->handle, session->conn.uid);
}

/* --- the world --- */

static inline void view_arrives(bool lapsed)
{
    cluster_view_unref(w.worker.view);
    w.worker.view = view_of_routers(w.epoch, lapsed);
    reregister_update(w.worker.reregister);
}

static inline void logic_learns(void)
{
    cluster_view_unref(w.logic);
    w.logic = view_of_routers(0, false);
}

static inline void world_open(size_t sessions)
{
    const struct member_list nobody = {0};
    memset(&w, 0, sizeof w);
    w.sessions = mem_zalloc(sessions * sizeof *w.sessions);
    STAILQ_INIT(&w.queued);
    assert_int_equal(loop_init(&w.worker.loop, "test", 0), 0);
    w.comet.n_workers = 1;
    w.worker.comet = &w.comet;
    w.worker.counters = w.counters;
    w.worker.table = handle_table_open(0);
    w.worker.view = cluster_view_new(&nobody, &nobody, 0, false);
    w.worker.reregister = reregister_open(&w.worker, refetch);
    w.truth = view_of_routers(0, false);
    w.logic = cluster_view_ref(w.truth);
    w.epoch = 1;
}

static inline void request_free(struct logic_request *request)
{
    free(request->bytes);
    free(request);
}

static inline void world_close(void)
{
    for (size_t i = 0; i < w.n_sessions; i++) {
        if (w.sessions[i].conn.counted || w.sessions[i].connecting)
            handle_table_remove(w.worker.table, w.sessions[i].handle);
    }
    reregister_close(w.worker.reregister);
    loop_close(&w.worker.loop);
    while (!STAILQ_EMPTY(&w.queued))
        request_free(STAILQ_TAKE(&w.queued, link));
    if (w.sent != NULL)
        request_free(w.sent);
    handle_table_close(w.worker.table);
    cluster_view_unref(w.worker.view);
    cluster_view_unref(w.truth);
    cluster_view_unref(w.logic);
    free(w.sessions);
}

static inline void fire(uv_handle_t *handle, void *fired)
{
    if (handle->type != UV_TIMER || !uv_is_active(handle))
        return;
    uv_timer_t *timer = (uv_timer_t *)handle;
    uv_timer_stop(timer);
    timer->timer_cb(timer);
    *(bool *)fired = true;
}

/* The retry timer, without waiting for it. */
static inline bool timers_fire(void)
{
    bool fired = false;
    uv_walk(&w.worker.loop.uv, fire, &fired);
    return fired;
}

static inline void turn(void)
{
    uv_run(&w.worker.loop.uv, UV_RUN_NOWAIT);
}

static inline void settle_down(void)
{
    w.away = false;
    routers_changed();
    logic_learns();
    view_arrives(true);
    for (int i = 0; i < 40 * SESSIONS; i++) {
        turn();
        link_send_one();
        logic_carries_out(true);
        if (i % 50 == 0)
            timers_fire();
    }
}

/* Others take us for dead; membership tells us later, with a new epoch. */
static inline void lease_event(bool *lapsed)
{
    if (!w.dead) {
        w.dead = true;
        return;
    }
    w.dead = false;
    w.epoch++;
    *lapsed = true;
    view_arrives(true);
}

#endif
