/* params.h - parsing what callers of the HTTP API send, and imgo's answers. Pure; any thread.
 *
 * Parsers return 0, or -EINVAL with ERR naming the field and what is wrong with it. */
#ifndef IMC_LOGIC_HTTP_PARAMS_H
#define IMC_LOGIC_HTTP_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct params_error {
    char text[200];
};

/* A decimal integer: "-12", "0", "7"; no spaces, no plus, nothing behind. TEXT NULL: missing. */
int params_int64(const char *field, const char *text, int64_t min, int64_t max, int64_t *out,
                 struct params_error *err);
/* 1 to MAX bytes of UTF-8 without control characters. */
int params_text(const char *field, const char *text, size_t max, struct params_error *err);
/* "1,2,3": int32 each. */
int params_ops(const char *field, const char *text, size_t max, struct params_error *err);
/* A JSONP callback: [A-Za-z0-9_.$]{1,64}. */
bool params_is_jsonp(const char *name);
/* Would the text be the same number when read back? Then it stands as a number in imgo's counts. */
bool params_is_number(const char *text);

struct params_pushs {
    int64_t *uids; /* each once, in the order of first mention; freed by params_pushs_free() */
    size_t n;
    const uint8_t *message; /* the bytes of "m", as they stand in the body */
    size_t len;
};
/* {"u":[1,2] or "1,2","m":any JSON value}. */
int params_pushs(const uint8_t *body, size_t len, size_t max_uids, struct params_pushs *pushs,
                 struct params_error *err);
void params_pushs_free(struct params_pushs *pushs);

/* {"ret":RET,"error":"TEXT"}; the bytes written, cut at a whole character if OUTLEN is too small
 * for TEXT (48 bytes always do for the frame). */
size_t params_imgo_error(int ret, const char *text, char *out, size_t outlen);
void params_write_string(FILE *out, const void *text, size_t len);

#endif
