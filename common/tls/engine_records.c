/* in ─► a whole record ─► opened ─┬─ data ─────────► the user
 *                                 ├─ KeyUpdate ────► the peer's next key, and ours if it asks
 *                                 └─ alert ────────► closed, or failed */
#include "common/tls/engine_internal.h"
#include <assert.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

enum { IDLE_MOST = 32 };
enum { KEY_UPDATE = 24 }; /* a handshake message: RFC 8446, 4.6.3 */

/* Puts a record of LEN bytes into the output. False: the cipher failed. */
static bool put_record(struct tls_engine *engine, enum records_type type, const void *bytes,
                       size_t len)
{
    if (engine->kernel != NULL) {
        engine_kernel_put(engine, type, bytes, len);
        return true;
    }
    uint8_t *out = buffer_room(&engine->out, len + RECORDS_OVERHEAD);
    size_t n = records_seal(engine->records, type, bytes, len, out);
    engine->out.len += n;
    return n > 0;
}

/* Says ALERT, and fails. Behind a close_notify nothing is said: RFC 8446, 6.1. */
static void alert(struct tls_engine *engine, int number, const char *why)
{
    const uint8_t bytes[2] = {2, (uint8_t)number};
    if (!engine->closed)
        (void)put_record(engine, RECORDS_ALERT, bytes, sizeof(bytes));
    engine_fail(engine, why);
}

bool engine_records_update(struct tls_engine *engine)
{
    static const uint8_t update[ENGINE_MESSAGE] = {KEY_UPDATE, 0, 0, 1, 0};
    return put_record(engine, RECORDS_HANDSHAKE, update, sizeof(update)) &&
           (engine->kernel != NULL || records_next_write_key(engine->records));
}

/* Only a KeyUpdate may come: in one record or in pieces, and its end is that of a record. */
static void take_handshake(struct tls_engine *engine, const uint8_t *bytes, size_t len)
{
    const uint8_t *message = engine->message;
    size_t had = engine->message_len, n = ENGINE_MESSAGE - had;
    n = len < n ? len : n;
    memcpy(engine->message + had, bytes, n);
    had += n;
    engine->message_len = (uint8_t)(had % ENGINE_MESSAGE);
    if (len == 0 || message[0] != KEY_UPDATE)
        alert(engine, SSL_AD_UNEXPECTED_MESSAGE,
              "the peer sent a handshake message that may not come now");
    else if (had >= 2 && memcmp(message + 1, "\0\0\1", had < 4 ? had - 1 : 3) != 0)
        alert(engine, SSL_AD_DECODE_ERROR, "the peer sent a KeyUpdate of a wrong length");
    else if (n < len)
        alert(engine, SSL_AD_UNEXPECTED_MESSAGE,
              "the peer sent more behind a KeyUpdate by the old key");
    else if (had == ENGINE_MESSAGE && message[4] > 1)
        alert(engine, SSL_AD_ILLEGAL_PARAMETER,
              "the peer sent a KeyUpdate that asks for what is not known");
    else if (had == ENGINE_MESSAGE &&
             (!records_next_read_key(engine->records) ||
              (message[4] == 1 && !engine->closed && !engine_records_update(engine))))
        alert(engine, SSL_AD_INTERNAL_ERROR, "no next key");
}

static void take_alert(struct tls_engine *engine, const uint8_t *bytes, size_t len)
{
    char why[128];
    if (len != 2) {
        alert(engine, SSL_AD_UNEXPECTED_MESSAGE, "the peer sent an alert that makes no sense");
    } else if (bytes[1] == SSL_AD_CLOSE_NOTIFY) {
        engine->state = TLS_CLOSED;
        buffer_free(&engine->in);
    } else if (bytes[1] != SSL_AD_USER_CANCELLED) {
        snprintf(why, sizeof(why), "the peer refuses: %s", SSL_alert_desc_string_long(bytes[1]));
        engine_fail(engine, why);
    }
}

