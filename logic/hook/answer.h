/* answer.h - reads what the business answers when logic asks it who connects. Pure; any thread.
 *
 *   {"uid":123,"key":"phone","room":"1","rooms":["a","b"],"accepts":[5],"expire_at":1700000000,
 *    "cache":60}                                                it is this user
 *   {"disconnect":{"code":1,"reason":"banned"}}                 refused
 *
 * Answers of programs that were written for Centrifugo are taken, too: {"result":{"user":"123",
 * "expire_at":…,"channels":[…]}}, {"disconnect":{"code":4501,"reason":"…"}} and
 * {"error":{"code":1000,"message":"…","temporary":false}}. docs/auth.md says what they become. */
#ifndef IMC_LOGIC_HOOK_ANSWER_H
#define IMC_LOGIC_HOOK_ANSWER_H

#include <stddef.h>
#include <stdint.h>

enum {
    HOOK_REASON_MAX = 100, /* bytes: fits a WebSocket close frame */
    HOOK_KEY_MAX = 128,
    HOOK_ROOM_MAX = 128,
    HOOK_ROOMS_MAX = 1024,
    HOOK_ACCEPTS_MAX = 256, /* operations */
    HOOK_ACCEPTS_TEXT_MAX = HOOK_ACCEPTS_MAX * 12,
    HOOK_WHY_MAX = 160,
};

struct hook_answer {
    uint32_t code;                    /* enum close_code; CLOSE_NONE: it is UID */
    char reason[HOOK_REASON_MAX + 1]; /* why not, for the client */
    int64_t uid;
    uint64_t expire_at;                      /* Unix time in seconds; 0: never */
    uint64_t cache_s;                        /* for so long the answer may be used again */
    char key[HOOK_KEY_MAX + 1];              /* of the device, for goim's clients; "": none */
    char room[HOOK_ROOM_MAX + 1];            /* "": none */
    char rooms[HOOK_ROOMS_MAX + 1];          /* beside it, separated by commas; "": none */
    char accepts[HOOK_ACCEPTS_TEXT_MAX + 1]; /* operations, separated by commas; "*": all */
};

/* 0: ANSWER is set. -EBADMSG: WHY, HOOK_WHY_MAX bytes, says what is wrong, for the operator. It
 * does not repeat what came. */
int hook_answer_read(const void *body, size_t len, struct hook_answer *answer, char *why);
/* A refusal: CODE, and REASON as a client may see it: cut off at HOOK_REASON_MAX bytes, control
 * characters and quotes replaced. */
void hook_answer_refuse(struct hook_answer *answer, uint32_t code, const char *reason);

#endif
