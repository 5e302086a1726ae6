#include "common/daemon/report.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/daemon/internal.h"
#include "common/daemon/metering.h"
#include "common/protocol/unpack.h"
#include "common/rpc/pipe.h"
#include "common/tls/tls.h"
#include "proto/session.pb-c.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWER_MS = 10000 };

/* A logic. */
struct report_peer {
    LIST_ENTRY(report_peer) link;
    struct reports *reports;
    struct member member; /* as membership has it */
    struct pipe *pipe;    /* NULL: it wants no reports */
    uint64_t sent, taken; /* slots: up to these the logic was sent, and has answered, samples */
    bool due;
    bool seen; /* still in the list, while this is compared */
    /* daemon_settings_version() of the settings that it was sent, and has. 0: none */
    uint64_t settings_sent, settings_taken;
};

struct reports {
    struct daemon *daemon;
    struct series series;
    struct metering metering;
    LIST_HEAD(, report_peer) peers;
};

static struct report_peer *peer_of(struct reports *reports, const struct member *member)
{
    struct report_peer *peer;

    LIST_FOREACH(peer, &reports->peers, link) {
        if (strcmp(peer->member.id, member->id) == 0)
            return peer;
    }
    return NULL;
}

/* --- a report --- */

static void add_samples(const struct reports *reports, uint64_t after, Imc__V1__ReportBatch *batch,
                        struct arena *arena)
{
    const struct series_sample *sample;
    Imc__V1__ReportSample **list = arena_alloc(arena, SERIES_SLOTS * sizeof(void *));

    batch->samples = list;
    while ((sample = series_after(&reports->series, after)) != NULL) {
        Imc__V1__ReportSample *out = arena_alloc(arena, sizeof *out);
        imc__v1__report_sample__init(out);
        out->slot = after = sample->slot;
        out->n_values = SERIES_COUNT;
        out->values = arena_alloc(arena, sizeof sample->values);
        memcpy(out->values, sample->values, sizeof sample->values);
        list[batch->n_samples++] = out;
    }
}

static char *text_of(struct arena *arena, const char *text)
{
    size_t len = strlen(text) + 1;

    return memcpy(arena_alloc(arena, len), text, len);
}

/* What WRITE writes. */
static char *written(struct daemon *daemon, struct arena *arena,
                     void (*write)(struct daemon *daemon, FILE *out))
{
    char *text = NULL, *copy;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        return text_of(arena, "");
    write(daemon, out);
    fclose(out);
    copy = text_of(arena, text);
    free(text);
    return copy;
}

static void write_ready(struct daemon *daemon, FILE *out)
{
    (void)daemon_render_ready(daemon, USE_ALL, out);
}

enum { SETTINGS_MAX = 512 };

struct settings {
    Imc__V1__ReportBatch *batch;
    struct arena *arena;
};

static void add_setting(const struct config_shown *shown, void *arg)
{
    const struct settings *settings = arg;
    Imc__V1__ReportBatch *batch = settings->batch;
    size_t len = strlen(shown->section) + strlen(shown->key) + sizeof ".";

    if (batch->n_settings == SETTINGS_MAX)
        return;
    Imc__V1__ReportSetting *out = arena_alloc(settings->arena, sizeof *out);
    imc__v1__report_setting__init(out);
    out->name = arena_alloc(settings->arena, len);
    snprintf(out->name, len, "%s.%s", shown->section, shown->key);
    out->value = text_of(settings->arena, shown->value);
    out->init = text_of(settings->arena, shown->init);
    out->changed = shown->changed;
    batch->settings[batch->n_settings++] = out;
}

static void add_settings(const struct daemon *daemon, Imc__V1__ReportBatch *batch,
                         struct arena *arena)
{
    struct settings settings = {batch, arena};

    batch->settings = arena_alloc(arena, SETTINGS_MAX * sizeof(void *));
    config_show(daemon->internal->tables, daemon->config, add_setting, &settings);
}

/* --- certificates --- */

static int by_expiry(const void *left, const void *right)
{
    const Imc__V1__ReportCertificate *const *a = left, *const *b = right;

    return ((*a)->expires_s > (*b)->expires_s) - ((*a)->expires_s < (*b)->expires_s);
}

