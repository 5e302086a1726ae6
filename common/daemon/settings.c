#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COMMON(field) offsetof(struct daemon_config, field)

/* clang-format off */
const struct config_row daemon_config_rows[] = {
    {"log", "level", CONFIG_STRING, COMMON(log_level), "info", 0, 0,
     "The least serious lines that are written to stderr: debug, info, warn or error.", true},
    {"log", "format", CONFIG_STRING, COMMON(log_format), "text", 0, 0,
     "text: lines of key=value. json: a JSON object a line, with time, level, daemon, msg, and a member for each key. "
     "docs/operations.md.", true},
    {"admin", "listen", CONFIG_ADDRESS, COMMON(admin_listen), "", 0, 0,
     "Where /metrics, /healthz, /readyz, /config, /changes, /version and /member are served over HTTP. Port 0 takes a free one. "
     "Beyond loopback it needs admin.keys_file or admin.insecure.", false},
    {"admin", "keys_file", CONFIG_STRING, COMMON(admin_keys_file), "", 0, 0,
     "File of the keys that admin.listen takes, a line NAME SCOPES sha256:DIGEST each; --new-key makes one. Pages need scope "
     "read, what changes something scope admin, /healthz and /readyz no key. Read anew at SIGHUP. Empty: no key is asked "
     "for. docs/security.md.", false},
    {"admin", "insecure", CONFIG_BOOL, COMMON(admin_insecure), "no", 0, 0,
     "Let admin.listen be reached from other machines without keys. Whoever reaches it reads configuration and metrics, and "
     "may speak as another daemon of members.static. For a network that no stranger reaches.", false},
    {"admin", "hosts", CONFIG_LIST, COMMON(admin_hosts), "", 0, 0,
     "While no key is set: names of the admin pages beside localhost and IP addresses. A request of this machine with "
     "another one in Host is refused, since a web page may have made it up (DNS rebinding).", false},
    {"admin", "tls", CONFIG_BOOL, COMMON(admin_tls), "no", 0, 0,
     "Serve the admin pages over TLS (https), with tls.certificate. Plain HTTP is refused then.", false},
    {"rpc", "listen", CONFIG_ADDRESS, COMMON(rpc_listen), "", 0, 0,
     "Where other daemons connect by gRPC. Whoever gets here can speak as any daemon. So an address that other machines "
     "reach needs rpc.tls = mutual, rpc.key_file or rpc.insecure, or the daemon does not start. Empty for a daemon that "
     "serves none.", false},
    {"rpc", "advertise", CONFIG_STRING, COMMON(rpc_advertise), "", 0, 0,
     "host or host:port under which the other daemons reach rpc.listen. Empty: rpc.listen itself; if that listens on "
     "every address, this machine's name, or an interface's address if the name does not lead here. Whoever else has "
     "this address refuses streams that are for us.", false},
    {"rpc", "connections", CONFIG_INT, COMMON(rpc_connections), "1024", 1, 65536,
     "Connections to rpc.listen at once; beyond, those that have no stream are closed, or new ones wait. Each comet opens one per worker to each logic, each logic one to each router, each job one to each "
     "comet and logic.", false},
    {"rpc", "held", CONFIG_BYTES, COMMON(rpc_held), "128m", 1 << 20, 16LL << 30,
     "Bytes of unpacked batches that are not answered yet, and of answers that wait to be sent, for all peers together. "
     "Beyond, only peers that have none are read on.", false},
    {"rpc", "tls", CONFIG_STRING, COMMON(rpc_tls), "off", 0, 0,
     "TLS between daemons, by tls.certificate, tls.key and tls.ca: off, on (the callee shows a certificate of tls.ca) or "
     "mutual (the caller, too: any certificate of tls.ca is let in, so use a CA of your own). The same for all daemons.", false},
    {"rpc", "tls_name", CONFIG_STRING, COMMON(rpc_tls_name), "", 0, 0,
     "The host name that the certificates of all daemons are for. Empty: each is for the host, name or IP address, in "
     "its rpc.advertise.", false},
    {"rpc", "key_file", CONFIG_STRING, COMMON(rpc_key_file), "", 0, 0,
     "File with a secret of 16 to 4096 printable characters (openssl rand -hex 32), the same for all daemons. They show it "
     "with every stream, and refuse streams without it. Without rpc.tls whoever reads the network can read it. Read anew at "
     "SIGHUP. Empty: no key.", false},
    {"rpc", "insecure", CONFIG_BOOL, COMMON(rpc_insecure), "no", 0, 0,
     "yes: rpc.listen may be an address that other machines reach, although neither rpc.tls = mutual nor rpc.key_file says "
     "who they are. For networks that no stranger reaches.", false},
    {"redis", "servers", CONFIG_LIST, COMMON(redis_servers), "127.0.0.1:6379", 0, 0,
     "Redis servers, host:port, separated by commas; each is a shard, so every daemon needs the same list in the same "
     "spelling.", false},
    {"redis", "sentinels", CONFIG_LIST, COMMON(redis_sentinels), "", 0, 0,
     "Sentinels, host:port, separated by commas: they are asked where the primary of each name in redis.master is, at each "
     "connect and every second. redis.servers is not used then. Empty: no Sentinel.", false},
    {"redis", "master", CONFIG_LIST, COMMON(redis_master), "mymaster", 0, 0,
     "With redis.sentinels: names of the primaries, separated by commas; each is a shard, so every daemon needs the same "
     "list in the same spelling.", false},
    {"redis", "sentinel_password", CONFIG_SECRET, COMMON(redis_sentinel_password), "", 0, 0,
     "Password of every Sentinel; empty for none.", false},
    {"redis", "user", CONFIG_STRING, COMMON(redis_user), "", 0, 0,
     "Name of the ACL user at every Redis server, for redis.password; empty for the default user.", false},
    {"redis", "password", CONFIG_SECRET, COMMON(redis_password), "", 0, 0,
     "Password of every Redis server; empty for none.", false},
    {"redis", "database", CONFIG_INT, COMMON(redis_database), "0", 0, 65535,
     "Number of the Redis database.", false},
    {"redis", "timeout", CONFIG_DURATION, COMMON(redis_timeout_ms), "1s", 10, 60000,
     "While commands are unanswered and no byte comes for so long, they count as failed and the "
     "connection as broken; and after five times as long in any case.", false},
    {"redis", "tls", CONFIG_BOOL, COMMON(redis_tls), "no", 0, 0,
     "yes: connections to Redis and to Sentinels are TLS. Then redis.servers and redis.sentinels name their TLS ports.", false},
    {"redis", "ca", CONFIG_STRING, COMMON(redis_ca), "", 0, 0,
     "With redis.tls: PEM file with the certificates that sign Redis's. Empty: tls.ca; if that is empty, too, the system's "
     "store.", false},
    {"redis", "certificate", CONFIG_STRING, COMMON(redis_certificate), "", 0, 0,
     "With redis.tls: PEM file with the certificate that this daemon shows to Redis (whose tls-auth-clients demands one by "
     "default). Empty: none. Read anew at SIGHUP, as are redis.ca and redis.key.", false},
    {"redis", "key", CONFIG_STRING, COMMON(redis_key), "", 0, 0,
     "PEM file with the private key of redis.certificate, without a passphrase.", false},
    {"redis", "tls_name", CONFIG_STRING, COMMON(redis_tls_name), "", 0, 0,
     "With redis.tls: the host name that the certificates of all Redis servers and Sentinels are for. Empty: each is for the "
     "host, name or IP address, that the daemon connects to.", false},
    {"lease", "id", CONFIG_STRING, COMMON(lease_id), "", 0, 0,
     "This daemon's name among its kind, unique in the cluster. Empty: the host name and a port.", false},
    {"lease", "region", CONFIG_STRING, COMMON(lease_region), "", 0, 0,
     "Region this daemon runs in. A comet weighs more for clients of its own region: see logic's nodes.regions.", false},
    {"lease", "zone", CONFIG_STRING, COMMON(lease_zone), "", 0, 0,
     "Zone within the region. It is only shown: by /member, and by /goim/nodes/instances.", false},
    {"lease", "weight", CONFIG_INT, COMMON(lease_weight), "10", 1, 10000,
     "A router's share of the users, or a comet's share of the clients that ask for a comet, relative to the others. Of no effect for logic and job.", false},
    {"lease", "renew", CONFIG_DURATION, COMMON(lease_renew_ms), "1s", 100, 60000,
     "How often the lease in Redis is renewed and the list of the other daemons read; or each address of members.static "
     "asked.", false},
    {"lease", "ttl", CONFIG_DURATION, COMMON(lease_ttl_ms), "5s", 500, 600000,
     "How long the others believe this daemon alive after its last renewal or answer. At least twice lease.renew.", false},
    {"clock", "max_offset", CONFIG_DURATION, COMMON(clock_max_offset_ms), "10s", 100, 86400000,
     "How far this machine's clock may be from Redis's before the daemon is not ready. Beyond a second it is said in the "
     "log. Messages are dated by Redis's clock in any case.", false},
    {"members", "static", CONFIG_LIST, COMMON(members_static), "", 0, 0,
     "Who may be there, instead of leases in Redis: the admin addresses (host:port) of all daemons of the cluster, of "
     "every kind and this one too, separated by commas; the same list for all. A name stands for every address that it "
     "resolves to, and is looked up again every 5 seconds. Empty: leases in Redis.", false},
    {"members", "key_file", CONFIG_STRING, COMMON(members_key_file), "", 0, 0,
     "File with the key that this daemon shows the others of members.static: one that their admin.keys_file has, with scope "
     "admin. Read anew at SIGHUP. Empty: none is shown.", false},
    {"members", "tls", CONFIG_BOOL, COMMON(members_tls), "no", 0, 0,
     "Ask the addresses of members.static over TLS: all of them have admin.tls. Their certificates have to be for the names "
     "in the list, and signed by tls.ca.", false},
    {"memory", "limit", CONFIG_BYTES, COMMON(memory_limit), "0", 0, INT64_C(1) << 50,
     "Memory that this daemon may use. From 80 % of it on it refuses what is new, from 90 % on a comet lets go of the "
     "slowest readers and oldest handshakes; docs/architecture.md says what each daemon refuses. 0: three quarters of the "
     "cgroup's limit, or half of the machine's memory if that is less.", false},
    {"tls", "certificate", CONFIG_LIST, COMMON(tls_certificate), "", 0, 0,
     "PEM files, separated by commas: each a certificate, then those that it is signed by (fullchain.pem). The host name "
     "that a client asks for picks among several; the first is for clients that ask for none of them. Read anew at SIGHUP: "
     "docs/tls.md.", false},
    {"tls", "key", CONFIG_LIST, COMMON(tls_key), "", 0, 0,
     "PEM files with the private keys of tls.certificate, in the same order, without a passphrase.", false},
    {"tls", "ca", CONFIG_STRING, COMMON(tls_ca), "", 0, 0,
     "PEM file with the certificates by which those of other daemons and servers have to be signed, and those of clients "
     "where they are demanded. Empty: the system's store, for servers only.", false},
    {"tls", "min_version", CONFIG_STRING, COMMON(tls_min_version), "1.2", 0, 0,
     "The oldest TLS that is spoken: 1.2 or 1.3.", false},
    {"tls", "ticket_keys", CONFIG_STRING, COMMON(tls_ticket_keys), "", 0, 0,
     "File with the keys by which clients resume their TLS sessions, a line of 160 hexadecimal digits each (openssl rand "
     "-hex 80): the first encrypts, all decrypt. The same file for daemons that share clients. Empty: random keys, which "
     "end with the process.", false},
    {"daemon", "drain", CONFIG_DURATION, COMMON(drain_ms), "30s", 0, 3600000,
     "Longest time between SIGTERM and exit.", false},
    {0},
};
/* clang-format on */

