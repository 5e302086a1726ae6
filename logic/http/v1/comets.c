/* POST /v1/comets/drain and undrain: a comet takes no more clients, and sends those that it has
 * elsewhere; or it takes clients again.
 *
 *   drain_order ─► every stream of the comet ─► its lease says so ─► {"server":"1","draining":true}
 */
#include "logic/http/v1/call.h"
#include "logic/peers/drain_orders.h"

#include <string.h>

static void on_result(struct v1_call *call, bool ends, enum drain_result result)
{
    const struct schema_value *server = schema_get(&call->body, "server");
    const struct api_refusal unknown = {API_NO_SERVER, LOGIC_REFUSED_PARAMETER, 0,
                                        "no such comet lives: /v1/cluster lists them"};
    static const char *const why[] = {
        [DRAIN_ORDER_AWAY] = "this comet has no connection to this logic",
        [DRAIN_ORDER_TIMEOUT] = "the comet has not done it in time, or has gone: repeat the call",
        [DRAIN_ORDER_CLOSED] = "this logic is shutting down",
    };

    if (result == DRAIN_ORDER_UNKNOWN) {
        v1_refuse(call, &unknown);
        return;
    }
    if (result != DRAIN_ORDER_OK) {
        v1_unavailable(call, LOGIC_REFUSED_COMET, why[result]);
        return;
    }
    FILE *out = v1_begin(call);
    fputs("{\"server\":", out);
    params_write_string(out, server->text, server->len);
    fprintf(out, ",\"draining\":%s}", ends ? "false" : "true");
    v1_end(call, 200, NULL);
}

static void on_drains(void *arg, enum drain_result result)
{
    on_result(arg, false, result);
}

static void on_undrained(void *arg, enum drain_result result)
{
    on_result(arg, true, result);
}

static void order(struct v1_call *call, bool ends)
{
    const struct schema_value *server = schema_get(&call->body, "server");

    if (!drain_order(call->logic->drain_orders, server->text, ends, ends ? on_undrained : on_drains,
                     call))
        v1_too_many_orders(call);
}

void v1_comets_drain(struct v1_call *call)
{
    order(call, false);
}

void v1_comets_undrain(struct v1_call *call)
{
    order(call, true);
}
