/* Who may see the admin pages.
 *
 *   admin.keys_file    a key with the page's scope. /healthz and /readyz need none, since probes
 *                      have none, but tell strangers no reasons
 *   without            anybody who reaches admin.listen. Beyond loopback the daemon starts so only
 *                      with admin.insecure. A browser on this machine reaches it as well, so what
 *                      comes from here has to name one of our hosts (admin.hosts) */
#include "common/auth/audit.h"
#include "common/auth/host_header.h"
#include "common/auth/key_file.h"
#include "common/auth/keys.h"
#include "common/auth/presented.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/daemon/daemon.h"
#include "common/daemon/internal.h"
#include "common/net/address.h"
#include "common/net/network.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Reads both files. 0 with what they have (NULL: no file is set), or -E… with ERR. */
static int read_files(const struct daemon_config *config, struct keys **keys, char **member_key,
                      char *err, size_t errlen)
{
    char why[KEYS_ERROR_MAX];
    int failed = 0;

    *keys = NULL;
    *member_key = NULL;
    if (config->admin_keys_file[0] != '\0') {
        *keys = keys_new();
        failed = keys_read(*keys, config->admin_keys_file, why, sizeof(why));
        if (failed != 0)
            snprintf(err, errlen, "admin.keys_file: %s", why);
    }
    if (failed == 0 && config->members_key_file[0] != '\0') {
        failed = key_file_read(config->members_key_file, member_key, why, sizeof(why));
        if (failed != 0)
            snprintf(err, errlen, "members.key_file: %s", why);
    }
    if (failed == 0)
        return 0;
    keys_free(*keys);
    *keys = NULL;
    return failed;
}

int daemon_access_check(const struct daemon_config *config, char *err, size_t errlen)
{
    struct keys *keys;
    char *member_key;
    bool asks = config->admin_keys_file[0] != '\0';

    if (!asks && !config->admin_insecure && address_is_exposed(config->admin_listen)) {
        snprintf(err, errlen,
                 "admin.listen: %s can be reached from other machines, and would ask nobody who he "
                 "is: set admin.keys_file (--new-key NAME read makes a key), or listen on "
                 "127.0.0.1; or set admin.insecure = yes if no stranger reaches that network",
                 config->admin_listen);
        return -EINVAL;
    }
    if (asks && config->members_static[0] != '\0' && config->members_key_file[0] == '\0') {
        snprintf(err, errlen,
                 "members.key_file: empty, but admin.keys_file and members.static are set: the "
                 "others would not tell this daemon whether they live");
        return -EINVAL;
    }
    if (read_files(config, &keys, &member_key, err, errlen) != 0)
        return -EINVAL;
    keys_free(keys);
    mem_wiped_free_text(member_key);
    return 0;
}

static int reload(struct daemon *daemon, void *arg, char *err, size_t errlen)
{
    struct daemon_internal *in = daemon->internal;
    struct keys *keys;
    char *member_key;
    int failed = read_files(daemon->config, &keys, &member_key, err, errlen);

    (void)arg;
    if (failed != 0)
        return failed;
    daemon_access_close(daemon);
    in->admin_keys = keys;
    in->member_key = member_key;
    if (in->membership != NULL)
        membership_set_key(in->membership, member_key);
    return 0;
}

int daemon_access_open(struct daemon *daemon)
{
    struct daemon_internal *in = daemon->internal;
    char err[2 * KEYS_ERROR_MAX];
    int failed = read_files(daemon->config, &in->admin_keys, &in->member_key, err, sizeof(err));

    if (failed != 0)
        log_error("cannot read keys", "%s", err);
    if (in->admin_keys == NULL && in->member_key == NULL)
        return failed;
    in->reload_access = (struct daemon_reload){.what = "admin.keys_file", .run = reload};
    daemon_on_reload(daemon, &in->reload_access);
    return 0;
}

void daemon_access_close(struct daemon *daemon)
{
    struct daemon_internal *in = daemon->internal;

    keys_free(in->admin_keys);
    in->admin_keys = NULL;
    mem_wiped_free_text(in->member_key);
    in->member_key = NULL;
}

/* --- requests --- */

static bool is_from_loopback(const struct http_request *request)
{
    const char *peer = http_peer(request);
    struct ip ip;

    return ip_parse(peer, strlen(peer), &ip) && ip_is_loopback(&ip);
}

/* Whose key REQUEST presents; NULL: nobody's. */
static const struct key *key_of(const struct keys *keys, const struct http_request *request)
{
    const char *presented = presented_key(request);
    ssize_t index = presented != NULL ? keys_find(keys, presented) : -1;

    return index >= 0 ? keys_at(keys, (size_t)index) : NULL;
}

/* May REQUEST, from this machine, be that of a web page whose name was made to lead here? */
static bool is_rebound(const struct daemon *daemon, const struct http_request *request)
{
    const struct daemon_config *config = daemon->config;
    const char *host = http_header(request, "host");

    return is_from_loopback(request) && host != NULL &&
           host_header_is(host, config->admin_hosts) == HOST_FOREIGN;
}

bool daemon_access_is_known(const struct daemon *daemon, const struct http_request *request)
{
    const struct keys *keys = daemon->internal->admin_keys;

    if (keys != NULL && key_of(keys, request) != NULL)
        return true;
    return (keys == NULL || is_from_loopback(request)) && !is_rebound(daemon, request);
}

static void refuse(struct daemon *daemon, struct http_request *request, struct audit *audit,
                   enum key_scope scope)
{
    static const char missing[] = "a key is needed: send Authorization: Bearer KEY\n",
                      host[] = "without keys (admin.keys_file) Host has to be an IP address, "
                               "localhost or one of admin.hosts\n";
    char text[128];

    daemon->internal->admin_refused++;
    audit_log(audit);
    if (audit->outcome == 401) {
        http_respond(request, 401, NULL, missing, sizeof(missing) - 1,
                     "WWW-Authenticate: Bearer\r\n");
        return;
    }
    if (daemon->internal->admin_keys == NULL) {
        http_respond(request, 403, NULL, host, sizeof(host) - 1, NULL);
        return;
    }
    snprintf(text, sizeof(text), "this needs a key of scope %s\n", key_scope_name(scope));
    http_respond(request, 403, NULL, text, strlen(text), NULL);
}

/* For the audit log: the name of KEY, whose it is; NULL: nobody knows. */
static const char *who_is(const struct keys *keys, const struct key *key,
                          const struct http_request *request)
{
    if (key != NULL)
        return key->name;
    return keys == NULL && is_from_loopback(request) ? "loopback" : NULL;
}

bool daemon_access_admit(struct daemon *daemon, struct http_request *request, const char *route,
                         enum key_scope scope)
{
    const struct keys *keys = daemon->internal->admin_keys;
    const struct key *key = keys != NULL ? key_of(keys, request) : NULL;
    struct audit audit = {
        .listener = "admin",
        .who = who_is(keys, key, request),
        .address = http_peer(request),
        .method = audit_method(request),
        .route = route,
        .request_id = http_request_id(request),
    };

    if (keys != NULL && (key == NULL || !key_may(key, scope))) {
        audit.outcome = key == NULL ? 401 : 403;
        audit.why = key == NULL ? "key" : "scope";
        refuse(daemon, request, &audit, scope);
        return false;
    }
    if (keys == NULL && is_rebound(daemon, request)) {
        audit.outcome = 403;
        audit.why = "host";
        refuse(daemon, request, &audit, scope);
        return false;
    }
    if (scope == KEY_ADMIN)
        audit_log(&audit);
    return true;
}
