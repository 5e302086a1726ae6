/* echo.h - the echo listener's connections (test.ws_echo): every WebSocket message comes back as it
 * is. For conformance suites, which thereby test the WebSocket code that clients use. Owner loop
 * only. */
#ifndef IMC_COMET_NET_ECHO_H
#define IMC_COMET_NET_ECHO_H

struct conn;
struct ws_item;

void echo_message(struct conn *conn, const struct ws_item *item);

#endif
