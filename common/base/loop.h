/* loop.h - a libuv loop that one thread owns, with an inbox for other threads and with tasks that
 * run at the end of a turn.
 *
 * An object in imc belongs to one loop from creation to free. Other threads (those of gRPC and
 * librdkafka, and other loops) reach the object only by inbox_post(). Some work must not run inside
 * the caller's callback: freeing this connection, writing what piled up, going on with a walk.
 * loop_defer() puts it off to the end of the turn. */
#ifndef IMC_COMMON_BASE_LOOP_H
#define IMC_COMMON_BASE_LOOP_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct loop;

/* Embedded in what is posted. run() is called on the loop's thread and owns the item from then
 * on. */
struct inbox_item {
    struct inbox_item *next;
    void (*run)(struct loop *loop, struct inbox_item *item);
};

/* Embedded in what is deferred. Deferring a task that is already queued changes nothing. */
struct loop_task {
    struct loop_task *next;
    void (*run)(struct loop *loop, struct loop_task *task);
    bool queued;
};

struct inbox {
    pthread_mutex_t lock;
    struct inbox_item *head, **tail;
    bool open; /* posting is possible; guarded by lock */
};

struct loop {
    uv_loop_t uv; /* uv.data points back to this struct */
    struct inbox inbox;
    uv_async_t wake;
    uv_check_t turn_end;
    uv_idle_t busy; /* keeps the poll phase from sleeping while tasks wait */
    struct loop_task *tasks, **tasks_tail;
    pthread_t thread;
    _Atomic pthread_t owner; /* who may use what belongs to the loop; 0: whoever holds it */
    int index;               /* position among its siblings, as given to loop_init */
    const char *name;
    _Atomic bool stopping;
    _Atomic int64_t *metrics; /* loop_metrics.h; NULL: this loop is not measured */
    uv_timer_t lag;           /* only if it is */
    int64_t lag_due_us;
    void *user; /* for the loop's owner; loop.c does not touch it */
};

/* 0 or -E…. NAME becomes the thread's name. It is not copied and has to outlive the loop. */
int loop_init(struct loop *loop, const char *name, int index);
/* Runs in the calling thread until loop_stop(). */
void loop_run(struct loop *loop);
/* Runs in a thread of its own until loop_stop(); loop_join() waits for it. 0 or -E…. */
int loop_start(struct loop *loop);
void loop_join(struct loop *loop);
/* Any thread; returns at once. */
void loop_stop(struct loop *loop);
/* Call it after the loop has stopped, on the thread that frees it. Closes all handles that are open
 * and runs their close callbacks. */
void loop_close(struct loop *loop);

/* Any thread. False: the loop is closed and the item was not taken. */
bool inbox_post(struct loop *loop, struct inbox_item *item);
/* Owner only. A task that a running task defers runs in the next turn, after new I/O was looked
 * at. */
void loop_defer(struct loop *loop, struct loop_task *task);

/* A function that belongs to LOOP's thread begins with this. Until the loop runs, the thread that
 * made it is the owner; then the one that runs it, until it has ended. Builds with sanitizers check
 * it, and Debug builds; in others it is nothing (IMC_CHECK_OWNER, CMakeLists.txt). */
#ifdef IMC_CHECK_OWNER
#define loop_assert_owner(loop) assert(loop_is_ours(loop))
#else
#define loop_assert_owner(loop) ((void)(loop))
#endif

static inline bool loop_is_ours(const struct loop *loop)
{
    pthread_t owner = atomic_load_explicit(&loop->owner, memory_order_relaxed);

    return owner == 0 || pthread_equal(owner, pthread_self());
}

static inline uint64_t loop_now_ms(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

static inline struct loop *loop_of(const uv_handle_t *handle)
{
    return (struct loop *)handle->loop->data;
}

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
