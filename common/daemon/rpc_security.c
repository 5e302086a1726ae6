/* What secures gRPC between daemons: TLS by the settings [tls], a key by rpc.key_file. Both are
 * read anew at SIGHUP; the server's certificates change with tls_reload(). */
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/daemon/internal.h"
#include "common/net/address.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { KEY_LEAST = 16, KEY_MOST = 4096, FILE_MOST = 1 << 20 };

enum rpc_tls daemon_rpc_tls(const struct daemon_config *config)
{
    if (strcmp(config->rpc_tls, "mutual") == 0)
        return RPC_TLS_MUTUAL;
    return strcmp(config->rpc_tls, "on") == 0 ? RPC_TLS_ON : RPC_TLS_OFF;
}

bool daemon_rpc_is_guarded(const struct daemon_config *config)
{
    return daemon_rpc_tls(config) == RPC_TLS_MUTUAL || config->rpc_key_file[0] != '\0';
}

/* --- files --- */

/* All of file PATH, to be freed by mem_wiped_free_whole(). NULL, and ERR says why. */
static char *read_file(const char *setting, const char *path, size_t most, char *err, size_t errlen)
{
    char *text;
    ssize_t len = file_read(path, most, &text);
    if (len == -EFBIG)
        snprintf(err, errlen, "%s: \"%s\" is longer than %zu bytes", setting, path, most);
    else if (len < 0)
        snprintf(err, errlen, "%s: cannot read \"%s\": %s", setting, path, uv_strerror((int)len));
    return text;
}

/* Takes the line end off. False: not what a key is made of. */
static bool trim_key(char *key)
{
    size_t len = strlen(key);
    while (len > 0 && (key[len - 1] == '\n' || key[len - 1] == '\r'))
        key[--len] = '\0';
    for (const char *at = key; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~')
            return false;
    }
    return len >= KEY_LEAST;
}

/* *KEY becomes NULL without rpc.key_file. 0, or -EINVAL with ERR. */
static int read_key(const struct daemon_config *config, char **key, char *err, size_t errlen)
{
    *key = NULL;
    if (config->rpc_key_file[0] == '\0')
        return 0;
    *key = read_file("rpc.key_file", config->rpc_key_file, KEY_MOST, err, errlen);
    if (*key == NULL)
        return -EINVAL;
    if (trim_key(*key))
        return 0;
    snprintf(err, errlen,
             "rpc.key_file: \"%s\" has to be one line of %d to %d printable characters without "
             "spaces: openssl rand -hex 32",
             config->rpc_key_file, KEY_LEAST, KEY_MOST);
    mem_wiped_free_whole(*key);
    *key = NULL;
    return -EINVAL;
}

static void take_first(const char *item, size_t len, void *arg)
{
    char **first = arg;
    if (*first == NULL)
        *first = mem_strndup(item, len);
}

/* The first file of LIST, read. */
static char *read_first(const char *setting, const char *list, char *err, size_t errlen)
{
    char *path = NULL;
    config_list_each(list, take_first, &path);
    char *text = path != NULL ? read_file(setting, path, FILE_MOST, err, errlen) : NULL;
    free(path);
    return text;
}

/* --- settings --- */

