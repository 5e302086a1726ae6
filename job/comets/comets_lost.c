/* comets_lost.c - comets that were taken for dead. They may only have stood still, or lost their
 * lease.
 *
 *   living ──comet_lose──► lost: room and all items kept ──comets_find_lost──► living again
 *                             │        │ comet.hold_bytes: dropped, missed_…        ▲
 *                             ▼        ▼                                            │
 *                      comet.hold is over: no stream, no items, missed_… ───────────┘
 *                             └─ another process has its id, or LOST_MAX newer ones ─► forgotten
 *
 * Nobody waits for the answers to kept items: their offsets are committed already. So kept items
 * are lost when this job ends. The Standing of the partition's next owner then tells the comet that
 * nobody vouches for them. */
#include "common/base/array.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/rpc/pipe.h"
#include "job/comets/comets_internal.h"
#include "job/partition/partition.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LOST_MAX = 256, EXPIRY_MS = 500 };

/* --- answers --- */

void answers_add(struct answers *answers, struct message *message, Imc__V1__PushItem__Kind kind)
{
    ARRAY_ROOM(answers->at, answers->n, answers->cap, 64);
    answers->at[answers->n].message = message_ref(message);
    answers->at[answers->n++].kind = kind;
}

void answers_tell(struct comet_peers *comets, struct answers *answers)
{
    for (size_t i = 0; i < answers->n; i++) {
        comets->answered(comets->job, answers->at[i].message, answers->at[i].kind,
                         IMC__V1__PUSH_RESULT__GONE);
        message_unref(answers->at[i].message);
    }
    free(answers->at);
    *answers = (struct answers){0};
}

/* --- dropping --- */

static bool is_kept_kind(Imc__V1__PushItem__Kind kind)
{
    return kind == IMC__V1__PUSH_ITEM__KIND__ROOM || kind == IMC__V1__PUSH_ITEM__KIND__ALL;
}

static void comet_missed(struct comet_peer *comet, Imc__V1__PushItem__Kind kind)
{
    if (kind == IMC__V1__PUSH_ITEM__KIND__ROOM)
        comet->missed_rooms = true;
    else
        comet->missed_all = true;
    comet->standing_due = true;
    job_count(comet->job, JOB_KEPT_DROPPED);
}

/* Drops all that is kept. Behind a gap nothing is of use: the comet will tell its sessions that
 * they missed some. */
static void comet_drop(struct comet_peer *comet, const char *why)
{
    struct comet_items queue = STAILQ_HEAD_INITIALIZER(queue);
    struct comet_item *item;
    size_t n = 0;

    if (STAILQ_EMPTY(&comet->queue))
        return;
    STAILQ_CONCAT(&queue, &comet->queue);
    while ((item = STAILQ_TAKE(&queue, next)) != NULL) {
        comet_missed(comet, item->kind);
        comet_item_free(comet, item);
        n++;
    }
    log_warn("room messages dropped", "comet=%s items=%zu why=\"%s\"", comet->id, n, why);
}

/* --- keeping --- */

static void comet_charge(struct comet_peer *comet, struct comet_item *item)
{
    item->kept = true;
    comet->n_kept++;
    comet->comets->kept_bytes += comet_item_size(item);
    job_count(comet->job, JOB_KEPT);
}

static void comet_check_room(struct comet_peer *comet)
{
    if (comet->comets->kept_bytes > (size_t)comet->job->config->hold_bytes)
        comet_drop(comet, "comet.hold_bytes is reached");
}

void comet_keep(struct comet_peer *comet, struct message *message, Imc__V1__PushItem__Kind kind)
{
    if (comet->pipe == NULL || comet->missed_rooms || comet->missed_all) {
        comet_missed(comet, kind);
        return;
    }
    struct comet_item *item = mem_alloc(sizeof *item);
    *item = (struct comet_item){.message = message_ref(message), .kind = kind};
    comet_charge(comet, item);
    STAILQ_INSERT_TAIL(&comet->queue, item, next);
    comet_check_room(comet);
    pipe_kick(comet->pipe);
}

