#include "logic/http/demo.h"
#include "logic/base/logic.h"
#include "logic/http/demo_files.inc"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const char root[] = "/demo/";

/* Scripts and styles come from here alone, none from within the page: a message cannot become a
 * script. No other page may frame this one, since it may do what its caller may. Its clients
 * connect to comets, wherever these are. */
static const char headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Referrer-Policy: same-origin\r\n"
    "Cache-Control: no-cache\r\n";

static const struct demo_file *file_of(const char *path)
{
    if (strncmp(path, root, sizeof root - 1) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof demo_files / sizeof demo_files[0]; i++) {
        if (strcmp(demo_files[i].name, path + sizeof root - 1) == 0)
            return &demo_files[i];
    }
    return NULL;
}

/* Its scripts are named from the folder. */
static void send_to_root(struct logic *logic, struct http_request *request)
{
    static const char location[] = "Location: /demo/\r\nCache-Control: no-cache\r\n";

    logic_count(logic, LOGIC_HTTP_2XX, 1);
    http_respond(request, 302, "text/plain; charset=utf-8", NULL, 0, location);
}

static void send_file(struct logic *logic, struct http_request *request)
{
    const struct demo_file *file = file_of(http_path(request));

    assert(file != NULL); /* demo_route() has found it */
    logic_count(logic, LOGIC_HTTP_2XX, 1);
    http_respond(request, 200, file->type, file->bytes, file->len, headers);
}

const struct route *demo_route(const char *path)
{
    static const struct route file = {HTTP_GET, "/demo/", send_file, 0, false};
    static const struct route folder = {HTTP_GET, "/demo", send_to_root, 0, false};

    if (strcmp(path, folder.path) == 0)
        return &folder;
    return file_of(path) != NULL ? &file : NULL;
}
