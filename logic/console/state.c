/* What the page asks again and again, all in one request:
 * GET /console/state?since=SLOT&daemon=KIND/ID&refusals=yes&rooms=yes. With refusals=telling only
 * those of the last minutes that say that something is not well.
 *
 * SINCE is the last slot that the page has: it gets only what came after it, which is one or two
 * columns of numbers where a page is open. Numbers of all daemons are added up here, so the answer
 * has the same length for two daemons and for five hundred, but for one line for each. */
#include "common/base/time.h"
#include "logic/console/internal.h"
#include "logic/feed/feed.h"
#include "logic/push/job_backlog.h"
#include "logic/push/push.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    SETTLED_MS = 1500, /* so long after its end all daemons have reported a slot */
    AWAY_MS = 12000,   /* a daemon that has not reported for so long does not answer */
    LINE_SLOTS = 60,   /* of each daemon, for a small line: five minutes */
};

struct state_call {
    struct logic *logic;
    FILE *out;
    uint64_t from, to; /* slots, both included; none if FROM is higher */
};

static void print_field(FILE *out, const char *name, const char *text)
{
    fprintf(out, ",\"%s\":", name);
    params_write_string(out, text, strlen(text));
}

/* --- numbers --- */

/* What all daemons have in SLOT. False: none of them has anything. */
static bool add_up(const struct console *console, uint64_t slot, int64_t sums[SERIES_COUNT])
{
    const struct reported *daemon;
    bool any = false;

    memset(sums, 0, SERIES_COUNT * sizeof *sums);
    TAILQ_FOREACH(daemon, &console->reported.daemons, link) {
        const struct series_sample *sample = series_at(&daemon->series, slot);
        for (size_t i = 0; sample != NULL && i < SERIES_COUNT; i++) {
            if (series_kind_of((enum series_id)i) != SERIES_MOST)
                sums[i] += sample->values[i];
            else if (sums[i] < sample->values[i])
                sums[i] = sample->values[i];
        }
        any = any || sample != NULL;
    }
    return any;
}

static void print_values(FILE *out, const int64_t *values)
{
    for (size_t i = 0; i < SERIES_COUNT; i++)
        fprintf(out, "%s%" PRId64, i > 0 ? "," : "[", values[i]);
    fputc(']', out);
}

/* A row per slot; null: nobody was there. */
static void print_totals(const struct state_call *call)
{
    int64_t sums[SERIES_COUNT];

    fprintf(call->out, ",\"from\":%" PRIu64 ",\"rows\":[", call->from);
    for (uint64_t slot = call->from; slot <= call->to; slot++) {
        if (slot > call->from)
            fputc(',', call->out);
        if (add_up(call->logic->console, slot, sums))
            print_values(call->out, sums);
        else
            fputs("null", call->out);
    }
    fputc(']', call->out);
}

static void print_own_rows(const struct state_call *call, const struct series *series)
{
    fputs(",\"rows\":[", call->out);
    for (uint64_t slot = call->from; slot <= call->to; slot++) {
        const struct series_sample *sample = series_at(series, slot);
        if (slot > call->from)
            fputc(',', call->out);
        if (sample != NULL)
            print_values(call->out, sample->values);
        else
            fputs("null", call->out);
    }
    fputc(']', call->out);
}

/* --- daemons --- */

/* The most telling number of a daemon of its kind. */
static enum series_id line_of(enum member_kind kind)
{
    return kind == MEMBER_COMET   ? SERIES_DELIVERIES
           : kind == MEMBER_LOGIC ? SERIES_PUSHES
                                  : SERIES_REQUESTS;
}

static void print_line(const struct state_call *call, const struct reported *daemon)
{
    enum series_id id = line_of(daemon->kind);
    uint64_t from = call->to >= LINE_SLOTS ? call->to - LINE_SLOTS + 1 : 1;

    fputs(",\"line\":[", call->out);
    for (uint64_t slot = from; slot <= call->to; slot++) {
        const struct series_sample *sample = series_at(&daemon->series, slot);
        fputs(slot > from ? "," : "", call->out);
        if (sample != NULL)
            fprintf(call->out, "%" PRId64, sample->values[id]);
        else
            fputs("null", call->out);
    }
    fputc(']', call->out);
}

