/* Pushes, now and for later. */
#include "cli/base/rows.h"
#include "cli/commands/run.h"
#include "common/base/base64.h"
#include "common/base/mem.h"
#include "common/base/time.h"

#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 16 << 20 }; /* logic has a limit of its own: push.max_message */

/* --- to whom --- */

/* The values of option NAME as TO's list FIELD. */
static int add_receivers(const struct cli *cli, json_t *to, const char *name, const char *field)
{
    const char *text;
    int rc = 0;

    if (!option_given(cli, name))
        return 0;
    json_t *list = json_array();
    for (size_t i = 0; rc == 0 && (text = option_nth(cli, name, i)) != NULL; i++) {
        if (strcmp(name, "uid") == 0)
            rc = add_numbers(cli, list, name, text);
        else if (json_array_append_new(list, json_string(text)) != 0)
            rc = cli_usage(cli, "--%s is not UTF-8", name);
    }
    json_object_set_new(to, field, list);
    return rc;
}

static int fill_to(const struct cli *cli, json_t *to)
{
    int rc = add_receivers(cli, to, "uid", "uids");

    if (rc == 0)
        rc = add_receivers(cli, to, "key", "keys");
    if (rc == 0)
        rc = add_receivers(cli, to, "room", "rooms");
    if (option_given(cli, "all"))
        json_object_set_new(to, "all", json_true());
    if (rc == 0 && json_object_size(to) != 1)
        rc = cli_usage(cli, "to whom? one of --uid, --key, --room and --all");
    return rc;
}

/* --- the call --- */

static int fill_options(const struct cli *cli, json_t *push)
{
    static const struct {
        const char *option, *field;
    } numbers[] = {{"op", "op"}, {"ttl", "ttl"}, {"at", "deliver_at"}, {"speed", "speed"}};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (option_given(cli, numbers[i].option))
            json_object_set_new(push, numbers[i].field,
                                json_integer(option_number(cli, numbers[i].option, 0)));
    }
    if (option_given(cli, "in"))
        json_object_set_new(
            push, "deliver_at",
            json_integer((json_int_t)(time_unix_ms() / 1000) + option_number(cli, "in", 0)));
    if (option_given(cli, "trace"))
        json_object_set_new(push, "trace", json_true());
    if (option_given(cli, "id") &&
        json_object_set_new(push, "id", json_string(option_text(cli, "id"))) != 0)
        return cli_usage(cli, "--id is UTF-8");
    return 0;
}

static bool is_json(const char *text, size_t len)
{
    json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    bool is = value != NULL;

    json_decref(value);
    return is;
}

/* Writes PUSH with the message. A JSON value goes as it stands, with its digits and white space:
 * jansson would write them anew. */
static void write_call(FILE *out, const json_t *push, const char *message, size_t len, bool bytes)
{
    char *head = json_dumps(push, JSON_COMPACT);

    fprintf(out, "%.*s,", (int)strlen(head) - 1, head);
    free(head);
    if (!bytes && is_json(message, len)) {
        fprintf(out, "\"body\":");
        (void)fwrite(message, 1, len, out);
    } else {
        char *base64 = mem_alloc(base64_size(len));
        base64_encode(message, len, base64);
        fprintf(out, "\"body_base64\":\"%s\"", base64);
        mem_wiped_free_text(base64);
    }
    (void)fputc('}', out);
}

static int send_push(struct cli *cli, const json_t *push, struct api_answer *answer)
{
    const char *argument = cli->n_arguments > 0 ? cli->arguments[0] : NULL;
    char *text = NULL, *message;
    size_t len, text_len;

    message = argument_or_input(cli, argument, MESSAGE_MAX, &len);
    if (message == NULL)
        return EXIT_FAILED;
    FILE *out = open_memstream(&text, &text_len);
    if (out == NULL)
        abort(); /* no memory */
    write_call(out, push, message, len, option_given(cli, "bytes"));
    (void)fclose(out);
    const struct api_call call = {"POST", "/v1/push", text, text_len};
    int rc = api_send(cli, &call, answer);
    mem_wiped_free_text(message);
    mem_wiped_free_text(text);
    return rc;
}

static void print_messages(const json_t *answer)
{
    static const char *const order[] = {"id", "uid", "room", "all", NULL};
    const json_t *scheduled = json_object_get(answer, "scheduled");
    json_int_t unknown = json_integer_value(json_object_get(answer, "unknown_keys"));
    char date[PRINT_TIME_MAX];

    if (json_is_string(scheduled))
        printf("scheduled %s for %s\n", json_string_value(scheduled),
               print_time(json_integer_value(json_object_get(answer, "deliver_at")), date));
    else
        rows_print(json_object_get(answer, "messages"), order, "no message");
    if (unknown > 0)
        printf("%" JSON_INTEGER_FORMAT " unknown key%s\n", unknown, unknown == 1 ? "" : "s");
    if (json_is_true(json_object_get(answer, "repeated")))
        printf("a push with this id was answered so before: nothing was pushed again\n");
}

/* What a script wants. */
static void print_ids(const json_t *answer)
{
    const json_t *scheduled = json_object_get(answer, "scheduled"), *message;
    size_t index;

    if (json_is_string(scheduled))
        printf("%s\n", json_string_value(scheduled));
    json_array_foreach(json_object_get(answer, "messages"), index, message) {
        print_json_value(stdout, json_object_get(message, "id"));
        putchar('\n');
    }
}

