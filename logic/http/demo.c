#include "logic/http/demo.h"
#include "logic/http/demo_files.inc"
#include "logic/http/pages.h"

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

static void answer(struct logic *logic, struct http_request *request);

static const struct pages pages = {
    .files = demo_files,
    .n_files = sizeof demo_files / sizeof demo_files[0],
    .headers = headers,
    .folder = {HTTP_GET, "/demo", answer, 0, false},
    .file = {HTTP_GET, "/demo/", answer, 0, false},
};

static void answer(struct logic *logic, struct http_request *request)
{
    pages_answer(&pages, logic, request);
}

const struct route *demo_route(const char *path)
{
    return pages_route(&pages, path);
}
