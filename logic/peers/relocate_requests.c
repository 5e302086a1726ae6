#include "logic/peers/relocate_requests.h"
#include "logic/nodes/nodes.h"
#include "logic/peers/session_batch.h"

enum { NAMED_MOST = 3 }; /* comets that one client is told; comet tells no more either */

/* Strings of the list of comets change with the next view, and the reply may be sent later: they
 * are copied. */
static void fill(struct session_batch *sb, const Imc__V1__Relocate *in,
                 Imc__V1__RelocateResult *result)
{
    const struct member *chosen[NAMED_MOST];
    struct arena *arena = &sb->batch->arena;
    size_t n = nodes_choose_other(sb->logic->nodes, in->address, sb->in->comet, chosen, NAMED_MOST);

    char **with_tls = arena_alloc(arena, NAMED_MOST * sizeof *with_tls);
    size_t n_with_tls = 0;
    result->nodes = arena_alloc(arena, NAMED_MOST * sizeof *result->nodes);
    for (size_t i = 0; i < n; i++) {
        const char *plain = in->websocket ? chosen[i]->ws : chosen[i]->tcp;
        const char *tls = in->websocket ? chosen[i]->wss : chosen[i]->tcps;
        if (!in->tls && plain[0] != '\0')
            result->nodes[result->n_nodes++] = arena_strdup(arena, plain);
        if (tls[0] != '\0')
            with_tls[n_with_tls++] = arena_strdup(arena, tls);
    }
    *(in->websocket ? &result->wss : &result->tcps) = with_tls;
    *(in->websocket ? &result->n_wss : &result->n_tcps) = n_with_tls;
    logic_count(sb->logic, n > 0 ? LOGIC_NODES_MOVED : LOGIC_NODES_NONE, 1);
}

void relocates_start(struct session_batch *sb)
{
    struct nodes_backoff backoff;

    if (sb->in->n_relocates == 0)
        return;
    nodes_backoff(sb->logic->nodes, &backoff);
    Imc__V1__RelocateBackoff *out = arena_alloc(&sb->batch->arena, sizeof *out);
    imc__v1__relocate_backoff__init(out);
    out->max_delay_s = (uint32_t)backoff.max_delay_s;
    out->base_delay_s = (uint32_t)backoff.base_delay_s;
    out->factor = backoff.factor;
    out->jitter = backoff.jitter;
    sb->reply.backoff = out;
    for (size_t i = 0; i < sb->in->n_relocates; i++)
        fill(sb, sb->in->relocates[i], sb->reply.relocates[i]);
}
