#include "logic/http/pages.h"
#include "logic/base/logic.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct embedded_file *file_of(const struct pages *pages, const char *path)
{
    size_t root = strlen(pages->file.path);

    if (strncmp(path, pages->file.path, root) != 0)
        return NULL;
    for (size_t i = 0; i < pages->n_files; i++) {
        if (strcmp(pages->files[i].name, path + root) == 0)
            return &pages->files[i];
    }
    return NULL;
}

const struct route *pages_route(const struct pages *pages, const char *path)
{
    if (strcmp(path, pages->folder.path) == 0)
        return &pages->folder;
    return file_of(pages, path) != NULL ? &pages->file : NULL;
}

void pages_answer(const struct pages *pages, struct logic *logic, struct http_request *request)
{
    const char *path = http_path(request);

    logic_count(logic, LOGIC_HTTP_2XX, 1);
    if (strcmp(path, pages->folder.path) == 0) {
        char location[128];
        (void)snprintf(location, sizeof location, "Location: %s\r\nCache-Control: no-cache\r\n",
                       pages->file.path);
        http_respond(request, 302, "text/plain; charset=utf-8", NULL, 0, location);
        return;
    }
    const struct embedded_file *file = file_of(pages, path);
    assert(file != NULL); /* pages_route() has found it */
    http_respond(request, 200, file->type, file->bytes, file->len, pages->headers);
}
