/* token.h - takes a JWT in compact form apart (RFC 7519; RFC 7515, section 3.1). Pure; any thread.
 *
 *   eyJhbGciOiJFUzI1NiJ9 . eyJzdWIiOiI0MiIsImV4cCI6… . MEUCIQD…
 *        header               payload                   signature of "header.payload"
 *
 * The payload is decoded only after the signature was verified: what is in it is nobody's word
 * before. */
#ifndef IMC_LOGIC_JWT_TOKEN_H
#define IMC_LOGIC_JWT_TOKEN_H

#include "logic/jwt/signature.h"

#include <jansson.h>

enum {
    JWT_DEPTH_MAX = 16,    /* of arrays and objects in each other, in header and payload */
    JWT_HEADER_MAX = 1024, /* bytes, decoded */
    JWT_SIGNATURE_MAX = JWT_RSA_MAX / 8,
    JWT_LENGTH_MAX = 65536,
};

struct jwt_token {
    enum jwt_algorithm algorithm;
    char kid[JWT_KID_MAX + 1]; /* "" with has_kid false: none */
    bool has_kid;
    size_t signed_len;   /* header and payload with the point between them: the token's beginning */
    const char *payload; /* borrowed from the token */
    size_t payload_len;
    uint8_t signature[JWT_SIGNATURE_MAX];
    size_t signature_len;
};

/* Three parts of base64url, of which the first stands for what begins like a JSON object? Other
 * tokens are looked up in Redis. */
bool jwt_token_is_one(const char *text, size_t len);
/* 0: TOKEN is set, and nothing of it is verified. -EBADMSG: WHY is a constant text. */
int jwt_token_parse(const char *text, size_t len, struct jwt_token *token, const char **why);
/* The claims, to be freed by json_decref(). NULL: WHY. */
json_t *jwt_token_claims(const struct jwt_token *token, const char **why);

#endif
