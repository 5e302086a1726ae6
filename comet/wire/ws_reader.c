/* A message that lies whole in one frame in the caller's buffer is handed out right there. Any
 * other message is collected:
 *
 *   header ─► ws_begin ─► ws_collect: unmask, UTF-8, append ─► frame over ─► fin: WS_MESSAGE
 *                              ▲                                   └─► else: the next header ─┐
 *                              └──────────────────────────────────────────────────────────────┘
 *
 * Control frames are short: they wait in the caller's buffer until they are whole. */
#include "comet/wire/ws_reader.h"
#include "comet/wire/ws_frame.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

#include <stdlib.h>
#include <string.h>

struct ws {
    uint8_t *data;
    size_t len, cap;
    uint64_t left; /* of the current frame's payload */
    size_t phase;  /* of its mask */
    uint32_t utf8;
    uint8_t mask[4];
    bool text, fin;
    bool handed_out; /* the caller has `data`: freed at the next call */
};

void ws_free(struct ws *ws)
{
    if (ws == NULL)
        return;
    mem_wiped_free(ws->data, ws->len); /* a token may be in it */
    free(ws);
}

size_t ws_held(const struct ws *ws)
{
    return ws == NULL ? 0 : sizeof *ws + ws->cap;
}

static void fail(struct ws_item *item, uint16_t code, const char *why)
{
    item->event = WS_FAIL;
    item->code = code;
    item->why = why;
}

static void ws_reserve(struct ws *ws, size_t len)
{
    if (len <= ws->cap)
        return;
    /* The first piece gets exactly the memory it needs. With many pieces the memory doubles. */
    size_t cap = ws->cap == 0 || len > 2 * ws->cap ? len : 2 * ws->cap;
    ws->data = mem_wiped_realloc(ws->data, ws->len, cap);
    ws->cap = cap;
}

/* Consumes what has come of the current frame's payload. */
static size_t ws_collect(struct ws **wsp, uint8_t *buf, size_t len, struct ws_item *item)
{
    struct ws *ws = *wsp;
    size_t take = len < ws->left ? len : (size_t)ws->left;
    ws_mask(buf, take, ws->mask, ws->phase);
    ws->phase += take;
    ws->left -= take;
    bool over = ws->left == 0 && ws->fin;
    if (ws->text && (!utf8_feed(&ws->utf8, buf, take) || (over && ws->utf8 != 0))) {
        fail(item, WS_CLOSE_BAD_DATA, "text is not valid UTF-8");
        return take;
    }
    if (take > 0) {
        ws_reserve(ws, ws->len + take);
        memcpy(ws->data + ws->len, buf, take);
        ws->len += take;
    }
    item->event = WS_PART;
    if (over) {
        item->event = WS_MESSAGE;
        item->text = ws->text;
        item->data = ws->data;
        item->len = ws->len;
        ws->handed_out = true;
    }
    return take;
}

/* BUF is the payload of a frame that holds a whole message. */
static size_t take_whole(uint8_t *buf, const struct ws_header *header, struct ws_item *item)
{
    size_t len = (size_t)header->len;
    ws_mask(buf, len, header->mask, 0);
    item->text = header->opcode == WS_OP_TEXT;
    if (item->text && !utf8_is_valid(buf, len)) {
        fail(item, WS_CLOSE_BAD_DATA, "text is not valid UTF-8");
        return len;
    }
    item->event = WS_MESSAGE;
    item->data = buf;
    item->len = len;
    return len;
}

static void take_close(struct ws_item *item)
{
    item->event = WS_CLOSE;
    item->code = 0;
    if (item->len == 0)
        return;
    if (item->len == 1) {
        fail(item, WS_CLOSE_PROTOCOL, "close frame with half a code");
        return;
    }
    item->code = (uint16_t)(item->data[0] << 8 | item->data[1]);
    item->data += 2;
    item->len -= 2;
    if (!ws_close_valid(item->code))
        fail(item, WS_CLOSE_PROTOCOL, "close code that may not be sent");
    else if (!utf8_is_valid(item->data, item->len))
        fail(item, WS_CLOSE_BAD_DATA, "close reason is not valid UTF-8");
}

static void take_control(uint8_t *buf, const struct ws_header *header, struct ws_item *item)
{
    item->data = buf;
    item->len = (size_t)header->len;
    ws_mask(buf, item->len, header->mask, 0);
    if (header->opcode == WS_OP_CLOSE)
        take_close(item);
    else
        item->event = header->opcode == WS_OP_PING ? WS_PING : WS_PONG;
}

/* Whether a data frame may come after what came before: NULL, or what is wrong. */
static const char *check_order(const struct ws *ws, const struct ws_header *header)
{
    if (header->opcode == WS_OP_CONTINUATION)
        return ws == NULL ? "continuation of nothing" : NULL;
    return ws != NULL ? "new message inside a fragmented one" : NULL;
}

static struct ws *ws_begin(const struct ws_header *header)
{
    struct ws *ws = mem_zalloc(sizeof *ws);
    ws->text = header->opcode == WS_OP_TEXT;
    return ws;
}

/* BUF is what follows the header. Returns the bytes of payload consumed. */
static size_t take_data(struct ws **ws, const struct ws_header *header, uint8_t *buf, size_t len,
                        struct ws_item *item)
{
    if (*ws == NULL && header->fin && len >= header->len)
        return take_whole(buf, header, item);
    if (*ws == NULL)
        *ws = ws_begin(header);
    (*ws)->fin = header->fin;
    (*ws)->left = header->len;
    (*ws)->phase = 0;
    memcpy((*ws)->mask, header->mask, sizeof header->mask);
    return ws_collect(ws, buf, len, item);
}

size_t ws_next(struct ws **ws, uint8_t *buf, size_t len, size_t max, struct ws_item *item)
{
    struct ws_header header;
    const char *why;

    *item = (struct ws_item){.event = WS_MORE};
    if (*ws != NULL && (*ws)->handed_out) {
        ws_free(*ws);
        *ws = NULL;
    }
    if (*ws != NULL && (*ws)->left > 0)
        return len > 0 ? ws_collect(ws, buf, len, item) : 0;
    int size = ws_header_parse(buf, len, &header, &why);
    if (size == 0)
        return 0;
    if (size < 0) {
        fail(item, WS_CLOSE_PROTOCOL, why);
        return 0;
    }
    if (header.opcode >= WS_OP_CLOSE) {
        if (len - (size_t)size < header.len)
            return 0;
        take_control(buf + size, &header, item);
        return (size_t)size + (size_t)header.len;
    }
    why = check_order(*ws, &header);
    size_t before = *ws != NULL ? (*ws)->len : 0;
    if (why != NULL)
        fail(item, WS_CLOSE_PROTOCOL, why);
    else if (before > max || header.len > max - before)
        fail(item, WS_CLOSE_TOO_BIG, "message too big");
    if (item->event == WS_FAIL)
        return (size_t)size;
    return (size_t)size + take_data(ws, &header, buf + size, len - (size_t)size, item);
}
