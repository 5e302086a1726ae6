/* WebSocket bytes as a client may send them: first byte picks the sizes of the reads, the rest is
 * the stream. A stream that starts with 'G' is a handshake first. Whatever the reads, the same
 * items must come out. */
#include "comet/wire/ws_frame.h"
#include "comet/wire/ws_handshake.h"
#include "comet/wire/ws_reader.h"
#include "common/base/utf8.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_MESSAGE = 1000, EVENTS = 64 };

struct outcome {
    int n;
    enum ws_event events[EVENTS];
    size_t lens[EVENTS];
    uint32_t sums[EVENTS];
};

static void check_item(const struct ws_item *item)
{
    if (item->event == WS_MESSAGE) {
        assert(item->len <= MAX_MESSAGE);
        assert(!item->text || utf8_is_valid(item->data, item->len));
    }
    if (item->event == WS_PING || item->event == WS_PONG)
        assert(item->len <= WS_CONTROL_MAX);
    if (item->event == WS_CLOSE)
        assert(item->code == 0 || ws_close_valid(item->code));
    if (item->event == WS_FAIL)
        assert(item->why != NULL && ws_close_valid(item->code));
}

static void note(struct outcome *outcome, const struct ws_item *item)
{
    uint32_t sum = 0;
    check_item(item);
    if (item->event == WS_PART || item->event == WS_MORE || outcome->n == EVENTS)
        return;
    for (size_t i = 0; item->event != WS_FAIL && i < item->len; i++)
        sum = sum * 31 + item->data[i];
    outcome->events[outcome->n] = item->event;
    outcome->lens[outcome->n] = item->event == WS_FAIL ? item->code : item->len;
    outcome->sums[outcome->n++] = sum;
}

static void feed(const uint8_t *data, size_t size, size_t step, struct outcome *outcome)
{
    /* Exactly as large as what is in it, so that a read beyond is found. */
    uint8_t *rest = NULL;
    size_t rest_len = 0, fed = 0;
    struct ws *ws = NULL;
    struct ws_item item = {.event = WS_MORE};
    while (fed < size && item.event != WS_FAIL) {
        size_t n = step < size - fed ? step : size - fed, at = 0, len = rest_len + n;
        uint8_t *buf = malloc(len);
        if (rest_len > 0)
            memcpy(buf, rest, rest_len);
        memcpy(buf + rest_len, data + fed, n);
        fed += n;
        do {
            size_t taken = ws_next(&ws, buf + at, len - at, MAX_MESSAGE, &item);
            assert(taken <= len - at);
            assert(taken > 0 || item.event == WS_MORE || item.event == WS_FAIL);
            at += taken;
            note(outcome, &item);
        } while (item.event != WS_MORE && item.event != WS_FAIL);
        assert(item.event == WS_FAIL || len - at < WS_CLIENT_HEADER + WS_CONTROL_MAX);
        free(rest);
        rest_len = len - at;
        rest = malloc(rest_len + 1);
        if (rest_len > 0)
            memcpy(rest, buf + at, rest_len);
        free(buf);
    }
    free(rest);
    ws_free(ws);
}

static size_t handshake(const uint8_t *data, size_t size)
{
    static const struct ws_rules rules = {
        .path = "/sub", .origins = "http://a, https://b", .max_header = 512};
    char response[WS_RESPONSE_MAX];
    struct ws_accepted accepted;
    struct ws_refusal refusal = {0};
    long taken = ws_handshake_parse(data, size, &rules, &accepted, &refusal);
    assert(taken <= (long)size);
    if (taken < 0) {
        assert(ws_handshake_refuse(refusal.status, refusal.text, response) < WS_RESPONSE_MAX);
        return size;
    }
    if (taken > 0)
        assert(ws_handshake_accept(&accepted, response) < WS_RESPONSE_MAX);
    return (size_t)taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t step = data[0] % 32 + 1;
    data++;
    size--;
    if (data[0] == 'G') {
        size_t taken = handshake(data, size);
        data += taken;
        size -= taken;
    }
    struct outcome whole = {0}, pieces = {0};
    feed(data, size, size > 0 ? size : 1, &whole);
    feed(data, size, step, &pieces);
    assert(memcmp(&whole, &pieces, sizeof whole) == 0);
    return 0;
}
