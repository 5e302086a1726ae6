#include "logic/peers/connect.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/membership/membership.h"
#include "common/protocol/goim_key.h"
#include "common/protocol/ops.h"
#include "logic/base/pb.h"
#include "logic/events/session_log.h"
#include "logic/hook/hook.h"
#include "logic/mailbox/mailbox.h"
#include "logic/mailbox/receivers.h"
#include "logic/peers/give_way.h"
#include "logic/peers/goim_connect.h"
#include "logic/router/routers.h"
#include "logic/tokens/device_keys.h"
#include "logic/tokens/revoked.h"
#include "logic/tokens/tokens.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct connect {
    struct session_batch *sb;
    Imc__V1__ConnectResult *result;
    struct goim_connect goim; /* of goim's clients */
    struct router_session session;
    STAILQ_ENTRY(connect) next; /* set while it waits for another try */
    uint64_t again_ms;
    int steps;                      /* answers that an admitted session still waits for */
    bool failed;                    /* one of them was none */
    bool may_be_put;                /* a router that did not answer may have carried out a put */
    int asks;                       /* how often comets were asked to make room */
    struct token_identity identity; /* of its token, if it has one */
    bool has_token;
    uint32_t refused; /* close code: it was put, and must not stay; 0: nothing is against it */
    const char *why;
    uint64_t ends_ms; /* of its token, Unix time; 0: never */
    struct ordered_ticket logging;
};

/* Connects that wait for another try, in the order in which they are due. */
struct connects {
    struct logic *logic;
    STAILQ_HEAD(, connect) waiting;
    uv_timer_t timer;
};

static void connect_put(struct connect *connect);

/* --- the end --- */

static enum logic_metric metric_of(uint32_t code)
{
    switch (code) {
    case CLOSE_NONE:
        return LOGIC_CONNECT_OK;
    case CLOSE_BAD_TOKEN:
        return LOGIC_CONNECT_TOKEN;
    case CLOSE_MALFORMED:
        return LOGIC_CONNECT_MALFORMED;
    case CLOSE_KICKED:
        return LOGIC_CONNECT_REVOKED;
    case CLOSE_TOO_MANY_SESSIONS:
        return LOGIC_CONNECT_TOO_MANY;
    case CLOSE_UNAVAILABLE:
        return LOGIC_CONNECT_UNAVAILABLE;
    default:
        return LOGIC_CONNECT_BUSINESS;
    }
}

static void connect_end(struct connect *connect, uint32_t code, const char *reason)
{
    connect->result->code = code;
    connect->result->reason = pb_text(reason);
    logic_count(connect->sb->logic, metric_of(code), 1);
    session_batch_drop(connect->sb);
}

static void connect_unavailable(struct connect *connect)
{
    connect_end(connect, CLOSE_UNAVAILABLE, "service unavailable");
}

static void on_taken_back(void *arg, const struct router_answer *answer)
{
    struct connect *connect = arg;

    /* A router that has gone has no sessions. One that hangs may have this one, and lists it for as
     * long as its comet lives, unless that says Disconnect. */
    connect->result->put = answer->result != ROUTER_OK;
    connect->result->uid = connect->session.uid;
    if (connect->refused != CLOSE_NONE)
        connect_end(connect, connect->refused, connect->why);
    else
        connect_unavailable(connect);
}

/* Takes the put back, because the router has or may have carried it out. */
static void connect_take_back(struct connect *connect)
{
    struct logic *logic = connect->sb->logic;

    if (stream_is_open(connect->sb->batch))
        router_del(logic->routers, &connect->session, on_taken_back, connect);
    else
        connect_unavailable(connect);
}

static void connect_give_up(struct connect *connect)
{
    if (connect->may_be_put)
        connect_take_back(connect);
    else
        connect_unavailable(connect);
}

/* --- it is let in --- */

