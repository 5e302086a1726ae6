#include "job/kafka/group_share.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "job/base/job.h"
#include "job/kafka/member_assignment.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 4000,   /* between two looks; up to as much is added, so that jobs do not agree */
    AGAIN_MS = 2000,  /* the second look, when the first one has found some */
    SETTLE_MS = 8000, /* for the group, after somebody was told */
    ASK_MS = 1000,
};

struct group_share {
    struct group_share_options options;
    uint64_t due_ms; /* of the next look */
    size_t unowned;
    unsigned times; /* looks in a row that have found some */
    /* The look under way: `found` and `n` are its thread's until that is joined. */
    bool looking;
    uv_thread_t thread;
    uv_async_t looked;
    size_t n;
    int64_t found; /* -1: the group is not stable, or Kafka does not tell */
};

static uint64_t now_ms(const struct group_share *share)
{
    return loop_now_ms(share->options.job->loop);
}

/* --- in the thread --- */

static int64_t group_count(const struct group_share *share, const struct rd_kafka_group_info *group)
{
    bool *owned = mem_zalloc(share->n * sizeof *owned);
    bool known = group->err == RD_KAFKA_RESP_ERR_NO_ERROR && strcmp(group->state, "Stable") == 0;
    int64_t unowned = 0;

    for (int i = 0; i < group->member_cnt && known; i++) {
        const struct rd_kafka_group_member_info *member = &group->members[i];
        known = member_assignment_read(member->member_assignment,
                                       (size_t)member->member_assignment_size, share->options.topic,
                                       owned, share->n);
    }
    for (size_t i = 0; i < share->n; i++)
        unowned += !owned[i];
    free(owned);
    return known ? unowned : -1;
}

static void look_thread(void *arg)
{
    struct group_share *share = arg;
    const struct rd_kafka_group_list *list = NULL;

    share->found = -1;
    rd_kafka_resp_err_t err =
        rd_kafka_list_groups(share->options.rk, share->options.group, &list, ASK_MS);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && list->group_cnt == 1)
        share->found = group_count(share, &list->groups[0]);
    if (list != NULL)
        rd_kafka_group_list_destroy(list);
    uv_async_send(&share->looked);
}

/* --- on the loop --- */

static void look_end(struct group_share *share)
{
    uv_thread_join(&share->thread);
    share->looking = false;
}

static void on_looked(uv_async_t *async)
{
    struct group_share *share = async->data;

    if (!share->looking)
        return;
    look_end(share);
    share->due_ms = now_ms(share) + LOOK_MS + random_number() % LOOK_MS;
    if (share->found < 0)
        return;
    share->unowned = (size_t)share->found;
    share->times = share->unowned > 0 ? share->times + 1 : 0;
    if (share->times == 1)
        share->due_ms = now_ms(share) + AGAIN_MS + random_number() % AGAIN_MS;
    if (share->times < 2)
        return;
    share->times = 0;
    share->due_ms += SETTLE_MS;
    share->options.unowned(share->unowned, share->options.arg);
}

void group_share_look(struct group_share *share, int partitions)
{
    loop_assert_owner(share->options.job->loop);
    if (share->looking || partitions == 0 || now_ms(share) < share->due_ms)
        return;
    share->n = (size_t)partitions;
    share->due_ms = now_ms(share) + LOOK_MS;
    share->looking = uv_thread_create(&share->thread, look_thread, share) == 0;
}

size_t group_share_unowned(const struct group_share *share)
{
    return share->unowned;
}

struct group_share *group_share_open(const struct group_share_options *options)
{
    struct group_share *share = mem_zalloc(sizeof *share);

    loop_assert_owner(options->job->loop);
    share->options = *options;
    share->due_ms = now_ms(share) + LOOK_MS;
    uv_async_init(&options->job->loop->uv, &share->looked, on_looked);
    share->looked.data = share;
    return share;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void group_share_close(struct group_share *share)
{
    if (share->looking)
        look_end(share);
    uv_close((uv_handle_t *)&share->looked, on_closed);
}
