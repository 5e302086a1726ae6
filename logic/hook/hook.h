/* hook.h - asks the business, by HTTP, who connects: the connect hook (docs/auth.md). Main loop
 * only.
 *
 *   hook_ask ─► used before? ─► fn            (cache.h)
 *       │  └──► the business is given up for a moment: fn, code 12   (breaker.h)
 *       ▼
 *   a free slot, or waiting ─► question ══ http_client ══► business
 *                                 ▲              │ no answer, 502, 503, 504: once more, after a
 *                                 └──────────────┤ random pause; at the next address
 *                                                ▼
 *                                        answer.h ─► fn
 *
 * Everything has a bound: questions at a time (auth.in_flight), those that wait (auth.waiting), the
 * time of a try (auth.timeout), of all tries (the connect's own), an answer (auth.max_answer). So a
 * business that is slow or dead costs connecting clients their time, and nobody else anything. */
#ifndef IMC_LOGIC_HOOK_HOOK_H
#define IMC_LOGIC_HOOK_HOOK_H

#include "logic/base/logic.h"
#include "logic/hook/answer.h"
#include "logic/hook/question.h"

struct hook;

/* Checks the settings [auth]. 0, or -EINVAL and ERR. */
int hook_check(const struct logic_config *config, char *err, size_t errlen);
/* *OUT NULL: auth.url is empty. 0, or -E… after logging. */
int hook_open(struct logic *logic, struct hook **out);
/* Answers what is still under way with code 12. NULL is fine. */
void hook_close(struct hook *hook);

/* ANSWER is valid during the call. */
typedef void (*hook_fn)(void *arg, const struct hook_answer *answer);
/* QUESTION is copied. FN runs exactly once, by loop time DEADLINE_MS; perhaps before this
 * returns. */
void hook_ask(struct hook *hook, const struct hook_question *question, uint64_t deadline_ms,
              hook_fn fn, void *arg);
/* Sets the gauges. */
void hook_scrape(struct hook *hook);

#endif
