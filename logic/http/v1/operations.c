#include "logic/http/v1/operations.h"
#include "common/auth/keys.h"
#include "common/base/mem.h"
#include "logic/http/v1/schemas.h"

#include <stdio.h>
#include <string.h>

#define ROUTE(verb, at, needs) .route = {HTTP_##verb, at, v1_handle, needs, false}

const struct operation operations[] = {
    {
        ROUTE(POST, "/v1/push", KEY_PUSH),
        .start = v1_push,
        .id = "push",
        .tag = "push",
        .summary = "Pushes a message to users, devices, rooms, or everybody",
        .doc = "Answered when Kafka has the message. A push that is malformed anywhere is refused "
               "whole. If Kafka fails midway, the answer lists what was not accepted; a call with "
               "the same idempotency key then pushes only that.",
        .body = &schema_push,
        .takes_key = true,
        .status = 202,
        .answer = &schema_accepted,
    },
    {
        ROUTE(POST, "/v1/batch", KEY_PUSH),
        .start = v1_batch,
        .id = "pushBatch",
        .tag = "push",
        .summary = "Makes several pushes, and answers each of them",
        .doc =
            "Each push is accepted or refused for itself. Those without an idempotency key begin "
            "in their order. With the header Idempotency-Key: K push number N, from 0, has the "
            "key K.N. All pushes together may have as many receivers (uids, keys and rooms) as one "
            "may have uids; those beyond are refused with 413.",
        .body = &schema_batch,
        .takes_key = true,
        .status = 200,
        .answer = &schema_results,
    },
    {
        ROUTE(GET, "/v1/scheduled", KEY_READ),
        .start = v1_scheduled_list,
        .id = "listScheduled",
        .tag = "push",
        .summary = "Pushes that wait for their time",
        .query = query_scheduled,
        .status = 200,
        .answer = &schema_scheduled,
    },
    {
        ROUTE(DELETE, "/v1/scheduled", KEY_PUSH),
        .start = v1_scheduled_cancel,
        .id = "cancelScheduled",
        .tag = "push",
        .summary = "Takes back a push that waits for its time",
        .doc = "404: no such push waits, or it is being delivered.",
        .query = query_scheduled_cancel,
        .not_found = true,
        .status = 200,
        .answer = &schema_cancelled,
    },
    {
        ROUTE(GET, "/v1/messages", KEY_READ),
        .start = v1_message_trace,
        .id = "traceMessage",
        .tag = "push",
        .summary = "The way of a traced message: what happened to it, when, and why",
        .doc = "Kept for an hour, of messages pushed with trace, and of all messages to the users "
               "in trace.users_file. 404: nothing is known of it.",
        .query = query_message,
        .not_found = true,
        .status = 200,
        .answer = &schema_message_trace,
    },
    {
        ROUTE(GET, "/v1/messages/{id}", KEY_READ),
        .start = v1_message_trace,
        .id = "traceOneMessage",
        .tag = "push",
        .summary = "The way of a traced message: what happened to it, when, and why",
        .doc = "As GET /v1/messages.",
        .path = query_message,
        .not_found = true,
        .status = 200,
        .answer = &schema_message_trace,
    },
    {
        ROUTE(GET, "/v1/pushes/funnel", KEY_READ),
        .start = v1_push_funnel,
        .id = "countPush",
        .tag = "push",
        .summary = "How far the messages of a traced push have come, in numbers",
        .doc = "Kept for an hour after the last change. 404: nothing is known of it.",
        .query = query_funnel,
        .not_found = true,
        .status = 200,
        .answer = &schema_funnel,
    },
    {
        ROUTE(GET, "/v1/pushes/{id}/funnel", KEY_READ),
        .start = v1_push_funnel,
        .id = "countOnePush",
        .tag = "push",
        .summary = "How far the messages of a traced push have come, in numbers",
        .doc = "As GET /v1/pushes/funnel.",
        .path = query_funnel,
        .not_found = true,
        .status = 200,
        .answer = &schema_funnel,
    },
    {
        ROUTE(GET, "/v1/sessions", KEY_READ),
        .start = v1_sessions_list,
        .id = "listSessions",
        .tag = "sessions",
        .summary = "The sessions of a user, or of a device",
        .doc = "Needs a uid, a key, or both. A user without a session has an empty list.",
        .query = query_sessions,
        .status = 200,
        .answer = &schema_sessions,
    },
    {
        ROUTE(DELETE, "/v1/sessions", KEY_ADMIN),
        .start = v1_sessions_end,
        .id = "endSessions",
        .tag = "sessions",
        .summary = "Ends the sessions of a user, of a device, or one session",
        .doc = "Needs a uid, a key, or both. The client may connect again: to keep it out, block "
               "the user or revoke the token. 503 means that not all are known to have ended: "
               "repeat the call.",
        .query = query_sessions_end,
        .status = 200,
        .answer = &schema_changed,
    },
    {
        ROUTE(GET, "/v1/rooms", KEY_READ),
        .start = v1_rooms_list,
        .id = "listRooms",
        .tag = "rooms",
        .summary = "Rooms: the largest ones, all of them page by page, or one",
        .doc = "A room that somebody is in all the while is in one of the pages by name, and only "
               "once.",
        .query = query_rooms,
        .status = 200,
        .answer = &schema_rooms,
    },
    {
        ROUTE(GET, "/v1/rooms/members", KEY_READ),
        .start = v1_rooms_members,
        .id = "listMembers",
        .tag = "rooms",
        .summary = "Who is in a room",
        .doc = "Page by page, in no order that means something. A session that stays in the room "
               "is in one of the pages, and only once, whoever else comes and goes. A page may be "
               "short, or empty, and have a cursor all the same.",
        .query = query_members,
        .status = 200,
        .answer = &schema_members,
    },
    {
        ROUTE(GET, "/v1/rooms/{room}/members", KEY_READ),
        .start = v1_rooms_members,
        .id = "listMembersOf",
        .tag = "rooms",
        .summary = "Who is in a room",
        .doc = "As GET /v1/rooms/members.",
        .path = path_room,
        .query = query_members_of,
        .status = 200,
        .answer = &schema_members,
    },
    {
        ROUTE(GET, "/v1/rooms/{room}", KEY_READ),
        .start = v1_rooms_one,
        .id = "getRoom",
        .tag = "rooms",
        .summary = "How many sessions are in a room",
        .doc = "A room that nobody is in has 0. Rooms named members, join and leave are asked for "
               "by GET /v1/rooms?room=, and so are those with \".\" or \"..\" between slashes.",
        .path = path_room,
        .status = 200,
        .answer = &schema_room_one,
    },
    {
        ROUTE(POST, "/v1/rooms/join", KEY_ADMIN),
        .start = v1_rooms_join,
        .id = "joinRoom",
        .tag = "rooms",
        .summary = "Sessions of a user enter a room, beside those that they are in",
        .doc = "Needs a uid, a key, or both. Answered when the comets have done it; a call that is "
               "repeated gets the same answer.",
        .body = &schema_room_change,
        .status = 200,
        .answer = &schema_changed,
    },
    {
        ROUTE(POST, "/v1/rooms/leave", KEY_ADMIN),
        .start = v1_rooms_leave,
        .id = "leaveRoom",
        .tag = "rooms",
        .summary = "Sessions of a user leave a room",
        .doc = "As join.",
        .body = &schema_room_change,
        .status = 200,
        .answer = &schema_changed,
    },
    {
        ROUTE(GET, "/v1/mailbox", KEY_READ),
        .start = v1_mailbox_read,
        .id = "readMailbox",
        .tag = "mailbox",
        .summary = "The messages that wait for a user",
        .doc = "Reading deletes nothing.",
        .query = query_mailbox,
        .status = 200,
        .answer = &schema_mailbox,
    },
    {
        ROUTE(DELETE, "/v1/mailbox", KEY_ADMIN),
        .start = v1_mailbox_delete,
        .id = "deleteMailbox",
        .tag = "mailbox",
        .summary = "Deletes messages that wait for a user, for all of his devices",
        .doc = "A message that is under way to the mailbox just then stays.",
        .query = query_mailbox_delete,
        .status = 200,
        .answer = &schema_emptied,
    },
    {
        ROUTE(POST, "/v1/tokens", KEY_ADMIN),
        .start = v1_tokens_new,
        .id = "newToken",
        .tag = "tokens",
        .summary = "Makes a token, by which devices of a user connect",
        .body = &schema_token_new,
        .is_secret = true,
        .status = 201,
        .answer = &schema_token,
    },
    {
        ROUTE(POST, "/v1/tokens/revoke", KEY_ADMIN),
        .start = v1_tokens_revoke,
        .id = "revokeTokens",
        .tag = "tokens",
        .summary = "Takes back tokens, and ends their sessions",
        .doc = "With 503 nobody is let in by them any more, but sessions may still be open: repeat "
               "the call.",
        .body = &schema_token_revoke,
        .not_found = true,
        .status = 200,
        .answer = &schema_changed,
    },
    {
        ROUTE(DELETE, "/v1/tokens/{token}", KEY_ADMIN),
        .start = v1_tokens_delete,
        .id = "deleteToken",
        .tag = "tokens",
        .summary = "Takes back a token, and ends its sessions",
        .doc = "As POST /v1/tokens/revoke, which keeps the token out of the logs of proxies.",
        .path = path_token,
        .not_found = true,
        .status = 200,
        .answer = &schema_changed,
    },
    {
        ROUTE(POST, "/v1/users/block", KEY_ADMIN),
        .start = v1_users_block,
        .id = "blockUser",
        .tag = "users",
        .summary = "Refuses a user for a time, and ends his sessions",
        .doc = "Whatever token he comes with. With 503 he is not let in any more, but sessions may "
               "still be open: repeat the call.",
        .body = &schema_user_block,
        .status = 200,
        .answer = &schema_changed,
    },
    {
        ROUTE(POST, "/v1/users/unblock", KEY_ADMIN),
        .start = v1_users_unblock,
        .id = "unblockUser",
        .tag = "users",
        .summary = "Lets a user in again who was blocked",
        .doc = "It also takes back a revocation of all his tokens that was made by uid.",
        .body = &schema_user,
        .not_found = true,
        .status = 200,
        .answer = &schema_changed,
    },
    {
        ROUTE(POST, "/v1/comets/drain", KEY_ADMIN),
        .start = v1_comets_drain,
        .id = "drainComet",
        .tag = "cluster",
        .summary = "A comet takes no more clients, and sends those that it has elsewhere",
        .doc = "As POST /drain of its admin listener does: drain.rate of them a second, until "
               "undrain or its end. Answered when its lease says so. /v1/cluster has how many "
               "sessions are left. A call that is repeated gets the same answer.",
        .body = &schema_comet,
        .not_found = true,
        .status = 200,
        .answer = &schema_comet_drains,
    },
    {
        ROUTE(POST, "/v1/comets/undrain", KEY_ADMIN),
        .start = v1_comets_undrain,
        .id = "undrainComet",
        .tag = "cluster",
        .summary = "A comet that drains takes clients again",
        .doc = "Sessions that were not told to go yet stay.",
        .body = &schema_comet,
        .not_found = true,
        .status = 200,
        .answer = &schema_comet_drains,
    },
    {
        ROUTE(GET, "/v1/events", KEY_READ),
        .start = v1_events,
        .id = "followEvents",
        .tag = "events",
        .summary = "Who comes and goes, and what becomes of messages: as it happens",
        .doc = "The events of docs/events.md, for people and tools that look for a while. Nothing "
               "is promised here: the newest ones are kept in memory, as long as somebody asks, "
               "and who is too slow is told that some are missing. A business that must not miss "
               "any reads events.topic. At most events.followers calls wait at once. 404: nobody "
               "says where events are.",
        .query = query_events,
        .not_found = true,
        .status = 200,
        .answer = &schema_events,
    },
    {
        ROUTE(GET, "/v1/cluster", KEY_READ),
        .start = v1_cluster,
        .id = "getCluster",
        .tag = "cluster",
        .summary = "The daemons that live, and whether pushes are taken",
        .status = 200,
        .answer = &schema_cluster,
    },
    {
        .route = {HTTP_GET, "/v1/nodes", v1_handle, KEY_READ, true},
        .start = v1_nodes,
        .id = "chooseNodes",
        .tag = "cluster",
        .summary = "Comets that a client may connect to, the best one first",
        .doc = "With nodes.open it needs no key: clients and web pages make this call.",
        .status = 200,
        .answer = &schema_nodes,
    },
    {
        ROUTE(GET, "/openapi.json", 0),
        .start = v1_openapi,
        .id = "getOpenapi",
        .tag = "cluster",
        .summary = "This document",
        .status = 200,
        .answer = &schema_document,
    },
};
const size_t operations_n = sizeof operations / sizeof operations[0];

