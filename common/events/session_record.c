#include "common/events/session_record.h"
#include "common/base/text.h"
#include "common/protocol/unpack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t session_name_write(const struct session_name *name, char out[SESSION_NAME_MAX])
{
    return (size_t)snprintf(out, SESSION_NAME_MAX, "%s.%" PRIx64 ".%" PRIx64, name->comet,
                            name->epoch, name->handle);
}

/* The hexadecimal number behind the last dot of TEXT, of which *LEN bytes are left then. */
static bool take_number(const char *text, size_t *len, uint64_t *out)
{
    size_t at = *len;
    uint64_t value = 0;

    while (at > 0 && text[at - 1] != '.') {
        char c = text[--at];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    if (at == 0 || at == *len || *len - at > 16)
        return false;
    for (size_t i = at; i < *len; i++)
        value = value << 4 | (uint64_t)text_hex_digit(text[i]);
    *out = value;
    *len = at - 1;
    return true;
}

bool session_name_read(const void *text, size_t len, struct session_name *out)
{
    struct session_name name = {0};

    if (text == NULL || !take_number(text, &len, &name.handle) ||
        !take_number(text, &len, &name.epoch) || len == 0 || len >= sizeof name.comet ||
        memchr(text, '\0', len) != NULL)
        return false;
    memcpy(name.comet, text, len);
    *out = name;
    return true;
}

size_t session_fact_write(const struct session_name *name, uint64_t number, const char *what,
                          char out[SESSION_FACT_MAX])
{
    char session[SESSION_NAME_MAX];

    session_name_write(name, session);
    return (size_t)snprintf(out, SESSION_FACT_MAX, "%s.%" PRIx64 ".%s", session, number, what);
}

const char *session_fact_read(const void *key, size_t len, struct arena *arena,
                              struct session_name *out)
{
    const char *text = key, *dot = key != NULL ? memrchr(key, '.', len) : NULL;
    size_t left = dot != NULL ? (size_t)(dot - text) : 0;
    uint64_t number;

    if (len >= SESSION_FACT_MAX || !take_number(text, &left, &number) ||
        !session_name_read(text, left, out) || memchr(text, '\0', len) != NULL)
        return NULL;
    return arena_strndup(arena, text, len);
}

size_t message_fact_write(int64_t uid, uint64_t message, const char *session, const char *what,
                          char out[MESSAGE_FACT_MAX])
{
    return (size_t)snprintf(out, MESSAGE_FACT_MAX, "%" PRId64 ".%" PRIu64 "%s%.256s.%s", uid,
                            message, session[0] != '\0' ? "." : "", session, what);
}

void session_record_make_with(const void *key, size_t len, const Imc__V1__SessionRecord *record,
                              struct kafka_message *message)
{
    size_t value_len = imc__v1__session_record__get_packed_size(record);
    uint8_t *value = mem_alloc(value_len + len);

    imc__v1__session_record__pack(record, value);
    memcpy(value + value_len, key, len);
    *message = (struct kafka_message){
        .value = value, .value_len = value_len, .key = value + value_len, .key_len = len};
}

void session_record_make(const struct session_name *name, const Imc__V1__SessionRecord *record,
                         struct kafka_message *message)
{
    char key[SESSION_NAME_MAX];

    session_record_make_with(key, session_name_write(name, key), record, message);
}

const Imc__V1__SessionRecord *session_record_read(struct arena *arena, const void *value,
                                                  size_t len)
{
    const struct unpack_input in = {value, len, 0};
    const char *why;

    return (const Imc__V1__SessionRecord *)unpack(&imc__v1__session_record__descriptor, arena, &in,
                                                  &why);
}
