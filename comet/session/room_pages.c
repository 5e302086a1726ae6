/*   room_pages_take ─┬─ small room: members ─► sorted ─► the first ones ─► finish()
 *                   └─ large room: waiting ─► on_slice: slots of the table ─► full, or the end
 *
 * Between two slices sessions come and go, and so may the room: it is looked up by name in each. */
#include "comet/base/worker.h"
#include "comet/fanout/room.h"
#include "comet/net/conn.h"
#include "comet/net/goim_client.h"
#include "comet/net/handle_table.h"
#include "comet/session/asked_sessions.h"

#include <stdlib.h>

struct room_pages {
    struct worker *worker;
    uint32_t sorted;
    size_t slots; /* per turn */
    struct question_queue waiting;
    struct loop_task slice;
};

static uint32_t slot_of(const struct conn *conn)
{
    return conn->handle & ((1U << HANDLE_SLOT_BITS) - 1);
}

static void add(struct question *question, const struct conn *conn)
{
    question_add(question,
                 &(struct asked_session){.handle = conn->handle,
                                         .uid = conn->uid,
                                         .key = conn->goim != NULL ? conn->goim->key : NULL});
}

/* --- small rooms --- */

static int compare_slots(const void *a, const void *b)
{
    uint32_t x = slot_of(*(const struct conn *const *)a),
             y = slot_of(*(const struct conn *const *)b);

    return x < y ? -1 : x > y;
}

static void sort_page(struct question *question, const struct room *room)
{
    uint32_t members = room_members(room);
    const struct conn **list = mem_alloc((members + 1) * sizeof(void *));
    size_t n = 0, i = 0;

    for (uint32_t at = 0; at < members; at++) {
        const struct conn *conn = room_member(room, at);
        if (conn->state == CONN_OPEN && slot_of(conn) >= question->after)
            list[n++] = conn;
    }
    qsort(list, n, sizeof(void *), compare_slots);
    for (; i < n && question->n < question->limit; i++)
        add(question, list[i]);
    question->more = i < n;
    if (i < n)
        question->after = slot_of(list[i]);
    free(list);
}

/* --- large rooms --- */

/* Walks on over at most *LEFT slots. True: the answer is there. */
static bool walk(const struct worker *worker, struct question *question, size_t *left)
{
    const struct room *room = room_find(worker, question->room, question->room_len);
    size_t slots = handle_table_slots(worker->table);

    if (room == NULL || question->after >= slots)
        return true;
    for (; *left > 0 && question->after < slots; (*left)--, question->after++) {
        const struct conn *conn = handle_table_at(worker->table, question->after);
        if (conn == NULL || conn->state != CONN_OPEN || !room_has(room, conn))
            continue;
        if (question->n == question->limit) {
            question->more = true;
            return true;
        }
        add(question, conn);
    }
    return question->after >= slots;
}

static void on_slice(struct loop *loop, struct loop_task *task)
{
    struct room_pages *pages = container_of(task, struct room_pages, slice);
    struct question *question;
    size_t left = pages->slots;

    while (left > 0 && (question = TAILQ_FIRST(&pages->waiting)) != NULL) {
        if (question->of != NULL && !walk(pages->worker, question, &left))
            break;
        TAILQ_REMOVE(&pages->waiting, question, queue);
        question->finish(question);
    }
    if (!TAILQ_EMPTY(&pages->waiting))
        loop_defer(loop, task);
}

void room_pages_take(struct room_pages *pages, struct question *question)
{
    struct worker *worker = pages->worker;
    const struct room *room = room_find(worker, question->room, question->room_len);

    question->taken = 1;
    if (room != NULL && question->limit > 0 && room_members(room) > pages->sorted) {
        TAILQ_INSERT_TAIL(&pages->waiting, question, queue);
        loop_defer(&worker->loop, &pages->slice);
        return;
    }
    if (room != NULL && question->limit > 0)
        sort_page(question, room);
    question->finish(question);
}

/* --- life --- */

struct room_pages *room_pages_open(struct worker *worker, uint32_t sorted, size_t slice)
{
    struct room_pages *pages = mem_zalloc(sizeof *pages);

    loop_assert_owner(&worker->loop);
    pages->worker = worker;
    pages->sorted = sorted;
    pages->slots = slice;
    pages->slice.run = on_slice;
    TAILQ_INIT(&pages->waiting);
    return pages;
}

void room_pages_close(struct room_pages *pages)
{
    struct question *question;

    while ((question = TAILQ_FIRST(&pages->waiting)) != NULL) {
        TAILQ_REMOVE(&pages->waiting, question, queue);
        question->finish(question);
    }
    free(pages);
}
