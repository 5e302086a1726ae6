/* Tokens, by which devices connect. A token on a command line is seen by whoever sees processes: so
 * it may come by standard input, too. */
#include "cli/base/print.h"
#include "cli/commands/run.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_MAX = 16384 };

/* The token TEXT, or the line of standard input that it is if TEXT is "-"; to be freed by
 * mem_wiped_free_text(). */
static char *read_token(const struct cli *cli, const char *text)
{
    size_t len;
    char *token = argument_or_input(cli, text, TOKEN_MAX, &len);

    while (token != NULL && len > 0 && strchr("\r\n", token[len - 1]) != NULL)
        token[--len] = '\0';
    return token;
}

static int add_token(const struct cli *cli, json_t *body, const char *text)
{
    char *token = read_token(cli, text);
    int rc = token == NULL ? EXIT_FAILED : 0;

    if (token != NULL && json_object_set_new(body, "token", json_string(token)) != 0)
        rc = cli_usage(cli, "a token is UTF-8");
    mem_wiped_free_text(token);
    return rc;
}

/* --- new --- */

/* --room: the first one is the main room. */
static int add_rooms(const struct cli *cli, json_t *body)
{
    const char *room = option_nth(cli, "room", 0);
    int rc = 0;

    if (room == NULL)
        return 0;
    if (json_object_set_new(body, "room", json_string(room)) != 0)
        return cli_usage(cli, "the name of a room is UTF-8");
    json_t *more = json_array();
    for (size_t i = 1; rc == 0 && (room = option_nth(cli, "room", i)) != NULL; i++) {
        if (json_array_append_new(more, json_string(room)) != 0)
            rc = cli_usage(cli, "the name of a room is UTF-8");
    }
    if (json_array_size(more) > 0)
        json_object_set(body, "rooms", more);
    json_decref(more);
    return rc;
}

static int fill_new(struct cli *cli, json_t *body)
{
    const char *token = option_text(cli, "token"), *accepts = option_text(cli, "accepts");
    int64_t uid;
    int rc = argument_uid(cli, 0, &uid);

    if (rc != 0)
        return rc;
    json_object_set_new(body, "uid", json_integer(uid));
    if (option_given(cli, "expire"))
        json_object_set_new(body, "expire", json_integer(option_number(cli, "expire", 0)));
    rc = add_rooms(cli, body);
    if (rc == 0 && accepts != NULL) {
        json_t *list = json_array();
        json_object_set_new(body, "accepts", list);
        rc = add_numbers(cli, list, "accepts", accepts);
    }
    return rc == 0 && token != NULL ? add_token(cli, body, token) : rc;
}

static int new (struct cli *cli)
{
    struct api_answer answer;
    json_t *body = json_object();
    int rc = fill_new(cli, body);

    if (rc != 0) {
        json_decref(body);
        return rc;
    }
    rc = api_post(cli, "/v1/tokens", body, &answer);
    if (rc != 0 || print_answer(cli, &answer))
        return rc;
    const char *token = json_string_value(json_object_get(answer.json, "token"));
    print_text(stdout, token != NULL ? token : "");
    putchar('\n');
    api_answer_free(&answer);
    return rc;
}

static const struct option_row new_options[] = {
    {"token", "TOKEN", VALUE_TEXT,
     "This one, or -: the line on standard input. Otherwise logic makes one."},
    {"expire", "TIME", VALUE_SECONDS,
     "It is good for so long; 0: for ever; tokens.ttl if it is not said."},
    {"room", "ROOM", VALUE_TEXT,
     "The main room of devices with it; those that follow are beside it."},
    {"accepts", "OP,…", VALUE_TEXT, "What a goim client with it accepts that names no operations."},
    {0},
};

const struct command command_token_new = {
    .name = "token new",
    .arguments = "UID",
    .min = 1,
    .max = 1,
    .summary = "make a token, by which devices of a user connect",
    .doc = "Prints the token. A user has one token: the older one is revoked.",
    .example = "imc token new 1 --expire 1h",
    .options = new_options,
    .run = new,
};

/* --- revoke --- */

static int fill_revoke(struct cli *cli, json_t *body)
{
    const char *uid = option_text(cli, "uid"), *jti = option_text(cli, "jti");
    int64_t number;

    if ((uid != NULL) == (cli->n_arguments > 0))
        return cli_usage(cli, "a TOKEN or --uid, one of them");
    if (uid == NULL)
        return add_token(cli, body, cli->arguments[0]);
    if (!number_parse(uid, &number))
        return cli_usage(cli, "a UID is a whole number of 64 bits: %s", uid);
    json_object_set_new(body, "uid", json_integer(number));
    if (option_given(cli, "before"))
        json_object_set_new(body, "before", json_integer(option_number(cli, "before", 0)));
    if (jti != NULL && json_object_set_new(body, "jti", json_string(jti)) != 0)
        return cli_usage(cli, "--jti is UTF-8");
    return 0;
}

static int revoke(struct cli *cli)
{
    struct api_answer answer;
    json_t *body = json_object();
    int rc = fill_revoke(cli, body);

    if (rc != 0) {
        json_decref(body);
        return rc;
    }
    rc = api_post(cli, "/v1/tokens/revoke", body, &answer);
    return rc != 0 ? rc : print_sessions_changed(cli, &answer, "ended");
}

static const struct option_row revoke_options[] = {
    OPTION_UID,
    {"before", "UNIX", VALUE_NUMBER,
     "With --uid: JSON Web Tokens that were issued before this time."},
    {"jti", "ID", VALUE_TEXT, "With --uid: JSON Web Tokens with this id."},
    {0},
};

const struct command command_token_revoke = {
    .name = "token revoke",
    .arguments = "[TOKEN]",
    .max = 1,
    .summary = "take back tokens, and end their sessions",
    .doc =
        "TOKEN may be -: the line on standard input. With --uid all tokens that the user has now.",
    .example = "imc token revoke - <token.txt\nimc token revoke --uid 1",
    .options = revoke_options,
    .run = revoke,
};
