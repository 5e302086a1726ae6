/* comets.c - the list of comets; the drawing is in comets.h. */
#include "job/comets/comets.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/containers/map.h"
#include "common/protocol/fence.h"
#include "common/protocol/message_id.h"
#include "common/protocol/room_news.h"
#include "common/rpc/pipe.h"
#include "job/base/message_steps.h"
#include "job/comets/comets_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_MS = 500,      /* a grant lasts four times as long */
    ASK_FOR_MS = 5000, /* after the last message to a room */
};

uint64_t comets_new_link(struct comet_peers *comets)
{
    if (comets->links == 0)
        comets->links = random_number();
    return ++comets->links == 0 ? ++comets->links : comets->links;
}

static struct comet_peer *comet_open(struct comet_peers *comets, const struct member *member)
{
    struct comet_peer *comet = mem_zalloc(sizeof *comet);

    comet->comets = comets;
    comet->job = comets->job;
    memcpy(comet->id, member->id, sizeof comet->id);
    memcpy(comet->address, member->rpc, sizeof comet->address);
    comet->epoch = member->epoch;
    comet->process = member->process;
    comet->link = comets_new_link(comets);
    comet->standing_due = true;
    comet->life = ++comets->lives;
    comet->by_seq = map64_new();
    comet_rooms_open(&comet->rooms, comet->job);
    TAILQ_INIT(&comet->pending);
    STAILQ_INIT(&comet->queue);
    STAILQ_INIT(&comet->returned);
    comet_connect(comet);
    log_info("comet found", "comet=%s address=%s epoch=%" PRIu64, comet->id, comet->address,
             comet->epoch);
    return comet;
}

/* COMET is back: the same process under a new epoch. What was kept goes first, because it is at the
 * head of the queue. */
static void comet_revive(struct comet_peer *comet, const struct member *member)
{
    comet->lost = false;
    comet->epoch = member->epoch;
    comet->life = ++comet->comets->lives;
    comet->standing_due = true;
    log_info("comet found again", "comet=%s address=%s epoch=%" PRIu64 " kept=%zu", comet->id,
             member->rpc, comet->epoch, comet->n_kept);
    if (comet->pipe != NULL && strcmp(comet->address, member->rpc) == 0) {
        const struct rpc_name name = member_name(member);
        pipe_want(comet->pipe, &name);
        pipe_kick(comet->pipe);
        return;
    }
    if (comet->pipe != NULL)
        comet_disconnect(comet);
    memcpy(comet->address, member->rpc, sizeof comet->address);
    comet_connect(comet);
}

void comet_free(struct comet_peer *comet)
{
    struct comet_item *item;

    if (comet->pipe != NULL)
        comet_disconnect(comet);
    comet->standing_due = false;
    while ((item = STAILQ_TAKE(&comet->queue, next)) != NULL)
        comet_item_free(comet, item);
    map64_free(comet->by_seq);
    comet_rooms_reset(&comet->rooms);
    free(comet);
}

/* We do not know which process COMET was, so nothing can be kept for it. */
static void comet_abandon(struct comet_peer *comet, struct answers *answers)
{
    comet_disconnect(comet);
    const struct comet_item *item;
    STAILQ_FOREACH(item, &comet->queue, next)
        answers_add(answers, item->message, item->kind);
    comet_free(comet);
}

struct comet_peers *comets_open(struct job *job, comet_answered_fn answered)
{
    struct comet_peers *comets = mem_zalloc(sizeof *comets);

    loop_assert_owner(job->loop);
    comets->job = job;
    comets->answered = answered;
    comets->by_id = strmap_new();
    uv_timer_init(&job->loop->uv, &comets->expiry);
    comets->expiry.data = comets;
    uv_timer_init(&job->loop->uv, &comets->ask);
    comets->ask.data = comets;
    comets->open_timers = 2;
    return comets;
}

static void comets_on_closed(uv_handle_t *handle)
{
    struct comet_peers *comets = handle->data;

    if (--comets->open_timers == 0)
        free(comets);
}

void comets_close(struct comet_peers *comets)
{
    loop_assert_owner(comets->job->loop);
    for (size_t i = 0; i < comets->n; i++)
        comet_free(comets->list[i]);
    comets_lost_close(comets);
    strmap_free(comets->by_id);
    free(comets->list);
    uv_close((uv_handle_t *)&comets->expiry, comets_on_closed);
    uv_close((uv_handle_t *)&comets->ask, comets_on_closed);
}

