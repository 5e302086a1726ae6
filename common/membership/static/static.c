/* Decides what we are, and when the others see it:
 *
 *   looking ─ everyone was asked ─► (logic: claim_node(), everyone is asked again) ─► hold()
 *                                                      ▲                                │
 *                another logic of our node is older ───┤    (who needs no node: hold()) │
 *      another process of our id is older: it is gone ─┤                                │
 *                taken for dead, or slept: new_life() ─┴─ give_up(): a new epoch ◄──────┘
 *
 * A tick comes every renew_ms: we look names up, take peers that did not answer for ttl_ms for
 * dead, and ask everyone. After every answer and every tick members_step() checks whether that
 * changes anything. Time in which this process slept does not count against peers.
 *
 * Two logics may claim one node at the same time. Each publishes its claim, then asks the others.
 * So at least one of them sees the other's claim, and takes another node. */
#include "common/membership/static/static.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/protocol/message_id.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct static_members *members_of(struct membership *membership)
{
    return container_of(membership, struct static_members, base);
}

uint64_t members_now(void)
{
    return (uint64_t)time_boot_us() / 1000;
}

bool members_bury(const struct static_members *members, enum member_kind kind)
{
    return (members->base.watch >> kind & 1) != 0 &&
           (kind == MEMBER_COMET || kind == MEMBER_ROUTER);
}

/* --- telling --- */

/* Publishes the lists. An event may close us. */
static void publish(struct static_members *members)
{
    if (!members->stale || !members->looked)
        return;
    members->stale = false;
    for (int i = 0; i < MEMBER_KINDS && !members->base.closed; i++) {
        enum member_kind kind = (enum member_kind)i;
        if ((members->base.watch >> i & 1) != 0)
            membership_take_list(&members->base, kind, peers_list(members, kind));
    }
}

static void hold(struct static_members *members)
{
    members->shown = members->stale = true;
    members->claiming = members->told_rival = members->told_full = false;
    members->epoch_ms = members_now();
    publish(members);
    if (!members->base.closed)
        membership_hold(&members->base, members->base.self.node);
}

static void give_up(struct static_members *members)
{
    membership_give_up(&members->base);
    members->shown = false;
    members->stale = true;
    members->epoch_ms = members_now();
}

/* --- what we are --- */

/* Does another process have our id, with more right to it? Then we wait. */
static bool is_rivalled(struct static_members *members)
{
    const struct membership *base = &members->base;
    const struct static_peer *rival = peers_find(members, base->kind, base->self.id);

    if (rival == NULL || rival->state == PEER_GONE)
        return false;
    /* If both hold the id, or both want it, the older process has more right. */
    bool equal = (rival->state == PEER_HELD) == base->holding;
    if (equal ? rival->record.member.epoch > base->self.epoch : base->holding)
        return false;
    if (!members->told_rival)
        log_error("lease refused",
                  "%s id %s is held by another process (at %s, rpc \"%s\"); waiting until it ends: "
                  "if it is meant to live, set lease.id",
                  member_kind_name(base->kind), base->self.id,
                  rival->address != NULL ? rival->address->text : "?", rival->record.member.rpc);
    members->told_rival = true;
    return true;
}

/* Does another logic have our node, with more right to it? */
static bool is_outnumbered(struct static_members *members)
{
    const struct membership *base = &members->base;
    const struct static_peer *other;

    if (base->kind != MEMBER_LOGIC || !members->claimed ||
        (other = peers_with_node(members, base->self.node, false)) == NULL)
        return false;
    if (base->holding &&
        (other->state != PEER_HELD || other->record.member.epoch > base->self.epoch))
        return false;
    if (base->holding)
        log_error("two logics with one node",
                  "node=%u logic=%s and logic=%s (at %s), which has had it for longer; taking "
                  "another one",
                  base->self.node, base->self.id, other->record.member.id,
                  other->address != NULL ? other->address->text : "?");
    return true;
}

static void claim_node(struct static_members *members)
{
    struct membership *base = &members->base;
    enum { NODES = MESSAGE_ID_MAX_NODE + 1 };
    /* Begin at random: two logics that cannot see each other seldom take the same node. */
    uint32_t first = (uint32_t)(random_number() % NODES);

    members->claimed = base->numbered = false;
    /* The first time round leave out nodes of dead logics: one that comes back keeps its node. */
    for (uint32_t i = 0; i < 2 * NODES && !members->claimed; i++) {
        base->self.node = (first + i) % NODES;
        members->claimed = peers_with_node(members, base->self.node, i < NODES) == NULL;
    }
    if (!members->claimed) {
        if (!members->told_full)
            log_error("lease refused", "all %d node numbers are in use; stop some of the logics",
                      NODES);
        members->told_full = true;
        return;
    }
    base->numbered = members->claiming = true;
    members->round++;
    addresses_ask(members);
}

