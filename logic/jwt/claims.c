#include "logic/jwt/claims.h"
#include "common/base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Seconds since 1970 beyond which nothing is a date: the year 9999. */
#define DATE_MAX INT64_C(253402300799)

/* --- names --- */

static const char *const uses[JWT_USES] = {"uid", "room", "rooms", "key", "accepts"};

static int use_of(const char *text, size_t len)
{
    for (int i = 0; i < JWT_USES; i++) {
        if (strlen(uses[i]) == len && memcmp(uses[i], text, len) == 0)
            return i;
    }
    return -1;
}

int jwt_rules_names(struct jwt_rules *rules, const char *text, struct jwt_why *why)
{
    static const char *const defaults[JWT_USES] = {"sub", "room", "rooms", "key", "accepts"};

    for (int i = 0; i < JWT_USES; i++)
        memcpy(rules->names[i], defaults[i], strlen(defaults[i]) + 1);
    for (const char *at = text, *next; *at != '\0'; at = next) {
        size_t len = strcspn(at, ","), equals = strcspn(at, "=,");
        int use = use_of(at, equals);
        next = at + len + (at[len] == ',');
        size_t name_len = equals < len ? len - equals - 1 : 0;
        if (equals == len || use < 0 || name_len > JWT_CLAIM_MAX ||
            (use == JWT_UID && name_len == 0)) {
            snprintf(why->text, sizeof why->text,
                     "\"%.*s\" is not USE=CLAIM with a use of uid, room, rooms, key, accepts",
                     (int)(len < 60 ? len : 60), at);
            return -EINVAL;
        }
        memcpy(rules->names[use], at + equals + 1, name_len);
        rules->names[use][name_len] = '\0';
    }
    return 0;
}

/* --- values --- */

/* A NumericDate, which may have a fraction. False: it is none. */
static bool read_date(const json_t *value, int64_t *out)
{
    double real = json_real_value(value);

    if (json_is_integer(value) && json_integer_value(value) >= 0 &&
        json_integer_value(value) <= DATE_MAX)
        *out = json_integer_value(value);
    else if (json_is_real(value) && real >= 0 && real <= (double)DATE_MAX)
        *out = (int64_t)floor(real);
    else
        return false;
    return true;
}

/* An integer, or a string of one as it would be written. */
static bool read_int64(const json_t *value, int64_t *out)
{
    const char *text = json_string_value(value);
    char again[24], *end;

    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    if (text == NULL || json_string_length(value) > 20)
        return false;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    snprintf(again, sizeof again, "%lld", number);
    *out = number;
    return strcmp(again, text) == 0;
}

/* A string of at most MOST bytes without control characters, or an integer. */
static bool read_text(const json_t *value, size_t most, char *out)
{
    size_t len = json_string_length(value);

    if (json_is_integer(value)) {
        snprintf(out, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return true;
    }
    if (!json_is_string(value) || len > most || text_has_control(json_string_value(value), len))
        return false;
    memcpy(out, json_string_value(value), len + 1);
    return true;
}

/* A list of texts, or a text that is separated by commas already. No item may be empty, or longer
 * than ITEM_MAX. */
static bool read_list(const json_t *value, size_t item_max, size_t most, char *out)
{
    char item[JWT_ROOM_MAX + 1];
    size_t at = 0;

    if (json_is_string(value))
        return read_text(value, most, out);
    if (!json_is_array(value))
        return false;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!read_text(json_array_get(value, i), item_max, item))
            return false;
        size_t len = strlen(item);
        if (len == 0 || strchr(item, ',') != NULL || at + 1 + len > most)
            return false;
        if (i > 0)
            out[at++] = ',';
        memcpy(out + at, item, len);
        at += len;
    }
    out[at] = '\0';
    return true;
}

static bool rooms_are_names(const char *rooms)
{
    for (const char *at = rooms; *at != '\0';) {
        size_t len = strcspn(at, ",");
        if (len == 0 || len > JWT_ROOM_MAX || (at[len] == ',' && at[len + 1] == '\0'))
            return false;
        at += len + (at[len] == ',');
    }
    return true;
}

/* "*", or numbers of 32 bits separated by commas. */
static bool accepts_are_operations(const char *list)
{
    if (strcmp(list, "*") == 0 || *list == '\0')
        return true;
    for (const char *at = list;; at++) {
        char *end;
        errno = 0;
        long number = strtol(at, &end, 10);
        bool digit = (*at >= '0' && *at <= '9') || (*at == '-' && at[1] >= '0' && at[1] <= '9');
        if (!digit || errno != 0 || number < INT32_MIN || number > INT32_MAX)
            return false;
        if (*end == '\0')
            return true;
        if (*end != ',')
            return false;
        at = end;
    }
}

/* --- the claims --- */

