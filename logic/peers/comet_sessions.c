#include "logic/peers/comet_sessions.h"

#include <string.h>

size_t comet_sessions(const struct router_answer *answer, size_t from, bool *taken,
                      uint64_t *handles)
{
    const Imc__V1__Session *first = answer->sessions[from];
    size_t n = 0;

    for (size_t i = from; i < answer->n_sessions; i++) {
        const Imc__V1__Session *session = answer->sessions[i];
        if (taken[i] || session->epoch != first->epoch || strcmp(session->comet, first->comet) != 0)
            continue;
        taken[i] = true;
        handles[n++] = session->handle;
    }
    return n;
}