int daemon_rpc_check(const struct daemon_config *config, char *err, size_t errlen)
{
    enum rpc_tls tls = daemon_rpc_tls(config);
    bool shows = tls == RPC_TLS_MUTUAL || (tls == RPC_TLS_ON && config->rpc_listen[0] != '\0');
    char *key;
    if (tls == RPC_TLS_OFF && strcmp(config->rpc_tls, "off") != 0) {
        snprintf(err, errlen, "rpc.tls: \"%s\" is not accepted; want off, on or mutual",
                 config->rpc_tls);
        return -EINVAL;
    }
    if (shows && config->tls_certificate[0] == '\0') {
        snprintf(err, errlen, "rpc.tls = %s: set tls.certificate and tls.key, see docs/tls.md",
                 config->rpc_tls);
        return -EINVAL;
    }
    if (tls != RPC_TLS_OFF && config->tls_ca[0] == '\0') {
        snprintf(err, errlen,
                 "rpc.tls = %s: set tls.ca, the CA that the certificates of all daemons are "
                 "signed by, see docs/tls.md",
                 config->rpc_tls);
        return -EINVAL;
    }
    if (!daemon_rpc_is_guarded(config) && !config->rpc_insecure &&
        address_is_exposed(config->rpc_listen)) {
        snprintf(err, errlen,
                 "rpc.listen: %s can be reached from other machines, and whoever reaches it could "
                 "speak as any daemon: set rpc.tls = mutual with certificates of your own CA "
                 "(scripts/make-certs, docs/tls.md), or rpc.key_file; or listen on 127.0.0.1; or "
                 "set rpc.insecure = yes if no stranger reaches that network",
                 config->rpc_listen);
        return -EINVAL;
    }
    int rc = read_key(config, &key, err, errlen);
    mem_wiped_free_whole(key);
    return rc;
}

/* Reads the files and secures daemon->rpc by them. 0, or -EINVAL with ERR. */
static int secure(struct daemon *daemon, void *arg, char *err, size_t errlen)
{
    const struct daemon_config *config = daemon->config;
    struct daemon_internal *in = daemon->internal;
    enum rpc_tls tls = daemon_rpc_tls(config);
    bool mutual = tls == RPC_TLS_MUTUAL;
    char *key, *certificate = NULL, *private_key = NULL, *ca = NULL;
    (void)arg;
    int rc = read_key(config, &key, err, errlen);
    if (tls != RPC_TLS_OFF)
        ca = read_file("tls.ca", config->tls_ca, FILE_MOST, err, errlen);
    if (mutual) {
        certificate = read_first("tls.certificate", config->tls_certificate, err, errlen);
        private_key = read_first("tls.key", config->tls_key, err, errlen);
    }
    if ((tls != RPC_TLS_OFF && ca == NULL) || (mutual && (certificate == NULL || !private_key)))
        rc = -EINVAL;
    if (rc == 0)
        rpc_secure(daemon->rpc,
                   &(struct rpc_security){
                       .tls = tls,
                       .server = in->rpc_server,
                       .client = in->rpc_client,
                       .ca = ca,
                       .certificate = certificate,
                       .private_key = private_key,
                       .tls_name = config->rpc_tls_name[0] != '\0' ? config->rpc_tls_name : NULL,
                       .key = key,
                   });
    mem_wiped_free_whole(key);
    mem_wiped_free_whole(private_key);
    free(certificate);
    free(ca);
    return rc;
}

static int open_tls(struct daemon *daemon, bool mutual, char *err, size_t errlen)
{
    const struct daemon_config *config = daemon->config;
    struct daemon_internal *in = daemon->internal;
    struct tls_server_options server = {.name = "rpc", .alpn = "h2", .demand_client = mutual};
    struct tls_client_options client = {.name = "rpc", .alpn = "h2", .show_certificate = mutual};
    int rc = tls_client_open(daemon->tls, &client, &in->rpc_client, err, errlen);
    if (rc == 0 && config->rpc_listen[0] != '\0')
        rc = tls_server_open(daemon->tls, &server, &in->rpc_server, err, errlen);
    return rc;
}

int daemon_rpc_secure(struct daemon *daemon)
{
    struct daemon_internal *in = daemon->internal;
    enum rpc_tls tls = daemon_rpc_tls(daemon->config);
    char err[TLS_ERROR_MAX] = "";
    int rc = 0;
    if (tls != RPC_TLS_OFF)
        rc = open_tls(daemon, tls == RPC_TLS_MUTUAL, err, sizeof(err));
    if (rc == 0)
        rc = secure(daemon, NULL, err, sizeof(err));
    if (rc != 0) {
        log_error("cannot secure gRPC", "%s", err);
        return rc;
    }
    in->reload_rpc = (struct daemon_reload){.what = "rpc", .run = secure};
    daemon_on_reload(daemon, &in->reload_rpc);
    return 0;
}
