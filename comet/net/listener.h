/* listener.h - the sockets that accept. Owner loop only, except listeners_open() (before the loop
 * runs).
 *
 * Every loop binds sockets of its own with SO_REUSEPORT; the kernel spreads connections over the
 * loops. */
#ifndef IMC_COMET_NET_LISTENER_H
#define IMC_COMET_NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

struct frontend;
struct listeners;

enum listener_kind { LISTENER_TCP, LISTENER_WS, LISTENER_TCPS, LISTENER_WSS, LISTENERS };

/* Binds what worker->config names. 0 or -E… with ERR. */
int listeners_open(struct frontend *frontend, char *err, size_t errlen);
void listeners_accept(struct frontend *frontend);
/* TLS handshakes have ended: listeners that waited for that accept again. */
void listeners_take_up(struct frontend *frontend);
/* Refuses clients until listeners_accept(). The ports stay bound. */
void listeners_rest(struct frontend *frontend);
/* Closes the sockets for good. Idempotent. */
void listeners_stop(struct frontend *frontend);
/* To be called after listeners_stop() and a turn of the loop. */
void listeners_free(struct frontend *frontend);
/* For tests, which listen on port 0: the port that the listener got; 0 if it is off. */
int listeners_port(const struct frontend *frontend, enum listener_kind kind);

#endif
