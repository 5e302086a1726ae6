/* What the business answers to a post: its replies, and Retry-After. What is taken stays within the
 * limits and within the text; what is refused says why; and all replies are found. */
#include "common/base/base64.h"
#include "common/http/retry_after.h"
#include "common/protocol/json_scan.h"
#include "logic/upstream/replies.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reply(struct replies *replies, size_t i, size_t size)
{
    const struct reply *reply = &replies->list[i];
    static volatile uint8_t sum; /* so that all of it is read */

    assert(reply->id_len <= REPLIES_ID_MAX && reply->id[reply->id_len] == '\0');
    assert(reply->len <= size);
    for (size_t k = 0; k < reply->len; k++)
        sum = (uint8_t)(sum + reply->body[k]);
    if (strlen(reply->id) == reply->id_len)
        assert(replies_find(replies, reply->id) != NULL);
}

static void check_replies(const uint8_t *data, size_t size)
{
    char why[REPLIES_WHY_MAX] = "";
    struct replies replies;

    if (replies_read(data, size, &replies, why) != 0) {
        assert(replies.n == 0 && why[0] != '\0' && strlen(why) < sizeof why);
    } else {
        assert(replies.n <= REPLIES_MOST);
        for (size_t i = 0; i < replies.n && i < 50; i++)
            check_reply(&replies, i, size);
    }
    replies_free(&replies);
}

static void check_texts(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *out = malloc(size + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    int64_t wait = retry_after_s(text, 784111777, 3600);
    assert(wait >= 0 && wait <= 3600);
    ssize_t n = base64_decode(text, size, out);
    assert(n == -EBADMSG || (n >= 0 && base64_size((size_t)n) == size + 1));
    free(text);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_replies(data, size);
    check_texts(data, size);
    return 0;
}