static void print_member(FILE *out, const struct member *member, enum member_kind kind)
{
    if (member->region[0] != '\0')
        print_field(out, "region", member->region);
    if (member->zone[0] != '\0')
        print_field(out, "zone", member->zone);
    if (member->rpc[0] != '\0')
        print_field(out, "address", member->rpc);
    if (kind == MEMBER_COMET)
        fprintf(out, ",\"takes_clients\":%s,\"clients\":%" PRId64 ",\"weight\":%" PRIu32,
                member->refuses_clients ? "false" : "true", member->connections, member->weight);
}

static void print_certificates(FILE *out, const struct reported *daemon)
{
    if (daemon->n_certificates == 0)
        return;
    fputs(",\"certificates\":[", out);
    for (size_t i = 0; i < daemon->n_certificates; i++) {
        fprintf(out, "%s{\"expires\":%" PRId64, i > 0 ? "," : "",
                daemon->certificates[i].expires_s);
        print_field(out, "file", daemon->certificates[i].file);
        fputc('}', out);
    }
    fputc(']', out);
}

static void print_reported(const struct state_call *call, const struct reported *daemon)
{
    FILE *out = call->out;
    uint64_t now = loop_now_ms(call->logic->loop);
    const struct series_sample *sample = series_at(&daemon->series, daemon->series.last);
    bool away = daemon->gone_ms != 0 || (!daemon->is_self && now - daemon->heard_ms > AWAY_MS);

    fprintf(out,
            ",\"heard_ms\":%" PRIu64 ",\"away\":%s,\"gone\":%s,\"started\":%" PRIu64
            ",\"memory_limit\":%" PRIu64,
            daemon->is_self ? 0 : now - daemon->heard_ms, away ? "true" : "false",
            daemon->gone_ms != 0 ? "true" : "false", daemon->started_s, daemon->memory_limit);
    print_field(out, "version", daemon->version);
    print_field(out, "ready", daemon->ready);
    print_certificates(out, daemon);
    if (sample != NULL) {
        fputs(",\"now\":", out);
        print_values(out, sample->values);
    }
    print_line(call, daemon);
}

/* MEMBER or DAEMON may be NULL, not both. */
static void print_daemon(const struct state_call *call, enum member_kind kind,
                         const struct member *member, const struct reported *daemon)
{
    const char *id = member != NULL ? member->id : daemon->id;

    fprintf(call->out, "{\"kind\":\"%s\"", member_kind_name(kind));
    print_field(call->out, "id", id);
    if (member != NULL)
        print_member(call->out, member, kind);
    if (daemon != NULL)
        print_reported(call, daemon);
    fputc('}', call->out);
}

static void print_daemons(const struct state_call *call)
{
    const struct logic *logic = call->logic;
    const struct reported *daemon;
    const char *between = "";

    fputs(",\"daemons\":[", call->out);
    for (int kind = 0; kind < MEMBER_KINDS; kind++) {
        const struct member_list *list = membership_list(logic->membership, (enum member_kind)kind);
        for (size_t i = 0; i < list->n && i < REPORTED_MOST; i++) {
            fputs(between, call->out);
            between = ",";
            print_daemon(call, (enum member_kind)kind, &list->members[i],
                         reported_find(&logic->console->reported, (enum member_kind)kind,
                                       list->members[i].id));
        }
    }
    TAILQ_FOREACH(daemon, &logic->console->reported.daemons, link) {
        if (daemon->gone_ms == 0)
            continue;
        fputs(between, call->out);
        between = ",";
        print_daemon(call, daemon->kind, NULL, daemon);
    }
    fputc(']', call->out);
}

/* --- one daemon, refusals --- */

static const struct reported *daemon_named(const struct logic *logic, const char *name)
{
    const char *slash = name != NULL ? strchr(name, '/') : NULL;
    char kind[16];

    if (slash == NULL || (size_t)(slash - name) >= sizeof kind)
        return NULL;
    memcpy(kind, name, (size_t)(slash - name));
    kind[slash - name] = '\0';
    enum member_kind found = member_kind_of(kind);
    return found != MEMBER_KINDS ? reported_find(&logic->console->reported, found, slash + 1)
                                 : NULL;
}

