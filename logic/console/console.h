/* console.h - the page at /console (console.enabled) and what it asks of logic. Main loop only.
 *
 *   browser ── GET /console/… ──► files, put into the program at build from web/console
 *           ── POST /console/login, a key ──► logins.c ─► cookie, CSRF token
 *           ── GET /console/state ──► state.c ◄── reported.c ◄══ reports ══ every daemon
 *           ── /v1/… ──► the API: the login stands for its key (callers.c)
 *
 * The page's files hold no secret, so anybody gets them. All that it shows and does needs a login,
 * or, while no key is set, comes from this machine. A login may do what its key may, and its
 * requests count as that key's. */
#ifndef IMC_LOGIC_CONSOLE_CONSOLE_H
#define IMC_LOGIC_CONSOLE_CONSOLE_H

#include "logic/base/logic.h"
#include "logic/http/route.h"

struct console;
struct stream_batch;

/* Sets logic->console, logic->logged_in and the routes. */
void console_open(struct logic *logic);
/* NULL is fine. */
void console_close(struct console *console);
/* Adds to a report of this logic what only logics tell. See struct daemon_spec. */
struct Imc__V1__ReportBatch;
struct arena;
void console_report_own(struct daemon *daemon, struct Imc__V1__ReportBatch *batch,
                        struct arena *arena);
/* A daemon reported. Without a console it is told to report no more. */
void console_report(struct stream_batch *batch);

#endif
