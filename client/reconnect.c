#include "client/reconnect.h"
#include "common/protocol/ops.h"

#include <stdio.h>
#include <string.h>

/* Until a server says how to wait. A server's figures are held within bounds. */
static const double BASE_S = 1, MAX_S = 60, FACTOR = 1.8, JITTER = 0.3;
static const double BASE_MOST_S = 60, MAX_MOST_S = 3600, FACTOR_MOST = 10;

void reconnect_init(struct reconnect *reconnect, const char *home, const char *list)
{
    *reconnect = (struct reconnect){
        .home = home,
        .list = list,
        .base_delay = BASE_S,
        .max_delay = MAX_S,
        .factor = FACTOR,
        .jitter = JITTER,
    };
}

static void take_nodes(struct reconnect *reconnect, const json_t *list)
{
    reconnect->n_nodes = reconnect->next = 0;
    for (size_t i = 0; i < json_array_size(list) && reconnect->n_nodes < RECONNECT_NODES; i++) {
        const char *node = json_string_value(json_array_get(list, i));
        if (node != NULL && node[0] != '\0' && strlen(node) < RECONNECT_ADDRESS)
            snprintf(reconnect->nodes[reconnect->n_nodes++], RECONNECT_ADDRESS, "%s", node);
    }
}

static void take_number(const json_t *object, const char *name, double least, double most,
                        double *to)
{
    const json_t *value = json_object_get(object, name);

    if (json_is_number(value) && json_number_value(value) >= least)
        *to = json_number_value(value) < most ? json_number_value(value) : most;
}

void reconnect_take(struct reconnect *reconnect, const json_t *body)
{
    const json_t *backoff = json_object_get(body, "backoff");

    take_nodes(reconnect, json_object_get(body, reconnect->list));
    take_number(backoff, "base_delay", 0.1, BASE_MOST_S, &reconnect->base_delay);
    take_number(backoff, "max_delay", 0.1, MAX_MOST_S, &reconnect->max_delay);
    take_number(backoff, "factor", 1, FACTOR_MOST, &reconnect->factor);
    take_number(backoff, "jitter", 0, 1, &reconnect->jitter);
}

bool reconnect_helps(int64_t code)
{
    return code == CLOSE_HANDSHAKE_TIMEOUT || code == CLOSE_TOO_SLOW || code == CLOSE_GOING_AWAY ||
           code == CLOSE_HEARTBEAT_MISSED || code == CLOSE_UNAVAILABLE;
}

const char *reconnect_next(struct reconnect *reconnect)
{
    reconnect->tries++;
    if (reconnect->next < reconnect->n_nodes)
        return reconnect->nodes[reconnect->next++];
    return reconnect->home;
}

int64_t reconnect_pause_ms(const struct reconnect *reconnect, double random)
{
    double seconds = reconnect->base_delay;

    if (reconnect->tries == 0) /* so that those who were told together do not come together */
        return (int64_t)(random * 1000);
    for (int i = 1; i < reconnect->tries && seconds < reconnect->max_delay; i++)
        seconds *= reconnect->factor;
    if (seconds > reconnect->max_delay)
        seconds = reconnect->max_delay;
    return (int64_t)(seconds * (1 + reconnect->jitter * (2 * random - 1)) * 1000);
}

void reconnect_succeeded(struct reconnect *reconnect)
{
    reconnect->tries = 0;
    reconnect->n_nodes = reconnect->next = 0;
}
