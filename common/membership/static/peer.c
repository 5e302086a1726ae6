/* The daemons that have answered, by (kind, id):
 *
 *            record: held                    no record for ttl_ms, or: leaving
 *   SEEKING ──────────────► HELD ──────────────────────────────────────────► GONE
 *      ▲ ◄───────────────────┘ record: seeking                                │
 *      └──────────────────────────────────────────────────────────────────────┘
 *        a record of another epoch than the one that has died */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/saturate.h"
#include "common/membership/static/static.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A peer that is gone is remembered for so long after its address is gone too. If it comes back
 * before that, it is told that it was taken for dead. */
enum { TOMB_MS = 3600000 };

struct static_peer *peers_find(const struct static_members *members, enum member_kind kind,
                               const char *id)
{
    for (struct static_peer *peer = members->peers; peer != NULL; peer = peer->next) {
        if (peer->record.kind == kind && strcmp(peer->record.member.id, id) == 0)
            return peer;
    }
    return NULL;
}

static struct static_peer *peer_of(struct static_members *members,
                                   const struct static_address *address,
                                   const struct member_record *record)
{
    struct static_peer *peer = address->peer;
    if (peer != NULL && peer->record.kind == record->kind &&
        strcmp(peer->record.member.id, record->member.id) == 0)
        return peer;
    peer = peers_find(members, record->kind, record->member.id);
    if (peer != NULL)
        return peer;
    peer = mem_zalloc(sizeof *peer);
    peer->record = *record;
    peer->next = members->peers;
    members->peers = peer;
    return peer;
}

/* True: RECORD comes from another process with PEER's id while PEER is alive. The process that was
 * seen first counts, and RECORD does not. */
static bool is_double(struct static_members *members, struct static_peer *peer,
                      const struct static_address *address, const struct member_record *record)
{
    if (peer->record.member.process == record->member.process || peer->address == address)
        return false;
    if (peer->state == PEER_GONE || (peer->state == PEER_SEEKING && record->state == RECORD_HELD))
        return false;
    if (peer->state == PEER_HELD && record->state == RECORD_HELD) {
        members->counts.doubles++;
        if (!peer->told_double)
            log_error("two daemons with one id",
                      "%s id %s answers at %s and at %s; the first one counts as long as it lives: "
                      "set lease.id",
                      member_kind_name(record->kind), record->member.id,
                      peer->address != NULL ? peer->address->text : "?", address->text);
        peer->told_double = true;
    }
    return true;
}

/* Has PEER restarted, and is it not a member yet? Then we wait: what was registered under its old
 * epoch should move once, to its new epoch, and not away and back. Logics have nothing registered,
 * but others have to see their claims at once. */
static bool is_restarting(const struct static_peer *peer, const struct member_record *record)
{
    return peer->state == PEER_HELD && record->state == RECORD_SEEKING &&
           peer->record.member.process != record->member.process && record->kind != MEMBER_LOGIC;
}

static void peer_set_address(struct static_peer *peer, struct static_address *address)
{
    if (address->peer != NULL && address->peer != peer && address->peer->address == address)
        address->peer->address = NULL; /* this process is at its address: it lapses, or moved */
    address->peer = peer;
    peer->address = address;
}

static enum peer_state state_of(struct static_peer *peer, const struct member_record *record)
{
    if (record->state == RECORD_LEAVING)
        peer->dead_epoch = record->member.epoch;
    if (record->member.epoch == peer->dead_epoch)
        return PEER_GONE;
    return record->state == RECORD_HELD ? PEER_HELD : PEER_SEEKING;
}

static void peer_set_state(struct static_members *members, struct static_peer *peer,
                           enum peer_state state)
{
    if (state == peer->state)
        return;
    if (state == PEER_HELD)
        log_info("member found", "%s=%s epoch=%" PRIu64 " address=\"%s\"",
                 member_kind_name(peer->record.kind), peer->record.member.id,
                 peer->record.member.epoch, peer->address->text);
    else if (peer->state == PEER_HELD)
        log_info("member gone", "%s=%s epoch=%" PRIu64, member_kind_name(peer->record.kind),
                 peer->record.member.id, peer->record.member.epoch);
    members->stale = members->stale || state == PEER_HELD || peer->state == PEER_HELD;
    peer->state = state;
}

static void update_counts(struct static_members *members, const struct member_record *record)
{
    struct member *shown = member_list_find(&members->base.lists[record->kind], record->member.id);
    if (shown != NULL)
        member_take_counts(shown, &record->member);
}