static struct comet_peer *comets_get(struct comet_peers *comets, const char *id)
{
    return strmap_get(comets->by_id, id, strlen(id));
}

static void comets_keep(struct comet_peers *comets, const struct member *member)
{
    struct comet_peer *comet = comets_get(comets, member->id);

    if (comet == NULL || comet->epoch != member->epoch)
        return;
    comet->listed = true;
    if (strcmp(comet->address, member->rpc) == 0)
        return;
    comet_disconnect(comet);
    memcpy(comet->address, member->rpc, sizeof comet->address);
    comet_connect(comet);
}

/* Takes out the comets that membership does not list any more, and returns these *N. */
static struct comet_peer **comets_remove_unlisted(struct comet_peers *comets, size_t *n)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    struct comet_peer **removed = mem_alloc((comets->n + 1) * sizeof *removed);
    size_t kept = 0;

    *n = 0;
    for (size_t i = 0; i < comets->n; i++) {
        struct comet_peer *comet = comets->list[i];
        if (comet->listed) {
            comet->listed = false;
            comets->list[kept++] = comet;
            continue;
        }
        strmap_del(comets->by_id, comet->id, strlen(comet->id));
        removed[(*n)++] = comet;
    }
    comets->n = kept;
    return removed;
}

static void comets_add_new(struct comet_peers *comets, const struct member_list *list)
{
    size_t room = comets->n + list->n + 1;

    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    comets->list = mem_realloc(comets->list, room * sizeof *comets->list);
    for (size_t i = 0; i < list->n; i++) {
        const struct member *member = &list->members[i];
        if (member->rpc[0] == '\0' || comets_get(comets, member->id) != NULL)
            continue;
        struct comet_peer *comet = comets_find_lost(comets, member);
        if (comet != NULL)
            comet_revive(comet, member);
        else
            comet = comet_open(comets, member);
        strmap_set(comets->by_id, comet->id, strlen(comet->id), comet);
        comets->list[comets->n++] = comet;
    }
}

void comets_changed(struct comet_peers *comets, const struct member_list *list)
{
    struct answers answers = {0};
    size_t n_removed;

    loop_assert_owner(comets->job->loop);
    comets->found = NULL;
    for (size_t i = 0; i < list->n; i++)
        comets_keep(comets, &list->members[i]);
    struct comet_peer **removed = comets_remove_unlisted(comets, &n_removed);
    for (size_t i = 0; i < n_removed; i++) {
        log_info("comet lost", "comet=%s epoch=%" PRIu64, removed[i]->id, removed[i]->epoch);
        if (removed[i]->process != 0)
            comet_lose(removed[i], &answers);
        else
            comet_abandon(removed[i], &answers);
    }
    free(removed);
    comets_add_new(comets, list);
    answers_tell(comets, &answers);
}

void comets_state(struct comet_peers *comets)
{
    for (size_t i = 0; i < comets->n; i++) {
        comets->list[i]->standing_due = true;
        pipe_kick(comets->list[i]->pipe);
    }
}

size_t comets_kept_bytes(const struct comet_peers *comets)
{
    return comets->kept_bytes;
}

enum comet_standing comets_find(struct comet_peers *comets, const char *id, uint64_t epoch,
                                struct comet_peer **comet)
{
    struct comet_peer *found = comets->found;

    loop_assert_owner(comets->job->loop);
    if (found == NULL || strcmp(found->id, id) != 0)
        comets->found = found = comets_get(comets, id);
    if (found == NULL || found->epoch < epoch)
        return COMET_UNKNOWN;
    if (found->epoch > epoch)
        return COMET_OVER;
    *comet = found;
    return COMET_ALIVE;
}

size_t comets_count(const struct comet_peers *comets)
{
    return comets->n;
}

size_t comets_up(const struct comet_peers *comets)
{
    size_t up = 0;

    for (size_t i = 0; i < comets->n; i++)
        up += pipe_is_up(comets->list[i]->pipe);
    return up;
}

uint64_t comet_life(const struct comet_peer *comet)
{
    return comet->life;
}

