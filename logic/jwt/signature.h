/* signature.h - verifies one signature over bytes. Any thread. */
#ifndef IMC_LOGIC_JWT_SIGNATURE_H
#define IMC_LOGIC_JWT_SIGNATURE_H

#include "logic/jwt/keys.h"

struct jwt_signed {
    enum jwt_algorithm algorithm;
    const void *data; /* header and payload, as the token has them */
    size_t len;
    const uint8_t *signature;
    size_t signature_len;
};

/* Did KEY's owner sign it? False, too, if the key is of another family, or too short for the
 * algorithm. */
bool jwt_signature_fits(const struct jwt_signed *what, const struct jwt_key *key);

#endif
