#include "logic/peers/give_way.h"
#include "common/base/mem.h"
#include "logic/peers/comet_sessions.h"
#include "logic/peers/streams.h"
#include "proto/session.pb-c.h"

#include <stdlib.h>
#include <string.h>

static bool is_set(const char *setting, const char *to)
{
    return setting != NULL && strcmp(setting, to) == 0;
}

bool give_way_closes_oldest(const struct logic_config *config)
{
    return is_set(config->sessions_when_full, "close_oldest");
}

bool give_way_replaces(const struct logic_config *config)
{
    return is_set(config->sessions_same_key, "replace");
}

/* Asks the comet of sessions[FROM] about its sessions from there on that are not ASKED yet. Marks
 * them. */
static void ask_comet(struct logic *logic, Imc__V1__GiveWay *way,
                      const struct router_answer *answer, size_t from, bool *asked)
{
    const Imc__V1__Session *first = answer->sessions[from];
    Imc__V1__SessionReply message = IMC__V1__SESSION_REPLY__INIT;
    uint64_t *handles = mem_alloc((answer->n_sessions - from) * sizeof *handles);

    way->handles = handles;
    way->n_handles = comet_sessions(answer, from, asked, handles);
    message.give_way = &way;
    message.n_give_way = 1;
    stream_tell(logic->streams, first->comet, first->epoch, &message.base);
    free(handles);
}

/* Asks about sessions[FROM] and those behind it that are not ASKED yet. */
static void ask_comets(struct logic *logic, int64_t uid, Imc__V1__GiveWay__Why why,
                       const struct router_answer *answer, size_t from, bool *asked)
{
    Imc__V1__GiveWay way = IMC__V1__GIVE_WAY__INIT;

    way.uid = uid;
    way.why = why;
    for (size_t i = from; i < answer->n_sessions; i++) {
        if (!asked[i])
            ask_comet(logic, &way, answer, i, asked);
    }
}

void give_way_silent(struct logic *logic, int64_t uid, const struct router_answer *answer, int asks)
{
    size_t n = answer->n_sessions, want = asks == 0 ? 1 : asks == 1 ? 4 : n;
    bool *asked = mem_zalloc(n + 1);

    ask_comets(logic, uid, IMC__V1__GIVE_WAY__WHY__SILENT, answer, want < n ? n - want : 0, asked);
    free(asked);
}

void give_way_oldest(struct logic *logic, int64_t uid, const struct router_answer *answer,
                     size_t most)
{
    size_t n = answer->n_sessions;
    bool *asked = mem_zalloc(n + 1);

    if (n > 0)
        ask_comets(logic, uid, IMC__V1__GIVE_WAY__WHY__OLDEST, answer,
                   most > 0 && most < n ? most - 1 : n - 1, asked);
    free(asked);
}

static bool is_self(const struct router_session *self, const Imc__V1__Session *session)
{
    return session->handle == self->handle && session->epoch == self->epoch &&
           strcmp(session->comet, self->comet) == 0;
}

/* Where SELF is in ANSWER; n_sessions: nowhere. */
static size_t place_of(const struct router_session *self, const struct router_answer *answer)
{
    size_t at = 0;

    while (at < answer->n_sessions && !is_self(self, answer->sessions[at]))
        at++;
    return at;
}

bool give_way_is_replaced(const struct router_session *self, const struct router_answer *answer)
{
    size_t at = place_of(self, answer);

    for (size_t i = 0; at < answer->n_sessions && i < at; i++) {
        if (strcmp(answer->sessions[i]->key, self->key) == 0)
            return true;
    }
    return false;
}

void give_way_same_key(struct logic *logic, const struct router_session *self,
                       const struct router_answer *answer)
{
    bool *asked = mem_alloc(answer->n_sessions + 1);
    size_t at = place_of(self, answer);

    for (size_t i = at; i < answer->n_sessions; i++)
        asked[i] = i == at || strcmp(answer->sessions[i]->key, self->key) != 0;
    ask_comets(logic, self->uid, IMC__V1__GIVE_WAY__WHY__SAME_KEY, answer, at, asked);
    free(asked);
}
