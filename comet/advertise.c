#include "comet/advertise.h"
#include "common/net/address.h"
#include "common/net/network.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- settings --- */

static bool is_public(const char *text, size_t room)
{
    struct address address;
    size_t len = strlen(text);

    return len == 0 ||
           (len < room && address_parse(text, len, &address) == 0 && address.host[0] != '\0');
}

struct ips {
    char *text; /* NULL: only checked */
    size_t room, len, n;
    bool bad;
};

static void add_ip(const char *item, size_t len, void *arg)
{
    struct ips *ips = arg;
    struct ip ip;

    ips->bad = ips->bad || !ip_parse(item, len, &ip) || ips->n == ADVERTISE_IPS_MOST;
    if (ips->bad)
        return;
    if (ips->text != NULL)
        ips->len += (size_t)snprintf(ips->text + ips->len, ips->room - ips->len, "%s%.*s",
                                     ips->n > 0 ? "," : "", (int)len, item);
    ips->n++;
}

int advertise_check(const struct comet_config *config, char *err, size_t errlen)
{
    const struct {
        const char *setting, *value;
    } publics[] = {
        {"tcp.advertise", config->tcp_advertise},
        {"ws.advertise", config->ws_advertise},
        {"tcps.advertise", config->tcps_advertise},
        {"wss.advertise", config->wss_advertise},
    };
    const struct member *member = NULL;
    struct ips ips = {0};

    for (size_t i = 0; i < sizeof publics / sizeof publics[0]; i++) {
        if (is_public(publics[i].value, sizeof member->tcp))
            continue;
        snprintf(err, errlen, "%s: \"%.140s\" is not host:port, or longer than %zu bytes",
                 publics[i].setting, publics[i].value, sizeof member->tcp - 1);
        return -EINVAL;
    }
    if (!address_is_host_text(config->node_host, sizeof member->host - 1)) {
        snprintf(err, errlen,
                 "node.host: \"%.140s\": want at most %zu letters, digits, - and ., without a port",
                 config->node_host, sizeof member->host - 1);
        return -EINVAL;
    }
    config_list_each(config->node_ips, add_ip, &ips);
    if (!ips.bad)
        return 0;
    snprintf(err, errlen, "node.ips: \"%.400s\": want at most %d IP addresses, without ports",
             config->node_ips, ADVERTISE_IPS_MOST);
    return -EINVAL;
}

/* --- the record --- */

/* What is GIVEN, or HOST with the port of LISTEN. Nothing if there is neither. */
static void fill_address(const char *given, const char *host, const char *listen, char *buf,
                         size_t len)
{
    struct address address = {0};

    if (given[0] != '\0')
        snprintf(buf, len, "%s", given);
    else if (address_parse(listen, strlen(listen), &address) == 0)
        address_format(host, address.port, buf, len);
}

void advertise_fill(const struct comet_config *config, const char *rpc, struct member *self)
{
    const struct {
        const char *given, *listen;
        char *to;
    } publics[] = {
        {config->tcp_advertise, config->tcp_listen, self->tcp},
        {config->ws_advertise, config->ws_listen, self->ws},
        {config->tcps_advertise, config->tcps_listen, self->tcps},
        {config->wss_advertise, config->wss_listen, self->wss},
    };
    struct ips ips = {.text = self->ips, .room = sizeof self->ips};
    struct address reached = {0};

    (void)address_parse(rpc, strlen(rpc), &reached);
    for (size_t i = 0; i < sizeof publics / sizeof publics[0]; i++)
        fill_address(publics[i].given, reached.host, publics[i].listen, publics[i].to,
                     sizeof self->tcp);
    snprintf(self->host, sizeof self->host, "%s", config->node_host);
    config_list_each(config->node_ips, add_ip, &ips);
}
