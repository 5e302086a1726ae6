/* listen.h - listening sockets of a "host:port". Looks names up and so may block: at start only. */
#ifndef IMC_COMMON_NET_LISTEN_H
#define IMC_COMMON_NET_LISTEN_H

enum { LISTEN_MOST = 8 };

/* Listens on every address that the host stands for ("localhost": 127.0.0.1 and ::1), all with one
 * port, also for port 0. Fills FDS with non-blocking sockets and returns how many; or -E…, and
 * nothing is open. An address that this machine does not have is passed over while another one
 * serves. */
int listen_open(const char *text, int backlog, int fds[LISTEN_MOST]);
/* The port that a socket is bound to. */
int listen_port(int fd);
void listen_close(int *fds, int n);

#endif
