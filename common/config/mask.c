/* What may be shown of a setting. The type of its row decides:
 *
 *   CONFIG_SECRET, CONFIG_SECRETS   nothing is shown
 *   CONFIG_OPTIONS                  item by item: a value is shown only if it is known to be
 *                                   harmless. Nobody can list the secret ones for all versions of
 *                                   the library
 *   any other text                  two things are hidden: what stands before an '@', as in
 *                                   redis://user:password@host, and the values of items whose names
 *                                   sound like a secret
 *   a number, a switch              all is shown */
#include "common/config/mask.h"
#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char HIDDEN[] = "********";

/* Properties of librdkafka. A name that ends in '.' stands for all names that begin with it. */
static const char *const harmless[] = {
    "acks",
    "allow.auto.create.topics",
    "api.version.",
    "auto.commit.",
    "auto.offset.reset",
    "batch.",
    "broker.address.",
    "broker.version.fallback",
    "builtin.features",
    "check.crcs",
    "client.dns.lookup",
    "client.id",
    "client.rack",
    "compression.",
    "connections.max.idle.ms",
    "debug",
    "delivery.",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.metrics.push",
    "enable.partition.eof",
    "enable.random.seed",
    "enable.sasl.oauthbearer.unsecure.jwt",
    "enable.sparse.connections",
    "enable.ssl.certificate.verification",
    "fetch.",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "heartbeat.interval.ms",
    "isolation.level",
    "linger.ms",
    "log.connection.close",
    "log.queue",
    "log.thread.name",
    "log_level",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "message.copy.max.bytes",
    "message.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.",
    "partition.assignment.strategy",
    "partitioner",
    "queue.buffering.",
    "queued.",
    "receive.message.max.bytes",
    "reconnect.",
    "request.required.acks",
    "request.timeout.ms",
    "resolve_canonical_bootstrap_servers_only",
    "retries",
    "retry.",
    "sasl.kerberos.min.time.before.relogin",
    "sasl.kerberos.service.name",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.oauthbearer.method",
    "sasl.username",
    "security.protocol",
    "session.timeout.ms",
    "socket.",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.cipher.suites",
    "ssl.crl.location",
    "ssl.curves.list",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.keystore.location",
    "ssl.sigalgs.list",
    "statistics.interval.ms",
    "sticky.partitioning.linger.ms",
    "topic.metadata.",
};

bool config_row_is_secret(const struct config_row *row)
{
    return row->type == CONFIG_SECRET || row->type == CONFIG_SECRETS;
}

bool config_option_is_harmless(const char *name, size_t len)
{
    while (len > 0 && name[len - 1] == ' ')
        len--;
    for (; len > 0 && *name == ' '; name++)
        len--;
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        size_t n = strlen(harmless[i]);
        bool whole = harmless[i][n - 1] != '.';
        if ((whole ? len == n : len > n) && strncasecmp(name, harmless[i], n) == 0)
            return true;
    }
    return false;
}

static bool sounds_secret(const char *name, size_t len)
{
    static const char *const words[] = {"password", "secret", "key.pem", "token", "credential"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = strlen(words[i]);
        for (size_t at = 0; at + n <= len; at++) {
            if (strncasecmp(name + at, words[i], n) == 0)
                return true;
        }
    }
    return false;
}

/* The length of the "name=value" at ITEM. A part without '=' behind a comma belongs to the
 * value. */
static size_t item_length(const char *item)
{
    size_t len = strcspn(item, ",");
    while (item[len] == ',') {
        size_t part = strcspn(item + len + 1, ",=");
        if (item[len + 1 + part] == '=')
            break;
        len += 1 + part;
    }
    return len;
}

/* How many bytes of ITEM stand before its last @: they may be credentials. 0: there is no @. */
static size_t credentials_end(const char *item, size_t len)
{
    for (size_t i = len; i > 0; i--) {
        if (item[i - 1] == '@')
            return i - 1;
    }
    return 0;
}

/* Writes ITEM to OUT, masked. True: something was hidden. */
static bool mask_item(const char *item, size_t len, bool options, FILE *out)
{
    size_t name = strcspn(item, ",="), at;
    bool has_value = item[name] == '=' && name < len;
    bool hide = options ? !has_value || !config_option_is_harmless(item, name)
                        : has_value && sounds_secret(item, name);
    if (len == strspn(item, " ") || (has_value && name + 1 == len))
        hide = false; /* the value is empty: nothing to hide */
    if (hide) {
        fprintf(out, "%.*s%s", has_value ? (int)name + 1 : 0, item, HIDDEN);
        return true;
    }
    at = options ? 0 : credentials_end(item, len);
    if (at > 0)
        fputs(HIDDEN, out);
    fprintf(out, "%.*s", (int)(len - at), item + at);
    return at > 0;
}

char *config_masked(const struct config_row *row, const char *value)
{
    char *masked = NULL;
    size_t size;
    bool any = false, options = row->type == CONFIG_OPTIONS;
    if (!config_type_is_text(row->type))
        return NULL;
    if (config_row_is_secret(row))
        return value[0] != '\0' ? mem_strdup(HIDDEN) : NULL;
    FILE *out = open_memstream(&masked, &size);
    if (out == NULL)
        abort(); /* without memory, as base/mem.c does */
    while (*value != '\0') {
        size_t len = item_length(value);
        any |= mask_item(value, len, options, out);
        value += len;
        if (*value == ',')
            fputc(*value++, out);
    }
    fclose(out);
    if (any)
        return masked;
    free(masked);
    return NULL;
}
