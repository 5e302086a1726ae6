/* Opens a daemon's Redis by the common configuration. Turns its events into readiness conditions
 * and log lines. */
#include "common/base/log.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"

#include <stdio.h>

const struct metric_row daemon_redis_rows[DAEMON_REDIS_ROWS] = {
    {.name = "imc_redis_memory_used_bytes",
     .labels = "server=\"…\"",
     .type = METRIC_GAUGE,
     .help = "logic: memory that each Redis uses, asked every ten seconds."},
    {.name = "imc_redis_memory_max_bytes",
     .labels = "server=\"…\"",
     .type = METRIC_GAUGE,
     .help = "logic: its maxmemory, beyond which it takes no writes; 0 = no limit is set. Used "
             "memory near it: raise it, or lower mailbox.limit or mailbox.ttl."},
};

static void on_redis(struct redis *redis, bool up, const char *why, void *arg)
{
    (void)redis;
    daemon_ready(arg, "redis", up, why);
}

static void on_redis_write(struct redis *redis, bool up, const char *why, void *arg)
{
    (void)redis;
    daemon_ready(arg, "redis_write", up, why);
}

/* Only logic asks how full Redis is, because logic's messages fill it. */
static void on_redis_memory(struct redis *redis, const char *name,
                            const struct redis_memory *memory, void *arg)
{
    long long used = memory->used >> 20, max = memory->max >> 20;
    (void)redis;
    (void)arg;
    if (memory->evicts)
        log_warn(
            "redis drops keys when it is full",
            "server=%s; messages, tokens and leases among them: set maxmemory-policy noeviction",
            name);
    if (memory->level == 0)
        log_info("redis is not nearly full", "server=%s used_mib=%lld max_mib=%lld", name, used,
                 max);
    else
        log_warn(
            "redis is nearly full",
            "server=%s percent=%d used_mib=%lld max_mib=%lld; when it is full nothing is stored "
            "for users who are away: raise maxmemory, or lower mailbox.limit or mailbox.ttl",
            name, memory->level, used, max);
}

static struct tls_settings tls_settings_of(const struct daemon_config *config)
{
    return (struct tls_settings){
        .certificates = config->redis_certificate,
        .keys = config->redis_key,
        .ca = config->redis_ca[0] != '\0' ? config->redis_ca : config->tls_ca,
        .min_version = config->tls_min_version,
    };
}

/* What concerns tls.ca is said of it elsewhere. */
int daemon_redis_check(const struct daemon_config *config, char *err, size_t errlen)
{
    struct tls_settings settings = tls_settings_of(config);
    char why[TLS_ERROR_MAX] = "";
    if (!config->redis_tls) {
        if (config->redis_ca[0] == '\0' && config->redis_certificate[0] == '\0')
            return 0;
        snprintf(err, errlen,
                 "redis.ca or redis.certificate is set, and redis.tls is not: set redis.tls = yes");
        return -EINVAL;
    }
    if (tls_check(&settings, why, sizeof(why)) == 0)
        return 0;
    snprintf(err, errlen, "TLS with Redis (redis.ca, redis.certificate, redis.key): %s", why);
    return -EINVAL;
}

void daemon_check_certificates(const struct daemon_config *config)
{
    struct tls_settings settings;
    daemon_tls_settings(config, &settings);
    tls_check_expiry(&settings);
    settings = tls_settings_of(config);
    if (config->redis_ca[0] == '\0')
        settings.ca = ""; /* tls.ca, of which it was said */
    if (config->redis_tls)
        tls_check_expiry(&settings);
}

static int open_tls(const struct daemon_config *config, struct redis_options *options,
                    struct tls **tls)
{
    struct tls_settings settings = tls_settings_of(config);
    struct tls_client_options client = {.name = "redis",
                                        .show_certificate = settings.certificates[0] != '\0'};
    char err[TLS_ERROR_MAX] = "";
    int rc = tls_open(&settings, tls, err, sizeof(err));
    if (rc == 0)
        rc = tls_client_open(*tls, &client, &options->tls, err, sizeof(err));
    if (rc == 0)
        return 0;
    log_error("cannot load what TLS with Redis needs", "%s", err);
    tls_close(*tls);
    *tls = NULL;
    return rc;
}

static int reload(struct daemon *daemon, void *arg, char *err, size_t errlen)
{
    (void)arg;
    return daemon->internal->redis_tls != NULL
               ? tls_reload(daemon->internal->redis_tls, err, errlen)
               : 0;
}

int daemon_redis_options(const struct daemon_config *config, struct redis_options *options,
                         struct tls **tls)
{
    *tls = NULL;
    *options = (struct redis_options){
        .servers = config->redis_servers,
        .sentinels = config->redis_sentinels,
        .masters = config->redis_master,
        .user = config->redis_user,
        .password = config->redis_password,
        .sentinel_password = config->redis_sentinel_password,
        .database = config->redis_database,
        .timeout_ms = config->redis_timeout_ms,
        .tls_name = config->redis_tls_name,
    };
    return config->redis_tls ? open_tls(config, options, tls) : 0;
}

int daemon_redis_open(struct daemon *daemon)
{
    const struct daemon_config *config = daemon->config;
    struct redis_options options;
    struct daemon_internal *in = daemon->internal;
    int err = daemon_redis_options(config, &options, &in->redis_tls);
    if (err != 0)
        return err;
    options.write_state = on_redis_write;
    options.clock_state = daemon_clock_take;
    if (daemon->spec->kind == MEMBER_LOGIC)
        options.memory_state = on_redis_memory;
    bool sentinels = config->redis_sentinels[0] != '\0';
    daemon_ready(daemon, "redis", false, "connecting");
    daemon_ready(daemon, "redis_write", false, "connecting");
    daemon_clock_unknown(daemon);
    err = redis_open(&daemon->loop, &options, on_redis, daemon, &in->redis);
    if (in->redis_tls != NULL) {
        in->reload_redis = (struct daemon_reload){.what = "redis", .run = reload};
        daemon_on_reload(daemon, &in->reload_redis);
    }
    if (err != 0 && sentinels)
        log_error("bad redis.sentinels or redis.master",
                  "sentinels=\"%s\" master=\"%s\" err=\"%s\"; want host:port, host:port … and "
                  "different names",
                  config->redis_sentinels, config->redis_master, uv_strerror(err));
    else if (err != 0)
        log_error("bad redis.servers", "servers=\"%s\" err=\"%s\"; want host:port, host:port …",
                  config->redis_servers, uv_strerror(err));
    return err;
}

void daemon_redis_render(struct daemon *daemon, struct exposition *to)
{
    const struct redis *redis = daemon->internal->redis;
    if (redis == NULL || daemon->spec->kind != MEMBER_LOGIC)
        return;
    for (size_t row = 0; row < DAEMON_REDIS_ROWS; row++) {
        for (size_t i = 0; i < redis_shards(redis); i++) {
            const char *name;
            char labels[320];
            const struct redis_memory *memory = redis_memory(redis, i, &name);
            snprintf(labels, sizeof labels, "server=\"%s\"", name);
            exposition_int(to, &daemon_redis_rows[row], labels,
                           row == 0 ? memory->used : memory->max);
        }
    }
}
