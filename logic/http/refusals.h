/* refusals.h - what is refused: counted, and told in the log at debug. Main loop only.
 *
 *   … debug logic call refused reason=rate status=429 request_id=5e8bb2a0c3f1d977 method=POST
 *       route=/v1/push key=billing address=10.1.2.3 why="more than 1000 pushes a second: …"
 *
 * The reason is the label of imc_logic_refused_total; docs/codes.md explains each. */
#ifndef IMC_LOGIC_HTTP_REFUSALS_H
#define IMC_LOGIC_HTTP_REFUSALS_H

#include "logic/base/logic.h"

struct http_request;

enum { REFUSAL_WORD_MAX = 23 };

/* REQUEST, or one push of it, is refused with STATUS. CAUSE is a row of imc_logic_refused_total.
 * TEXT: what the caller is told. It must not have what a caller sent as a value. */
void refusal_note(struct logic *logic, struct http_request *request, enum logic_metric cause,
                  int status, const char *text);
/* "rate", of CAUSE. */
void refusal_word(enum logic_metric cause, char out[REFUSAL_WORD_MAX + 1]);

#endif
