/* pages.h - a folder of files that are in the program, for browsers: /demo and /console. They hold
 * no secret, so they need no key. Main loop only. */
#ifndef IMC_LOGIC_HTTP_PAGES_H
#define IMC_LOGIC_HTTP_PAGES_H

#include "common/base/embedded.h"
#include "logic/http/route.h"

/* The routes' handle() calls pages_answer(). */
struct pages {
    const struct embedded_file *files;
    size_t n_files;
    const char *headers; /* of the answer with a file */
    struct route folder; /* "/demo": leads to the page, whose scripts are named from the folder */
    struct route file;   /* "/demo/": stands for each file below it */
};

/* One of the two routes; NULL: PATH is no file of PAGES. */
const struct route *pages_route(const struct pages *pages, const char *path);
/* Answers REQUEST, whose route is one of the two. */
void pages_answer(const struct pages *pages, struct logic *logic, struct http_request *request);

#endif
