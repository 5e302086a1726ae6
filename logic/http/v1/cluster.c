/* GET /v1/cluster: the daemons that live. GET /v1/nodes: which comets a client may connect to. */
#include "logic/http/local_callers.h"
#include "logic/http/v1/call.h"
#include "logic/nodes/nodes.h"
#include "logic/push/job_backlog.h"
#include "logic/push/push.h"

#include <inttypes.h>
#include <string.h>

static void print_text(FILE *out, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    fprintf(out, ",\"%s\":", name);
    params_write_string(out, text, strlen(text));
}

/* --- cluster --- */

static void print_daemon(FILE *out, const char *kind, const struct member *member)
{
    fprintf(out, "{\"kind\":\"%s\",\"since\":%" PRIu64, kind, member_since_ms(member) / 1000);
    print_text(out, "id", member->id);
    print_text(out, "region", member->region);
    print_text(out, "zone", member->zone);
    if (strcmp(kind, "comet") == 0)
        fprintf(out,
                ",\"sessions\":%" PRId64 ",\"addresses\":%" PRId64 ",\"takes_clients\":%s,"
                "\"weight\":%" PRIu32,
                member->connections, member->client_ips, member->refuses_clients ? "false" : "true",
                member->weight);
    fputc('}', out);
}

void v1_cluster(struct v1_call *call)
{
    static const char *const kinds[MEMBER_KINDS] = {
        [MEMBER_COMET] = "comet",
        [MEMBER_LOGIC] = "logic",
        [MEMBER_ROUTER] = "router",
        [MEMBER_JOB] = "job",
    };
    struct logic *logic = call->logic;
    FILE *out = v1_begin(call);
    char why[JOB_BACKLOG_WHY];
    const char *separator = "";

    fputs("{\"daemons\":[", out);
    for (size_t kind = 0; kind < MEMBER_KINDS; kind++) {
        const struct member_list *list = membership_list(logic->membership, (enum member_kind)kind);
        for (size_t i = 0; i < list->n; i++) {
            fputs(separator, out);
            print_daemon(out, kinds[kind], &list->members[i]);
            separator = ",";
        }
    }
    fprintf(out, "],\"fresh\":%s,\"version\":\"" IMC_VERSION "\"",
            membership_fresh(logic->membership) ? "true" : "false");
    bool fine = job_backlogs_verdict(logic->backlogs, why) == JOB_BACKLOG_FINE;
    fprintf(out, ",\"takes_pushes\":%s", fine ? "true" : "false");
    if (!fine)
        print_text(out, "why", why);
    fprintf(out, ",\"pending\":%zu}", push_pending(logic->lanes));
    v1_end(call, 200, NULL);
}

/* --- nodes --- */

static void print_node(FILE *out, const struct member *comet)
{
    fputs("{\"server\":", out);
    params_write_string(out, comet->id, strlen(comet->id));
    print_text(out, "tcp", comet->tcp);
    print_text(out, "ws", comet->ws);
    print_text(out, "wss", comet->wss);
    print_text(out, "region", comet->region);
    fputc('}', out);
}

void v1_nodes(struct v1_call *call)
{
    const struct logic_config *config = call->logic->config;
    const struct member *chosen[NODES_MOST];
    struct nodes_backoff backoff;
    char ip[LOCAL_CALLERS_IP_MAX];
    FILE *out = v1_begin(call);

    local_callers_client(call->logic->local, call->request, ip);
    size_t n = nodes_choose(call->logic->nodes, ip, chosen, NODES_MOST);
    nodes_backoff(call->logic->nodes, &backoff);
    fputs("{\"nodes\":[", out);
    for (size_t i = 0; i < n; i++) {
        fputs(i > 0 ? "," : "", out);
        print_node(out, chosen[i]);
    }
    fprintf(out,
            "],\"heartbeat\":%" PRId64 ",\"heartbeat_max\":%" PRId64
            ",\"backoff\":{\"max_delay\":%d,\"base_delay\":%d,\"factor\":%g,\"jitter\":%g}}",
            config->nodes_heartbeat_ms / 1000, config->nodes_heartbeat_max, backoff.max_delay_s,
            backoff.base_delay_s, backoff.factor, backoff.jitter);
    v1_end(call, 200, NULL);
}
