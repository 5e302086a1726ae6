/* Opens a daemon's Redis by the common configuration. Turns its events into readiness conditions
 * and log lines. */
#include "common/base/log.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"

#include <stdio.h>

const struct metric_row daemon_redis_rows[DAEMON_REDIS_ROWS] = {
    {"imc_redis_memory_used_bytes", "server=\"…\"", METRIC_GAUGE,
     "logic: memory that each Redis uses, asked every ten seconds."},
    {"imc_redis_memory_max_bytes", "server=\"…\"", METRIC_GAUGE,
     "logic: its maxmemory, beyond which it takes no writes; 0 = no limit is set."},
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

void daemon_redis_options(const struct daemon_config *config, struct redis_options *options)
{
    *options = (struct redis_options){
        .servers = config->redis_servers,
        .sentinels = config->redis_sentinels,
        .masters = config->redis_master,
        .user = config->redis_user,
        .password = config->redis_password,
        .sentinel_password = config->redis_sentinel_password,
        .database = config->redis_database,
        .timeout_ms = config->redis_timeout_ms,
    };
}

int daemon_redis_open(struct daemon *daemon)
{
    const struct daemon_config *config = daemon->config;
    struct redis_options options;
    daemon_redis_options(config, &options);
    options.write_state = on_redis_write;
    options.clock_state = daemon_clock_take;
    if (daemon->spec->kind == MEMBER_LOGIC)
        options.memory_state = on_redis_memory;
    bool sentinels = config->redis_sentinels[0] != '\0';
    daemon_ready(daemon, "redis", false, "connecting");
    daemon_ready(daemon, "redis_write", false, "connecting");
    daemon_clock_unknown(daemon);
    int err = redis_open(&daemon->loop, &options, on_redis, daemon, &daemon->internal->redis);
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

void daemon_redis_render(struct daemon *daemon, FILE *out)
{
    const struct redis *redis = daemon->internal->redis;
    if (redis == NULL || daemon->spec->kind != MEMBER_LOGIC)
        return;
    for (size_t row = 0; row < DAEMON_REDIS_ROWS; row++) {
        fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", daemon_redis_rows[row].name,
                daemon_redis_rows[row].help, daemon_redis_rows[row].name);
        for (size_t i = 0; i < redis_shards(redis); i++) {
            const char *name;
            const struct redis_memory *memory = redis_memory(redis, i, &name);
            fprintf(out, "%s{server=\"%s\"} %lld\n", daemon_redis_rows[row].name, name,
                    (long long)(row == 0 ? memory->used : memory->max));
        }
    }
}
