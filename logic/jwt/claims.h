/* claims.h - what a verified token says: who it is for, until when, which rooms (RFC 7519, section
 * 4). Pure; any thread. */
#ifndef IMC_LOGIC_JWT_CLAIMS_H
#define IMC_LOGIC_JWT_CLAIMS_H

#include "logic/jwt/algorithm.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    JWT_ROOM_MAX = 128,
    JWT_ROOMS_MAX = 1024,
    JWT_ACCEPTS_MAX = 4096,
    JWT_KEY_MAX = 128,
    JWT_ID_MAX = 256,
    JWT_CLAIM_MAX = 128, /* bytes of a claim's name in jwt.claims */
};

/* What a claim is for. */
enum jwt_use { JWT_UID, JWT_ROOM, JWT_ROOMS, JWT_KEY, JWT_ACCEPTS, JWT_USES };

struct jwt_rules {
    char names[JWT_USES][JWT_CLAIM_MAX + 1]; /* of the claims; "": none has that use */
    const char *issuer;                      /* "": anybody */
    const char *audience;                    /* "": only tokens without one */
    int64_t leeway_s;
    bool require_exp;
};

enum { JWT_HASH = 16 }; /* bytes of SHA-256 that are kept */

struct jwt_claims {
    uint8_t hash[JWT_HASH]; /* of header and payload; set by verifier.c */
    int64_t uid;
    int64_t expires_s; /* Unix time, leeway included; INT64_MAX: never */
    int64_t issued_s;  /* INT64_MIN: it does not say */
    bool has_id;       /* jti */
    char id[JWT_ID_MAX + 1];
    char room[JWT_ROOM_MAX + 1];       /* "": none */
    char rooms[JWT_ROOMS_MAX + 1];     /* separated by commas; "": none */
    char key[JWT_KEY_MAX + 1];         /* of a goim client's device; "": none */
    char accepts[JWT_ACCEPTS_MAX + 1]; /* operations, separated by commas; "*": all */
};

/* Reads jwt.claims: USE=CLAIM, separated by commas. 0, or -EINVAL and WHY. */
int jwt_rules_names(struct jwt_rules *rules, const char *text, struct jwt_why *why);

/* 0: CLAIMS is set, and the token good at NOW_S. -EKEYEXPIRED: its time is over, or not yet.
 * -EPERM: it is for others. -EBADMSG: a claim is missing, or not what it has to be. WHY is
 * constant. */
int jwt_claims_read(const json_t *object, const struct jwt_rules *rules, int64_t now_s,
                    struct jwt_claims *claims, const char **why);

#endif
