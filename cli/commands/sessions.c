/* Who is online, and who has to go. */
#include "cli/base/rows.h"
#include "cli/commands/run.h"

#include <string.h>

/* --- sessions --- */

static int list(struct cli *cli)
{
    static const char *const order[] = {"session", "server", "key", "room", NULL};
    struct api_answer answer;
    struct api_path path;

    api_path(&path, "/v1/sessions");
    int rc = argument_user(cli, &path, NULL);
    if (rc == 0)
        rc = api_get(cli, &path, &answer);
    if (rc != 0 || print_answer(cli, &answer))
        return rc;
    rows_print(json_object_get(answer.json, "sessions"), order, "no session");
    if (json_is_false(json_object_get(answer.json, "complete")))
        (void)cli_fail(cli, 0, "routers or comets have just changed: sessions may be missing");
    api_answer_free(&answer);
    return rc;
}

static const struct option_row list_options[] = {OPTION_KEY, {0}};

const struct command command_sessions = {
    .name = "sessions",
    .arguments = "[UID]",
    .max = 1,
    .summary = "the sessions of a user, or of a device",
    .doc = "A line for each session. Its name, in the first column, is what kick --session takes.",
    .example = "imc sessions 1",
    .options = list_options,
    .run = list,
};

/* --- kick --- */

static int kick(struct cli *cli)
{
    struct api_answer answer;
    struct api_path path;

    api_path(&path, "/v1/sessions");
    int rc = argument_user(cli, &path, NULL);
    api_query(&path, "session", option_text(cli, "session"));
    api_query(&path, "reason", option_text(cli, "reason"));
    if (rc == 0)
        rc = api_delete(cli, &path, &answer);
    return rc != 0 ? rc : print_sessions_changed(cli, &answer, "ended");
}

#define OPTION_REASON                                                                      \
    {                                                                                      \
        "reason", "TEXT", VALUE_TEXT, "What the client is told, with operation 6, code 7." \
    }
static const struct option_row kick_options[] = {
    OPTION_KEY,
    {"session", "SESSION", VALUE_TEXT, "Only this session, as sessions lists it."},
    OPTION_REASON,
    {0},
};

const struct command command_kick = {
    .name = "kick",
    .arguments = "[UID]",
    .max = 1,
    .summary = "end sessions of a user, or of a device",
    .doc = "The client may connect again. To keep it out, block the user or revoke the token.\n\n"
           "Exit code 8 means that not all sessions are known to have ended: repeat it.",
    .example = "imc kick 1 --reason 'signed out'\nimc kick --key phone-7",
    .options = kick_options,
    .run = kick,
};

/* --- block --- */

static int block(struct cli *cli)
{
    const char *reason = option_text(cli, "reason");
    struct api_answer answer;
    int64_t uid, seconds = option_number(cli, "for", 0);
    int rc = argument_uid(cli, 0, &uid);

    if (rc == 0 && seconds == 0)
        rc = cli_usage(cli, "for how long? --for 1h");
    if (rc != 0)
        return rc;
    json_t *body = json_pack("{s:I, s:I}", "uid", (json_int_t)uid, "seconds", (json_int_t)seconds);
    if (reason != NULL && json_object_set_new(body, "reason", json_string(reason)) != 0) {
        json_decref(body);
        return cli_usage(cli, "a reason is UTF-8");
    }
    rc = api_post(cli, "/v1/users/block", body, &answer);
    return rc != 0 ? rc : print_sessions_changed(cli, &answer, "ended, and the user is blocked");
}

static const struct option_row block_options[] = {
    {"for", "TIME", VALUE_SECONDS, "For so long: 90, 15m, 12h, 7d."},
    OPTION_REASON,
    {0},
};

const struct command command_block = {
    .name = "block",
    .arguments = "UID",
    .min = 1,
    .max = 1,
    .summary = "refuse a user for a time, and end the sessions",
    .doc = "Whatever token the user comes with.",
    .example = "imc block 1 --for 1h --reason 'too many calls'",
    .options = block_options,
    .run = block,
};

static int unblock(struct cli *cli)
{
    struct api_answer answer;
    int64_t uid;
    int rc = argument_uid(cli, 0, &uid);

    if (rc == 0)
        rc =
            api_post(cli, "/v1/users/unblock", json_pack("{s:I}", "uid", (json_int_t)uid), &answer);
    if (rc != 0 || print_answer(cli, &answer))
        return rc;
    printf("user %lld is let in again\n", (long long)uid);
    api_answer_free(&answer);
    return rc;
}

const struct command command_unblock = {
    .name = "unblock",
    .arguments = "UID",
    .min = 1,
    .max = 1,
    .summary = "let a user in again who was blocked",
    .doc = "It also takes back a revocation of all tokens of the user.",
    .run = unblock,
};
