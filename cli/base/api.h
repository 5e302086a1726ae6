/* api.h - calls of /v1. They block until the answer has come. One thread.
 *
 *   api_get ─► connect to the next address, TLS ─► answer ─┬─ 2xx: EXIT_DONE, and the JSON
 *                                                          └─ problem: a line on stderr, exit code
 *
 * The connection is kept for the next call. */
#ifndef IMC_CLI_BASE_API_H
#define IMC_CLI_BASE_API_H

#include "cli/base/command.h"

#include <jansson.h>

enum { API_PATH_MAX = 8192, API_ANSWER_MAX = 64 << 20 };

/* A path with a query. What is too long for it is refused when it is used. */
struct api_path {
    char text[API_PATH_MAX];
    size_t len;
};
void api_path(struct api_path *path, const char *base);
/* Adds NAME=VALUE, percent-encoded; nothing if VALUE is NULL. */
void api_query(struct api_path *path, const char *name, const char *value);
void api_query_number(struct api_path *path, const char *name, int64_t value);

struct api_answer {
    int status;   /* of HTTP */
    json_t *json; /* an object */
    char *text;   /* as it came */
    size_t len;
};

/* Returns EXIT_DONE, and *ANSWER is to be given to api_answer_free(). Any other exit code: a line
 * on stderr says why. */
int api_get(struct cli *cli, const struct api_path *path, struct api_answer *answer);
int api_delete(struct cli *cli, const struct api_path *path, struct api_answer *answer);
/* BODY, an object, is taken over. */
int api_post(struct cli *cli, const char *path, json_t *body, struct api_answer *answer);
/* Any call. */
struct api_call {
    const char *method, *path;
    const char *text; /* the body, JSON of LEN bytes; NULL: none */
    size_t len;
};
int api_send(struct cli *cli, const struct api_call *call, struct api_answer *answer);
/* The same, but what fails is told only by the exit code and ANSWER->status (0: none came): for
 * whoever asks again and again. ANSWER is to be freed in any case. WHY says in words what failed.
 */
enum { API_WHY_MAX = 512 };
int api_try(struct cli *cli, const struct api_call *call, struct api_answer *answer,
            char why[API_WHY_MAX]);
void api_answer_free(struct api_answer *answer);

/* Of cli->api; NULL is fine. */
void api_close(struct api *api);

#endif
