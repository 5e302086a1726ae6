/* ws_reader.h - takes WebSocket messages out of a client's bytes. It puts fragments together, takes
 * control frames in between, and checks everything. Messages are borrowed from the caller's buffer
 * where possible; memory is held only while a message is incomplete. Owner loop only. */
#ifndef IMC_COMET_WIRE_WS_READER_H
#define IMC_COMET_WIRE_WS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ws;

enum ws_event {
    WS_MORE,    /* nothing is complete: the caller keeps what was not consumed and calls again with
                   more */
    WS_PART,    /* a part of a message was consumed: the caller goes on */
    WS_MESSAGE, /* text (valid UTF-8) or binary */
    WS_PING,
    WS_PONG,
    WS_CLOSE, /* code 0: none given */
    WS_FAIL,  /* the caller must close the connection with `code`; `why` tells the reason */
};

struct ws_item {
    enum ws_event event;
    bool text;
    uint16_t code;
    const char *why;
    uint8_t *data; /* borrowed until the next call */
    size_t len;
};

/* Takes one item from the start of BUF, which is unmasked in place; returns the bytes consumed. *WS
 * starts as NULL, and is NULL whenever no message is under way. MAX: the longest message. */
size_t ws_next(struct ws **ws, uint8_t *buf, size_t len, size_t max, struct ws_item *item);
/* Bytes of memory held; WS may be NULL. */
size_t ws_held(const struct ws *ws);
/* WS may be NULL. */
void ws_free(struct ws *ws);

#endif