const struct operation *operation_of(const struct route *route)
{
    return (const struct operation *)(const void *)((const char *)route -
                                                    offsetof(struct operation, route));
}

/* --- routes --- */

static bool owns(const char *path)
{
    return strncmp(path, "/v1/", 4) == 0 || strcmp(path, "/v1") == 0 ||
           strcmp(path, "/openapi.json") == 0;
}

/* Does PATH fit PATTERN, in which "{name}" stands for a segment? Whatever is not in braces has to
 * be there byte for byte, so without escapes. */
static bool fits(const char *pattern, const char *path)
{
    while (*pattern != '\0' && *path != '\0') {
        if (*pattern == '{') {
            size_t len = strcspn(path, "/");
            if (len == 0)
                return false;
            path += len;
            pattern = strchr(pattern, '}') + 1;
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *pattern == '\0' && *path == '\0';
}

static bool has_name(const char *pattern)
{
    return strchr(pattern, '{') != NULL;
}

const char *operation_segment(const struct operation *operation, const char *path, size_t *at,
                              size_t *len)
{
    const char *pattern = operation->route.path;
    size_t n = 0;

    for (; *pattern != '\0'; pattern++) {
        if (*pattern != '{') {
            path++;
            continue;
        }
        *len = strcspn(path, "/");
        if (n++ == *at) {
            *at += 1;
            return path;
        }
        path += *len;
        pattern = strchr(pattern, '}');
    }
    return NULL;
}

/* A path without names comes before one with names that fits, too, as OpenAPI has it. */
static const struct route *find_among(enum http_method method, const char *path, bool named)
{
    const struct route *other = NULL;

    for (size_t i = 0; i < operations_n; i++) {
        const struct route *route = &operations[i].route;
        if (has_name(route->path) != named || !fits(route->path, path))
            continue;
        if (route->method == method)
            return route;
        other = route;
    }
    return other;
}

static const struct route *find(enum http_method method, const char *path)
{
    const struct route *route = find_among(method, path, false);

    return route != NULL ? route : find_among(method, path, true);
}

static void allow(const char *path, char *out, size_t outlen)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < operations_n; i++) {
        if (strcmp(operations[i].route.path, path) == 0 && at < outlen)
            at += (size_t)snprintf(out + at, outlen - at, "%s%s", at > 0 ? ", " : "",
                                   route_method(&operations[i].route));
    }
}

const struct route_set v1_routes = {&v1_face, owns, find, allow};
