/* internal.h - what upstream.c and upstream_url.c share. Main loop only. */
#ifndef IMC_LOGIC_UPSTREAM_INTERNAL_H
#define IMC_LOGIC_UPSTREAM_INTERNAL_H

#include "logic/upstream/replies.h"
#include "logic/upstream/upstream.h"

struct upstream {
    struct logic *logic;
    struct ordered_producer *topic; /* one of these two is NULL */
    struct webhook *hook;
    struct replies replies; /* of the post whose events are being done */
    struct daemon_reload reload;
};

int upstream_url_open(struct upstream *upstream);
int upstream_url_send(struct upstream *upstream, const struct upstream_event *event,
                      struct upstream_ticket *ticket);
void upstream_on_ready(bool ready, const char *why, void *arg);

#endif
