/* ws_json.h - JSON mode's requests: {"ver":1,"op":7,"seq":1,"body":…}, one object per WebSocket
 * message. Pure; any thread.
 *
 * As lenient as imgo: ver, seq and body may be missing or null, which means 0, 0 and nothing.
 * Unknown fields are ignored, and the order is free. op must be there. ver, op and seq must be
 * whole numbers in range. Anything but one object is refused. */
#ifndef IMC_COMET_WIRE_WS_JSON_H
#define IMC_COMET_WIRE_WS_JSON_H

#include "comet/wire/client_request.h"

/* 0, or -EBADMSG; then WHY (at least 128 bytes) names the field. On success the body of REQUEST
 * points into *KEEP, which the caller frees with ws_json_free(). */
int ws_json_parse(const uint8_t *buf, size_t len, struct client_request *request, void **keep,
                  char *why, size_t why_len);
/* The body of REQUEST, an object, as text, to be freed. NULL: it holds a number beyond 64 bits. */
char *ws_json_body_text(const struct client_request *request);
void ws_json_free(void *keep);

#endif
