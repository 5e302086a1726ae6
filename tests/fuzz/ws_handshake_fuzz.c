/* WebSocket handshakes as a stranger may send them: the first byte picks rules and what is put
 * around the rest, the second the sizes of the reads. Whatever the reads, the answer is the same,
 * and nothing of the request can add a line to it. */
#include "comet/wire/ws_handshake.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 700 };

static const char complete[] = "GET /sub HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
static const char offer[] = "Sec-WebSocket-Protocol: ", end[] = "\r\n\r\n";

struct outcome {
    long taken;
    int status;
    struct ws_accepted accepted;
};

struct logic_request {
    uint8_t *bytes;
    size_t len;
};

static void put(struct logic_request *request, const void *bytes, size_t len)
{
    memcpy(request->bytes + request->len, bytes, len);
    request->len += len;
}

/* The bytes alone; behind a handshake that lacks but its end; or as the list of subprotocols. */
static struct logic_request request_of(uint8_t how, const uint8_t *data, size_t size)
{
    struct logic_request request = {malloc(size + sizeof complete + sizeof offer + sizeof end), 0};
    if (how % 3 > 0)
        put(&request, complete, sizeof complete - 1);
    if (how % 3 == 2)
        put(&request, offer, sizeof offer - 1);
    put(&request, data, size);
    if (how % 3 > 0)
        put(&request, end, sizeof end - 1);
    return request;
}

/* Exactly as large as what has come, so that a read beyond is found. OUTCOME borrows from *KEPT. */
static void feed(const struct logic_request *request, struct ws_rules rules, size_t step,
                 struct outcome *outcome, uint8_t **kept)
{
    struct ws_refusal refusal = {0};
    rules.seen = 0;
    *kept = NULL;
    for (size_t len = 0; len < request->len && outcome->taken == 0;) {
        len = step < request->len - len ? len + step : request->len;
        free(*kept);
        *kept = malloc(len);
        memcpy(*kept, request->bytes, len);
        outcome->taken = ws_handshake_parse(*kept, len, &rules, &outcome->accepted, &refusal);
        assert(outcome->taken <= (long)len && outcome->taken <= (long)rules.max_header);
        rules.seen = len;
    }
    outcome->status = refusal.status;
    if (outcome->taken < 0) {
        char response[WS_RESPONSE_MAX];
        assert(refusal.status >= 400 && refusal.status <= 505 && refusal.text != NULL);
        assert(ws_handshake_refuse(refusal.status, refusal.text, response) < WS_RESPONSE_MAX);
    }
}

static void check_accepted(const struct outcome *outcome, const uint8_t *from)
{
    const struct ws_accepted *accepted = &outcome->accepted;
    const char *at = accepted->protocol;
    char response[WS_RESPONSE_MAX];
    size_t len = ws_handshake_accept(accepted, response), lines = 0;
    for (size_t i = 0; i < len; i++) {
        assert(response[i] != '\0' && (response[i] != '\n' || response[i - 1] == '\r'));
        lines += response[i] == '\n';
    }
    assert(lines == (at != NULL ? 6 : 5) && memcmp(response + len - 4, end, 4) == 0);
    if (at == NULL)
        return;
    assert(accepted->protocol_len > 0 && accepted->protocol_len <= WS_PROTOCOL_MAX);
    assert(at >= (const char *)from &&
           at + accepted->protocol_len <= (const char *)from + outcome->taken);
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    const struct ws_accepted *x = &a->accepted, *y = &b->accepted;
    if (a->taken != b->taken || a->status != b->status)
        return false;
    if (a->taken <= 0)
        return true;
    return memcmp(x->key, y->key, WS_KEY_LEN) == 0 &&
           (x->protocol == NULL) == (y->protocol == NULL) &&
           (x->protocol == NULL || (x->protocol_len == y->protocol_len &&
                                    memcmp(x->protocol, y->protocol, x->protocol_len) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct ws_rules rules = {
        .path = "/sub",
        .origins = (data[0] & 0x80) != 0 ? "http://a, https://b" : "",
        .protocols = (data[0] & 0x40) != 0 ? "imgo, json" : NULL,
        .max_header = (data[0] & 0x20) != 0 ? LIMIT : 32768,
    };
    struct logic_request request = request_of(data[0] & 0x1f, data + 2, size - 2);
    struct outcome whole = {0}, pieces = {0};
    uint8_t *whole_bytes, *pieces_bytes;
    feed(&request, rules, request.len + 1, &whole, &whole_bytes);
    feed(&request, rules, data[1] % 48 + 1, &pieces, &pieces_bytes);
    assert(same(&whole, &pieces));
    if (whole.taken > 0)
        check_accepted(&whole, whole_bytes);
    free(whole_bytes);
    free(pieces_bytes);
    free(request.bytes);
    return 0;
}
