/* breaker.h - asks a business that does not answer only now and then. Pure; one owner.
 *
 *   closed ── BREAKER_FAILURES questions in a row ──► open: nobody asks for a pause, then one does
 *     ▲                                      │  ▲
 *     └────────── that one is answered ──────┘  └── it is not: a pause twice as long
 *
 * A pause is cut by up to half at random, so that the logics do not ask all at once. */
#ifndef IMC_LOGIC_HOOK_BREAKER_H
#define IMC_LOGIC_HOOK_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_FAILURES = 16, BREAKER_PAUSE_MS = 500, BREAKER_PAUSE_MOST_MS = 4000 };

/* All zero at first: closed. */
struct hook_breaker {
    unsigned failures; /* in a row */
    uint32_t answers;  /* ever */
    bool open, probing;
    uint64_t pause_ms;
    uint64_t probe_ms; /* while open: then one may ask */
};

/* May somebody ask now? While it is open: true for one. */
bool hook_breaker_lets(struct hook_breaker *breaker, uint64_t now_ms);
/* True: it was open. */
bool hook_breaker_answered(struct hook_breaker *breaker);
/* A question has failed, with all its tries. ANSWERS is what the breaker had when it was asked
 * first: where others were answered since, the question may be what is wrong, and the failure does
 * not count. True: it opens with this. */
bool hook_breaker_failed(struct hook_breaker *breaker, uint32_t answers, uint64_t now_ms);

#endif
