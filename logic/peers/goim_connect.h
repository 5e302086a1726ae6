/* goim_connect.h - who a goim v2 client is: reads its auth, for connect.c. Main loop only. */
#ifndef IMC_LOGIC_PEERS_GOIM_CONNECT_H
#define IMC_LOGIC_PEERS_GOIM_CONNECT_H

#include "logic/peers/session_batch.h"
#include "logic/tokens/tokens.h"

/* Everything lives in the batch's arena. All zero: the client is not goim's. */
struct goim_connect {
    bool is_goim;
    struct token_ref token; /* decides who it is; len 0: UID does. With auth.url neither */
    int64_t mid;            /* what the token has to stand for; 0: anybody */
    int64_t uid;
    const char *key;    /* the device's; NULL: it named none */
    const char *random; /* of the key that is made up then: GOIM_KEY_RANDOM digits */
    const char *room;   /* "": the token's */
    const char *rooms;  /* beside that, separated by commas; "": the token's */
    bool acked;         /* the client acknowledges its messages */
    bool accepts_said;  /* the client named operations; false: the token's */
};

/* Reads BODY, and writes the operations and the key into RESULT. 0; or the close code with which
 * the client is refused, and *WHY, which lives in the arena. */
uint32_t goim_connect_read(struct session_batch *sb, const ProtobufCBinaryData *body,
                           Imc__V1__ConnectResult *result, struct goim_connect *connect,
                           const char **why);
/* The key of the session of UID: the client's own, or one that is made up. goim's logic makes one
 * up, too. NULL: the client named a key that was made up for another user. */
const char *goim_connect_key(struct session_batch *sb, const struct goim_connect *connect,
                             int64_t uid);
/* The client's token stands for TOKEN, which adds what the client did not say: the key to CONNECT,
 * the room to *ROOM, the rooms beside it and the operations ("*": all, or a list) to RESULT. NULL;
 * or why the client is refused: the token is not that of its mid, or of its key. For imgo's
 * clients, too. */
const char *goim_connect_token(struct session_batch *sb, struct goim_connect *connect,
                               const struct token_value *token, const char **room,
                               Imc__V1__ConnectResult *result);

#endif