void peers_take(struct static_members *members, struct static_address *address,
                const struct member_record *record, uint64_t now_ms)
{
    /* The list does not have this address any more. The peer that answered there still counts, but
     * no other. */
    if (!address->listed &&
        (address->peer == NULL || address->peer->record.member.process != record->member.process))
        return;
    struct static_peer *peer = peer_of(members, address, record);
    if (is_double(members, peer, address, record)) {
        if (address->peer == peer)
            address->peer = NULL;
        return;
    }
    if (is_restarting(peer, record))
        return;
    if (peer->record.member.process != record->member.process)
        peer->asked = peer->told_double = false;
    bool same = member_same(&peer->record.member, &record->member);
    peer_set_address(peer, address);
    peer->record = *record;
    peer->seen_ms = now_ms;
    if (peer->state == PEER_HELD && !same)
        members->stale = true;
    peer_set_state(members, peer, state_of(peer, record));
    update_counts(members, record);
}

void peer_leaves(struct static_members *members, struct static_peer *peer)
{
    peer->dead_epoch = peer->record.member.epoch;
    peer_set_state(members, peer, PEER_GONE);
}

static void lapse(struct static_members *members, struct static_peer *peer, uint64_t silent_ms)
{
    if (peer->state == PEER_HELD) {
        members->counts.lapsed++;
        log_warn("taken for dead", "%s=%s address=\"%s\": no answer for %llums",
                 member_kind_name(peer->record.kind), peer->record.member.id,
                 peer->address != NULL ? peer->address->text : "", (unsigned long long)silent_ms);
        if (members_bury(members, peer->record.kind))
            peer->dead_epoch = peer->record.member.epoch;
    }
    peer_set_state(members, peer, PEER_GONE);
}

void peers_lapse(struct static_members *members, uint64_t now_ms)
{
    struct static_peer **at = &members->peers;
    while (*at != NULL) {
        struct static_peer *peer = *at;
        uint64_t silent_ms = saturate_sub(now_ms, peer->seen_ms);
        if (peer->state != PEER_GONE && silent_ms >= (uint64_t)members->base.ttl_ms)
            lapse(members, peer, silent_ms);
        if (peer->state == PEER_GONE && peer->address == NULL && silent_ms >= TOMB_MS) {
            *at = peer->next;
            free(peer);
        } else {
            at = &peer->next;
        }
    }
}

void peers_shift(struct static_members *members, uint64_t slept_ms)
{
    for (struct static_peer *peer = members->peers; peer != NULL; peer = peer->next)
        peer->seen_ms += slept_ms;
}

void peers_forget_address(struct static_members *members, const struct static_address *address)
{
    for (struct static_peer *peer = members->peers; peer != NULL; peer = peer->next) {
        if (peer->address == address)
            peer->address = NULL;
    }
}

struct member_list peers_list(const struct static_members *members, enum member_kind kind)
{
    struct member_list list = {0};
    size_t n = 1;
    for (const struct static_peer *peer = members->peers; peer != NULL; peer = peer->next)
        n++;
    list.members = mem_alloc(n * sizeof list.members[0]);
    for (const struct static_peer *peer = members->peers; peer != NULL; peer = peer->next) {
        if (peer->state == PEER_HELD && peer->record.kind == kind)
            list.members[list.n++] = peer->record.member;
    }
    if (members->shown && members->base.kind == kind) {
        const struct member *self = &members->base.self;
        /* Another process has our id. One of us will yield soon. */
        const struct static_peer *rival = peers_find(members, kind, self->id);
        if (rival == NULL || rival->state != PEER_HELD)
            list.members[list.n++] = *self;
    }
    member_list_sort(&list);
    return list;
}

const struct static_peer *peers_with_node(const struct static_members *members, uint32_t node,
                                          bool ever)
{
    for (const struct static_peer *peer = members->peers; peer != NULL; peer = peer->next) {
        if ((ever || peer->state != PEER_GONE) && peer->record.kind == MEMBER_LOGIC &&
            peer->record.numbered && peer->record.member.node == node)
            return peer;
    }
    return NULL;
}

const struct static_peer *peers_ignorant(const struct static_members *members)
{
    for (const struct static_peer *peer = members->peers; peer != NULL; peer = peer->next) {
        if (peer->state == PEER_HELD && !peer->asked)
            return peer;
    }
    return NULL;
}

void peers_free(struct static_members *members)
{
    while (members->peers != NULL) {
        struct static_peer *peer = members->peers;
        members->peers = peer->next;
        free(peer);
    }
}
