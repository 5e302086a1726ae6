/* What waits for a user who is away. */
#include "cli/base/rows.h"
#include "cli/commands/run.h"

enum { PAGE_MOST = 1000 };

static int ask(struct cli *cli, int64_t uid, int64_t limit, const char *cursor,
               struct api_answer *answer)
{
    struct api_path path;

    api_path(&path, "/v1/mailbox");
    api_query_number(&path, "uid", uid);
    if (limit > 0)
        api_query_number(&path, "limit", limit);
    api_query(&path, "cursor", cursor);
    return api_get(cli, &path, answer);
}

/* Reads page after page, until there are LIMIT messages (0: all) in *MESSAGES. */
static int read_all(struct cli *cli, int64_t uid, int64_t limit, json_t *messages)
{
    struct api_answer answer;
    json_t *cursor = NULL;
    int rc = 0;

    do {
        int64_t left = limit > 0 ? limit - (int64_t)json_array_size(messages) : 0;
        rc = ask(cli, uid, left > PAGE_MOST ? PAGE_MOST : left, json_string_value(cursor), &answer);
        json_decref(cursor);
        cursor = NULL;
        if (rc != 0)
            break;
        (void)json_array_extend(messages, json_object_get(answer.json, "messages"));
        cursor = json_incref(json_object_get(answer.json, "cursor"));
        api_answer_free(&answer);
    } while (cursor != NULL && (limit == 0 || (int64_t)json_array_size(messages) < limit));
    json_decref(cursor);
    return rc;
}

static int list(struct cli *cli)
{
    static const char *const order[] = {"id", "op", "expires", "body_base64", NULL};
    int64_t uid, limit = option_number(cli, "limit", 0);
    int rc = argument_uid(cli, 0, &uid);

    if (rc != 0)
        return rc;
    json_t *messages = json_array();
    rc = read_all(cli, uid, limit, messages);
    if (rc == 0 && cli->json) {
        json_t *whole = json_pack("{s:I, s:O}", "uid", (json_int_t)uid, "messages", messages);
        (void)json_dumpf(whole, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(whole);
    } else if (rc == 0) {
        rows_print(messages, order, "nothing waits");
    }
    json_decref(messages);
    return rc;
}

static const struct option_row list_options[] = {
    {"limit", "N", VALUE_NUMBER, "At most so many; all if it is not said."},
    {0},
};

const struct command command_mailbox = {
    .name = "mailbox",
    .arguments = "UID",
    .min = 1,
    .max = 1,
    .summary = "the messages that wait for a user",
    .doc = "The oldest first. Reading deletes nothing. Messages are shown in part; --json has all "
           "of them, in base64.",
    .example = "imc mailbox 1",
    .options = list_options,
    .run = list,
};

static int delete_upto(struct cli *cli)
{
    struct api_answer answer;
    struct api_path path;
    int64_t uid;
    int rc = argument_uid(cli, 0, &uid);

    if (rc != 0)
        return rc;
    api_path(&path, "/v1/mailbox");
    api_query_number(&path, "uid", uid);
    api_query(&path, "upto", cli->arguments[1]);
    rc = api_delete(cli, &path, &answer);
    if (rc != 0 || print_answer(cli, &answer))
        return rc;
    printf("deleted\n");
    api_answer_free(&answer);
    return rc;
}

const struct command command_mailbox_delete = {
    .name = "mailbox delete",
    .arguments = "UID MESSAGE",
    .min = 2,
    .max = 2,
    .summary = "delete a message that waits, and older ones",
    .doc = "MESSAGE is an id, as mailbox prints it. It and all older ones are deleted, for all "
           "devices of the user. A message that is under way to the mailbox just then stays.",
    .run = delete_upto,
};
