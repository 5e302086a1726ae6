/* outcome.c - see outcome.h. The arrows of docs/job.md that begin at a peer. */
#include "job/delivery/outcome.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "job/base/job.h"
#include "job/base/message_steps.h"
#include "job/partition/partition.h"

#include <inttypes.h>
#include <stdlib.h>

static void message_done(struct job *job, struct message *message)
{
    if (message->kind == MESSAGE_UID)
        user_order_remove(job->order, &message->entry);
    if (message->trace != NULL)
        message_step_done(job, message);
    if (message->fact != FACT_NONE && job->tell_fact != NULL)
        job->tell_fact(message, job->tell_arg);
    else
        partition_resolve(message);
}

/* --- comets --- */

/* What its comet stored for a session is told of when that has read it. */
static enum message_fact fact_of(const struct message *message)
{
    bool acked = true;

    if (!message->written)
        return FACT_NONE;
    for (uint32_t i = 0; i < message->n_hints; i++)
        acked = acked && message->hints[i].acked;
    return acked ? FACT_ACKNOWLEDGED : FACT_DELIVERED;
}

static void uid_answered(struct job *job, struct message *message)
{
    if (message->taken) {
        job_count(job, JOB_DELIVERED_UID);
        message->fact = (uint8_t)fact_of(message);
        message_done(job, message);
        return;
    }
    job_count(job, JOB_GONE);
    user_order_settle(job->order, &message->entry);
}

void outcome_item(struct job *job, struct message *message, Imc__V1__PushItem__Kind kind,
                  Imc__V1__PushResult result)
{
    loop_assert_owner(job->loop);
    if (message->partition == NULL)
        return;
    if (result == IMC__V1__PUSH_RESULT__REFUSED) {
        job_count(job, JOB_REFUSED);
        partition_refuse(message->partition);
        return;
    }
    message->taken |= result == IMC__V1__PUSH_RESULT__TAKEN;
    if (--message->waiting > 0)
        return;
    if (kind == IMC__V1__PUSH_ITEM__KIND__UID) {
        uid_answered(job, message);
        return;
    }
    if (kind == IMC__V1__PUSH_ITEM__KIND__ROOM)
        job_count(job, JOB_DELIVERED_ROOM);
    else if (kind == IMC__V1__PUSH_ITEM__KIND__ALL)
        job_count(job, JOB_DELIVERED_ALL);
    message_done(job, message);
}

/* --- logic --- */

/* Where the user is now, as logic sees it. */
struct whereabouts {
    struct hint *hints; /* sorted; strings of the reply */
    size_t n;
    bool unsure; /* some session is on a comet that we do not know: it is too new for our list, or
                    it is dead and logic does not know yet */
};

/* Logic names only sessions that are meant. An older logic does not know keys. */
static bool session_is_meant(const struct message *message, const Imc__V1__Session *session)
{
    return message->n_keys == 0 || text_is_among(session->key, message->keys, message->n_keys);
}

static void whereabouts_read(struct job *job, const struct message *message,
                             const Imc__V1__SettleResult *result, struct whereabouts *where)
{
    *where =
        (struct whereabouts){.hints = mem_alloc((result->n_sessions + 1) * sizeof(struct hint))};
    for (size_t i = 0; i < result->n_sessions; i++) {
        const Imc__V1__Session *session = result->sessions[i];
        struct comet_peer *comet;
        if (!session_is_meant(message, session))
            continue;
        enum comet_standing standing =
            comets_find(job->comets, session->comet, session->epoch, &comet);
        if (standing == COMET_ALIVE)
            where->hints[where->n++] =
                (struct hint){session->comet, session->epoch, session->handle, session->acked};
        where->unsure |= standing == COMET_UNKNOWN;
    }
    if (where->n > 1)
        qsort(where->hints, where->n, sizeof *where->hints, hint_compare);
}

