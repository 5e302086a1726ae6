/* Asks one address every renew_ms, one question at a time.
 *
 *   addresses_ask() ─► ask() ─ GET /member?kind=&id=&epoch= ────────────────────► on_answer()
 *                              POST, with dead= or leaving=1
 *     200, a record: members_take() · 503: it starts or stops · else: odd · no answer: silent
 *
 * A trouble is logged once when it begins and once when it is over. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/membership/static/static.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t timeout_ms(const struct static_members *members)
{
    const struct membership *base = &members->base;
    /* So short that two questions in a row may fail before the ttl is over, and that leaving is
     * quick. */
    uint64_t timeout = (uint64_t)(base->ttl_ms - base->renew_ms) / 2;
    if (base->leaving && timeout > 500)
        timeout = 500;
    return timeout > 10 ? timeout : 10;
}

static void ask(struct static_address *address)
{
    struct static_members *members = address->members;
    const struct static_peer *peer = address->peer;
    char target[MEMBER_TARGET_MAX];
    struct member_question question = {
        .kind = members->base.kind,
        .id = members->base.self.id,
        .epoch = members->base.self.epoch,
        .leaving = members->base.leaving,
    };
    if (peer != NULL && peer->state == PEER_GONE)
        question.dead = peer->dead_epoch;
    member_question_encode(&question, target, sizeof target);
    address->asked_round = members->round;
    members->counts.asked++;
    if (question.dead != 0 || question.leaving)
        http_client_post(address->ask, target, timeout_ms(members));
    else
        http_client_get(address->ask, target, timeout_ms(members));
}

/* --- answers --- */

static void on_no_answer(struct static_address *address, int err)
{
    address->members->counts.unanswered++;
    if (!address->silent)
        log_warn("no answer", "address=\"%s\" err=\"%s\"%s", address->text, uv_strerror(err),
                 address->peer != NULL && address->peer->state == PEER_HELD
                     ? "; it counts as alive until lease.ttl is over"
                     : "");
    address->silent = true;
    if (err == -ECONNREFUSED) { /* no daemon listens there: do not wait for this address */
        address->decided = true;
        address->done_round = address->asked_round;
    }
}

static void on_odd_answer(struct static_address *address, int status, const char *why,
                          const char *body, size_t len)
{
    address->members->counts.malformed++;
    if (!address->odd)
        log_error("not a member's record",
                  "address=\"%s\" status=%d why=\"%s\" answer=\"%.*s\"; members.static wants the "
                  "admin addresses of this cluster's daemons",
                  address->text, status, why, (int)(len < 100 ? len : 100), body);
    address->odd = true;
}

static void on_some_answer(struct static_address *address, int status, const char *body, size_t len)
{
    struct member_record record;
    const char *why = "not status 200";

    if (address->silent)
        log_info("answers again", "address=\"%s\"", address->text);
    address->silent = false;
    address->decided = true;
    address->done_round = address->asked_round;
    if (status == 503) /* not yet a member, or not any more */
        return;
    if (status < 0)
        why = status == -EBADMSG ? "not HTTP" : "too long";
    else if (status == 200)
        why = member_record_decode(body, len, &record);
    if (why != NULL) {
        on_odd_answer(address, status, why, body, len);
        return;
    }
    if (address->odd)
        log_info("a member's record again", "address=\"%s\"", address->text);
    address->odd = false;
    members_take(address->members, address, &record);
}

static void part(struct static_members *members)
{
    for (struct static_address *address = members->addresses; address != NULL;
         address = address->next) {
        if (address->parting)
            return;
    }
    members_parted(members);
}

static void on_parting_answer(struct static_address *address, bool told)
{
    if (told)
        address->parting = false;
    else /* what came was the answer to an earlier question */
        ask(address);
    part(address->members);
}

static void on_answer(int status, const char *body, size_t len, void *arg)
{
    struct static_address *address = arg;
    struct static_members *members = address->members;

    if (members->base.leaving) {
        on_parting_answer(address, address->asked_round == members->round);
        return;
    }
    if (status > 0 || status == -EBADMSG || status == -EMSGSIZE)
        on_some_answer(address, status, body, len);
    else
        on_no_answer(address, status);
    if (members->base.closed)
        return;
    /* A new round began meanwhile, so ask again at once: the round waits for this address. */
    if (address->asked_round != members->round && !http_client_busy(address->ask) && status > 0)
        ask(address);
    members_step(members);
}

/* --- the set of them --- */