static void count_certificate(const char *file, int64_t expires, void *n)
{
    (void)file, (void)expires;
    ++*(size_t *)n;
}

struct certificates {
    Imc__V1__ReportBatch *batch;
    struct arena *arena;
};

static void add_certificate(const char *file, int64_t expires, void *arg)
{
    const struct certificates *to = arg;
    Imc__V1__ReportCertificate *out = arena_alloc(to->arena, sizeof *out);

    imc__v1__report_certificate__init(out);
    out->file = text_of(to->arena, file);
    out->expires_s = expires;
    to->batch->certificates[to->batch->n_certificates++] = out;
}

static void add_certificates(const struct daemon *daemon, Imc__V1__ReportBatch *batch,
                             struct arena *arena)
{
    const struct tls *const all[] = {daemon->tls, daemon->internal->redis_tls};
    struct certificates to = {batch, arena};
    size_t n = 0;

    tls_certificates_each(all, 2, count_certificate, &n);
    if (n == 0)
        return;
    batch->certificates = arena_alloc(arena, n * sizeof(void *));
    tls_certificates_each(all, 2, add_certificate, &to);
    qsort(batch->certificates, n, sizeof(void *), by_expiry);
    if (batch->n_certificates > REPORT_CERTIFICATES)
        batch->n_certificates = REPORT_CERTIFICATES;
}

void reports_make(struct reports *reports, uint64_t after, bool config,
                  void (*fn)(Imc__V1__ReportBatch *batch, void *arg), void *arg)
{
    struct daemon *daemon = reports->daemon;
    const struct member *self = membership_self(daemon->internal->membership);
    Imc__V1__ReportBatch batch;
    struct arena arena;

    arena_init(&arena);
    imc__v1__report_batch__init(&batch);
    batch.kind = text_of(&arena, daemon->spec->name);
    batch.id = text_of(&arena, self->id);
    batch.epoch = self->epoch;
    batch.version = text_of(&arena, IMC_VERSION);
    batch.started_s = daemon->internal->started_unix_us / 1000000;
    batch.memory_limit = daemon->internal->memory.budget;
    batch.ready = written(daemon, &arena, write_ready);
    if (config)
        add_settings(daemon, &batch, &arena);
    add_samples(reports, after, &batch, &arena);
    add_certificates(daemon, &batch, &arena);
    metering_refusals(&reports->metering, &batch, &arena);
    if (daemon->spec->report != NULL)
        daemon->spec->report(daemon, &batch, &arena);
    fn(&batch, arg);
    arena_free(&arena);
}

/* --- to a logic --- */

struct report_packing {
    uint64_t seq;
    struct msg *msg;
};

static void pack(Imc__V1__ReportBatch *batch, void *arg)
{
    struct report_packing *packing = arg;

    batch->seq = packing->seq;
    packing->msg = msg_pack(&batch->base);
}

static struct msg *report_fill(struct pipe *pipe, void *arg, uint64_t seq, void **out)
{
    struct report_peer *peer = arg;
    struct report_packing packing = {.seq = seq};

    uint64_t settings = daemon_settings_version(peer->reports->daemon);

    (void)pipe;
    *out = NULL;
    if (!peer->due)
        return NULL;
    peer->due = false;
    reports_make(peer->reports, peer->taken, settings != peer->settings_taken, pack, &packing);
    peer->settings_sent = settings;
    peer->sent = peer->reports->series.last;
    return packing.msg;
}

/* rpc thread. */
static void *report_decode(struct msg *msg)
{
    return decoded_new(&imc__v1__report_reply__descriptor, msg, "logic");
}

static void report_answered(struct pipe *pipe, void *arg, void *batch, void *reply)
{
    struct report_peer *peer = arg;
    const struct decoded *decoded = reply;
    const Imc__V1__ReportReply *message = (const Imc__V1__ReportReply *)decoded->message;

    (void)batch;
    peer->taken = message->anew ? 0 : peer->sent;
    peer->settings_taken = message->anew ? 0 : peer->settings_sent;
    if (message->unwanted) {
        pipe_close(pipe);
        peer->pipe = NULL;
    }
    decoded_free(reply);
}

/* The logic may have begun anew, and have nothing. */
static void forget(struct report_peer *peer)
{
    peer->taken = 0;
    peer->settings_taken = 0;
    peer->due = true;
}