static void poke(struct job *job, struct message *message, const struct whereabouts *where)
{
    for (size_t i = 0, n; i < where->n; i += n) {
        struct comet_peer *comet;
        for (n = 1; i + n < where->n && hint_same_comet(&where->hints[i], &where->hints[i + n]);)
            n++;
        if (comets_find(job->comets, where->hints[i].comet, where->hints[i].epoch, &comet) !=
            COMET_ALIVE)
            continue;
        comet_push(comet, message, IMC__V1__PUSH_ITEM__KIND__POKE, &where->hints[i], n);
        job_count(job, JOB_POKED);
    }
}

static bool settle_is_patient(const struct job *job, const struct message *message)
{
    return loop_now_ms(job->loop) - message->settle_since_ms < (uint64_t)job->config->patience_ms;
}

static enum handover_verdict stored(struct job *job, struct message *message,
                                    const Imc__V1__SettleResult *result)
{
    struct whereabouts where;

    whereabouts_read(job, message, result, &where);
    if (where.unsure && settle_is_patient(job, message)) {
        free(where.hints);
        job_count(job, JOB_SETTLE_UNKNOWN);
        return HANDOVER_AGAIN;
    }
    if (where.unsure) {
        job_count(job, JOB_UNPOKED);
        log_warn("session not told of its message",
                 "uid=%" PRId64 " id=%" PRIu64 " why=\"its comet is not among "
                 "the live ones; the message waits for the next connect\"",
                 message->uid, message->id);
    }
    message->stored = true;
    if (result->ended) /* of what waits in the mailbox logic tells */
        message->fact = FACT_EXPIRED;
    job_count(job, JOB_SETTLED);
    poke(job, message, &where);
    free(where.hints);
    user_order_stored(job->order, &message->entry);
    if (message->waiting == 0)
        message_done(job, message);
    return HANDOVER_DONE;
}

/* A message that cannot be stored goes to the sessions that its user has now: users who are online
 * shall not wait until Redis takes writes again. FIRST: no message of the same user is before it.
 */
static enum handover_verdict divert(struct job *job, struct message *message,
                                    const Imc__V1__SettleResult *result, bool first)
{
    struct whereabouts where = {0};

    if (result != NULL)
        whereabouts_read(job, message, result, &where);
    bool found = where.n > 0 && !where.unsure;
    if (found) {
        message_aim(message, where.hints, where.n);
        message->diverted_ms = loop_now_ms(job->loop);
        job_count(job, JOB_DIVERTED);
    }
    free(where.hints);
    if (!found && first)
        return HANDOVER_AGAIN;
    user_order_divert(job->order, &message->entry, !found);
    return HANDOVER_DIVERTED;
}

/* A session that cannot take the message hands it back. Then it is diverted again only as often as
 * storing is tried. */
static bool may_divert(const struct job *job, const struct message *message)
{
    return message->diverted_ms == 0 ||
           loop_now_ms(job->loop) - message->diverted_ms >= (uint64_t)job->config->retry_last_ms;
}

enum handover_verdict outcome_settled(struct job *job, struct message *message,
                                      const Imc__V1__SettleResult *result)
{
    const struct user_order_entry *before = user_order_before(&message->entry);

    loop_assert_owner(job->loop);
    if (before != NULL && before->state != ORDER_SETTLING)
        return divert(job, message, result, false);
    if (result == NULL || result->status == IMC__V1__SETTLE_RESULT__STATUS__FAILED) {
        job_count(job, JOB_SETTLE_FAILED);
        return before == NULL && may_divert(job, message) ? divert(job, message, result, true)
                                                          : HANDOVER_AGAIN;
    }
    if (result->status == IMC__V1__SETTLE_RESULT__STATUS__TOO_EARLY) {
        job_count(job, JOB_SETTLE_ORDER);
        return HANDOVER_AGAIN;
    }
    if (result->status != IMC__V1__SETTLE_RESULT__STATUS__STORED) {
        job_count(job, JOB_SETTLE_UNKNOWN);
        return HANDOVER_AGAIN;
    }
    /* The message before it is not in the mailbox yet: a session that is told of this one would
     * read past that. */
    if (before != NULL && !((const struct message *)(const void *)before)->stored) {
        job_count(job, JOB_SETTLE_ORDER);
        return HANDOVER_AGAIN;
    }
    return stored(job, message, result);
}
