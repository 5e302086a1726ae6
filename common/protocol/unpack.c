#include "common/protocol/unpack.h"
#include "common/base/log.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 32, WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static const char why_items[] = "more items in a list than any honest batch has",
                  why_bytes[] = "it would take more memory than any honest batch does",
                  why_malformed[] = "malformed";

static _Atomic uint64_t refused;

struct unpack_scan {
    const uint8_t *at, *end;
};

enum scan_result { SCAN_WHOLE, SCAN_MALFORMED, SCAN_TOO_MANY };
static enum scan_result scan_message(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                     size_t len, size_t *counts, size_t limit);

/* False: the varint is cut off, or longer than ten bytes. */
static bool scan_long_varint(struct unpack_scan *scan, uint64_t *out)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (scan->at == scan->end)
            return false;
        uint8_t byte = *scan->at++;
        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if ((byte & 0x80) == 0) {
            *out = value;
            return true;
        }
    }
    return false;
}

/* Takes a varint. Tags and lengths nearly always have one byte. */
static inline bool scan_varint(struct unpack_scan *scan, uint64_t *out)
{
    if (scan->at == scan->end || *scan->at >= 0x80)
        return scan_long_varint(scan, out);
    *out = *scan->at++;
    return true;
}

/* How many elements a packed list has. Every varint ends with a byte below 128. */
static size_t count_varints(const uint8_t *at, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += at[i] < 0x80;
    return n;
}

static size_t count_elements(const ProtobufCFieldDescriptor *field, const uint8_t *at, size_t len)
{
    if (field == NULL || field->label != PROTOBUF_C_LABEL_REPEATED)
        return 1;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return 1;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return len / 8;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return len / 4;
    default:
        return count_varints(at, len);
    }
}

static inline bool scan_skip(struct unpack_scan *scan, uint64_t len)
{
    if (len > (uint64_t)(scan->end - scan->at))
        return false;
    scan->at += len;
    return true;
}

/* Skips the content of a field. *LEN is the length of a field of bytes, which end where SCAN stands
 * then. */
static inline bool scan_content(struct unpack_scan *scan, unsigned wire, uint64_t *len)
{
    switch (wire) {
    case WIRE_BYTES:
        return scan_varint(scan, len) && scan_skip(scan, *len);
    case WIRE_64:
        return scan_skip(scan, 8);
    case WIRE_VARINT:
        return scan_varint(scan, len);
    case WIRE_32:
        return scan_skip(scan, 4);
    default:
        return false;
    }
}

/* Has DATA no NUL in a field of type `string`, also in nested messages? protobuf-c does not keep
 * the length of a `string`: room "a\0b" would become room "a". The recursion ends because no
 * message of our .proto files contains itself. */
static bool bytes_are_whole(const ProtobufCFieldDescriptor *field, const uint8_t *data, size_t len)
{
    if (field == NULL)
        return true;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return len == 0 || memchr(data, '\0', len) == NULL;
    return field->type != PROTOBUF_C_TYPE_MESSAGE ||
           scan_message(field->descriptor, data, len, NULL, 0) == SCAN_WHOLE;
}

/* The field NUMBER of TYPE, or NULL. Most of our messages number their fields from 1 without
 * gaps. */
static inline const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *type,
                                                       uint64_t number)
{
    if (number - 1 < type->n_fields && type->fields[number - 1].id == number)
        return &type->fields[number - 1];
    return number <= UINT32_MAX ? protobuf_c_message_descriptor_get_field(type, (unsigned)number)
                                : NULL;
}

static bool count_field(size_t *count, const ProtobufCFieldDescriptor *field,
                        const struct unpack_scan *scan, size_t len, size_t limit)
{
    size_t n = len > 0 ? count_elements(field, scan->at - len, len) : 1;

    *count += n > 0 ? n : 1;
    return *count <= limit;
}

/* Looks over a message of TYPE. Counts the elements of each field in COUNTS, unless it is NULL.
 * Unknown fields count together. */
static enum scan_result scan_message(const ProtobufCMessageDescriptor *type, const uint8_t *data,
                                     size_t len, size_t *counts, size_t limit)
{
    struct unpack_scan scan = {data, len > 0 ? data + len : data};
    uint64_t tag;

    while (scan.at < scan.end) {
        uint64_t value = 0;
        if (!scan_varint(&scan, &tag) || !scan_content(&scan, (unsigned)tag & 7, &value))
            return SCAN_MALFORMED;
        bool is_bytes = (tag & 7) == WIRE_BYTES;
        if (!is_bytes && counts == NULL)
            continue;
        const ProtobufCFieldDescriptor *field = field_of(type, tag >> 3);
        size_t bytes = is_bytes ? (size_t)value : 0;
        if (is_bytes && !bytes_are_whole(field, scan.at - bytes, bytes))
            return SCAN_MALFORMED;
        if (counts != NULL &&
            !count_field(&counts[tag >> 3 < FIELDS ? tag >> 3 : 0], field, &scan, bytes, limit))
            return SCAN_TOO_MANY;
    }
    return SCAN_WHOLE;
}

static ProtobufCMessage *refuse(const char *text, const char **why)
{
    atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    mem_trim_soon();
    *why = text;
    return NULL;
}

ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *type, struct arena *arena,
                         const struct unpack_input *in, const char **why)
{
    ProtobufCAllocator allocator = arena_allocator(arena);
    size_t counts[FIELDS] = {0}, limit = in->max_items > 0 ? in->max_items : UNPACK_ITEMS;
    enum scan_result result = scan_message(type, in->data, in->len, counts, limit);

    *why = why_malformed;
    if (result == SCAN_TOO_MANY)
        return refuse(why_items, why);
    if (result == SCAN_MALFORMED)
        return NULL;
    arena->limit = UNPACK_FREE + UNPACK_RATIO * in->len;
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, in->len, in->data);
    arena->limit = 0; /* the limit is for unpacking only; the handler may allocate more */
    if (message == NULL && arena->refused)
        return refuse(why_bytes, why);
    return message;
}

uint64_t unpack_refused(void)
{
    return atomic_load_explicit(&refused, memory_order_relaxed);
}

/* --- a peer's answer --- */

bool decoded_begin(struct decoded *decoded, const ProtobufCMessageDescriptor *type, struct msg *msg,
                   const char *from)
{
    struct unpack_input in = {.data = msg->data, .len = msg->len};
    const char *wrong = "";

    arena_init(&decoded->arena);
    decoded->message = unpack(type, &decoded->arena, &in, &wrong);
    if (decoded->message == NULL) {
        log_warn("bad answer", "from=%s type=%s bytes=%u why=\"%s\"", from, type->short_name,
                 msg->len, wrong);
        arena_free(&decoded->arena);
    }
    msg_unref(msg);
    return decoded->message != NULL;
}

struct decoded *decoded_new(const ProtobufCMessageDescriptor *type, struct msg *msg,
                            const char *from)
{
    struct decoded *decoded = mem_alloc(sizeof *decoded);

    if (decoded_begin(decoded, type, msg, from))
        return decoded;
    free(decoded);
    return NULL;
}

void decoded_free(void *decoded)
{
    decoded_end(decoded);
    free(decoded);
}
