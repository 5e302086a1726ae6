/* goim_auth.h - the body of a goim v2 client's auth (operation 7): one JSON object.
 *
 *   {"mid":123,"key":"phone-1","room_id":"live://1000","platform":"web","accepts":[1000,1001]}
 *
 * mid is the user. key names the device, room_id the room that it joins. accepts lists the
 * operations that it wants. platform is only shown to the business; one that is no text, or too
 * long, is as none. Ours beside these: token (who it is, where mid is not trusted), rooms (a list
 * of rooms beside room_id), hello (true: the auth reply has a body), ack (true: the client
 * acknowledges its messages). A field that is missing or null is absent. Unknown fields are
 * ignored, but for how deep they nest: the connect hook passes them on, to a parser that may take
 * less than ours. Pure; any thread.
 *
 * Source of the fields: goim v2's protocol, docs/protocol.md. */
#ifndef IMC_COMMON_PROTOCOL_GOIM_AUTH_H
#define IMC_COMMON_PROTOCOL_GOIM_AUTH_H

#include "common/protocol/name.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GOIM_AUTH_KEY_MAX = 128,            /* bytes */
    GOIM_AUTH_ROOM_MAX = ROOM_NAME_MAX, /* bytes */
    GOIM_AUTH_ROOMS_MAX = 1024,         /* bytes, commas included */
    GOIM_AUTH_TOKEN_MAX = 16384,        /* bytes: a comet takes auths of conn.max_auth */
    GOIM_AUTH_ACCEPTS_MAX = 256,        /* operations */
    GOIM_AUTH_PLATFORM_MAX = 32,        /* bytes */
    GOIM_AUTH_DEPTH_MAX = 16,           /* objects and arrays within each other */
};

struct goim_auth {
    int64_t mid;                         /* 0: absent */
    const char *token;                   /* "": absent */
    const char *key;                     /* "": absent */
    const char *room;                    /* "": absent */
    const char *platform;                /* "": absent */
    char rooms[GOIM_AUTH_ROOMS_MAX + 1]; /* separated by commas; "": absent */
    bool has_accepts; /* false: accepts was absent, and the session takes every operation */
    bool hello;
    bool ack; /* the client acknowledges its messages */
    size_t n_accepts;
    int32_t accepts[GOIM_AUTH_ACCEPTS_MAX];
    void *keep; /* owns the strings */
};

/* 0: AUTH is set, and goim_auth_free() has to be called. -EBADMSG: it is not; WHY (at least 160
 * bytes) names the field and its limit. */
int goim_auth_parse(const void *body, size_t len, struct goim_auth *auth, char *why,
                    size_t why_len);
void goim_auth_free(struct goim_auth *auth);

#endif
