/* GET /v1/cluster: the daemons that live, and those that lived lately. GET /v1/nodes: which comets
 * a client may connect to. */
#include "logic/http/local_callers.h"
#include "logic/http/v1/call.h"
#include "logic/http/v1/session_print.h"
#include "logic/nodes/nodes.h"
#include "logic/push/job_backlog.h"
#include "logic/push/push.h"

#include <inttypes.h>
#include <string.h>

/* --- cluster --- */

/* How far JOB is behind, as it has said last. */
static void print_lag(FILE *out, const struct logic *logic, const char *job)
{
    struct job_backlog_report report;

    if (!job_backlogs_of(logic->backlogs, job, &report))
        return;
    fprintf(out, ",\"lag_ms\":%" PRIu32 ",\"store_used\":%g,\"stalled\":%s", report.lag_ms,
            report.used_permille / 1000.0, report.stalled ? "true" : "false");
    if (report.stalled)
        v1_print_name(out, "why", report.why);
}

static void print_daemon(FILE *out, const struct logic *logic, enum member_kind kind,
                         const struct member *member)
{
    fprintf(out, "{\"kind\":\"%s\",\"since\":%" PRIu64, member_kind_name(kind),
            member_since_ms(member) / 1000);
    v1_print_name(out, "id", member->id);
    v1_print_name(out, "region", member->region);
    v1_print_name(out, "zone", member->zone);
    v1_print_name(out, "version", member->version);
    if (member->version[0] != '\0') /* an earlier one does not say whether it is ready */
        fprintf(out, ",\"ready\":%s", member->unready[0] == '\0' ? "true" : "false");
    v1_print_name(out, "lacks", member->unready);
    if (kind == MEMBER_JOB)
        print_lag(out, logic, member->id);
    if (kind == MEMBER_COMET)
        fprintf(out,
                ",\"sessions\":%" PRId64 ",\"addresses\":%" PRId64 ",\"takes_clients\":%s,"
                "\"draining\":%s,\"weight\":%" PRIu32,
                member->connections, member->client_ips, member->refuses_clients ? "false" : "true",
                member->draining ? "true" : "false", member->weight);
    fputc('}', out);
}

static void print_gone(FILE *out, const struct former_member *member)
{
    fprintf(out, "{\"kind\":\"%s\",\"gone\":%" PRIu64, member_kind_name(member->kind),
            member->gone_ms / 1000);
    v1_print_name(out, "id", member->id);
    fputc('}', out);
}

void v1_cluster(struct v1_call *call)
{
    struct logic *logic = call->logic;
    FILE *out = v1_begin(call);
    char why[JOB_BACKLOG_WHY];
    const char *separator = "";

    fputs("{\"daemons\":[", out);
    for (size_t kind = 0; kind < MEMBER_KINDS; kind++) {
        const struct member_list *list = membership_list(logic->membership, (enum member_kind)kind);
        for (size_t i = 0; i < list->n; i++) {
            fputs(separator, out);
            print_daemon(out, logic, (enum member_kind)kind, &list->members[i]);
            separator = ",";
        }
    }
    fputs("],\"gone\":[", out);
    former_members_age(&logic->former, logic_now_ms(logic));
    for (size_t i = 0; i < logic->former.n; i++) {
        fputs(i > 0 ? "," : "", out);
        print_gone(out, &logic->former.gone[i]);
    }
    fprintf(out, "],\"fresh\":%s,\"version\":\"" IMC_VERSION "\"",
            membership_fresh(logic->membership) ? "true" : "false");
    bool fine = job_backlogs_verdict(logic->backlogs, why) == JOB_BACKLOG_FINE;
    fprintf(out, ",\"takes_pushes\":%s", fine ? "true" : "false");
    if (!fine)
        v1_print_name(out, "why", why);
    fprintf(out, ",\"pending\":%zu}", push_pending(logic->lanes));
    v1_end(call, 200, NULL);
}

/* --- nodes --- */

static void print_node(FILE *out, const struct member *comet)
{
    fputs("{\"server\":", out);
    params_write_string(out, comet->id, strlen(comet->id));
    v1_print_name(out, "tcp", comet->tcp);
    v1_print_name(out, "tcps", comet->tcps);
    v1_print_name(out, "ws", comet->ws);
    v1_print_name(out, "wss", comet->wss);
    v1_print_name(out, "region", comet->region);
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