static int read_dates(const json_t *object, const struct jwt_rules *rules, int64_t now_s,
                      struct jwt_claims *claims, const char **why)
{
    const json_t *exp = json_object_get(object, "exp"), *nbf = json_object_get(object, "nbf");
    const json_t *iat = json_object_get(object, "iat");
    int64_t date;

    claims->expires_s = INT64_MAX;
    claims->issued_s = INT64_MIN;
    *why = "token: exp, nbf or iat is no date";
    if ((exp != NULL && !read_date(exp, &claims->expires_s)) ||
        (nbf != NULL && !read_date(nbf, &date)) ||
        (iat != NULL && !read_date(iat, &claims->issued_s)))
        return -EBADMSG;
    *why = "token: it has no exp";
    if (exp == NULL && rules->require_exp)
        return -EBADMSG;
    if (exp != NULL)
        claims->expires_s += rules->leeway_s;
    *why = "token: expired";
    if (now_s >= claims->expires_s)
        return -EKEYEXPIRED;
    *why = "token: not valid yet (nbf, iat)";
    if ((nbf != NULL && date - rules->leeway_s > now_s) ||
        (iat != NULL && claims->issued_s - rules->leeway_s > now_s))
        return -EKEYEXPIRED;
    return 0;
}

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* Is TEXT the audience, or one of a list? */
static bool has_audience(const json_t *aud, const char *text)
{
    if (!json_is_array(aud))
        return is_text(aud, text);
    for (size_t i = 0; i < json_array_size(aud); i++) {
        if (is_text(json_array_get(aud, i), text))
            return true;
    }
    return false;
}

/* Whoever does not know himself in an audience must refuse the token (RFC 7519, section 4.1.3). */
static int check_who(const json_t *object, const struct jwt_rules *rules, const char **why)
{
    const json_t *aud = json_object_get(object, "aud");

    *why = "token: made by another issuer (iss)";
    if (rules->issuer[0] != '\0' && !is_text(json_object_get(object, "iss"), rules->issuer))
        return -EPERM;
    *why = "token: made for another audience (aud)";
    if (rules->audience[0] != '\0' ? !has_audience(aud, rules->audience) : aud != NULL)
        return -EPERM;
    return 0;
}

static const json_t *claim(const json_t *object, const struct jwt_rules *rules, enum jwt_use use)
{
    const json_t *value =
        rules->names[use][0] == '\0' ? NULL : json_object_get(object, rules->names[use]);

    return json_is_null(value) ? NULL : value;
}

static int read_uses(const json_t *object, const struct jwt_rules *rules, struct jwt_claims *claims,
                     const char **why)
{
    const json_t *room = claim(object, rules, JWT_ROOM), *rooms = claim(object, rules, JWT_ROOMS);
    const json_t *key = claim(object, rules, JWT_KEY);
    const json_t *accepts = claim(object, rules, JWT_ACCEPTS);

    *why = "token: its user is no whole number of 64 bits (sub, or as jwt.claims says)";
    if (!read_int64(claim(object, rules, JWT_UID), &claims->uid))
        return -EBADMSG;
    *why = "token: its room is no name of at most 128 bytes";
    if (room != NULL && !read_text(room, JWT_ROOM_MAX, claims->room))
        return -EBADMSG;
    *why = "token: its rooms are no names of at most 128 bytes, and 1024 together";
    if (rooms != NULL && (!read_list(rooms, JWT_ROOM_MAX, JWT_ROOMS_MAX, claims->rooms) ||
                          !rooms_are_names(claims->rooms)))
        return -EBADMSG;
    *why = "token: its key is no text of at most 128 bytes";
    if (key != NULL && !read_text(key, JWT_KEY_MAX, claims->key))
        return -EBADMSG;
    *why = "token: its accepts are no operations";
    if (accepts != NULL && (!read_list(accepts, JWT_ROOM_MAX, JWT_ACCEPTS_MAX, claims->accepts) ||
                            !accepts_are_operations(claims->accepts)))
        return -EBADMSG;
    return 0;
}

int jwt_claims_read(const json_t *object, const struct jwt_rules *rules, int64_t now_s,
                    struct jwt_claims *claims, const char **why)
{
    const json_t *id = json_object_get(object, "jti");

    claims->room[0] = claims->rooms[0] = claims->key[0] = '\0';
    memcpy(claims->accepts, "*", 2);
    int failed = read_dates(object, rules, now_s, claims, why);
    if (failed == 0)
        failed = check_who(object, rules, why);
    if (failed != 0)
        return failed;
    claims->has_id = id != NULL;
    *why = "token: its id (jti) is no text of at most 256 bytes";
    if (id != NULL && !(json_is_string(id) && read_text(id, JWT_ID_MAX, claims->id)))
        return -EBADMSG;
    return read_uses(object, rules, claims, why);
}
