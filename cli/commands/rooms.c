/* Rooms: which there are, and who is in them. */
#include "cli/base/rows.h"
#include "cli/commands/run.h"

static int list(struct cli *cli)
{
    struct api_answer answer;
    struct api_path path;

    api_path(&path, "/v1/rooms");
    api_query(&path, "prefix", option_text(cli, "prefix"));
    api_query(&path, "room", option_text(cli, "room"));
    if (option_given(cli, "limit"))
        api_query_number(&path, "limit", option_number(cli, "limit", 0));
    int rc = api_get(cli, &path, &answer);
    if (rc != 0 || print_answer(cli, &answer))
        return rc;
    rows_print(json_object_get(answer.json, "rooms"), rows_rooms, "no room");
    if (json_is_false(json_object_get(answer.json, "complete")))
        (void)cli_fail(cli, 0, "routers come or go: for some seconds numbers may be too low");
    api_answer_free(&answer);
    return rc;
}

static const struct option_row list_options[] = {
    {"prefix", "TEXT", VALUE_TEXT, "Only rooms whose names begin so."},
    {"room", "ROOM", VALUE_TEXT, "This one, whether somebody is in it or not."},
    {"limit", "N", VALUE_NUMBER, "At most so many; 100 if it is not said."},
    {0},
};

const struct command command_rooms = {
    .name = "rooms",
    .arguments = "",
    .summary = "the rooms with the most sessions, or one room",
    .doc = "Numbers are 2 seconds old at most.",
    .example = "imc rooms --prefix live:// --limit 10",
    .options = list_options,
    .run = list,
};

static int change(struct cli *cli, const char *path, const char *what)
{
    const char *room = cli->arguments[cli->n_arguments - 1];
    struct api_answer answer;
    json_t *body = json_object();

    if (json_object_set_new(body, "room", json_string(room)) != 0) {
        json_decref(body);
        return cli_usage(cli, "the name of a room is UTF-8");
    }
    cli->n_arguments--; /* now argument_user() finds only the user's */
    int rc = argument_user(cli, NULL, body);
    if (rc != 0) {
        json_decref(body);
        return rc;
    }
    rc = api_post(cli, path, body, &answer);
    return rc != 0 ? rc : print_sessions_changed(cli, &answer, what);
}

static int join(struct cli *cli)
{
    return change(cli, "/v1/rooms/join", "in the room");
}

static int leave(struct cli *cli)
{
    return change(cli, "/v1/rooms/leave", "out of the room");
}

static const struct option_row change_options[] = {OPTION_KEY, {0}};

const struct command command_rooms_join = {
    .name = "rooms join",
    .arguments = "[UID] ROOM",
    .min = 1,
    .max = 2,
    .summary = "let sessions of a user enter a room, beside those they are in",
    .doc = "It returns when the comets have done it. It may be repeated.",
    .example = "imc rooms join 1 live://7",
    .options = change_options,
    .run = join,
};

const struct command command_rooms_leave = {
    .name = "rooms leave",
    .arguments = "[UID] ROOM",
    .min = 1,
    .max = 2,
    .summary = "let sessions of a user leave a room",
    .doc = "As rooms join.",
    .options = change_options,
    .run = leave,
};
