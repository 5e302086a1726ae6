/* route_times.h - how long calls of the HTTP API took, by route and by the kind of answer. Main
 * loop only.
 *
 * Routes stand in several tables, so a route gets its histograms with its first answer. */
#ifndef IMC_LOGIC_HTTP_ROUTE_TIMES_H
#define IMC_LOGIC_HTTP_ROUTE_TIMES_H

#include "common/base/exposition.h"
#include <stdint.h>

struct route;
struct route_times;

extern const struct metric_row route_times_row;

struct route_times *route_times_open(void);
void route_times_close(struct route_times *times);
/* A call of ROUTE was answered with STATUS after US microseconds. NULL: there is no such route. */
void route_times_observe(struct route_times *times, const struct route *route, int status,
                         int64_t us);
/* TIMES may be NULL. */
void route_times_render(const struct route_times *times, struct exposition *to);

#endif
