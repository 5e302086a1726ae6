/* params.h - parses parameters of the HTTP API, and writes answers of its faces. Pure; any thread.
 *
 * Parsers return 0, or -EINVAL, and ERR names the field and what is wrong with it. */
#ifndef IMC_LOGIC_HTTP_PARAMS_H
#define IMC_LOGIC_HTTP_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct params_error {
    char text[200];
};

/* Parses a decimal integer: "-12", "0", "7". No spaces, no plus, nothing behind it. TEXT NULL: the
 * field is missing. */
int params_int64(const char *field, const char *text, int64_t min, int64_t max, int64_t *out,
                 struct params_error *err);
/* Checks a text: 1 to MAX bytes of UTF-8 without control characters. */
int params_text(const char *field, const char *text, size_t max, struct params_error *err);
/* Checks a list of operations: "1,2,3", an int32 each. */
int params_ops(const char *field, const char *text, size_t max, struct params_error *err);
/* Checks rooms separated by commas, each as params_text() would; "" is no room. */
int params_rooms(const char *field, const char *text, size_t max, struct params_error *err);
/* Is NAME a JSONP callback: [A-Za-z0-9_.$]{1,64}? */
bool params_is_jsonp(const char *name);
/* Is TEXT an integer that would be written like this? Then it is a number in imgo's counts. */
bool params_is_number(const char *text);

struct params_pushs {
    int64_t *uids; /* without repetitions, in the order of the body; params_pushs_free() frees
                    * them */
    size_t n;
    const uint8_t *message; /* the bytes of "m" in the body */
    size_t len;
};
/* Parses {"u":[1,2] or "1,2","m":any JSON value}. */
int params_pushs(const uint8_t *body, size_t len, size_t max_uids, struct params_pushs *pushs,
                 struct params_error *err);
void params_pushs_free(struct params_pushs *pushs);

/* Writes {"ret":RET,"error":"TEXT"} and returns how many bytes. If OUTLEN is too small, TEXT is cut
 * between characters; OUTLEN has to be at least 48. */
size_t params_imgo_error(int ret, const char *text, char *out, size_t outlen);
/* The same for {"code":CODE,"message":"TEXT"}. */
size_t params_goim_error(int code, const char *text, char *out, size_t outlen);
/* OUT has AT bytes of an object: writes TEXT, the object's last value, and its end. */
size_t params_end_in_text(const char *text, char *out, size_t at, size_t outlen);
void params_write_string(FILE *out, const void *text, size_t len);
/* As a JSON string, in base64 with its padding. */
void params_write_base64(FILE *out, const void *data, size_t len);

#endif