static void print_settings(FILE *out, const struct reported *daemon)
{
    fputs(",\"settings\":[", out);
    for (size_t i = 0; i < daemon->n_settings; i++) {
        const struct reported_setting *setting = &daemon->settings[i];
        fprintf(out, "%s{\"changed\":%s", i > 0 ? "," : "", setting->changed ? "true" : "false");
        print_field(out, "name", setting->name);
        print_field(out, "value", setting->value);
        print_field(out, "default", setting->init);
        fputc('}', out);
    }
    fputc(']', out);
}

static void print_detail(const struct state_call *call, const struct reported *daemon)
{
    fprintf(call->out, ",\"daemon\":{\"kind\":\"%s\"", member_kind_name(daemon->kind));
    print_field(call->out, "id", daemon->id);
    print_own_rows(call, &daemon->series);
    print_settings(call->out, daemon);
    fputc('}', call->out);
}

/* How often it was lately, as far as it is known: what a daemon that is silent said is over. */
static uint64_t lately_of(const struct state_call *call, const struct reported *daemon,
                          const struct reported_refusal *refusal)
{
    uint64_t silent_ms = loop_now_ms(call->logic->loop) - daemon->heard_ms;

    return daemon->is_self || silent_ms < SERIES_LATELY_S * 1000 ? refusal->lately : 0;
}

/* Does it say that something is not well, or that a caller goes wrong? */
static bool is_telling(const struct reported_refusal *refusal)
{
    static const char *const names[] = {
        "imc_comet_kicked_total{reason=\"too_slow\"}",
        "imc_comet_kicked_total{reason=\"unavailable\"}",
        "imc_logic_refused_total{reason=\"key\"}",
    };

    if (refusal->key[0] != '\0')
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(refusal->name, names[i]) == 0)
            return true;
    }
    return false;
}

static void print_refusal(FILE *out, const struct reported *daemon,
                          const struct reported_refusal *refusal, uint64_t lately)
{
    fprintf(out, "{\"total\":%" PRIu64 ",\"lately\":%" PRIu64, refusal->total, lately);
    print_field(out, "name", refusal->name);
    if (refusal->key[0] != '\0')
        print_field(out, "key", refusal->key);
    print_field(out, "kind", member_kind_name(daemon->kind));
    print_field(out, "id", daemon->id);
    fputc('}', out);
}

static void print_refusals(const struct state_call *call, bool all)
{
    const struct reported *daemon;
    const char *between = "";

    fprintf(call->out, ",\"lately_s\":%d,\"refusals\":[", SERIES_LATELY_S);
    TAILQ_FOREACH(daemon, &call->logic->console->reported.daemons, link) {
        for (size_t i = 0; i < daemon->n_refusals; i++) {
            const struct reported_refusal *refusal = &daemon->refusals[i];
            uint64_t lately = lately_of(call, daemon, refusal);
            if (!all && (lately == 0 || !is_telling(refusal)))
                continue;
            fputs(between, call->out);
            between = ",";
            print_refusal(call->out, daemon, refusal, lately);
        }
    }
    fputc(']', call->out);
}

/* The pushes of each logic to its rooms: the page adds up those of a room. FULL: the logic has told
 * only those that are pushed to most. */
static void print_rooms(const struct state_call *call)
{
    const struct reported *daemon;
    const char *between = "";

    fputs(",\"rooms\":[", call->out);
    TAILQ_FOREACH(daemon, &call->logic->console->reported.daemons, link) {
        if (daemon->kind != MEMBER_LOGIC || daemon->gone_ms != 0)
            continue;
        fprintf(call->out, "%s{\"full\":%s", between,
                daemon->n_rooms == REPORTED_ROOMS ? "true" : "false");
        print_field(call->out, "id", daemon->id);
        fputs(",\"rooms\":[", call->out);
        for (size_t i = 0; i < daemon->n_rooms; i++) {
            fprintf(call->out, "%s{\"pushes\":%" PRIu64, i > 0 ? "," : "", daemon->rooms[i].pushes);
            print_field(call->out, "room", daemon->rooms[i].name);
            fputc('}', call->out);
        }
        fputs("]}", call->out);
        between = ",";
    }
    fputc(']', call->out);
}