static void seek(struct static_members *members)
{
    bool logic = members->base.kind == MEMBER_LOGIC;
    bool asked = entries_decided(members) && addresses_done(members, members_now());

    if (!members->looked) {
        if (!asked)
            return;
        members->looked = members->stale = true;
    }
    if (is_rivalled(members))
        return;
    if (logic && (!members->claimed || is_outnumbered(members)))
        claim_node(members);
    else if (!members->claiming || asked)
        hold(members);
}

void members_step(struct static_members *members)
{
    struct membership *base = &members->base;

    if (base->closed || base->leaving)
        return;
    if (base->holding && is_rivalled(members)) {
        give_up(members);
    } else if (base->holding && is_outnumbered(members)) {
        give_up(members);
        members->claimed = false;
    }
    if (!base->holding)
        seek(members);
    if (!base->closed)
        publish(members);
}

static void new_life(struct static_members *members, const char *who, const char *id,
                     uint64_t slept_ms)
{
    if (who != NULL)
        log_warn("lease lapsed", "id=%s: %s %s has taken us for dead; starting a new life",
                 members->base.self.id, who, id);
    else
        log_warn("lease lapsed",
                 "id=%s: slept for %llums, others may have taken us for dead; starting a new life",
                 members->base.self.id, (unsigned long long)slept_ms);
    give_up(members);
    members_step(members);
}

void members_take(struct static_members *members, struct static_address *address,
                  const struct member_record *record)
{
    if (record->member.process == members->base.self.process) {
        members->met_self = true;
        address->peer = NULL;
        return;
    }
    peers_take(members, address, record, members_now());
}

/* --- the clock --- */

static void after_sleep(struct static_members *members, uint64_t now_ms)
{
    uint64_t renew_ms = (uint64_t)members->base.renew_ms, ttl_ms = (uint64_t)members->base.ttl_ms;
    uint64_t before_ms = members->ticked_ms, gap_ms = now_ms - before_ms;
    uint64_t limit_ms = ttl_ms - renew_ms > 2 * renew_ms ? ttl_ms - renew_ms : 2 * renew_ms;

    members->ticked_ms = now_ms;
    if (before_ms == 0 || gap_ms <= 2 * renew_ms)
        return;
    peers_shift(members, gap_ms - renew_ms);
    /* An epoch that began after we woke up is not concerned. */
    if (gap_ms > limit_ms && members->base.holding && members->epoch_ms <= before_ms)
        new_life(members, NULL, NULL, gap_ms);
}

/* Our own list has what we said of ourselves when it was published. What others say they are asked
 * for, and nobody asks itself. */
static void update_self(struct static_members *members)
{
    const struct member *self = &members->base.self;
    struct member *shown = member_list_find(&members->base.lists[members->base.kind], self->id);

    if (members->shown && shown != NULL && shown->epoch == self->epoch)
        member_take_counts(shown, self);
}

