/* GET /goim/nodes/weighted: which comets a client may connect to, and how. GET
 * /goim/nodes/instances: all comets, as goim's discovery lists them. Both have goim v2's field
 * names; what they say comes from nodes/nodes.h. */
#include "logic/http/local_callers.h"
#include "logic/http/routes.h"
#include "logic/nodes/nodes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t NS_PER_MS = 1000000;

static void write_text(FILE *out, const char *text)
{
    params_write_string(out, text, strlen(text));
}

static void respond(struct logic *logic, struct http_request *request, FILE *out, char **body,
                    const size_t *len)
{
    fclose(out);
    api_goim_data(logic, request, *body, *len);
    free(*body);
}

/* --- weighted --- */

static void write_answer(FILE *out, const struct nodes_answer *answer)
{
    fputs("{\"domain\":", out);
    write_text(out, answer->domain);
    fprintf(out,
            ",\"tcp_port\":%d,\"ws_port\":%d,\"wss_port\":%d,\"heartbeat\":%d,"
            "\"heartbeat_max\":%d,",
            answer->tcp_port, answer->ws_port, answer->wss_port, answer->heartbeat_s,
            answer->heartbeat_max);
    if (answer->tcps_port > 0) /* goim has no such port */
        fprintf(out, "\"tcps_port\":%d,", answer->tcps_port);
    fputs("\"nodes\":[", out);
    for (size_t i = 0; i < answer->n; i++) {
        fputs(i > 0 ? "," : "", out);
        write_text(out, answer->names[i]);
    }
    if (answer->n == 0 && answer->domain[0] != '\0')
        write_text(out, answer->domain); /* so does goim: its clients look only here */
    fprintf(out, "],\"backoff\":{\"max_delay\":%d,\"base_delay\":%d,\"factor\":%g,\"jitter\":%g}}",
            answer->backoff.max_delay_s, answer->backoff.base_delay_s, answer->backoff.factor,
            answer->backoff.jitter);
}

void api_goim_nodes_weighted(struct logic *logic, struct http_request *request)
{
    struct params_error err;
    struct nodes_answer answer;
    const char *platform;
    int64_t tls = 0;
    char ip[LOCAL_CALLERS_IP_MAX], *body = NULL;
    size_t len = 0;

    if (api_query(request, "platform", &platform, &err) != 0 ||
        api_query_int64(request, "tls", 0, 1, &tls, &err) != 0) {
        api_error(logic, request, API_PARAMETER, err.text);
        return;
    }
    local_callers_client(logic->local, request, ip);
    nodes_answer(logic->nodes, platform, ip, tls == 1, &answer);
    FILE *out = open_memstream(&body, &len);
    write_answer(out, &answer);
    respond(logic, request, out, &body, &len);
}

/* --- instances --- */

static void write_field(FILE *out, const char *name, const char *text)
{
    fprintf(out, "\"%s\":", name);
    write_text(out, text);
    fputc(',', out);
}

/* The values of goim's metadata are texts. */
static void write_comet(FILE *out, const struct member *comet)
{
    char address[sizeof comet->rpc + sizeof "grpc://"];

    snprintf(address, sizeof address, "grpc://%s", comet->rpc);
    fputc('{', out);
    write_field(out, "region", comet->region);
    write_field(out, "zone", comet->zone);
    fputs("\"env\":\"\",\"appid\":\"goim.comet\",", out);
    write_field(out, "hostname", comet->host[0] != '\0' ? comet->host : comet->id);
    fputs("\"addrs\":[", out);
    write_text(out, address);
    fprintf(out, "],\"version\":\"\",\"latest_timestamp\":%" PRIu64 ",\"metadata\":{",
            member_since_ms(comet) * NS_PER_MS);
    fprintf(out, "\"weight\":\"%" PRIu32 "\",\"offline\":\"%s\",", comet->weight,
            comet->refuses_clients ? "true" : "false");
    write_field(out, "addrs", comet->ips);
    fprintf(out, "\"ip_count\":\"%" PRId64 "\",\"conn_count\":\"%" PRId64 "\"}}", comet->client_ips,
            comet->connections);
}

void api_goim_nodes_instances(struct logic *logic, struct http_request *request)
{
    const struct member_list *comets = nodes_comets(logic->nodes);
    char *body = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&body, &len);

    fputc('[', out);
    for (size_t i = 0; i < comets->n; i++) {
        fputs(i > 0 ? "," : "", out);
        write_comet(out, &comets->members[i]);
    }
    fputc(']', out);
    respond(logic, request, out, &body, &len);
}
