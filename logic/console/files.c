#include "common/http/http.h"
#include "logic/console/console_files.inc"
#include "logic/console/internal.h"
#include "logic/http/pages.h"

/* Scripts and styles are files of ours, none is within the page. It asks this logic alone. No other
 * page may frame this one, since it may do what its key may. */
static const char headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n"
    "Cache-Control: no-cache\r\n";

static void answer(struct logic *logic, struct http_request *request);

static const struct pages pages = {
    .files = console_files,
    .n_files = sizeof console_files / sizeof console_files[0],
    .headers = headers,
    .folder = {HTTP_GET, "/console", answer, 0, false},
    .file = {HTTP_GET, "/console/", answer, 0, false},
};

static void answer(struct logic *logic, struct http_request *request)
{
    pages_answer(&pages, logic, request);
}

const struct route *console_file_route(const char *path)
{
    return pages_route(&pages, path);
}