void comet_push(struct comet_peer *comet, struct message *message, Imc__V1__PushItem__Kind kind,
                const struct hint *hints, size_t n)
{
    struct comet_item *item = mem_alloc(sizeof *item + n * sizeof item->handles[0]);

    loop_assert_owner(comet->job->loop);
    *item = (struct comet_item){.message = message_ref(message), .kind = kind};
    item->n_handles = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        item->handles[i] = hints[i].handle;
    STAILQ_INSERT_TAIL(&comet->queue, item, next);
    message->waiting++;
    if (message->trace != NULL)
        message_step_dispatched(comet->job, message, comet->id, (uint32_t)n,
                                kind == IMC__V1__PUSH_ITEM__KIND__POKE);
    pipe_kick(comet->pipe);
}

/* --- to rooms and to all --- */

static void comet_ask(struct comet_peer *comet)
{
    if (comet->pipe != NULL && comet_rooms_ask(&comet->rooms))
        pipe_kick(comet->pipe);
}

static void comets_on_ask(uv_timer_t *timer)
{
    struct comet_peers *comets = timer->data;

    if (loop_now_ms(comets->job->loop) - comets->room_ms >= ASK_FOR_MS) {
        uv_timer_stop(timer);
        return;
    }
    for (size_t i = 0; i < comets->n; i++)
        comet_ask(comets->list[i]);
    for (size_t i = 0; i < comets->n_lost; i++)
        comet_ask(comets->lost[i]);
}

static void comets_want_grants(struct comet_peers *comets)
{
    comets->room_ms = loop_now_ms(comets->job->loop);
    if (!uv_is_active((uv_handle_t *)&comets->ask))
        uv_timer_start(&comets->ask, comets_on_ask, 0, ASK_MS);
}

/* What a message to a room needs to know. The clock is read anew for each message: we may have
 * stood still since the last one. */
struct room_filter {
    uint64_t hash;
    int64_t now_us;
};

static struct room_filter filter_of(const struct message *message)
{
    return (struct room_filter){room_hash(message->room, strlen(message->room)), time_boot_us()};
}

/* FILTER is NULL for messages to all. */
static bool is_left_out(const struct comet_peer *comet, const struct room_filter *filter)
{
    if (filter == NULL)
        return false;
    bool out = comet_rooms_leaves_out(&comet->rooms, filter->hash, filter->now_us);
    job_count(comet->job, out ? JOB_ROOM_ITEMS_LEFT_OUT : JOB_ROOM_ITEMS_SENT);
    return out;
}

uint32_t comets_push(struct comet_peers *comets, struct message *message,
                     Imc__V1__PushItem__Kind kind)
{
    struct room_filter room;
    const struct room_filter *filter = NULL;
    uint32_t n = 0;

    loop_assert_owner(comets->job->loop);
    if (kind == IMC__V1__PUSH_ITEM__KIND__ROOM) {
        comets_want_grants(comets);
        room = filter_of(message);
        filter = &room;
    }
    for (size_t i = 0; i < comets->n; i++) {
        if (is_left_out(comets->list[i], filter))
            continue;
        comet_push(comets->list[i], message, kind, NULL, 0);
        n++;
    }
    for (size_t i = 0; i < comets->n_lost; i++) {
        if (!is_left_out(comets->lost[i], filter))
            comet_keep(comets->lost[i], message, kind);
    }
    return n;
}

void comets_give_up(struct comet_peers *comets)
{
    loop_assert_owner(comets->job->loop);
    for (size_t i = 0; i < comets->n; i++) {
        if (comet_rooms_give_up(&comets->list[i]->rooms))
            pipe_kick(comets->list[i]->pipe);
    }
    for (size_t i = 0; i < comets->n_lost; i++) {
        if (comet_rooms_give_up(&comets->lost[i]->rooms) && comets->lost[i]->pipe != NULL)
            pipe_kick(comets->lost[i]->pipe);
    }
}

size_t comets_granted(const struct comet_peers *comets)
{
    int64_t now_us = time_boot_us();
    size_t n = 0;

    for (size_t i = 0; i < comets->n; i++)
        n += comet_rooms_granted(&comets->list[i]->rooms, now_us);
    return n;
}

size_t comets_rooms(const struct comet_peers *comets)
{
    size_t n = 0;

    for (size_t i = 0; i < comets->n; i++)
        n += comet_rooms_count(&comets->list[i]->rooms);
    return n;
}