void daemon_tables(struct daemon *daemon)
{
    struct daemon_internal *in = daemon->internal;
    in->common = mem_alloc(sizeof(daemon_config_rows));
    memcpy(in->common, daemon_config_rows, sizeof(daemon_config_rows));
    for (struct config_row *row = in->common; row->key != NULL; row++) {
        if (row->offset == COMMON(admin_listen))
            row->init = daemon->spec->admin_default;
        else if (row->offset == COMMON(rpc_listen))
            row->init = daemon->spec->rpc_default;
    }
    in->tables[0] = in->common;
    in->tables[1] = daemon->spec->rows; /* NULL, if the daemon has no rows, ends the list here */
}

/* Refuses settings that are too long for struct member: they go into the lease. */
static int check_lengths(const struct daemon_config *config, char *err, size_t errlen)
{
    const struct {
        const char *setting, *value;
        size_t limit;
    } fields[] = {
        {"lease.id", config->lease_id, sizeof(((struct member *)NULL)->id) - 1},
        {"lease.region", config->lease_region, sizeof(((struct member *)NULL)->region) - 1},
        {"lease.zone", config->lease_zone, sizeof(((struct member *)NULL)->zone) - 1},
        {"rpc.listen", config->rpc_listen, sizeof(((struct member *)NULL)->rpc) - 1},
        {"rpc.advertise", config->rpc_advertise,
         sizeof(((struct member *)NULL)->rpc) - 8}, /* ":65535" may be added */
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strlen(fields[i].value) <= fields[i].limit)
            continue;
        snprintf(err, errlen, "%s: \"%s\" is longer than %zu bytes", fields[i].setting,
                 fields[i].value, fields[i].limit);
        return -EINVAL;
    }
    return 0;
}

