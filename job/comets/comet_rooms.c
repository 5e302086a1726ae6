#include "job/comets/comet_rooms.h"
#include "common/base/log.h"
#include "common/base/time.h"
#include "common/containers/map.h"
#include "common/protocol/room_news.h"
#include "job/base/job.h"

#include <inttypes.h>

enum { TOO_MANY_WAIT_MS = 60000 };

void comet_rooms_open(struct comet_rooms *rooms, struct job *job)
{
    *rooms = (struct comet_rooms){.job = job};
}

void comet_rooms_reset(struct comet_rooms *rooms)
{
    map64_free(rooms->hashes);
    *rooms = (struct comet_rooms){.job = rooms->job, .wait_us = rooms->wait_us};
}

/* --- asking --- */

bool comet_rooms_ask(struct comet_rooms *rooms)
{
    if (rooms->job->config->comet_rooms == 0 || time_boot_us() < rooms->wait_us)
        return false;
    rooms->ask_due = true;
    return true;
}

bool comet_rooms_give_up(struct comet_rooms *rooms)
{
    bool asked = rooms->first_us != 0;

    comet_rooms_reset(rooms);
    rooms->wait_us = INT64_MAX;
    rooms->give_up_due = asked;
    return asked;
}

/* The time at which we ask is the question's number. */
void comet_rooms_describe(struct comet_rooms *rooms, Imc__V1__RoomsQuestion *out)
{
    imc__v1__rooms_question__init(out);
    out->applied = rooms->number;
    out->gives_up = rooms->give_up_due;
    out->anew = rooms->number == 0 && rooms->first_us == 0;
    if (rooms->ask_due) {
        rooms->last_us = time_boot_us();
        if (rooms->first_us == 0)
            rooms->first_us = rooms->last_us;
        out->asked = (uint64_t)rooms->last_us;
    }
    rooms->ask_due = rooms->answer_due = rooms->give_up_due = false;
}

/* --- news --- */

static void rooms_refuse(struct comet_rooms *rooms, const char *why)
{
    job_count(rooms->job, JOB_ROOM_NEWS_REFUSED);
    log_warn("news of rooms refused, all items are sent", "why=\"%s\" rooms=%zu", why,
             comet_rooms_count(rooms));
    comet_rooms_reset(rooms);
}

static bool rooms_apply(struct comet_rooms *rooms, const Imc__V1__RoomNews *news)
{
    for (size_t i = 0; i < news->n_left; i++)
        map64_del(rooms->hashes, news->left[i]);
    for (size_t i = 0; i < news->n_entered; i++)
        map64_set(rooms->hashes, news->entered[i], 1);
    return map64_count(rooms->hashes) <= (size_t)rooms->job->config->comet_rooms;
}

/* A grant holds from when we asked. Who answers what we have not asked on this stream gets nothing
 * by it. */
static void rooms_granted(struct comet_rooms *rooms, uint64_t question)
{
    int64_t asked_us = question > INT64_MAX ? 0 : (int64_t)question;
    int64_t until_us = asked_us + (int64_t)ROOM_GRANT_MS * 1000;

    if (rooms->first_us != 0 && asked_us >= rooms->first_us && asked_us <= rooms->last_us &&
        until_us > rooms->granted_us)
        rooms->granted_us = until_us;
}

bool comet_rooms_take(struct comet_rooms *rooms, const Imc__V1__RoomNews *news)
{
    if (rooms->first_us == 0 || (rooms->number == 0 && !news->all))
        return false; /* from before a reset */
    if (news->all) {
        map64_free(rooms->hashes);
        rooms->hashes = map64_new();
    } else if (news->number != rooms->number + 1) {
        rooms_refuse(rooms, "some are missing");
        return false;
    }
    if (news->n_left > ROOM_NEWS_MAX || news->n_entered > ROOM_NEWS_MAX || news->number == 0) {
        rooms_refuse(rooms, "malformed");
        return false;
    }
    rooms->number = news->number;
    if (!rooms_apply(rooms, news)) {
        rooms_refuse(rooms, "more than comet.rooms; asked again in a minute");
        rooms->wait_us = time_boot_us() + (int64_t)TOO_MANY_WAIT_MS * 1000;
        return false;
    }
    if (news->grant != 0)
        rooms_granted(rooms, news->grant);
    rooms->answer_due |= news->all || news->n_left > 0 || news->n_entered > 0;
    return rooms->answer_due;
}

/* --- filtering --- */

bool comet_rooms_leaves_out(const struct comet_rooms *rooms, uint64_t hash, int64_t now_us)
{
    return comet_rooms_granted(rooms, now_us) && map64_get(rooms->hashes, hash) == NULL;
}

size_t comet_rooms_count(const struct comet_rooms *rooms)
{
    return rooms->hashes == NULL ? 0 : map64_count(rooms->hashes);
}