static void connect_admit(struct connect *connect)
{
    Imc__V1__ConnectResult *result = connect->result;
    uint64_t now = connect->ends_ms == 0 ? 0 : logic_now_ms(connect->sb->logic);

    if (connect->ends_ms != 0)
        result->lifetime_ms = connect->ends_ms > now ? connect->ends_ms - now : 1;
    if (connect->identity.jwt) {
        result->token = token_number(connect->identity.token);
        result->issued_s = connect->identity.issued_s > 0 ? connect->identity.issued_s : 0;
    }
    if (connect->identity.has_id)
        result->token_id = token_number(connect->identity.id);
    result->acked = connect->session.acked;
    result->key = pb_text(connect->session.key);
    result->room = pb_text(connect->session.room);
    connect_end(connect, CLOSE_NONE, "");
}

static void connect_refuse(struct connect *connect)
{
    connect->result->n_waiting = 0;
    connect_take_back(connect);
}

/* If ERR is set, the log may have it all the same, and comet says that the session has ended. */
static void on_logged(struct ordered_ticket *ticket, int err)
{
    struct connect *connect = container_of(ticket, struct connect, logging);

    if (err == 0)
        connect_admit(connect);
    else
        connect_refuse(connect);
}

/* Last of all: what is in the log of sessions has been let in, or its comet says that it ended. */
static void connect_log(struct connect *connect)
{
    struct session_batch *sb = connect->sb;
    Imc__V1__SessionRecord record;
    imc__v1__session_record__init(&record);
    struct session_name name = {.epoch = connect->session.epoch, .handle = connect->session.handle};

    (void)snprintf(name.comet, sizeof name.comet, "%s", connect->session.comet);
    record.what = IMC__V1__SESSION_RECORD__WHAT__OPENED;
    record.uid = connect->session.uid;
    record.opened_ms = logic_now_ms(sb->logic);
    record.address = sb->in->connects[connect - sb->connects]->address;
    record.key = pb_text(connect->session.key);
    record.room = pb_text(connect->session.room);
    connect->logging.done = on_logged;
    connect->result->logged = session_log_write(sb->logic, &name, &record, &connect->logging) == 0;
    if (!connect->result->logged)
        connect_refuse(connect);
}

/* --- waiting messages, and the device's key --- */

static void connect_step(struct connect *connect, int err)
{
    connect->failed |= err != 0;
    if (--connect->steps > 0)
        return;
    connect->result->uid = connect->session.uid;
    if (connect->failed || connect->refused != CLOSE_NONE)
        connect_refuse(connect);
    else if (connect->sb->logic->session_log != NULL)
        connect_log(connect);
    else
        connect_admit(connect);
}

static void on_waiting(void *arg, int err, const struct mailbox_page *page)
{
    struct connect *connect = arg;
    Imc__V1__ConnectResult *result = connect->result;

    if (err == 0)
        result->more = session_batch_page(connect->sb, page, &result->waiting, &result->n_waiting);
    connect_step(connect, err);
}

static void on_key_taken(void *arg, int err)
{
    connect_step(arg, err);
}

/* If no router answered, older sessions with the key stay until they are silent for too long. */
static void on_same_key(void *arg, const struct router_answer *answer)
{
    struct connect *connect = arg;

    if (answer->result == ROUTER_OK)
        give_way_same_key(connect->sb->logic, &connect->session, answer);
    connect_step(connect, 0);
}

static void on_revoked(void *arg, uint32_t code, const char *why)
{
    struct connect *connect = arg;

    connect->refused = code;
    connect->why = why;
    connect_step(connect, 0);
}

/* The session is put. All questions are under way at the same time. Whether something is revoked is
 * asked last of all, that is after the put (revoked.h). */
