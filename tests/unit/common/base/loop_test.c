/* For this file in every build; for the functions of loop.c as they were built. */
#ifndef IMC_CHECK_OWNER
#define IMC_CHECK_OWNER
enum { FUNCTIONS_CHECK = 0 };
#else
enum { FUNCTIONS_CHECK = 1 };
#endif

#include "common/base/loop.h"
#include "tests/unit/lib/clock.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { POSTS = 100000, THREADS = 3 };

struct counted {
    struct inbox_item item;
    int from, number;
};

static int last_seen[THREADS], total, wakes_out_of_order;

static void count_post(struct loop *loop, struct inbox_item *item)
{
    struct counted *c = container_of(item, struct counted, item);
    if (c->number != last_seen[c->from] + 1)
        wakes_out_of_order++;
    last_seen[c->from] = c->number;
    free(c);
    if (++total == THREADS * POSTS)
        loop_stop(loop);
}

struct poster {
    struct loop *loop;
    int index;
};

static void *post_many(void *arg)
{
    struct poster *p = arg;
    for (int i = 1; i <= POSTS; i++) {
        struct counted *c = calloc(1, sizeof *c);
        c->item.run = count_post;
        c->from = p->index;
        c->number = i;
        if (!inbox_post(p->loop, &c->item))
            free(c);
    }
    return NULL;
}

static void posts_from_threads_arrive_in_order(void **state)
{
    (void)state;
    struct loop loop;
    pthread_t threads[THREADS];
    struct poster posters[THREADS];

    assert_int_equal(loop_init(&loop, "test", 0), 0);
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){&loop, i};
        pthread_create(&threads[i], NULL, post_many, &posters[i]);
    }
    loop_run(&loop);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(total, THREADS * POSTS);
    assert_int_equal(wakes_out_of_order, 0);
    loop_close(&loop);
}

struct rerun {
    struct loop_task task;
    int runs;
};

static void run_thrice(struct loop *loop, struct loop_task *task)
{
    struct rerun *r = container_of(task, struct rerun, task);
    if (++r->runs < 3)
        loop_defer(loop, task);
    else
        loop_stop(loop);
}

static void deferred_task_runs_without_io_and_may_defer_itself(void **state)
{
    (void)state;
    struct loop loop;
    struct rerun r = {.task.run = run_thrice};

    assert_int_equal(loop_init(&loop, "test", 0), 0);
    loop_defer(&loop, &r.task);
    loop_defer(&loop, &r.task); /* queued once */
    loop_run(&loop);
    assert_int_equal(r.runs, 3);
    loop_close(&loop);
}

static void on_timer(uv_timer_t *timer)
{
    struct rerun *r = timer->data;
    loop_defer(loop_of((uv_handle_t *)timer), &r->task);
}

static void task_deferred_by_a_timer_does_not_wait_for_the_next_event(void **state)
{
    (void)state;
    struct loop loop;
    struct rerun r = {.task.run = run_thrice, .runs = 2};
    uv_timer_t timer;

    clock_take();
    assert_int_equal(loop_init(&loop, "test", 0), 0);
    uv_timer_init(&loop.uv, &timer);
    timer.data = &r;
    uv_timer_start(&timer, on_timer, 1, 60000);
    uint64_t start = loop_now_ms(&loop);
    loop_run(&loop);
    uv_update_time(&loop.uv);
    assert_int_equal(loop_now_ms(&loop) - start, 1);
    loop_close(&loop);
    clock_give_back();
}

static bool post_ran;

static void note_post(struct loop *loop, struct inbox_item *item)
{
    (void)loop;
    (void)item;
    post_ran = true;
}

static void closed_loop_refuses_posts_and_runs_earlier_ones(void **state)
{
    (void)state;
    struct loop loop;
    struct inbox_item item = {.run = note_post};

    assert_int_equal(loop_init(&loop, "test", 0), 0);
    assert_int_equal(loop_start(&loop), 0);
    loop_stop(&loop);
    loop_join(&loop);
    assert_true(inbox_post(&loop, &item));
    loop_close(&loop);
    assert_true(post_ran);
}

/* Whether CHECKED, a call of a function that belongs to LOOP's thread, may be made from here: tried
 * in a process of its own, since a failed assert ends it. The child has this thread's identity. */
static bool may_call(void (*checked)(struct loop *loop), struct loop *loop)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct rlimit none = {0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        checked(loop);
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status))
        return true;
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    return false;
}

static void defer_something(struct loop *loop)
{
    static struct loop_task task;

    loop_defer(loop, &task);
}

static void just_assert(struct loop *loop)
{
    loop_assert_owner(loop);
}

struct asked {
    struct inbox_item item;
    bool may_own, may_other;
    struct loop *other;
};

static void ask_on_the_loop(struct loop *loop, struct inbox_item *item)
{
    struct asked *asked = container_of(item, struct asked, item);

    asked->may_own = may_call(just_assert, loop) && may_call(defer_something, loop);
    asked->may_other = may_call(just_assert, asked->other);
    loop_stop(loop);
}

static void only_the_owner_may_use_a_loop(void **state)
{
    (void)state;
    struct loop loop, ours;
    struct asked asked = {.item.run = ask_on_the_loop, .other = &ours};

    assert_int_equal(loop_init(&loop, "test", 0), 0);
    assert_int_equal(loop_init(&ours, "ours", 1), 0);
    assert_true(may_call(defer_something, &loop)); /* its maker, before it runs */
    assert_int_equal(loop_start(&loop), 0);
    assert_false(may_call(just_assert, &loop));
    assert_int_equal(may_call(defer_something, &loop), !FUNCTIONS_CHECK);
    assert_true(inbox_post(&loop, &asked.item)); /* any thread may */
    loop_join(&loop);
    assert_true(asked.may_own);
    assert_false(asked.may_other);
    assert_true(may_call(defer_something, &loop)); /* who joined it, to close it */
    loop_close(&loop);
    loop_close(&ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_from_threads_arrive_in_order),
        cmocka_unit_test(deferred_task_runs_without_io_and_may_defer_itself),
        cmocka_unit_test(task_deferred_by_a_timer_does_not_wait_for_the_next_event),
        cmocka_unit_test(closed_loop_refuses_posts_and_runs_earlier_ones),
        cmocka_unit_test(only_the_owner_may_use_a_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
