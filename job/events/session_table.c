#include "job/events/session_table.h"
#include "common/base/mem.h"
#include "common/containers/map.h"
#include "common/containers/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct comet_life *life_find(struct session_table *table, const struct session_name *name)
{
    struct comet_life *life;

    LIST_FOREACH(life, &table->lives, link) {
        if (life->epoch == name->epoch && strcmp(life->comet, name->comet) == 0)
            return life;
    }
    return NULL;
}

static struct comet_life *life_get(struct session_table *table, const struct session_name *name)
{
    struct comet_life *life = life_find(table, name);

    if (life != NULL)
        return life;
    life = mem_zalloc(sizeof *life);
    memcpy(life->comet, name->comet, sizeof life->comet);
    life->epoch = name->epoch;
    life->sessions = map64_new();
    TAILQ_INIT(&life->open);
    LIST_INSERT_HEAD(&table->lives, life, link);
    return life;
}

static struct session *session_add(struct session_table *table, const struct session_name *name)
{
    struct comet_life *life = life_get(table, name);
    struct session *session = slab_alloc(table->slab);

    session->life = life;
    session->handle = name->handle;
    map64_set(life->sessions, name->handle, (uint64_t)(uintptr_t)session);
    life->n++;
    return session;
}

/* SESSION is in no list. */
static void session_free(struct session_table *table, struct session *session)
{
    struct comet_life *life = session->life;

    map64_del(life->sessions, session->handle);
    slab_free(table->slab, session);
    if (--life->n > 0)
        return;
    LIST_REMOVE(life, link);
    map64_free(life->sessions);
    free(life);
}

void session_table_forget(struct session_table *table)
{
    struct session *session = TAILQ_FIRST(&table->closed);

    TAILQ_REMOVE(&table->closed, session, link);
    table->n_closed--;
    session_free(table, session);
}

static void closed_add(struct session_table *table, struct session *session)
{
    session->state = SESSION_CLOSED;
    session->buried = 0;
    TAILQ_INSERT_TAIL(&table->closed, session, link);
    table->n_closed++;
}

struct session *session_table_find(struct session_table *table, const struct session_name *name)
{
    struct comet_life *life = life_find(table, name);
    const uint64_t *found = life != NULL ? map64_get(life->sessions, name->handle) : NULL;

    if (found == NULL)
        return NULL;
    return (struct session *)(uintptr_t)*found; /* NOLINT(performance-no-int-to-ptr) */
}

struct session *session_table_open(struct session_table *table, const struct session_name *name,
                                   int64_t uid, uint64_t opened_ms)
{
    struct session *session = session_add(table, name);

    session->uid = uid;
    session->opened_ms = opened_ms & ((UINT64_C(1) << 56) - 1);
    session->state = SESSION_OPEN;
    TAILQ_INSERT_TAIL(&session->life->open, session, link);
    session->life->n_open++;
    table->n_open++;
    return session;
}

/* SESSION is in no list then. */
static void session_unlink(struct session_table *table, struct session *session)
{
    assert(session->state != SESSION_CLOSED);
    if (session->state == SESSION_ABSENT) {
        TAILQ_REMOVE(&table->absent, session, link);
        return;
    }
    TAILQ_REMOVE(&session->life->open, session, link);
    session->life->n_open--;
    table->n_open--;
}

static void absent_add(struct session_table *table, struct session *session)
{
    session->state = SESSION_ABSENT;
    TAILQ_INSERT_TAIL(&table->absent, session, link);
}

void session_table_leave(struct session_table *table, struct session *session)
{
    session_unlink(table, session);
    absent_add(table, session);
}

struct session *session_table_add_absent(struct session_table *table,
                                         const struct session_name *name, int64_t uid)
{
    struct session *session = session_add(table, name);

    session->uid = uid;
    absent_add(table, session);
    return session;
}

void session_table_close(struct session_table *table, struct session *session)
{
    session_unlink(table, session);
    closed_add(table, session);
}

struct session *session_table_add_closed(struct session_table *table,
                                         const struct session_name *name)
{
    struct session *session = session_add(table, name);

    closed_add(table, session);
    return session;
}

void session_table_name(const struct session *session, struct session_name *out)
{
    *out = (struct session_name){.epoch = session->life->epoch, .handle = session->handle};
    memcpy(out->comet, session->life->comet, sizeof out->comet);
}

size_t session_table_map_bytes(const struct session_table *table)
{
    const struct comet_life *life;
    size_t bytes = 0;

    LIST_FOREACH(life, &table->lives, link)
        bytes += map64_bytes(life->sessions);
    return bytes;
}

void session_table_init(struct session_table *table)
{
    *table = (struct session_table){.slab = slab_open("sessions", sizeof(struct session))};
    LIST_INIT(&table->lives);
    TAILQ_INIT(&table->absent);
    TAILQ_INIT(&table->closed);
}

void session_table_free(struct session_table *table)
{
    struct comet_life *life;
    struct session *session;

    while ((session = TAILQ_FIRST(&table->absent)) != NULL)
        session_table_close(table, session);
    while (!TAILQ_EMPTY(&table->closed))
        session_table_forget(table);
    while ((life = LIST_FIRST(&table->lives)) != NULL) {
        size_t left = life->n;
        while (left-- > 0) {
            session = TAILQ_FIRST(&life->open);
            TAILQ_REMOVE(&life->open, session, link);
            session_free(table, session);
        }
    }
    slab_close(table->slab);
}