static void connect_read(struct connect *connect)
{
    struct logic *logic = connect->sb->logic;
    const struct router_session *session = &connect->session;
    bool named = connect->goim.key != NULL && !goim_key_is_made(connect->goim.key, NULL);

    bool replaces = connect->goim.key != NULL && give_way_replaces(logic->config);
    char device[RECEIVERS_DEVICE_MAX];

    connect->steps = 2 + named + replaces;
    if (replaces)
        router_lookup(logic->routers, session->uid, (uint64_t)logic->config->router_timeout_ms,
                      on_same_key, connect);
    revoked_check(logic, session->uid, connect->has_token ? &connect->identity : NULL, on_revoked,
                  connect);
    if (named)
        device_keys_take(logic, session->key, session->uid, on_key_taken, connect);
    receivers_device(session->key, device);
    mailbox_first(logic, session->uid, device, on_waiting, connect);
}

/* --- put --- */

static void on_retry(uv_timer_t *timer)
{
    struct connects *connects = container_of(timer, struct connects, timer);
    uint64_t now = loop_now_ms(connects->logic->loop);
    struct connect *connect;

    while ((connect = STAILQ_FIRST(&connects->waiting)) != NULL && connect->again_ms <= now) {
        STAILQ_REMOVE_HEAD(&connects->waiting, next);
        connect_put(connect);
    }
    if (connect != NULL)
        uv_timer_start(timer, on_retry, connect->again_ms - now, 0);
}

static void connect_again(struct connect *connect)
{
    struct connects *connects = connect->sb->logic->connects;

    connect->again_ms = loop_now_ms(connects->logic->loop) + CONNECT_RETRY_MS;
    STAILQ_INSERT_TAIL(&connects->waiting, connect, next);
    if (!uv_is_active((uv_handle_t *)&connects->timer))
        uv_timer_start(&connects->timer, on_retry, CONNECT_RETRY_MS, 0);
}

static bool connect_is_late(const struct connect *connect)
{
    return loop_now_ms(connect->sb->logic->loop) >= connect->sb->deadline_ms ||
           !stream_is_open(connect->sb->batch);
}

/* --- too many --- */

static void on_others(void *arg, const struct router_answer *answer)
{
    struct connect *connect = arg;
    struct logic *logic = connect->sb->logic;

    if (answer->result != ROUTER_OK || connect_is_late(connect)) {
        connect_end(connect, CLOSE_TOO_MANY_SESSIONS, "too many sessions");
        return;
    }
    if (give_way_closes_oldest(logic->config))
        give_way_oldest(logic, connect->session.uid, answer, connect->session.max_sessions);
    else
        give_way_silent(logic, connect->session.uid, answer, connect->asks++);
    connect_again(connect);
}

/* The user has too many sessions. Asks the comets to close one, so that the next put finds room:
 * one that has been silent for long, because it may be dead and its comet has not noticed; or, as
 * sessions.when_full says, the oldest. That is asked until it has gone, because it may take a while
 * to read what it was sent. */
static void connect_ask_others(struct connect *connect)
{
    struct logic *logic = connect->sb->logic;

    if (connect->asks == CONNECT_ASKS || connect_is_late(connect))
        connect_end(connect, CLOSE_TOO_MANY_SESSIONS, "too many sessions");
    else
        router_lookup(logic->routers, connect->session.uid,
                      (uint64_t)logic->config->router_timeout_ms, on_others, connect);
}

static void on_put(void *arg, const struct router_answer *answer)
{
    struct connect *connect = arg;

    connect->may_be_put = connect->may_be_put || answer->result == ROUTER_AWAY;
    if (answer->result == ROUTER_OK && answer->status == IMC__V1__PUT_STATUS__PUT_OK) {
        session_batch_put(connect->sb, answer->ring);
        connect_read(connect);
    } else if (answer->result == ROUTER_OK && answer->status == IMC__V1__PUT_STATUS__PUT_TOO_MANY) {
        connect_ask_others(connect);
    } else if (answer->result == ROUTER_OK) {
        log_warn("comet is stale", "comet=%s hint=\"the router knows a newer life of it\"",
                 connect->session.comet);
        connect_unavailable(connect);
    } else if (!connect_is_late(connect)) {
        connect_again(connect);
    } else {
        connect_give_up(connect);
    }
}

