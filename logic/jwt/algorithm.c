#include "logic/jwt/algorithm.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const char *name;
    enum jwt_family family;
} algorithms[JWT_ALGORITHMS] = {
    [JWT_HS256] = {"HS256", JWT_HMAC},    [JWT_HS384] = {"HS384", JWT_HMAC},
    [JWT_HS512] = {"HS512", JWT_HMAC},    [JWT_RS256] = {"RS256", JWT_RSA},
    [JWT_PS256] = {"PS256", JWT_RSA},     [JWT_ES256] = {"ES256", JWT_EC},
    [JWT_EDDSA] = {"EdDSA", JWT_ED25519},
};

static const char *const families[JWT_FAMILIES] = {"hmac", "rsa", "ec", "ed25519"};

static bool is_name(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && memcmp(name, text, len) == 0;
}

int jwt_algorithm_of(const char *name, size_t len)
{
    for (int i = 0; i < JWT_ALGORITHMS; i++) {
        if (is_name(algorithms[i].name, name, len))
            return i;
    }
    return -1;
}

const char *jwt_algorithm_name(enum jwt_algorithm algorithm)
{
    return algorithms[algorithm].name;
}

enum jwt_family jwt_algorithm_family(enum jwt_algorithm algorithm)
{
    return algorithms[algorithm].family;
}

int jwt_family_of(const char *name, size_t len)
{
    for (int i = 0; i < JWT_FAMILIES; i++) {
        if (is_name(families[i], name, len))
            return i;
    }
    return -1;
}

const char *jwt_family_name(enum jwt_family family)
{
    return families[family];
}
