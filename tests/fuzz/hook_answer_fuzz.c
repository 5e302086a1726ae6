/* What the business answers who connects, and auth.url: what is taken stays within the limits, and
 * what is refused says why. */
#include "common/http/url.h"
#include "common/protocol/ops.h"
#include "logic/hook/answer.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hook_answer answer;

static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f || *text == '"' || *text == '\\')
            return false;
    }
    return true;
}

static void check_url(const uint8_t *data, size_t size)
{
    static char text[2048];
    struct http_url url;
    const char *why = NULL;

    if (size >= sizeof text)
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    if (http_url_parse(text, &url, &why) != 0) {
        assert(why != NULL);
        return;
    }
    assert(url.path[0] == '/' && strpbrk(url.path, " \r\n") == NULL);
    assert(url.host[0] != '\0' && strpbrk(url.host, " \r\n/@") == NULL && url.address.port > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[HOOK_WHY_MAX] = "";

    check_url(data, size);
    if (hook_answer_read(data, size, &answer, why) != 0) {
        assert(why[0] != '\0' && strlen(why) < sizeof why);
        return 0;
    }
    assert(answer.code <= CLOSE_UNKNOWN_OP);
    assert(strlen(answer.reason) <= HOOK_REASON_MAX && is_plain(answer.reason));
    assert(strlen(answer.key) <= HOOK_KEY_MAX && strlen(answer.room) <= HOOK_ROOM_MAX);
    assert(strlen(answer.rooms) <= HOOK_ROOMS_MAX);
    assert(strlen(answer.accepts) <= HOOK_ACCEPTS_TEXT_MAX);
    assert(answer.code != CLOSE_NONE || answer.expire_at <= INT64_MAX / 1000);
    return 0;
}
