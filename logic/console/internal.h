/* internal.h - what the files of this folder share. Main loop only. */
#ifndef IMC_LOGIC_CONSOLE_INTERNAL_H
#define IMC_LOGIC_CONSOLE_INTERNAL_H

#include "logic/base/logic.h"
#include "logic/console/logins.h"
#include "logic/console/reported.h"
#include "logic/http/routes.h"

struct console {
    struct logic *logic;
    struct logins *logins;
    struct reported_list reported;
    uint64_t own_settings; /* daemon_settings_version() of this logic's settings in REPORTED */
};

/* files.c: the page, and the route of PATH; NULL: the page has no such file. */
const struct route *console_file_route(const char *path);

/* session.c: logging in and out. */
void console_login(struct logic *logic, struct http_request *request);
void console_logout(struct logic *logic, struct http_request *request);
void console_session(struct logic *logic, struct http_request *request);
/* See logic.h. */
const uint8_t *console_logged_in(struct logic *logic, const struct http_request *request,
                                 const char **why);

/* state.c: GET /console/state, all that a page needs. */
void console_state(struct logic *logic, struct http_request *request);

/* Answers JSON that nobody may keep. */
void console_answer(struct logic *logic, struct http_request *request, const char *text, size_t len,
                    const char *more_headers);

#endif
