/* A JSON mode message of a client, and what is sent back about it: whatever the body, an answer is
 * one JSON array. */
#include "comet/wire/wire.h"
#include "comet/wire/ws_frame.h"
#include "comet/wire/ws_json.h"
#include "common/protocol/json_scan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_array(const uint8_t *message, size_t len)
{
    size_t header = len < 2 + 126 ? 2 : len <= 4 + UINT16_MAX ? 4 : 10;
    assert(message[0] == 0x81);
    assert(message[header] == '[' && message[len - 1] == ']');
    assert(json_is_value(message + header, len - header));
}

/* The bytes as the body of a push, alone and in a batch. */
static void push_it(const uint8_t *data, size_t size)
{
    const struct push pushes[] = {
        {.body = data, .body_len = (uint32_t)size, .op = 5},
        {.body = data, .body_len = (uint32_t)(size / 2), .op = -1},
    };
    size_t need = wire_push(WIRE_WS_JSON, &pushes[0], NULL, 0);
    uint8_t *out = malloc(need);
    assert(wire_push(WIRE_WS_JSON, &pushes[0], out, need) == need);
    check_array(out, need);
    free(out);
    struct msg *msg = wire_pushes(WIRE_WS_JSON, pushes, 2);
    check_array(msg->data, msg->len);
    msg_unref(msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client_request request;
    char why[160] = "";
    void *keep;

    if (ws_json_parse(data, size, &request, &keep, why, sizeof why) == 0) {
        assert(request.kind == BODY_STRING || request.body == NULL);
        uint8_t out[128];
        const struct wire_unit reply = {
            .version = request.version, .op = request.op, .seq = request.seq};
        size_t len = wire_reply(WIRE_WS_JSON, &reply, out, sizeof out);
        assert(len <= sizeof out);
        check_array(out, len);
        if (request.kind == BODY_STRING)
            push_it(request.body, request.body_len);
        ws_json_free(keep);
    } else {
        assert(why[0] != '\0');
    }
    if (size > 0)
        push_it(data, size);
    return 0;
}
