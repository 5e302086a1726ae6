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
        .summary = "The rooms with the most sessions, or one room",
        .query = query_rooms,
        .status = 200,
        .answer = &schema_rooms,
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

const char *operation_method(const struct operation *operation)
{
    return operation->route.method == HTTP_GET    ? "GET"
           : operation->route.method == HTTP_POST ? "POST"
                                                  : "DELETE";
}

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

static const struct route *find(enum http_method method, const char *path)
{
    const struct route *other = NULL;

    for (size_t i = 0; i < operations_n; i++) {
        const struct route *route = &operations[i].route;
        if (strcmp(route->path, path) != 0)
            continue;
        if (route->method == method)
            return route;
        other = route;
    }
    return other;
}

static void allow(const char *path, char *out, size_t outlen)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < operations_n; i++) {
        if (strcmp(operations[i].route.path, path) == 0 && at < outlen)
            at += (size_t)snprintf(out + at, outlen - at, "%s%s", at > 0 ? ", " : "",
                                   operation_method(&operations[i]));
    }
}

const struct route_set v1_routes = {&v1_face, owns, find, allow};