static struct static_address *address_find(struct static_members *members,
                                           const union endpoint *endpoint)
{
    struct static_address *address = members->addresses;
    while (address != NULL && !endpoint_same(&address->endpoint, endpoint))
        address = address->next;
    return address;
}

static void name_address(struct static_address *address, const struct static_entry *entry)
{
    char ip[ENDPOINT_IP_MAX];
    if (entry->literal) {
        endpoint_text(&address->endpoint.any, address->text, sizeof address->text);
        return;
    }
    endpoint_ip(&address->endpoint.any, ip, sizeof ip);
    snprintf(address->text, sizeof address->text, "%s:%s (%s)", entry->host, entry->port, ip);
}

static struct static_address *address_open(struct static_members *members,
                                           const struct static_entry *entry,
                                           const union endpoint *endpoint)
{
    if (members->n_addresses == ADDRESSES_MAX) {
        if (!members->told_crowd)
            log_error("too many addresses", "name=%s limit=%d; what is beyond is left out",
                      entry->host, ADDRESSES_MAX);
        members->told_crowd = true;
        return NULL;
    }
    struct static_address *address = mem_zalloc(sizeof *address);
    address->members = members;
    address->endpoint = *endpoint;
    address->since_ms = members_now();
    name_address(address, entry);
    address->ask = http_client_open(members->base.loop, &endpoint->any, on_answer, address);
    http_client_set_header(address->ask, members->authorization);
    if (members->tls != NULL)
        http_client_set_tls(address->ask, members->tls, entry->host);
    address->next = members->addresses;
    members->addresses = address;
    members->n_addresses++;
    return address;
}

void addresses_update(struct static_members *members)
{
    for (struct static_address *address = members->addresses; address != NULL;
         address = address->next)
        address->listed = false;
    for (size_t i = 0; i < members->n_entries; i++) {
        const struct static_entry *entry = &members->entries[i];
        for (size_t j = 0; j < entry->n_found; j++) {
            struct static_address *address = address_find(members, &entry->found[j]);
            if (address != NULL) {
                address->listed = true;
            } else if ((address = address_open(members, entry, &entry->found[j])) != NULL) {
                address->listed = true;
                ask(address);
            }
        }
    }
}

void addresses_ask(struct static_members *members)
{
    for (struct static_address *address = members->addresses; address != NULL;
         address = address->next) {
        if (!http_client_busy(address->ask))
            ask(address);
    }
}

bool address_is(const struct static_address *address, const char *ip)
{
    char text[ENDPOINT_IP_MAX];
    endpoint_ip(&address->endpoint.any, text, sizeof text);
    return strcmp(text, ip) == 0;
}

bool addresses_have(const struct static_members *members, const char *ip)
{
    for (const struct static_address *at = members->addresses; at != NULL; at = at->next) {
        if (address_is(at, ip))
            return true;
    }
    return false;
}

static void address_free(struct static_members *members, struct static_address *address)
{
    peers_forget_address(members, address);
    http_client_close(address->ask);
    members->n_addresses--;
    free(address);
}

void addresses_prune(struct static_members *members)
{
    struct static_address **at = &members->addresses;
    while (*at != NULL) {
        struct static_address *address = *at;
        bool alive = address->peer != NULL && address->peer->state != PEER_GONE &&
                     address->peer->address == address;
        if (address->listed || alive) {
            at = &address->next;
            continue;
        }
        *at = address->next;
        address_free(members, address);
    }
}

static bool address_done(const struct static_members *members, const struct static_address *address,
                         uint64_t now_ms)
{
    if (!address->listed || address->done_round == members->round)
        return true;
    /* A daemon that hangs or cannot be reached may be a member. So the round waits for it, up to
     * ttl_ms. */
    if (!address->decided && now_ms - address->since_ms < (uint64_t)members->base.ttl_ms)
        return false;
    return address->silent && (address->peer == NULL || address->peer->state == PEER_GONE);
}

bool addresses_done(const struct static_members *members, uint64_t now_ms)
{
    for (const struct static_address *address = members->addresses; address != NULL;
         address = address->next) {
        if (!address_done(members, address, now_ms))
            return false;
    }
    return true;
}

void addresses_part(struct static_members *members)
{
    members->round++; /* so that questions under way are told apart from those that say that we
                       * leave */
    for (struct static_address *address = members->addresses; address != NULL;
         address = address->next) {
        address->parting = !address->silent;
        if (address->parting && !http_client_busy(address->ask))
            ask(address);
    }
    part(members);
}

void addresses_close(struct static_members *members)
{
    while (members->addresses != NULL) {
        struct static_address *address = members->addresses;
        members->addresses = address->next;
        address_free(members, address);
    }
}