/* --- losing --- */

static void comet_retire(struct comet_peer *comet)
{
    if (comet->pipe != NULL)
        comet_disconnect(comet);
    comet_drop(comet, "comet.hold is over");
}

static void comets_on_expiry(uv_timer_t *timer)
{
    struct comet_peers *comets = timer->data;
    uint64_t now = loop_now_ms(comets->job->loop), hold = (uint64_t)comets->job->config->hold_ms;
    bool open = false;

    for (size_t i = 0; i < comets->n_lost; i++) {
        if (now - comets->lost[i]->lost_ms >= hold)
            comet_retire(comets->lost[i]);
        open = open || comets->lost[i]->pipe != NULL;
    }
    if (!open)
        uv_timer_stop(timer);
}

/* Has some partition come to us only lately? Our list of comets is up to a renewal old. So the
 * partition's owner before us may have seen earlier than we that a comet is lost, and may have kept
 * items for it that we do not have. */
static bool partitions_are_young(const struct job *job)
{
    uint64_t now = loop_now_ms(job->loop);
    const struct partition *p;
    uint64_t old_enough = 2 * (uint64_t)job->config->daemon.lease_renew_ms;

    LIST_FOREACH(p, &job->partitions, link) {
        if (now - p->assigned_ms < old_enough)
            return true;
    }
    return false;
}

static void comets_add_lost(struct comet_peers *comets, struct comet_peer *comet)
{
    if (comets->n_lost == LOST_MAX) {
        comet_free(comets->lost[0]);
        memmove(comets->lost, comets->lost + 1, --comets->n_lost * sizeof(struct comet_peer *));
    }
    comets->lost = mem_realloc(comets->lost, (comets->n_lost + 1) * sizeof(struct comet_peer *));
    comets->lost[comets->n_lost++] = comet;
    if (!uv_is_active((uv_handle_t *)&comets->expiry))
        uv_timer_start(&comets->expiry, comets_on_expiry, EXPIRY_MS, EXPIRY_MS);
}

void comet_lose(struct comet_peer *comet, struct answers *answers)
{
    struct comet_peers *comets = comet->comets;
    struct comet_item *item;

    comet_disconnect(comet);
    struct comet_items queue = STAILQ_HEAD_INITIALIZER(queue);
    STAILQ_CONCAT(&queue, &comet->queue);
    while ((item = STAILQ_TAKE(&queue, next)) != NULL) {
        if (!item->kept)
            answers_add(answers, item->message, item->kind);
        if (!is_kept_kind(item->kind)) {
            comet_item_free(comet, item);
            continue;
        }
        if (!item->kept)
            comet_charge(comet, item);
        STAILQ_INSERT_TAIL(&comet->queue, item, next);
    }
    comet->lost = true;
    comet->lost_ms = loop_now_ms(comet->job->loop);
    if (partitions_are_young(comet->job))
        comet->link = comets_new_link(comets);
    comets_add_lost(comets, comet);
    if (comet->job->config->hold_ms == 0) {
        comet_drop(comet, "comet.hold is 0");
        return;
    }
    comet_check_room(comet);
    comet_connect(comet);
}

struct comet_peer *comets_find_lost(struct comet_peers *comets, const struct member *member)
{
    for (size_t i = 0; i < comets->n_lost; i++) {
        struct comet_peer *comet = comets->lost[i];
        if (strcmp(comet->id, member->id) != 0)
            continue;
        comets->n_lost--;
        memmove(comets->lost + i, comets->lost + i + 1,
                (comets->n_lost - i) * sizeof(struct comet_peer *));
        if (comet->process == member->process)
            return comet;
        comet_free(comet);
        return NULL;
    }
    return NULL;
}

void comets_lost_close(struct comet_peers *comets)
{
    for (size_t i = 0; i < comets->n_lost; i++)
        comet_free(comets->lost[i]);
    free(comets->lost);
    comets->n_lost = 0;
}
