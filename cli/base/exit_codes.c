#include "cli/base/exit_codes.h"

#include <stddef.h>

const struct exit_code exit_codes[] = {
    {EXIT_DONE, "Done. Of watch: all messages came, or its time is over and no number was given."},
    {EXIT_FAILED,
     "What was asked for is not so, or failed on this machine: a file that cannot be read or is "
     "wrong, a check that found something, a drain that did not end in time."},
    {EXIT_USAGE, "The command line, the file of contexts or the environment is wrong."},
    {EXIT_CONNECT, "Cannot connect: nobody listens there, the name is unknown, or TLS failed."},
    {EXIT_REFUSED,
     "The server refused it: the call is wrong; of watch and bench: it sent a disconnect."},
    {EXIT_LOST, "The connection was lost, or no answer came in time. It may have been done."},
    {EXIT_TOO_FEW,
     "Of watch, bench and events: fewer messages, or events, in time than were asked for."},
    {EXIT_NOT_FOUND, "What the call is about does not exist."},
    {EXIT_UNAVAILABLE,
     "The cluster cannot do it now, or too much is asked of it: try again after a pause."},
    {EXIT_NO_KEY, "The key is missing or wrong, or lacks the scope of the call."},
    {0, NULL},
};
