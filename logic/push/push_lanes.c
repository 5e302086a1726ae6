/* The order of a uid's messages, and turns.
 *
 * Why the order per uid is kept: a lane is the queue of a uid's messages between acceptance and
 * kafka_produce(). Look-ups run at the same time and are answered in any order: after a change of
 * the ring another router answers, or a timeout comes before an answer. But only the head of a lane
 * becomes ready. The next message becomes head when that one is produced. And librdkafka's
 * idempotent producer keeps the order of calls per partition. The id is made right before
 * kafka_produce(), so ids rise in the same order. A lane exists only while it has a message.
 *
 * Why a call for many users does not hold up others: its ready messages wait in a list, a few bytes
 * each, and share one body. A slice packs and produces some of them, of each call in turn. The next
 * slice runs in the next turn of the loop. There is none while librdkafka has enough. If one
 * message of a call fails, those of its messages that still wait are not tried. */
#include "common/base/mem.h"
#include "common/base/saturate.h"
#include "common/containers/map.h"
#include "logic/push/push_internal.h"

#include <assert.h>
#include <stdlib.h>

enum {
    SLICE_PARTS = 256, /* so many take about a millisecond */
    SLICE_BYTES = 1 << 20,
    /* The most parts that the producer may have without a report. A lone push is produced behind
     * them. librdkafka takes 100,000 messages by default. Beyond a few MB, requests to Kafka do not
     * become larger. */
    OUT_PARTS = 20000,
    OUT_BYTES = 32 << 20,
};

/* --- what is ready --- */

static void ring_append(struct push_lanes *lanes, struct push_job *job)
{
    job->in_ring = true;
    STAILQ_INSERT_TAIL(&lanes->ring, job, link);
}

void part_is_ready(struct push_lanes *lanes, struct push_part *part)
{
    struct push_job *job = part->job;

    STAILQ_INSERT_TAIL(&job->ready, part, link);
    if (!job->in_ring)
        ring_append(lanes, job);
}

/* The next ready part, of each job in turn. */
static struct push_part *ring_take(struct push_lanes *lanes)
{
    struct push_job *job = STAILQ_TAKE(&lanes->ring, link);
    struct push_part *part = STAILQ_TAKE(&job->ready, link);

    job->in_ring = false;
    if (!STAILQ_EMPTY(&job->ready))
        ring_append(lanes, job);
    return part;
}

/* --- lanes --- */

static struct push_part *lane_head(uint64_t value)
{
    return (struct push_part *)(uintptr_t)value; /* NOLINT(performance-no-int-to-ptr) */
}

void lane_enter(struct push_lanes *lanes, struct push_part *part)
{
    uint64_t *value = map64_get(lanes->map, (uint64_t)part->uid);

    if (value == NULL) {
        part->last = part;
        map64_set(lanes->map, (uint64_t)part->uid, (uintptr_t)part);
        return;
    }
    struct push_part *head = lane_head(*value);
    head->last->behind = part;
    head->last = part;
}

bool lane_is_head(struct push_lanes *lanes, const struct push_part *part)
{
    uint64_t *value = map64_get(lanes->map, (uint64_t)part->uid);

    assert(value != NULL);
    return lane_head(*value) == part;
}

/* May PART, the head of its lane, go? */
static bool part_may_go(const struct push_part *part)
{
    return part->looked_up && (!part->job->guarded || part->job->looking == 0);
}

/* HEAD leaves its lane, and the next part becomes head. */
static void lane_advance(struct push_lanes *lanes, const struct push_part *head)
{
    struct push_part *next = head->behind;

    assert(lane_is_head(lanes, head));
    if (next == NULL) {
        map64_del(lanes->map, (uint64_t)head->uid);
        return;
    }
    next->last = head->last;
    map64_set(lanes->map, (uint64_t)next->uid, (uintptr_t)next);
    if (part_may_go(next))
        part_is_ready(lanes, next);
}

/* --- slices --- */

static void slice_begin(struct push_lanes *lanes)
{
    lanes->parts_left = SLICE_PARTS;
    lanes->bytes_left = SLICE_BYTES;
}

static bool slice_has_room(const struct push_lanes *lanes)
{
    return lanes->parts_left > 0 && lanes->bytes_left > 0 && lanes->out_parts < OUT_PARTS &&
           lanes->out_bytes < OUT_BYTES;
}

static void slice_spend(struct push_lanes *lanes, size_t bytes)
{
    lanes->parts_left--;
    lanes->bytes_left = saturate_sub(lanes->bytes_left, bytes);
}

/* A part is ready, and may be taken out. */
static bool slice_may_run(const struct push_lanes *lanes)
{
    const struct push_job *job = STAILQ_FIRST(&lanes->ring);

    return job != NULL && (slice_has_room(lanes) || job->broken);
}

/* Parts of a call that has failed are only taken out, for which the producer
 * needs no room. */
void slice_run(struct push_lanes *lanes)
{
    while (slice_may_run(lanes)) {
        struct push_part *part = ring_take(lanes);
        struct push_job *job = part->job;
        lane_advance(lanes, part);
        if (job->broken) {
            part_give_up(part);
            continue;
        }
        slice_spend(lanes, job->message.len);
        part_produce(part);
    }
    /* The next slice comes in the next turn, or when a report makes room. */
    loop_defer(lanes->logic->loop, &lanes->slice);
}

static void on_slice(struct loop *loop, struct loop_task *task)
{
    struct push_lanes *lanes = container_of(task, struct push_lanes, slice);

    (void)loop;
    slice_begin(lanes);
    if (slice_may_run(lanes))
        slice_run(lanes);
}

/* --- life --- */

struct push_lanes *push_lanes_open(struct logic *logic)
{
    struct push_lanes *lanes = mem_zalloc(sizeof *lanes);

    lanes->logic = logic;
    lanes->map = map64_new();
    STAILQ_INIT(&lanes->ring);
    lanes->slice.run = on_slice;
    lookups_init(&lanes->lookups, part_look_up);
    slice_begin(lanes);
    return lanes;
}

void push_lanes_close(struct push_lanes *lanes)
{
    if (lanes != NULL)
        map64_free(lanes->map);
    free(lanes);
}

size_t push_pending(const struct push_lanes *lanes)
{
    return lanes->pending;
}
