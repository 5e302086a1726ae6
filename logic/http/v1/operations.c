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
            "key K.N.",
        .body = &schema_batch,
        .takes_key = true,
        .status = 200,
        .answer = &schema_results,
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
