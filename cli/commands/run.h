/* run.h - the commands, each in the file of its group, and what several groups need. One thread. */
#ifndef IMC_CLI_COMMANDS_RUN_H
#define IMC_CLI_COMMANDS_RUN_H

#include "cli/base/api.h"
#include "cli/base/arguments.h"

extern const struct command command_token_new, command_token_revoke; /* tokens.c */
extern const struct command command_push, command_scheduled, command_scheduled_cancel; /* push.c */
extern const struct command command_watch;                                             /* watch.c */
extern const struct command command_sessions, command_kick, command_block,
    command_unblock;                                                                /* sessions.c */
extern const struct command command_rooms, command_rooms_join, command_rooms_leave; /* rooms.c */
extern const struct command command_mailbox, command_mailbox_delete;                /* mailbox.c */
extern const struct command command_cluster, command_drain, command_undrain;        /* cluster.c */
extern const struct command command_top;                                            /* top.c */
extern const struct command command_trace;                                          /* trace.c */
extern const struct command command_events;                                         /* events.c */
extern const struct command command_api;                                            /* raw.c */
extern const struct command command_bench;                                          /* bench.c */
extern const struct command command_init, command_check, command_default,
    command_env;                                                           /* settings.c */
extern const struct command command_doc;                                   /* doc.c */
extern const struct command command_help, command_man, command_completion; /* reference.c */

/* The options by which several commands name a user or a device. */
#define OPTION_UID                                             \
    {                                                          \
        "uid", "UID", VALUE_TEXT, "This user: a whole number." \
    }
#define OPTION_KEY                                            \
    {                                                         \
        "key", "KEY", VALUE_TEXT, "The device with this key." \
    }

/* Reads argument number INDEX as a user. 0, or an exit code after a line on stderr. */
int argument_uid(const struct cli *cli, size_t index, int64_t *uid);
/* Whose sessions are meant: argument 0, the option --key, or both. Puts them into PATH, or into
 * BODY if that is not NULL. 0, or an exit code after a line on stderr. */
int argument_user(const struct cli *cli, struct api_path *path, json_t *body);
/* Adds the numbers of TEXT, the value of option NAME, to LIST. 0, or an exit code after a line on
 * stderr. */
int add_numbers(const struct cli *cli, json_t *list, const char *name, const char *text);
/* Prints "N sessions: WHAT", or the JSON; frees ANSWER. Returns EXIT_DONE. */
int print_sessions_changed(struct cli *cli, struct api_answer *answer, const char *what);
/* Reads the text of an argument, or standard input if it is absent or "-", to be freed by
 * mem_wiped_free_text(); *LEN may be NULL. MOST is its limit. NULL: a line on stderr says why. */
char *argument_or_input(const struct cli *cli, const char *argument, size_t most, size_t *len);

#endif
