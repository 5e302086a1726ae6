/* json_text.h - JSON written piece by piece into memory that grows. It may hold a token: what a
 * move leaves behind is overwritten. Any thread, as its owner. */
#ifndef IMC_COMMON_PROTOCOL_JSON_TEXT_H
#define IMC_COMMON_PROTOCOL_JSON_TEXT_H

#include <stddef.h>

/* All zero: empty. The owner frees DATA: free(), or mem_wiped_free(…, LEN). */
struct json_text {
    char *data; /* LEN bytes, and no NUL behind */
    size_t len, size;
};

/* Appends LEN bytes as they are. */
void json_text_raw(struct json_text *text, const void *bytes, size_t len);
/* Appends what printf() writes. */
void json_text_put(struct json_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Appends LEN bytes as a JSON string: see json_write_string(). */
void json_text_string(struct json_text *text, const void *bytes, size_t len);
/* Appends LEN bytes as base64, without quotes. */
void json_text_base64(struct json_text *text, const void *bytes, size_t len);
/* Appends ,"NAME":"VALUE", unless VALUE is empty or NULL. NAME is written as it is. */
void json_text_member(struct json_text *text, const char *name, const char *value);

#endif
