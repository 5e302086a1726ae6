#include "common/base/log.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include "common/daemon/report.h"
#include "common/tls/tls.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fill(char *field, size_t len, const char *value)
{
    if (field[0] == '\0')
        snprintf(field, len, "%s", value);
}

static void fill_self(struct daemon *daemon, struct member *self)
{
    const struct daemon_config *config = daemon->config;
    char id[sizeof(self->id)], home[sizeof(self->rpc)];
    daemon_own_name(daemon, '-', id, sizeof(id));
    daemon_own_name(daemon, ':', home, sizeof(home));
    fill(self->id, sizeof(self->id), config->lease_id[0] != '\0' ? config->lease_id : id);
    fill(self->rpc, sizeof(self->rpc), daemon_advertised(daemon));
    fill(self->rpc, sizeof(self->rpc),
         home); /* nobody connects to it, but the others recognise a restart by it */
    fill(self->region, sizeof(self->region), config->lease_region);
    fill(self->zone, sizeof(self->zone), config->lease_zone);
    fill(self->version, sizeof(self->version), IMC_VERSION);
    if (self->weight == 0)
        self->weight = (uint32_t)config->lease_weight;
}

static void on_changed(struct membership *membership, enum member_kind kind, void *arg)
{
    struct daemon_internal *in = ((struct daemon *)arg)->internal;
    in->membership = membership; /* it may tell before membership_open() returns */
    if (kind == MEMBER_LOGIC)
        reports_update(in->reports);
    if (in->events.changed != NULL && (in->watched & 1U << kind) != 0)
        in->events.changed(membership, kind, in->events_arg);
}

static void on_held(struct membership *membership, bool lost, void *arg)
{
    struct daemon *daemon = arg;
    struct daemon_internal *in = daemon->internal;
    const struct member *self = membership_self(membership);
    rpc_be(daemon->rpc, self->id, self->epoch);
    if (in->events.held != NULL)
        in->events.held(membership, lost, in->events_arg);
}

static const struct membership_events own_events = {.changed = on_changed, .held = on_held};

static int open_tls(struct daemon *daemon, struct tls_client **tls)
{
    const struct tls_client_options options = {.name = "members", .alpn = "http/1.1"};
    char err[TLS_ERROR_MAX];
    int rc = tls_client_open(daemon->tls, &options, tls, err, sizeof(err));
    if (rc != 0)
        log_error("cannot ask members.static over TLS", "%s", err);
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): for its parameters see daemon.h */
int daemon_join(struct daemon *daemon, struct member *self, unsigned watch,
                const struct membership_events *events, void *arg, struct redis **redis,
                struct membership **membership)
{
    loop_assert_owner(&daemon->loop);
    const struct daemon_config *config = daemon->config;
    struct daemon_internal *in = daemon->internal;
    fill_self(daemon, self);
    daemon_ready(daemon, "lease", false, "connecting");
    int err = daemon_redis_open(daemon);
    if (err != 0)
        return err;
    struct tls_client *tls = NULL;
    if (config->members_tls && open_tls(daemon, &tls) != 0)
        return -EINVAL;
    struct membership_options lease = {
        .kind = daemon->spec->kind,
        .self = *self,
        .watch = watch | 1U << MEMBER_LOGIC, /* they get reports */
        .renew_ms = config->lease_renew_ms,
        .ttl_ms = config->lease_ttl_ms,
        .addresses = config->members_static,
        .key = in->member_key,
        .tls = tls,
    };
    in->events = *events;
    in->events_arg = arg;
    in->watched = watch;
    in->reports = reports_open(daemon);
    in->membership = membership_open(&daemon->loop, in->redis, &lease, &own_events, daemon);
    *redis = in->redis;
    *membership = in->membership;
    return 0;
}

void daemon_part(struct daemon *daemon)
{
    struct daemon_internal *in = daemon->internal;
    reports_close(in->reports);
    in->reports = NULL;
    if (in->membership != NULL)
        membership_close(in->membership);
    if (in->redis != NULL)
        redis_close(in->redis);
    tls_close(in->redis_tls);
    in->redis_tls = NULL;
    in->membership = NULL;
    in->redis = NULL;
}