/* Logs what keeps us from being a full member, and repeats it every TOLD_MS. */
static void tell(struct static_members *members, uint64_t now_ms)
{
    const struct static_peer *ignorant = peers_ignorant(members);

    if (now_ms - members->told_ms < TOLD_MS)
        return;
    members->told_ms = now_ms;
    if (!members->looked)
        log_warn("looking for members", "not every address of members.static has answered yet");
    else if (members->base.holding && ignorant != NULL)
        log_warn("not asked", "by %s=%s (at %s): is our address in its members.static?",
                 member_kind_name(ignorant->record.kind), ignorant->record.member.id,
                 ignorant->address != NULL ? ignorant->address->text : "?");
    if (members->looked && !members->met_self && !members->told_self) {
        log_warn("not in members.static",
                 "no address of the list leads to this daemon: those who have the same list do not "
                 "see it; is its admin.listen among them?");
        members->told_self = true;
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct static_members *members = timer->data;
    uint64_t now_ms = members_now();

    after_sleep(members, now_ms);
    if (members->base.closed)
        return;
    entries_resolve(members, now_ms);
    peers_lapse(members, now_ms);
    addresses_prune(members);
    addresses_ask(members);
    tell(members, now_ms);
    update_self(members);
    members_step(members);
}

/* --- the backend --- */

static void static_start(struct membership *membership)
{
    struct static_members *members = members_of(membership);
    uint64_t renew_ms = (uint64_t)membership->renew_ms;

    members->round = 1;
    members->told_ms = members_now();
    members->refs = 1;
    uv_timer_init(&membership->loop->uv, &members->timer);
    members->timer.data = members;
    entries_open(members);
    addresses_update(members);
    uv_timer_start(&members->timer, on_tick, 0, renew_ms);
}

/* Always fresh: a member that does not answer is dropped after ttl_ms, so the lists are never
 * older. */
static bool static_fresh(const struct membership *membership)
{
    (void)membership;
    return true;
}

static bool static_known(const struct membership *membership)
{
    return peers_ignorant((const struct static_members *)(const void *)membership) == NULL;
}

static void disbelieve(struct static_members *members, const struct member_question *question,
                       const char *why)
{
    members->counts.disbelieved++;
    log_warn("not believed", "from=%s who=%s/%s says=%s why=\"%s\"", question->from,
             member_kind_name(question->kind), question->id != NULL ? question->id : "",
             question->dead != 0 ? "dead" : "leaving", why);
}

/* Why we do not believe QUESTION; NULL: we do. An asker cannot prove who it is. So the question has
 * to come from an address of the list, and to be possible. A liar would have to be on a machine of
 * the cluster. */
static const char *doubt(const struct static_members *members,
                         const struct member_question *question, const struct static_peer *peer)
{
    const struct membership *base = &members->base;
    uint64_t lived_ms = members_now() - members->epoch_ms;
    bool known = peer != NULL && peer->state == PEER_HELD;

    if (!addresses_have(members, question->from))
        return "no address of members.static";
    if (known && peer->record.member.epoch != question->epoch)
        return "it has another epoch";
    if (question->leaving && known &&
        !(peer->address != NULL && address_is(peer->address, question->from)))
        return "not where it answers";
    /* An asker that has taken this epoch for dead got no answer from it for lease.ttl. */
    if (question->dead != 0 && question->dead == base->self.epoch &&
        lived_ms + (uint64_t)base->renew_ms < (uint64_t)base->ttl_ms)
        return "this life is too young for that";
    return NULL;
}

static void static_heard(struct membership *membership, const struct member_question *question)
{
    struct static_members *members = members_of(membership);
    struct static_peer *peer =
        question->id != NULL ? peers_find(members, question->kind, question->id) : NULL;

    if (membership->closed)
        return;
    if (question->says) {
        const char *why = doubt(members, question, peer);
        if (why != NULL) {
            disbelieve(members, question, why);
            return;
        }
    }
    if (peer != NULL && peer->record.member.epoch == question->epoch) {
        if (question->says && question->leaving)
            peer_leaves(members, peer);
        else if (addresses_have(members, question->from))
            peer->asked = membership->holding;
    }
    if (question->says && question->id != NULL && question->dead == membership->self.epoch &&
        membership->holding && !membership->leaving)
        new_life(members, member_kind_name(question->kind), question->id, 0);
    else
        members_step(members);
}

static void on_parted(uv_timer_t *timer)
{
    addresses_part(timer->data);
}

static void static_leave(struct membership *membership)
{
    struct static_members *members = members_of(membership);

    membership->holding = false;
    entries_close(members);
    uv_timer_start(&members->timer, on_parted, 0, 0);
}

void members_parted(struct static_members *members)
{
    if (members->parted)
        return;
    members->parted = true;
    membership_tell_left(&members->base);
}

void members_unref(struct static_members *members)
{
    if (--members->refs > 0)
        return;
    entries_free(members);
    peers_free(members);
    free(members->list);
    mem_wiped_free_text(members->authorization);
    membership_free(&members->base);
}

static void on_timer_closed(uv_handle_t *handle)
{
    members_unref(handle->data);
}

static void static_close(struct membership *membership)
{
    struct static_members *members = members_of(membership);

    entries_close(members);
    addresses_close(members);
    uv_close((uv_handle_t *)&members->timer, on_timer_closed);
}

static void static_set_key(struct membership *membership, const char *key)
{
    static const char form[] = "Authorization: Bearer %s\r\n";
    struct static_members *members = members_of(membership);
    char *old = members->authorization;

    members->authorization = NULL;
    if (key != NULL) {
        size_t size = sizeof form + strlen(key);
        members->authorization = mem_alloc(size);
        (void)snprintf(members->authorization, size, form, key);
    }
    for (struct static_address *at = members->addresses; at != NULL; at = at->next)
        http_client_set_header(at->ask, members->authorization);
    mem_wiped_free_text(old);
}

static void static_stats(const struct membership *membership, struct membership_stats *stats)
{
    const struct static_members *members = (const void *)membership;
    int64_t lives = stats->lives;

    *stats = members->counts;
    stats->lives = lives;
    stats->addresses = (int64_t)members->n_addresses;
    stats->silent = 0;
    for (const struct static_address *at = members->addresses; at != NULL; at = at->next)
        stats->silent += at->silent;
}

static const struct membership_ops ops = {
    .start = static_start,
    .fresh = static_fresh,
    .known = static_known,
    .heard = static_heard,
    .leave = static_leave,
    .set_key = static_set_key,
    .close = static_close,
    .stats = static_stats,
};

struct membership *membership_static_new(const char *addresses, struct tls_client *tls)
{
    struct static_members *members = mem_zalloc(sizeof *members);
    members->base.ops = &ops;
    members->list = mem_strdup(addresses);
    members->tls = tls;
    return &members->base;
}