static int push(struct cli *cli)
{
    struct api_answer answer;
    json_t *to = json_object(), *call = json_pack("{s:o}", "to", to);
    int rc = fill_to(cli, to);

    if (rc == 0)
        rc = fill_options(cli, call);
    if (rc == 0)
        rc = send_push(cli, call, &answer);
    json_decref(call);
    if (rc != 0 || print_answer(cli, &answer))
        return rc;
    if (option_given(cli, "quiet"))
        print_ids(answer.json);
    else
        print_messages(answer.json);
    api_answer_free(&answer);
    return rc;
}

static const struct option_row push_options[] = {
    {"uid", "UID,…", VALUE_TEXT, "To these users; may come again."},
    {"key", "KEY", VALUE_TEXT, "To the device with this key; may come again."},
    {"room", "ROOM", VALUE_TEXT, "To everybody in this room; may come again."},
    {"all", NULL, VALUE_TEXT, "To everybody who is online."},
    {"op", "N", VALUE_NUMBER, "The operation of the frame that devices get; 5 if it is not said."},
    {"ttl", "TIME", VALUE_SECONDS, "It may wait so long in a mailbox. 0: only for who is online."},
    {"id", "ID", VALUE_TEXT, "Idempotency key: within 5 minutes the same id pushes nothing again."},
    {"in", "TIME", VALUE_SECONDS, "Push it so much later."},
    {"at", "UNIX", VALUE_NUMBER, "Push it at this Unix time."},
    {"speed", "N", VALUE_NUMBER, "With --all: so many messages a second."},
    {"trace", NULL, VALUE_TEXT, "Trace it: trace tells where it is, for an hour."},
    {"quiet", NULL, VALUE_TEXT, "Print nothing but the ids, one a line."},
    {"bytes", NULL, VALUE_TEXT, "Push the bytes as they are, also if they are JSON."},
    {0},
};

const struct command command_push = {
    .name = "push",
    .arguments = "[MESSAGE]",
    .max = 1,
    .summary = "push a message to users, devices, rooms or everybody",
    .doc = "Without MESSAGE, or with -, the message is read from standard input. What is a JSON "
           "value is pushed as such, with its digits and white space; anything else as the bytes "
           "that it has.\n\nIt returns when Kafka has the message, and prints its id: what trace "
           "takes, if it was pushed with --trace. With --quiet nothing else is printed.",
    .example = "imc push --uid 1 '{\"hello\":\"world\"}'\nimc push --room live://7 'hello room'\n"
               "date | imc push --all\nimc trace $(imc push --uid 1 --trace --quiet hello)",
    .options = push_options,
    .run = push,
};

/* --- for later --- */

/* One object of the page with what people look at: the push itself is shown by --json. */
static json_t *row_of(const json_t *item)
{
    const json_t *to = json_object_get(json_object_get(item, "push"), "to");

    return json_pack("{s:O*, s:O*, s:O*}", "id", json_object_get(item, "id"), "deliver_at",
                     json_object_get(item, "deliver_at"), "to", to);
}

static int scheduled(struct cli *cli)
{
    static const char *const order[] = {"id", "deliver_at", "to", NULL};
    struct api_answer answer;
    struct api_path path;
    const json_t *item;
    size_t index;

    api_path(&path, "/v1/scheduled");
    if (option_given(cli, "limit"))
        api_query_number(&path, "limit", option_number(cli, "limit", 0));
    api_query(&path, "cursor", option_text(cli, "cursor"));
    int rc = api_get(cli, &path, &answer);
    if (rc != 0 || print_answer(cli, &answer))
        return rc;
    json_t *rows = json_array();
    json_array_foreach(json_object_get(answer.json, "scheduled"), index, item) {
        json_array_append_new(rows, row_of(item));
    }
    rows_print(rows, order, "nothing is scheduled");
    json_decref(rows);
    const char *cursor = json_string_value(json_object_get(answer.json, "cursor"));
    if (cursor != NULL)
        printf("there may be more: --cursor %s\n", cursor);
    api_answer_free(&answer);
    return rc;
}

static const struct option_row scheduled_options[] = {
    {"limit", "N", VALUE_NUMBER, "At most so many, 100 at most."},
    {"cursor", "CURSOR", VALUE_TEXT, "Of the page before."},
    {0},
};

const struct command command_scheduled = {
    .name = "scheduled",
    .arguments = "",
    .summary = "pushes that wait for their time",
    .doc = "By the time they are due, of one Redis shard after the other.",
    .options = scheduled_options,
    .run = scheduled,
};

static int cancel(struct cli *cli)
{
    struct api_answer answer;
    struct api_path path;

    api_path(&path, "/v1/scheduled");
    api_query(&path, "id", cli->arguments[0]);
    int rc = api_delete(cli, &path, &answer);
    if (rc != 0 || print_answer(cli, &answer))
        return rc;
    printf("taken back\n");
    api_answer_free(&answer);
    return rc;
}

const struct command command_scheduled_cancel = {
    .name = "scheduled cancel",
    .arguments = "ID",
    .min = 1,
    .max = 1,
    .summary = "take back a push that waits for its time",
    .doc = "Exit code 7: no such push waits, or it is being delivered.",
    .run = cancel,
};
