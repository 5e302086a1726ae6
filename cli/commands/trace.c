/* The way of a traced message, and the numbers of a push. */
#include "cli/base/rows.h"
#include "cli/commands/run.h"

#include <stdlib.h>
#include <string.h>

/* --- a message --- */

/* "2.640 ms" since the first step. */
static void add_after(struct table *table, const json_t *step)
{
    double us = (double)json_integer_value(json_object_get(step, "after_us"));
    char text[32];

    (void)snprintf(text, sizeof text, us < 1e6 ? "%.2f ms" : "%.2f s",
                   us < 1e6 ? us / 1e3 : us / 1e6);
    table_text(table, text);
}

static bool is_shown(const char *key)
{
    static const char *const shown[] = {"at", "after_us", "step", "service", "member", NULL};

    for (const char *const *at = shown; *at != NULL; at++) {
        if (strcmp(key, *at) == 0)
            return true;
    }
    return false;
}

/* What a step has beside its columns: "uid=7 partition=3". */
static void add_details(struct table *table, json_t *step)
{
    const char *key, *blank = "";
    json_t *value;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        abort(); /* no memory */
    json_object_foreach(step, key, value) {
        if (is_shown(key))
            continue;
        fprintf(out, "%s%s=", blank, key);
        print_json_value(out, value);
        blank = " ";
    }
    (void)fclose(out);
    table_text(table, text);
    free(text);
}

static void print_steps(const json_t *steps)
{
    static const char *const titles[] = {"AT", ">AFTER", "STEP", "WHO", "DETAILS", NULL};
    struct table *table = table_new(titles);
    json_t *step, *service;
    size_t index;

    json_array_foreach(steps, index, step) {
        service = json_object_get(step, "member");
        table_json(table, json_object_get(step, "at"));
        add_after(table, step);
        table_json(table, json_object_get(step, "step"));
        table_json(table, service != NULL ? service : json_object_get(step, "service"));
        add_details(table, step);
    }
    table_print(table, stdout, 0);
}

static void print_message(const json_t *answer)
{
    static const char *const order[] = {"session", "state", "at", NULL};
    const json_t *sessions = json_object_get(answer, "sessions");

    printf("state: ");
    print_json_value(stdout, json_object_get(answer, "state"));
    printf("\n\n");
    if (json_array_size(sessions) > 0) {
        rows_print(sessions, order, "");
        putchar('\n');
    }
    print_steps(json_object_get(answer, "steps"));
}

/* --- a push --- */

static void print_funnel(json_t *answer)
{
    static const char *const titles[] = {"", ">", NULL};
    struct table *table = table_new(titles);
    const char *key;
    json_t *value;

    json_object_foreach(answer, key, value) {
        table_text(table, key);
        table_json(table, value);
    }
    table_print(table, stdout, 0);
}

static int trace(struct cli *cli)
{
    bool funnel = option_given(cli, "push");
    struct api_answer answer;
    struct api_path path;

    api_path(&path, funnel ? "/v1/pushes/funnel" : "/v1/messages");
    api_query(&path, "id", cli->arguments[0]);
    int rc = api_get(cli, &path, &answer);
    if (rc != 0 || print_answer(cli, &answer))
        return rc;
    if (funnel)
        print_funnel(answer.json);
    else
        print_message(answer.json);
    api_answer_free(&answer);
    return rc;
}

static const struct option_row options[] = {
    {"push", NULL, VALUE_TEXT, "The numbers of the whole push, whose first message this is."},
    {0},
};

const struct command command_trace = {
    .name = "trace",
    .arguments = "MESSAGE",
    .min = 1,
    .max = 1,
    .summary = "where a traced message is: its way, step by step",
    .doc = "MESSAGE is an id, as push --trace prints it. What is known is kept for an hour. Exit "
           "code 7: nothing is known of it.",
    .example = "imc push --trace --uid 1 hello\nimc trace 7532550330477165568",
    .options = options,
    .run = trace,
};