/* What is no data. */
static void take_other(struct tls_engine *engine, enum records_type type, const uint8_t *bytes,
                       size_t len)
{
    if (++engine->idle > IDLE_MOST)
        alert(engine, SSL_AD_UNEXPECTED_MESSAGE,
              "the peer sent too many records in a row without data");
    else if (type == RECORDS_HANDSHAKE)
        take_handshake(engine, bytes, len);
    else if (engine->message_len > 0)
        alert(engine, SSL_AD_UNEXPECTED_MESSAGE,
              "the peer sent other records within a handshake message");
    else if (type == RECORDS_ALERT)
        take_alert(engine, bytes, len);
    else if (type != RECORDS_DATA)
        alert(engine, SSL_AD_UNEXPECTED_MESSAGE, "a record of an unknown type");
}

static const char *text_of(int number)
{
    return number == SSL_AD_RECORD_OVERFLOW      ? "a record is longer than it may be"
           : number == SSL_AD_UNEXPECTED_MESSAGE ? "a record that is not encrypted, or has no type"
                                                 : "a record was damaged or forged on its way";
}

/* Opens the next record into OUT, which has room for it. Returns the length of its data. */
static size_t open_record(struct tls_engine *engine, size_t record, uint8_t *out)
{
    enum records_type type = RECORDS_DATA;
    long n = records_open(engine->records, engine->in.bytes + engine->in.at, record, out, &type);
    ERR_clear_error();
    if (n < 0) {
        alert(engine, (int)-n, text_of((int)-n));
        return 0;
    }
    buffer_drop(&engine->in, record);
    if (type == RECORDS_DATA && n > 0 && engine->message_len == 0) {
        engine->idle = 0;
        return (size_t)n;
    }
    take_other(engine, type, out, (size_t)n);
    explicit_bzero(out, (size_t)n);
    return 0;
}

static size_t take_rest(struct tls_engine *engine, void *buf, size_t len)
{
    struct buffer *rest = &engine->rest;
    size_t n = len < rest->len ? len : rest->len;
    memcpy(buf, rest->bytes + rest->at, n);
    rest->at += n;
    rest->len -= n;
    if (rest->len == 0)
        buffer_wipe(rest);
    return n;
}

size_t engine_records_read(struct tls_engine *engine, void *buf, size_t len)
{
    size_t got = 0, whole;
    if (engine->rest.len > 0)
        return take_rest(engine, buf, len);
    while (got == 0 && !engine_ended(engine) && engine->out.len < TLS_ENGINE_OUT &&
           (whole = engine_next_record(engine)) > 0) {
        assert(engine->in.bytes != NULL);
        const uint8_t *head = engine->in.bytes + engine->in.at;
        size_t record = RECORDS_HEADER + ((size_t)head[3] << 8 | head[4]);
        if (record > whole) { /* longer than any */
            alert(engine, SSL_AD_RECORD_OVERFLOW, text_of(SSL_AD_RECORD_OVERFLOW));
        } else if (record <= len) {
            got = open_record(engine, record, buf);
        } else {
            engine->rest.len = open_record(engine, record, buffer_room(&engine->rest, record));
            if (engine->rest.len > 0)
                return take_rest(engine, buf, len);
            buffer_wipe(&engine->rest);
        }
    }
    return got;
}

size_t engine_records_write(struct tls_engine *engine, const void *bytes, size_t len)
{
    size_t done = 0, bite, most = records_most(engine->records);
    while (engine_may_write(engine) && (bite = len - done) > 0) {
        bite = bite < most ? bite : most;
        if (!put_record(engine, RECORDS_DATA, (const uint8_t *)bytes + done, bite) ||
            (records_is_worn(engine->records) && !engine_records_update(engine))) {
            engine_fail(engine, "the cipher failed");
            break;
        }
        done += bite;
    }
    return done;
}

void engine_records_close(struct tls_engine *engine)
{
    static const uint8_t close_notify[2] = {1, SSL_AD_CLOSE_NOTIFY};
    (void)put_record(engine, RECORDS_ALERT, close_notify, sizeof(close_notify));
}
