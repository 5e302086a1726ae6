#include "logic/http/route_times.h"
#include "common/base/array.h"
#include "common/base/mem.h"
#include "logic/http/route.h"

#include <stdio.h>
#include <stdlib.h>

enum { CLASSES = 4 }; /* of a status: 2xx to 5xx */

struct timed_route {
    const struct route *route; /* NULL: of all paths that there are not */
    int64_t slots[CLASSES][HISTOGRAM_SLOTS];
};

struct route_times {
    struct timed_route *routes;
    size_t n, size;
};

const struct metric_row route_times_row = {
    .name = "imc_logic_http_request_duration_seconds",
    .labels = "route=\"…\",method=\"…\",code=\"2xx\"",
    .type = METRIC_HISTOGRAM,
    .first = LE_500US,
    .last = LE_25S,
    .help = "From a whole request to the HTTP API until its answer; route other: no such path. If "
            "pushes grow, compare imc_bus_produce_seconds; if reads do, imc_redis_command_seconds "
            "and imc_rpc_batch_seconds; if all do, imc_loop_lag_seconds.",
};

struct route_times *route_times_open(void)
{
    return mem_zalloc(sizeof(struct route_times));
}

void route_times_close(struct route_times *times)
{
    if (times == NULL)
        return;
    free(times->routes);
    free(times);
}

static struct timed_route *timed_route(struct route_times *times, const struct route *route)
{
    for (size_t i = 0; i < times->n; i++) {
        if (times->routes[i].route == route)
            return &times->routes[i];
    }
    ARRAY_ROOM(times->routes, times->n, times->size, 16);
    times->routes[times->n] = (struct timed_route){.route = route};
    return &times->routes[times->n++];
}

void route_times_observe(struct route_times *times, const struct route *route, int status,
                         int64_t us)
{
    int64_t(*classes)[HISTOGRAM_SLOTS] = timed_route(times, route)->slots;
    int class = status / 100 - 2;
    int64_t *slots = classes[class < 0 ? 0 : class < CLASSES ? class : CLASSES - 1];

    slots[histogram_slot((uint64_t)us)]++;
    slots[HISTOGRAM_SUM] += us;
}

static void render_class(const struct timed_route *timed, int class, struct exposition *to)
{
    const struct route *route = timed->route;
    const int64_t *slots = timed->slots[class];
    char labels[160];
    int64_t count = 0;

    for (int i = 0; i < HISTOGRAM_SUM; i++)
        count += slots[i];
    if (count == 0)
        return;
    snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\",code=\"%dxx\"",
             route != NULL ? route->path : "other", route != NULL ? route_method(route) : "",
             class + 2);
    exposition_histogram(to, &route_times_row, labels, slots);
}

void route_times_render(const struct route_times *times, struct exposition *to)
{
    for (size_t i = 0; times != NULL && i < times->n; i++) {
        for (int class = 0; class < CLASSES; class ++)
            render_class(&times->routes[i], class, to);
    }
}
