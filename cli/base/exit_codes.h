/* exit_codes.h - what the program's exit code says. One table: help, man pages and docs have it. */
#ifndef IMC_CLI_BASE_EXIT_CODES_H
#define IMC_CLI_BASE_EXIT_CODES_H

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_CONNECT = 3,
    EXIT_REFUSED = 4,
    EXIT_LOST = 5,
    EXIT_TOO_FEW = 6,
    EXIT_NOT_FOUND = 7,
    EXIT_UNAVAILABLE = 8,
    EXIT_NO_KEY = 9,
};

struct exit_code {
    int code;
    const char *doc;
};
/* Up to one with doc NULL. */
extern const struct exit_code exit_codes[];

#endif
