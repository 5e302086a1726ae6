/* records.h - the record layer of TLS 1.3 after a server's handshake (RFC 8446, 5 and 7), without
 * OpenSSL's connection. That takes 13 KB, this 300 bytes. Pure; one thread at a time.
 *
 *   handshake, by OpenSSL ─► records_learn(): both traffic secrets ─► records_new(), SSL_free()
 *
 * The handshake, its tickets and certificates stay OpenSSL's, and so are the ciphers. */
#ifndef IMC_COMMON_TLS_RECORDS_H
#define IMC_COMMON_TLS_RECORDS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RECORDS_PLAIN = 16 * 1024,          /* plaintext of a record at most */
    RECORDS_BODY = RECORDS_PLAIN + 256, /* of a record at most, encrypted */
    RECORDS_HEADER = 5,                 /* type, version, length */
    RECORDS_OVERHEAD = 5 + 1 + 16,      /* bytes that a record is longer than its plaintext */
    RECORDS_SECRET = 48,
    RECORDS_WORN = 1 << 23, /* records by one key of ours: RFC 8446, 5.5, allows thrice as many */
};

enum records_type { RECORDS_ALERT = 21, RECORDS_HANDSHAKE = 22, RECORDS_DATA = 23 };

struct records;

/* What a handshake tells of its secrets, in the lines of SSL_CTX_set_keylog_callback(). */
struct records_secrets {
    uint8_t client[RECORDS_SECRET], server[RECORDS_SECRET];
    size_t client_len, server_len; /* 0: not told yet */
};
void records_learn(struct records_secrets *secrets, const char *line);

/* SSL is the server's, its handshake is over, and nothing was read since. WRITTEN records have been
 * written with SECRETS. NULL: the cipher is none that is known here, or a secret is missing. */
struct records *records_new(const SSL *ssl, const struct records_secrets *secrets,
                            uint64_t written);
/* Plaintext of a record at most, as the peer asked for (max_fragment_length: RFC 6066, 4). */
size_t records_most(const struct records *records);
/* Overwrites the keys. NULL is fine. */
void records_free(struct records *records);
/* Writes the record of LEN bytes to OUT, which has room for RECORDS_OVERHEAD more. Returns its
 * length. 0: the cipher failed. */
size_t records_seal(struct records *records, enum records_type type, const void *plain, size_t len,
                    uint8_t *out);
/* Opens RECORD, LEN bytes with its header. OUT has room for LEN bytes. Returns the length of the
 * plaintext, with its type; or an alert's number, negative: the record is not good, and OUT has
 * nothing of it. */
long records_open(struct records *records, const uint8_t *record, size_t len, uint8_t *out,
                  enum records_type *type);
/* Turns to the next key of the peer's records, or of ours. False: the cipher failed. */
bool records_next_read_key(struct records *records);
bool records_next_write_key(struct records *records);

/* --- who else writes records: kernel.h --- */
struct records_keys {
    uint32_t suite; /* TLS1_3_CK_… */
    uint8_t key[32], iv[12];
    uint64_t number; /* of the next record */
};
/* Secret: overwrite them. */
void records_write_keys(const struct records *records, struct records_keys *out);
/* Overwrites the key for writing, until records_next_write_key(). Nothing may be sealed then. The
 * secret behind it stays: the next key is made of it. */
void records_forget_write_key(struct records *records);
/* N more records were written by somebody else. */
void records_count_written(struct records *records, uint64_t n);

/* Were so many records written that the key has to change (RFC 8446, 5.5)? */
bool records_is_worn(const struct records *records);

#endif
