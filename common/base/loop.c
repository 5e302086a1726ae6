#include "common/base/loop.h"
#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* Takes the whole queue under the lock, then runs the items without it. An item that run() posts
 * waits for the next wake-up. */
static void loop_on_wake(uv_async_t *wake)
{
    struct loop *loop = loop_of((uv_handle_t *)wake);
    struct inbox *inbox = &loop->inbox;

    pthread_mutex_lock(&inbox->lock);
    struct inbox_item *item = inbox->head;
    inbox->head = NULL;
    inbox->tail = &inbox->head;
    pthread_mutex_unlock(&inbox->lock);
    while (item != NULL) {
        struct inbox_item *next = item->next;
        item->run(loop, item);
        item = next;
    }
}

static void loop_on_busy(uv_idle_t *busy)
{
    (void)busy; /* an active idle handle keeps poll() from waiting */
}

static void loop_on_turn_end(uv_check_t *check)
{
    struct loop *loop = loop_of((uv_handle_t *)check);
    struct loop_task *task = loop->tasks;

    if (task == NULL)
        return;
    loop->tasks = NULL;
    loop->tasks_tail = &loop->tasks;
    uv_idle_stop(&loop->busy);
    while (task != NULL) {
        struct loop_task *next = task->next;
        task->queued = false;
        task->run(loop, task);
        task = next;
    }
}

static void loop_own(struct loop *loop, pthread_t owner)
{
    atomic_store_explicit(&loop->owner, owner, memory_order_relaxed);
}

int loop_init(struct loop *loop, const char *name, int index)
{
    memset(loop, 0, sizeof *loop);
    loop->name = name;
    loop->index = index;
    loop->inbox.tail = &loop->inbox.head;
    loop->tasks_tail = &loop->tasks;
    int err = uv_loop_init(&loop->uv);
    if (err != 0)
        return err;
    loop->uv.data = loop;
    err = pthread_mutex_init(&loop->inbox.lock, NULL);
    if (err != 0) {
        err = -err;
        goto fail_loop;
    }
    err = uv_async_init(&loop->uv, &loop->wake, loop_on_wake);
    if (err != 0)
        goto fail_lock;
    uv_check_init(&loop->uv, &loop->turn_end);
    uv_check_start(&loop->turn_end, loop_on_turn_end);
    uv_idle_init(&loop->uv, &loop->busy);
    loop->inbox.open = true;
    loop_own(loop, pthread_self());
    return 0;

fail_lock:
    pthread_mutex_destroy(&loop->inbox.lock);
fail_loop:
    uv_loop_close(&loop->uv);
    return err;
}

void loop_run(struct loop *loop)
{
    loop->thread = pthread_self();
    loop_own(loop, loop->thread);
    while (!atomic_load_explicit(&loop->stopping, memory_order_acquire))
        uv_run(&loop->uv, UV_RUN_ONCE);
    loop_own(loop, 0);
}

static void *loop_thread(void *arg)
{
    struct loop *loop = arg;
    char name[16];

    strncpy(name, loop->name, sizeof name - 1);
    name[sizeof name - 1] = '\0';
    pthread_setname_np(pthread_self(), name);
    loop_own(loop, pthread_self());
    while (!atomic_load_explicit(&loop->stopping, memory_order_acquire))
        uv_run(&loop->uv, UV_RUN_ONCE);
    return NULL;
}

int loop_start(struct loop *loop)
{
    int err = pthread_create(&loop->thread, NULL, loop_thread, loop);

    if (err == 0)
        loop_own(loop, loop->thread);
    return -err;
}

void loop_join(struct loop *loop)
{
    pthread_join(loop->thread, NULL);
    loop_own(loop, pthread_self());
}

void loop_stop(struct loop *loop)
{
    atomic_store_explicit(&loop->stopping, true, memory_order_release);
    uv_async_send(&loop->wake);
}

static void loop_close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_close(struct loop *loop)
{
    struct inbox *inbox = &loop->inbox;

    pthread_mutex_lock(&inbox->lock);
    inbox->open = false;
    pthread_mutex_unlock(&inbox->lock);
    /* Items that were posted before still own memory, and only their run() can free it. */
    loop_on_wake(&loop->wake);
    loop_on_turn_end(&loop->turn_end);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    uv_walk(&loop->uv, loop_close_handle, NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
        continue;
    int err = uv_loop_close(&loop->uv);
    assert(err == 0);
    pthread_mutex_destroy(&inbox->lock);
}

bool inbox_post(struct loop *loop, struct inbox_item *item)
{
    struct inbox *inbox = &loop->inbox;

    item->next = NULL;
    pthread_mutex_lock(&inbox->lock);
    bool open = inbox->open;
    bool was_empty = inbox->head == NULL;
    if (open) {
        *inbox->tail = item;
        inbox->tail = &item->next;
    }
    pthread_mutex_unlock(&inbox->lock);
    if (open && was_empty)
        uv_async_send(&loop->wake);
    return open;
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    loop_assert_owner(loop);
    if (task->queued)
        return;
    task->queued = true;
    task->next = NULL;
    if (loop->tasks == NULL)
        uv_idle_start(&loop->busy, loop_on_busy);
    *loop->tasks_tail = task;
    loop->tasks_tail = &task->next;
}
