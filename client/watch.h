/* watch.h - one device: connects, authenticates as a client of imgo or of goim v2, prints what it
 * is sent. For `imc watch`, of which imc-client is another name. Blocks; one thread. */
#ifndef IMC_CLIENT_WATCH_H
#define IMC_CLIENT_WATCH_H

#include "client/wire.h"

#include <stdbool.h>
#include <stdint.h>

/* What watch_run() returns: the exit code of the program. 0: all N messages came, or the time is
 * over and no N was given, or SIGINT. */
enum {
    WATCH_CONNECT = 3,      /* cannot connect */
    WATCH_DISCONNECTED = 4, /* the server sent a disconnect */
    WATCH_LOST = 5,         /* the connection was lost */
    WATCH_TOO_FEW = 6,      /* fewer than N messages in time */
};

struct watch_options {
    const char *program; /* begins each line on stderr: "imc watch" */
    enum wire_kind kind;
    const char *address, *token, *goim; /* one of token and goim */
    int64_t count;                      /* 0: until something else ends the run */
    int64_t timeout;                    /* seconds, 0: none */
    int64_t heartbeat;                  /* seconds */
    bool raw, json;                     /* how messages are printed */
    bool tls, reconnect, ack;
    struct wire_trust trust; /* with tls */
};

/* Messages go to stdout, one a line; everything else to stderr. Takes SIGINT and SIGTERM for the
 * rest of the process. Nothing of OPTIONS is copied. */
int watch_run(const struct watch_options *options);

#endif