static void connect_put(struct connect *connect)
{
    struct session_batch *sb = connect->sb;
    uint64_t now = loop_now_ms(sb->logic->loop);

    if (connect_is_late(connect)) {
        connect_give_up(connect);
        return;
    }
    router_put(sb->logic->routers, &connect->session, sb->deadline_ms - now, on_put, connect);
}

/* It is known who connects. */
static void connect_known(struct connect *connect, int64_t uid)
{
    connect->session.uid = uid;
    if (connect->goim.is_goim)
        connect->session.key = goim_connect_key(connect->sb, &connect->goim, uid);
    if (connect->session.key == NULL)
        connect_end(connect, CLOSE_MALFORMED, "auth: key was made up for another user");
    else
        connect_put(connect);
}

/* --- token --- */

static void on_token(void *arg, size_t index, int err, const struct token_value *value,
                     const char *why)
{
    struct session_batch *sb = arg;
    struct connect *connect = sb->asked[index];

    if (err == -ENOENT) {
        connect_end(connect, CLOSE_BAD_TOKEN, why);
        return;
    }
    if (err != 0) {
        connect_end(connect, CLOSE_UNAVAILABLE, why);
        return;
    }
    why = goim_connect_token(sb, &connect->goim, value, &connect->session.room, connect->result);
    if (why != NULL) {
        connect_end(connect, CLOSE_BAD_TOKEN, why);
    } else {
        connect->ends_ms = value->ends_ms;
        connect->identity = value->identity;
        connect->has_token = true;
        connect_known(connect, value->uid);
    }
}

/* --- the business --- */

/* What the business says of rooms, key and end takes the place of what the client said, because the
 * business knew that. */
static void connect_takes(struct connect *connect, const struct hook_answer *answer)
{
    struct session_batch *sb = connect->sb;

    connect->ends_ms = answer->expire_at * 1000;
    if (answer->room[0] != '\0')
        connect->session.room = arena_strdup(&sb->batch->arena, answer->room);
    if (answer->rooms[0] != '\0')
        connect->result->rooms = pb_text(arena_strdup(&sb->batch->arena, answer->rooms));
    if (answer->key[0] != '\0' && connect->goim.is_goim)
        connect->goim.key = arena_strdup(&sb->batch->arena, answer->key);
}

static void on_business(void *arg, const struct hook_answer *answer)
{
    struct connect *connect = arg;
    const struct token_value value = {.uid = answer->uid,
                                      .room = "",
                                      .rooms = "",
                                      .accepts = answer->accepts,
                                      .accepts_len = strlen(answer->accepts)};

    if (answer->code != CLOSE_NONE) {
        connect_end(connect, answer->code,
                    arena_strdup(&connect->sb->batch->arena, answer->reason));
        return;
    }
    connect_takes(connect, answer);
    const char *why = goim_connect_token(connect->sb, &connect->goim, &value,
                                         &connect->session.room, connect->result);
    if (why != NULL)
        connect_end(connect, CLOSE_BAD_TOKEN, "auth: mid is not the user whom the business named");
    else
        connect_known(connect, value.uid);
}

static const char *region_of(struct logic *logic, const char *comet)
{
    const struct member_list *comets;

    if (logic->membership == NULL)
        return "";
    comets = membership_list(logic->membership, MEMBER_COMET);
    for (size_t i = 0; i < comets->n; i++) {
        if (strcmp(comets->members[i].id, comet) == 0)
            return comets->members[i].region;
    }
    return "";
}