/* --- the call --- */

static void take_own(Imc__V1__ReportBatch *batch, void *arg)
{
    struct logic *logic = arg;
    struct reported *own = reported_take(&logic->console->reported, MEMBER_LOGIC, batch,
                                         loop_now_ms(logic->loop), series_slot(time_unix_ms()));

    if (own != NULL)
        own->is_self = true;
}

static void look_at_own(struct logic *logic)
{
    uint64_t settings = daemon_settings_version(logic->daemon);
    const struct member *self = membership_self(logic->membership);
    const struct reported *own = reported_find(&logic->console->reported, MEMBER_LOGIC, self->id);

    daemon_report(logic->daemon, own != NULL ? own->series.last : 0,
                  own == NULL || settings != logic->console->own_settings, take_own, logic);
    logic->console->own_settings = settings;
}

static void print_series(FILE *out)
{
    static const char *const kinds[] = {
        [SERIES_SUM] = "sum", [SERIES_COUNT_OF] = "count", [SERIES_MOST] = "most"};

    fputs(",\"series\":[", out);
    for (size_t i = 0; i < SERIES_COUNT; i++)
        fprintf(out, "%s{\"name\":\"%s\",\"kind\":\"%s\"}", i > 0 ? "," : "",
                series_name((enum series_id)i), kinds[series_kind_of((enum series_id)i)]);
    fputc(']', out);
}

static void print_cluster(const struct state_call *call)
{
    const struct logic *logic = call->logic;
    char why[JOB_BACKLOG_WHY];
    bool fine = job_backlogs_verdict(logic->backlogs, why) == JOB_BACKLOG_FINE;

    fprintf(call->out,
            "{\"now_ms\":%" PRIu64 ",\"step_ms\":%d,\"slots\":%d,\"slot\":%" PRIu64
            ",\"fresh\":%s,\"takes_pushes\":%s,\"events\":%s",
            time_unix_ms(), SERIES_STEP_MS, SERIES_SLOTS, call->to,
            membership_fresh(logic->membership) ? "true" : "false", fine ? "true" : "false",
            feed_topic(logic->feed)[0] != '\0' ? "true" : "false");
    print_field(call->out, "why", fine ? "" : why);
    print_field(call->out, "logic", membership_self(logic->membership)->id);
    print_field(call->out, "version", IMC_VERSION);
    print_series(call->out);
}

static void print_state(const struct state_call *call, struct http_request *request)
{
    const struct reported *daemon = daemon_named(call->logic, http_query(request, "daemon", 0));
    const char *refusals = http_query(request, "refusals", 0);

    print_cluster(call);
    print_totals(call);
    print_daemons(call);
    if (daemon != NULL)
        print_detail(call, daemon);
    if (refusals != NULL)
        print_refusals(call, strcmp(refusals, "telling") != 0);
    if (http_query(request, "rooms", 0) != NULL)
        print_rooms(call);
    fputs("}\n", call->out);
}

void console_state(struct logic *logic, struct http_request *request)
{
    struct state_call call = {.logic = logic};
    struct params_error err;
    int64_t since = 0;
    char *text = NULL;
    size_t len = 0;

    if (api_query_int64(request, "since", 0, INT64_MAX, &since, &err) != 0) {
        api_error(logic, request, API_PARAMETER, err.text);
        return;
    }
    call.to = series_slot(time_unix_ms() - SETTLED_MS);
    call.from = call.to - SERIES_SLOTS + 1;
    if ((uint64_t)since >= call.from)
        call.from = (uint64_t)since < call.to ? (uint64_t)since + 1 : call.to + 1;
    look_at_own(logic);
    reported_compare(&logic->console->reported, logic->membership, loop_now_ms(logic->loop));
    call.out = open_memstream(&text, &len);
    if (call.out == NULL) {
        api_unavailable(logic, request, LOGIC_REFUSED_MEMORY, "out of memory");
        return;
    }
    print_state(&call, request);
    fclose(call.out);
    console_answer(logic, request, text, len, NULL);
    free(text);
}
