/* What several groups of commands need: who is meant, and what has changed. */
#include "cli/base/print.h"
#include "cli/commands/run.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int argument_uid(const struct cli *cli, size_t index, int64_t *uid)
{
    const char *text = cli->arguments[index];

    if (number_parse(text, uid))
        return 0;
    return cli_usage(cli, "a UID is a whole number of 64 bits: %s", text);
}

int argument_user(const struct cli *cli, struct api_path *path, json_t *body)
{
    const char *key = option_text(cli, "key");
    int64_t uid = 0;
    int rc = 0;

    if (cli->n_arguments == 0 && key == NULL)
        return cli_usage(cli, "it needs a UID, or --key");
    if (cli->n_arguments > 0 && (rc = argument_uid(cli, 0, &uid)) != 0)
        return rc;
    if (body != NULL) {
        if (cli->n_arguments > 0)
            json_object_set_new(body, "uid", json_integer(uid));
        if (key != NULL && json_object_set_new(body, "key", json_string(key)) != 0)
            rc = cli_usage(cli, "a key is UTF-8");
        return rc;
    }
    if (cli->n_arguments > 0)
        api_query_number(path, "uid", uid);
    api_query(path, "key", key);
    return 0;
}

int add_numbers(const struct cli *cli, json_t *list, const char *name, const char *text)
{
    char *copy = mem_strdup(text), *at = copy, *item;
    int rc = 0;

    while (rc == 0 && (item = strsep(&at, ",")) != NULL) {
        int64_t number;
        if (number_parse(item, &number))
            json_array_append_new(list, json_integer(number));
        else
            rc = cli_usage(cli, "--%s takes whole numbers of 64 bits, parted by commas: %s", name,
                           text);
    }
    free(copy);
    return rc;
}

int print_sessions_changed(struct cli *cli, struct api_answer *answer, const char *what)
{
    if (print_answer(cli, answer))
        return EXIT_DONE;
    json_int_t n = json_integer_value(json_object_get(answer->json, "sessions"));
    json_t *refused = json_object_get(answer->json, "refused"), *value;
    const char *name;

    printf("%" JSON_INTEGER_FORMAT " session%s: %s\n", n, n == 1 ? "" : "s", what);
    void *at = json_object_iter(refused);
    for (; at != NULL; at = json_object_iter_next(refused, at)) {
        name = json_object_iter_key(at);
        value = json_object_iter_value(at);
        if (json_integer_value(value) > 0)
            printf("%" JSON_INTEGER_FORMAT " refused: %s\n", json_integer_value(value), name);
    }
    api_answer_free(answer);
    return EXIT_DONE;
}

char *argument_or_input(const struct cli *cli, const char *argument, size_t most, size_t *len)
{
    size_t used;

    if (argument != NULL && strcmp(argument, "-") != 0) {
        if (len != NULL)
            *len = strlen(argument);
        return mem_strdup(argument);
    }
    char *text = mem_alloc(most + 2);
    used = fread(text, 1, most + 1, stdin);
    text[used] = '\0';
    if (used <= most && !ferror(stdin)) {
        if (len != NULL)
            *len = used;
        return text;
    }
    (void)cli_fail(cli, EXIT_FAILED,
                   used > most ? "standard input is longer than %zu bytes"
                               : "cannot read standard input (%zu)",
                   most);
    mem_wiped_free(text, most + 2);
    return NULL;
}
