#include "cli/commands/run.h"

const struct command *const commands[] = {
    /* a cluster */
    &command_cluster, &command_top, &command_drain, &command_undrain,
    /* users */
    &command_sessions, &command_kick, &command_block, &command_unblock, &command_mailbox,
    &command_mailbox_delete, &command_token_new, &command_token_revoke,
    /* rooms */
    &command_rooms, &command_rooms_join, &command_rooms_leave,
    /* messages */
    &command_push, &command_trace, &command_events, &command_scheduled, &command_scheduled_cancel,
    &command_watch, &command_bench,
    /* this machine */
    &command_init, &command_check, &command_default, &command_env, &command_doc, &command_api,
    &command_help, &command_man, &command_completion, NULL};
