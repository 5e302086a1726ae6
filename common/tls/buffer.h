/* buffer.h - bytes that come at one end and go at the other. The memory is freed when it is empty.
 * Its owner only. */
#ifndef IMC_COMMON_TLS_BUFFER_H
#define IMC_COMMON_TLS_BUFFER_H

#include "common/base/mem.h"
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BUFFER_FIRST = 128 };

struct buffer {
    uint8_t *bytes;
    size_t at, len, capacity; /* what is in it: bytes[at … at + len) */
};

static inline void buffer_free(struct buffer *buffer)
{
    free(buffer->bytes); /* nothing in it is secret: it is what goes over the wire */
    *buffer = (struct buffer){0};
}

/* For plaintext. */
static inline void buffer_wipe(struct buffer *buffer)
{
    if (buffer->bytes != NULL)
        explicit_bzero(buffer->bytes, buffer->capacity);
    buffer_free(buffer);
}

/* Room for LEN more bytes behind those that are in it. */
static inline uint8_t *buffer_room(struct buffer *buffer, size_t len)
{
    if (buffer->at > 0) {
        memmove(buffer->bytes, buffer->bytes + buffer->at, buffer->len);
        buffer->at = 0;
    }
    size_t need = buffer->len + len, capacity = buffer->capacity;
    if (need > capacity) {
        capacity = capacity == 0 ? BUFFER_FIRST : capacity;
        while (capacity < need)
            capacity *= 2;
        buffer->bytes = mem_realloc(buffer->bytes, capacity);
        buffer->capacity = capacity;
    }
    return buffer->bytes + buffer->len;
}

static inline void buffer_add(struct buffer *buffer, const void *bytes, size_t len)
{
    memcpy(buffer_room(buffer, len), bytes, len);
    buffer->len += len;
}

static inline void buffer_drop(struct buffer *buffer, size_t n)
{
    assert(n <= buffer->len);
    buffer->at += n;
    buffer->len -= n;
    if (buffer->len == 0 && buffer->bytes != NULL)
        buffer_free(buffer);
}

#endif
