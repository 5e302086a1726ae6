#include "logic/jwt/token.h"
#include "common/base/mem.h"
#include "common/protocol/json_scan.h"
#include "logic/jwt/base64url.h"

#include <errno.h>
#include <string.h>

struct parts {
    const char *header, *payload, *signature;
    size_t header_len, payload_len, signature_len;
};

static size_t digits(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len && base64url_is_digit(text[n]))
        n++;
    return n;
}

/* False: these are not three parts. The last one may be empty, as in tokens of algorithm "none". */
static bool split(const char *text, size_t len, struct parts *parts)
{
    parts->header = text;
    parts->header_len = digits(text, len);
    size_t at = parts->header_len;
    if (at == 0 || at == len || text[at++] != '.')
        return false;
    parts->payload = text + at;
    parts->payload_len = digits(text + at, len - at);
    at += parts->payload_len;
    if (parts->payload_len == 0 || at == len || text[at++] != '.')
        return false;
    parts->signature = text + at;
    parts->signature_len = digits(text + at, len - at);
    return at + parts->signature_len == len;
}

bool jwt_token_is_one(const char *text, size_t len)
{
    struct parts parts;
    uint8_t first[3];

    return split(text, len, &parts) && parts.header_len >= 4 &&
           base64url_decode(text, 4, first) == 0 && first[0] == '{';
}

/* --- JSON --- */

/* Counts brackets outside of strings, before a parser that calls itself sees them. */
static bool is_too_deep(const uint8_t *json, size_t len)
{
    bool in_string = false;
    int depth = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t c = json[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '[' || c == '{') && ++depth > JWT_DEPTH_MAX)
            return true;
        else if (!in_string && (c == ']' || c == '}'))
            depth--;
    }
    return false;
}

/* jansson refuses numbers that fit neither int64 nor double. */
static json_t *decode_object(const char *text, size_t len, const char **why)
{
    size_t size = base64url_size(len);
    uint8_t *json = mem_alloc(size + 1);
    json_error_t error;
    json_t *object = NULL;

    if (base64url_decode(text, len, json) != 0)
        *why = "token: not base64url";
    else if (is_too_deep(json, size))
        *why = "token: its JSON nests too deep";
    else if ((object = json_load(json, size, JSON_REJECT_DUPLICATES, &error)) == NULL)
        *why = "token: not JSON, or a member twice, or a number that is too large";
    mem_wiped_free(json, size);
    if (object == NULL || json_is_object(object))
        return object;
    json_decref(object);
    *why = "token: header and payload must be JSON objects";
    return NULL;
}

/* --- the header --- */

/* What names a key inside of the token, or changes what the signature means. */
static const char *const refused[] = {"jwk", "jku", "x5u", "x5c", "crit", "zip", "enc", "b64"};

static int read_header(const json_t *header, struct jwt_token *token, const char **why)
{
    const json_t *alg = json_object_get(header, "alg"), *kid = json_object_get(header, "kid");

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (json_object_get(header, refused[i]) != NULL) {
            *why = "token: its header has jwk, jku, x5u, x5c, crit, zip, enc or b64";
            return -EBADMSG;
        }
    }
    int algorithm = jwt_algorithm_of(json_is_string(alg) ? json_string_value(alg) : "",
                                     json_is_string(alg) ? json_string_length(alg) : 0);
    if (algorithm < 0) {
        *why = "token: its algorithm (alg) is none that is known here";
        return -EBADMSG;
    }
    token->algorithm = (enum jwt_algorithm)algorithm;
    token->has_kid = kid != NULL;
    token->kid[0] = '\0';
    if (kid == NULL)
        return 0;
    if (!json_is_string(kid) || json_string_length(kid) > JWT_KID_MAX) {
        *why = "token: its key's name (kid) is no string, or too long";
        return -EBADMSG;
    }
    memcpy(token->kid, json_string_value(kid), json_string_length(kid) + 1);
    return 0;
}

int jwt_token_parse(const char *text, size_t len, struct jwt_token *token, const char **why)
{
    struct parts parts;

    *why = "token: not three parts of base64url";
    if (len > JWT_LENGTH_MAX || !split(text, len, &parts))
        return -EBADMSG;
    *why = "token: it is not signed, or the signature is too long";
    if (parts.signature_len == 0 || base64url_size(parts.signature_len) > JWT_SIGNATURE_MAX)
        return -EBADMSG;
    *why = "token: its header is too long";
    if (base64url_size(parts.header_len) > JWT_HEADER_MAX)
        return -EBADMSG;
    *why = "token: not base64url";
    if (base64url_decode(parts.signature, parts.signature_len, token->signature) != 0)
        return -EBADMSG;
    token->signature_len = base64url_size(parts.signature_len);
    token->signed_len = (size_t)(parts.signature - 1 - text);
    token->payload = parts.payload;
    token->payload_len = parts.payload_len;
    json_t *header = decode_object(parts.header, parts.header_len, why);
    if (header == NULL)
        return -EBADMSG;
    int failed = read_header(header, token, why);
    json_decref(header);
    return failed;
}

json_t *jwt_token_claims(const struct jwt_token *token, const char **why)
{
    return decode_object(token->payload, token->payload_len, why);
}
