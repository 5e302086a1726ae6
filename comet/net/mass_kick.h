/* mass_kick.h - telling many connections to go without a stampede: so many a second that all of
 * them know within the given time. Owner loop only. */
#ifndef IMC_COMET_NET_MASS_KICK_H
#define IMC_COMET_NET_MASS_KICK_H

#include "common/protocol/ops.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct frontend;
struct worker;

struct mass_kick {
    uv_timer_t timer;
    struct frontend *frontend;
    uint64_t began_ms, over_ms;
    size_t total, told; /* connections */
    size_t cursor;      /* recall: next table slot */
    enum close_code code;
    char *reason;
    void (*done)(struct worker *worker);
};

void mass_kick_open(struct frontend *frontend);
/* Before the loop's last turns. */
void mass_kick_close(struct frontend *frontend);

#endif
