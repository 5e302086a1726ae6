/* in ─► a whole record ─► opened ─┬─ data ─────────► the user
 *                                 ├─ KeyUpdate ────► the peer's next key, and ours if it asks
 *                                 └─ alert ────────► closed, or failed */
#include "common/tls/engine_internal.h"
#include <assert.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

enum { ALERT_CLOSE = 0, ALERT_UNEXPECTED = 10, ALERT_INTERNAL = 80, ALERT_CANCELED = 90 };
enum { UPDATES_MOST = 32 };

/* Puts a record of LEN bytes into the output. False: the cipher failed. */
static bool put_record(struct tls_engine *engine, enum records_type type, const void *bytes,
                       size_t len)
{
    uint8_t *out = buffer_room(&engine->out, len + RECORDS_OVERHEAD);
    size_t n = records_seal(engine->records, type, bytes, len, out);
    engine->out.len += n;
    return n > 0;
}

/* Says ALERT, and fails. */
static void alert(struct tls_engine *engine, int number, const char *why)
{
    const uint8_t bytes[2] = {2, (uint8_t)number};
    (void)put_record(engine, RECORDS_ALERT, bytes, sizeof(bytes));
    engine_fail(engine, why);
}

/* Tells the peer that our next record has the next key, and turns to that. */
static bool update_write_key(struct tls_engine *engine)
{
    static const uint8_t update[5] = {24, 0, 0, 1, 0}; /* RFC 8446, 4.6.3 */
    return put_record(engine, RECORDS_HANDSHAKE, update, sizeof(update)) &&
           records_next_write_key(engine->records);
}

/* Of handshake messages only a KeyUpdate, alone in its record, may come. */
static void take_handshake(struct tls_engine *engine, const uint8_t *bytes, size_t len)
{
    static const uint8_t update[4] = {24, 0, 0, 1};
    if (len != 5 || memcmp(bytes, update, 4) != 0 || bytes[4] > 1 ||
        ++engine->updates > UPDATES_MOST)
        alert(engine, ALERT_UNEXPECTED, "the peer sent a handshake message that makes no sense");
    else if (!records_next_read_key(engine->records) ||
             (bytes[4] == 1 && !update_write_key(engine)))
        alert(engine, ALERT_INTERNAL, "no next key");
}

static void take_alert(struct tls_engine *engine, const uint8_t *bytes, size_t len)
{
    char why[128];
    if (len != 2) {
        alert(engine, ALERT_UNEXPECTED, "the peer sent an alert that makes no sense");
    } else if (bytes[1] == ALERT_CLOSE) {
        engine->state = TLS_CLOSED;
        buffer_free(&engine->in);
    } else if (bytes[1] != ALERT_CANCELED) {
        snprintf(why, sizeof(why), "the peer refuses: %s", SSL_alert_desc_string_long(bytes[1]));
        engine_fail(engine, why);
    }
}

/* Opens the next record into OUT, which has room for it. Returns the length of its data. */
static size_t open_record(struct tls_engine *engine, size_t record, uint8_t *out)
{
    enum records_type type = RECORDS_DATA;
    long n = records_open(engine->records, engine->in.bytes + engine->in.at, record, out, &type);
    ERR_clear_error();
    if (n < 0) {
        alert(engine, (int)-n, "a record was damaged or forged on its way");
        return 0;
    }
    buffer_drop(&engine->in, record);
    if (type == RECORDS_DATA) {
        engine->updates = 0;
        return (size_t)n;
    }
    if (type == RECORDS_ALERT)
        take_alert(engine, out, (size_t)n);
    else if (type == RECORDS_HANDSHAKE)
        take_handshake(engine, out, (size_t)n);
    else
        alert(engine, ALERT_UNEXPECTED, "a record of an unknown type");
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
           (whole = engine_whole_records(engine)) > 0) {
        assert(engine->in.bytes != NULL);
        const uint8_t *head = engine->in.bytes + engine->in.at;
        size_t record = RECORDS_HEADER + ((size_t)head[3] << 8 | head[4]);
        if (record > whole) { /* longer than any */
            alert(engine, ALERT_UNEXPECTED, "the peer sent what is no record");
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
    size_t done = 0, bite;
    while (engine_may_write(engine) && (bite = len - done) > 0) {
        bite = bite < RECORDS_PLAIN ? bite : RECORDS_PLAIN;
        if (!put_record(engine, RECORDS_DATA, (const uint8_t *)bytes + done, bite) ||
            (records_is_worn(engine->records) && !update_write_key(engine))) {
            engine_fail(engine, "the cipher failed");
            break;
        }
        done += bite;
    }
    return done;
}

void engine_records_close(struct tls_engine *engine)
{
    static const uint8_t close_notify[2] = {1, ALERT_CLOSE};
    (void)put_record(engine, RECORDS_ALERT, close_notify, sizeof(close_notify));
}