static int check_members(const struct daemon_config *config, char *err, size_t errlen)
{
    char why[512];
    if (config->members_static[0] == '\0')
        return 0;
    if (membership_check_addresses(config->members_static, why, sizeof(why)) != 0) {
        snprintf(err, errlen, "members.static: %s", why);
        return -EINVAL;
    }
    if (config->admin_listen[0] == '\0') {
        snprintf(err, errlen,
                 "members.static is set, but admin.listen is empty: the others could not ask this "
                 "daemon whether it lives");
        return -EINVAL;
    }
    return 0;
}

static int check_common(const struct daemon_config *config, char *err, size_t errlen)
{
    if (!log_level_is_known(config->log_level)) {
        snprintf(err, errlen, "log.level: \"%s\" is not accepted; want debug, info, warn or error",
                 config->log_level);
        return -EINVAL;
    }
    if (!log_format_is_known(config->log_format)) {
        snprintf(err, errlen, "log.format: \"%s\" is not accepted; want text or json",
                 config->log_format);
        return -EINVAL;
    }
    if (config->lease_ttl_ms < 2 * config->lease_renew_ms) {
        snprintf(err, errlen, "lease.ttl (%lldms) must be at least twice lease.renew (%lldms)",
                 (long long)config->lease_ttl_ms, (long long)config->lease_renew_ms);
        return -EINVAL;
    }
    struct tls_settings tls;
    daemon_tls_settings(config, &tls);
    if (tls_check(&tls, err, errlen) != 0)
        return -EINVAL;
    if (config->admin_tls && config->tls_certificate[0] == '\0') {
        snprintf(err, errlen, "admin.tls needs tls.certificate and tls.key");
        return -EINVAL;
    }
    if (daemon_rpc_check(config, err, errlen) != 0 ||
        daemon_redis_check(config, err, errlen) != 0 || check_members(config, err, errlen) != 0 ||
        daemon_access_check(config, err, errlen) != 0)
        return -EINVAL;
    return check_lengths(config, err, errlen);
}

int daemon_read_settings(const struct daemon *daemon, const char *path, void *config, char *err,
                         size_t errlen)
{
    const struct daemon_spec *spec = daemon->spec;
    int rc = config_load(daemon->internal->tables, spec->name, path, config, err, errlen);

    if (rc == 0)
        rc = check_common(config, err, errlen);
    if (rc == 0 && spec->check != NULL)
        rc = spec->check(config, err, errlen);
    return rc;
}

void daemon_set_log(const struct daemon_config *config)
{
    (void)log_set_level(config->log_level); /* both were checked */
    (void)log_set_format(config->log_format);
}

int daemon_load(struct daemon *daemon, const char *path)
{
    struct daemon_config *config = daemon->config;
    char err[DAEMON_REFUSAL_MAX] = "";
    int rc = daemon_read_settings(daemon, path, config, err, sizeof(err));

    daemon->internal->path = path;
    if (rc == 0 && daemon->spec->check_files != NULL)
        rc = daemon->spec->check_files(config, err, sizeof err);
    if (rc == 0)
        daemon_set_log(config);
    else
        fprintf(stderr, "imc-%s: %s\n", daemon->spec->name, err);
    return rc;
}