void connect_asks_business(struct session_batch *sb, struct hook_question *question, uint32_t wire,
                           hook_fn fn, void *arg)
{
    enum { WS_JSON = 1, GOIM_WS = 3 }; /* comet/wire/wire.h */

    if (sb->region == NULL)
        sb->region = region_of(sb->logic, sb->in->comet);
    question->websocket = wire == WS_JSON || wire == GOIM_WS;
    question->comet = sb->in->comet;
    question->region = sb->region;
    question->auth = question->goim ? question->token : NULL;
    question->auth_len = question->token_len;
    hook_ask(sb->logic->hook, question, sb->deadline_ms - CONNECT_RETRY_MS, fn, arg);
}

static void connect_asks(struct connect *connect, const Imc__V1__Connect *in)
{
    struct hook_question question = {
        .client = in->handle,
        .goim = in->goim,
        .address = in->address,
        .token = in->token.data,
        .token_len = in->token.len,
        .headers = in->headers.data,
        .headers_len = in->headers.len,
    };
    connect_asks_business(connect->sb, &question, in->wire, on_business, connect);
}

/* Reads goim's auth. True: its token has to be looked up, or the business asked. False: it needs
 * none, or was refused. */
static bool connect_reads_goim(struct connect *connect, const Imc__V1__Connect *in)
{
    struct goim_connect *goim = &connect->goim;
    const char *why;
    uint32_t code = goim_connect_read(connect->sb, &in->token, connect->result, goim, &why);

    if (code != CLOSE_NONE) {
        connect_end(connect, code, why);
        return false;
    }
    connect->session.room = goim->room;
    connect->session.acked = goim->acked;
    connect->result->rooms = pb_text(goim->rooms);
    if (goim->token.len > 0 || connect->sb->logic->hook != NULL)
        return true;
    connect->result->accepts_all = !goim->accepts_said;
    connect_known(connect, goim->uid);
    return false;
}

void connects_start(struct session_batch *sb)
{
    struct logic *logic = sb->logic;
    size_t n = sb->in->n_connects, n_asked = 0;
    struct token_ref *refs = arena_alloc(&sb->batch->arena, n * sizeof *refs);

    sb->connects = arena_alloc(&sb->batch->arena, n * sizeof *sb->connects);
    sb->asked = arena_alloc(&sb->batch->arena, n * sizeof(struct connect *));
    if (n > 0)
        sb->reply.keys_refresh_ms = device_keys_refresh_ms(logic);
    sb->deadline_ms = loop_now_ms(logic->loop) + (uint64_t)logic->config->connect_timeout_ms;
    for (size_t i = 0; i < n; i++) {
        const Imc__V1__Connect *in = sb->in->connects[i];
        sb->connects[i] = (struct connect){
            .sb = sb,
            .result = sb->reply.connects[i],
            .session =
                {
                    .comet = sb->in->comet,
                    .epoch = sb->in->epoch,
                    .handle = in->handle,
                    .key = "",
                    .room = "",
                    .max_sessions = (uint32_t)logic->config->sessions_max_per_uid,
                },
        };
        struct connect *connect = &sb->connects[i];
        struct token_ref token = {in->token.data, in->token.len};
        if (in->goim && !connect_reads_goim(connect, in))
            continue;
        if (logic->hook != NULL) {
            connect_asks(connect, in);
            continue;
        }
        sb->asked[n_asked] = connect;
        refs[n_asked++] = in->goim ? connect->goim.token : token;
    }
    if (n_asked > 0)
        tokens_find(logic, refs, n_asked, on_token, sb);
}

/* --- life --- */

struct connects *connects_open(struct logic *logic)
{
    struct connects *connects = mem_zalloc(sizeof *connects);

    connects->logic = logic;
    STAILQ_INIT(&connects->waiting);
    uv_timer_init(&logic->loop->uv, &connects->timer);
    return connects;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(container_of(handle, struct connects, timer));
}

void connects_close(struct connects *connects)
{
    if (connects == NULL)
        return;
    while (!STAILQ_EMPTY(&connects->waiting))
        connect_unavailable(STAILQ_TAKE(&connects->waiting, next));
    uv_close((uv_handle_t *)&connects->timer, on_timer_closed);
}
