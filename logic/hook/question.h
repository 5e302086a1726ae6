/* question.h - what logic asks the business when a client connects, as JSON. Pure; any thread.
 *
 *   {"client":"1f0000003","transport":"websocket","protocol":"goim","address":"10.0.0.7",
 *    "comet":"1","region":"sh","token":"…","auth":{"mid":1,"room_id":"live://1"},
 *    "headers":{"cookie":"a=b"}} */
#ifndef IMC_LOGIC_HOOK_QUESTION_H
#define IMC_LOGIC_HOOK_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hook_question {
    uint64_t client; /* the session's handle */
    bool websocket;  /* else TCP */
    bool goim;       /* else imgo */
    bool renew;      /* the session is open: until when may it stay? */
    const char *address, *comet;
    const char *region; /* of the comet; "": none */
    const void *token;  /* what imgo's client sent; NULL for goim's */
    size_t token_len;
    const void *auth; /* the JSON object that goim's client sent, which goim_auth_parse() took */
    size_t auth_len;
    const void *headers; /* of the WebSocket handshake: lines "name: value\n" */
    size_t headers_len;
};

/* What belongs to nobody else than this question ends at *OWN: the rest decides about the answer.
 * To be freed by mem_wiped_free(…, *LEN). */
char *hook_question_write(const struct hook_question *question, size_t *len, size_t *own);

#endif
