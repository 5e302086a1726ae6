/* What callers of the HTTP API send, and what Redis says of a token: taken or refused, never half.
 */
#include "common/base/utf8.h"
#include "common/protocol/json_scan.h"
#include "logic/http/params.h"
#include "logic/tokens/tokens.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_UIDS = 100 };

static void check(int holds)
{
    if (!holds)
        abort();
}

static void pushs(const uint8_t *data, size_t size)
{
    struct params_error err;
    struct params_pushs taken;

    if (params_pushs(data, size, MAX_UIDS, &taken, &err) != 0)
        return;
    check(taken.n > 0 && taken.n <= MAX_UIDS);
    check(taken.message > data && taken.message + taken.len < data + size);
    check(json_is_value(taken.message, taken.len));
    params_pushs_free(&taken);
}

static void texts(const char *text)
{
    struct params_error err;
    int64_t number = 0;

    if (params_int64("n", text, -5, 500, &number, &err) == 0)
        check(number >= -5 && number <= 500);
    if (params_text("t", text, 16, &err) == 0)
        check(strlen(text) >= 1 && strlen(text) <= 16 &&
              utf8_is_valid((const uint8_t *)text, strlen(text)));
    if (params_rooms("r", text, 512, &err) == 0)
        check(strlen(text) <= 512 && strstr(text, ",,") == NULL);
    if (params_ops("o", text, 64, &err) == 0)
        check(strspn(text, "0123456789,-") == strlen(text));
    if (params_is_jsonp(text))
        check(strpbrk(text, "()<>\"' ;") == NULL);
    (void)params_is_number(text);
}

static void token(const char *text, size_t size)
{
    struct token_value value, again;

    if (token_decode(text, size, &value) != 0)
        return;
    check(memchr(value.room, '\0', value.room_len) == NULL);
    size_t room = token_value_size(&value);
    char *out = malloc(room);
    check(out != NULL);
    size_t len = token_encode(&value, out, room);
    check(token_decode(out, len, &again) == 0 && again.uid == value.uid &&
          again.room_len == value.room_len && again.accepts_len == value.accepts_len);
    free(out);
}

static void answer(const char *text)
{
    char out[256];
    size_t len = params_imgo_error(65534, text, out, sizeof out);

    check(len < sizeof out && json_is_value((const uint8_t *)out, len));
    len = params_goim_error(-400, text, out, sizeof out);
    check(len < sizeof out && json_is_value((const uint8_t *)out, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    check(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    pushs(data, size);
    texts(text);
    token(text, size);
    answer(text);
    free(text);
    return 0;
}
