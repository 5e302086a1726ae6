/* actions.c - what an operator asks a daemon to do, by POST at the admin listener. */
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char text_plain[] = "text/plain; charset=utf-8";

static void refuse(struct http_request *request, int status, const char *why, const char *extra)
{
    http_respond(request, status, text_plain, why, strlen(why), extra);
}

static int act_reload(struct daemon *daemon, FILE *out)
{
    return daemon_reload_now(daemon, out) ? 200 : 422;
}

const struct daemon_action daemon_actions[] = {{"/reload", act_reload}, {NULL, NULL}};

static const struct daemon_action *find(const struct daemon_action *action, const char *path)
{
    for (; action != NULL && action->path != NULL; action++) {
        if (strcmp(action->path, path) == 0)
            return action;
    }
    return NULL;
}

const struct daemon_action *daemon_action_at(const struct daemon *daemon, const char *path)
{
    const struct daemon_action *common = find(daemon_actions, path);

    return common != NULL ? common : find(daemon->spec->actions, path);
}

void daemon_act(struct daemon *daemon, struct http_request *request,
                const struct daemon_action *action)
{
    char *text = NULL;
    size_t len = 0;

    if (http_method(request) != HTTP_POST) {
        refuse(request, 405, "only POST here\n", "Allow: POST\r\n");
        return;
    }
    if (http_is_from_a_page(request)) {
        refuse(request, 403, "not from a web page\n", NULL);
        return;
    }
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        refuse(request, 500, "out of memory\n", NULL);
        return;
    }
    int status = action->run(daemon, out);
    fclose(out);
    http_respond(request, status, text_plain, text, len, "Cache-Control: no-store\r\n");
    free(text);
}