static void report_failed(struct pipe *pipe, void *arg, void *batch)
{
    (void)pipe;
    (void)batch;
    forget(arg);
}

static void report_state(struct pipe *pipe, void *arg, bool up, const char *why)
{
    struct report_peer *peer = arg;

    (void)pipe;
    if (up)
        return;
    log_debug("no reports to logic", "logic=%s err=\"%s\"", peer->member.id, why);
    forget(peer);
}

static const struct pipe_ops report_ops = {.fill = report_fill,
                                           .decode = report_decode,
                                           .answered = report_answered,
                                           .failed = report_failed,
                                           .state = report_state,
                                           .drop = decoded_free};

static void peer_connect(struct report_peer *peer)
{
    const struct pipe_options options = {.path = "/imc.v1.Logic/Report",
                                         .window = 1,
                                         .timeout_ms = ANSWER_MS,
                                         .to = member_name(&peer->member)};
    struct daemon *daemon = peer->reports->daemon;

    forget(peer);
    peer->pipe =
        pipe_open(&daemon->loop, daemon->rpc, peer->member.rpc, &options, &report_ops, peer);
    pipe_kick(peer->pipe);
}

static void peer_disconnect(struct report_peer *peer)
{
    if (peer->pipe != NULL)
        pipe_close(peer->pipe);
    peer->pipe = NULL;
}

static void peer_see(struct reports *reports, const struct member *member)
{
    struct report_peer *peer = peer_of(reports, member);

    if (peer == NULL) {
        peer = mem_zalloc(sizeof *peer);
        peer->reports = reports;
        LIST_INSERT_HEAD(&reports->peers, peer, link);
    }
    bool same = peer->member.epoch == member->epoch && strcmp(peer->member.rpc, member->rpc) == 0;
    peer->member = *member;
    peer->seen = true;
    if (same)
        return;
    peer_disconnect(peer);
    peer_connect(peer);
}

static void peer_close(struct report_peer *peer)
{
    LIST_REMOVE(peer, link);
    peer_disconnect(peer);
    free(peer);
}

void reports_update(struct reports *reports)
{
    const struct daemon_internal *in = reports->daemon->internal;
    const struct member_list *list = membership_list(in->membership, MEMBER_LOGIC);
    const struct member *self = membership_self(in->membership);
    bool is_logic = reports->daemon->spec->kind == MEMBER_LOGIC;
    struct report_peer *peer, *next;

    LIST_FOREACH(peer, &reports->peers, link)
        peer->seen = false;
    for (size_t i = 0; i < list->n; i++) {
        if (!is_logic || strcmp(list->members[i].id, self->id) != 0)
            peer_see(reports, &list->members[i]);
    }
    for (peer = LIST_FIRST(&reports->peers); peer != NULL; peer = next) {
        next = LIST_NEXT(peer, link);
        if (!peer->seen)
            peer_close(peer);
    }
}

/* --- life --- */

void reports_tell(struct reports *reports)
{
    struct report_peer *peer;

    LIST_FOREACH(peer, &reports->peers, link) {
        peer->due = true;
        if (peer->pipe != NULL)
            pipe_kick(peer->pipe);
    }
}

bool reports_look(struct reports *reports)
{
    struct series_sample sample;

    if (!metering_look(&reports->metering, time_unix_ms(), &sample))
        return false;
    series_put(&reports->series, &sample);
    reports_tell(reports);
    return true;
}

void reports_took(struct reports *reports, uint64_t us)
{
    metering_took(&reports->metering, us);
}

const struct series *reports_series(const struct reports *reports)
{
    return &reports->series;
}

struct reports *reports_open(struct daemon *daemon)
{
    struct reports *reports = mem_zalloc(sizeof *reports);

    reports->daemon = daemon;
    LIST_INIT(&reports->peers);
    metering_init(&reports->metering, daemon);
    return reports;
}

void reports_close(struct reports *reports)
{
    struct report_peer *peer, *next;

    if (reports == NULL)
        return;
    for (peer = LIST_FIRST(&reports->peers); peer != NULL; peer = next) {
        next = LIST_NEXT(peer, link);
        peer_close(peer);
    }
    metering_end(&reports->metering);
    free(reports);
}
