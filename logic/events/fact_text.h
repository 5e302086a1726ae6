/* fact_text.h - a fact as logic/mailbox/fact.lua writes it into imc:facts: its letter, the
 * message's id (8 bytes), and "uid now session". Pure; any thread. */
#ifndef IMC_LOGIC_EVENTS_FACT_TEXT_H
#define IMC_LOGIC_EVENTS_FACT_TEXT_H

#include "common/events/event_types.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fact_text {
    enum event_type type; /* of messages */
    uint64_t message;     /* its id */
    int64_t uid;
    uint64_t at_ms;      /* Unix time */
    const char *session; /* in the text; "": nobody's */
    const char *why;     /* of an expired; else "" */
};

/* Reads LEN bytes and a NUL behind them. False: it is no fact, and OUT means nothing. */
bool fact_text_read(const char *text, size_t len, struct fact_text *out);

#endif
