/* listen.h - opens listening sockets for a "host:port". Blocks for name look-ups, so call it only
 * at start. */
#ifndef IMC_COMMON_NET_LISTEN_H
#define IMC_COMMON_NET_LISTEN_H

enum { LISTEN_MOST = 8 };

/* Listens on every address that the host's name has ("localhost": 127.0.0.1 and ::1). All get the
 * same port, also for port 0. Fills FDS with non-blocking sockets and returns how many. Or -E…, and
 * no socket is open. Addresses that this machine does not have are skipped, if another one
 * works. */
int listen_open(const char *text, int backlog, int fds[LISTEN_MOST]);
/* The port that a socket is bound to. */
int listen_port(int fd);
void listen_close(int *fds, int n);

#endif
