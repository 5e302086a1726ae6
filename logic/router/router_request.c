#include "logic/router/router_request.h"

/* The wheel that ends requests after their timeout. */
enum { TICK_MS = 10, WHEEL_SLOTS = 512 };

static void count_lookup(struct logic *logic, const struct router_answer *answer)
{
    if (answer->result == ROUTER_AWAY)
        logic_count(logic, LOGIC_LOOKUP_UNANSWERED, 1);
    else
        logic_count(logic, answer->complete ? LOGIC_LOOKUP_COMPLETE : LOGIC_LOOKUP_INCOMPLETE, 1);
}

static void request_answer(struct router_request *request, const struct router_answer *answer)
{
    router_fn fn = request->fn;
    struct router_requests *requests = request->of;

    if (wheel_is_set(&request->timer))
        wheel_cancel(requests->wheel, &request->timer);
    request->fn = NULL;
    if (request->kind == ROUTER_LOOKUP)
        count_lookup(requests->logic, answer);
    fn(request->arg, answer);
}

void router_request_finish(struct router_request *request, const struct router_answer *answer)
{
    struct slab *slab = request->of->slab;

    if (request->fn != NULL)
        request_answer(request, answer);
    slab_free(slab, request);
}

static void on_timeout(struct wheel *wheel, struct wheel_timer *timer)
{
    struct router_request *request = container_of(timer, struct router_request, timer);
    struct router_answer away = {.result = ROUTER_AWAY, .ring = request->of->ring};

    (void)wheel;
    logic_count(request->of->logic, LOGIC_ROUTER_TIMEOUT, 1);
    request_answer(request, &away);
}

struct router_request *router_request_new(struct router_requests *requests, enum router_kind kind,
                                          router_fn fn, void *arg)
{
    struct router_request *request = slab_alloc(requests->slab);

    request->of = requests;
    request->kind = kind;
    request->fn = fn;
    request->arg = arg;
    return request;
}

/* --- life --- */

void router_requests_open(struct router_requests *requests, struct logic *logic)
{
    requests->logic = logic;
    requests->wheel = wheel_open(logic->loop, TICK_MS, WHEEL_SLOTS, on_timeout);
    requests->slab = slab_open("router_request", sizeof(struct router_request));
}

void router_requests_stop(struct router_requests *requests)
{
    wheel_close(requests->wheel);
}

void router_requests_close(struct router_requests *requests)
{
    slab_close(requests->slab);
}
