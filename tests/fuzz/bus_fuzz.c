/* A message of the bus, as anybody who may write to the topic can put it there: it is skipped and
 * counted, or becomes one task within the limits, and nothing of it stays behind. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "job/delivery/dispatch.h"
#include "job/job_parts.h"
#include "job/partition/partition.h"
#include "tests/unit/lib/job_config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_MESSAGE = 256, SETTLED_TURNS = 3 };

static struct loop loop;
static struct rpc *rpc;
static struct job job;
static struct job_config config;
static _Atomic int64_t counters[JOB_METRIC_COUNT];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char topic[] = "fuzz";
    (void)argc;
    (void)argv;
    (void)log_set_level("error");
    config = job_config_small(MAX_MESSAGE);
    config.bus_topic = topic;
    if (loop_init(&loop, "fuzz", 0) != 0 || rpc_open(&rpc, 1 << 20) != 0)
        abort();
    job_parts_open(&job, &loop, rpc, &config, counters);
    job.comets_known = true;
    return 0;
}

static size_t bytes_waiting(void)
{
    return job.windows.delivering.bytes + job.windows.storing.bytes;
}

/* What waits in the partition is within what the envelope may hold. */
static void check_task(const struct partition *partition, size_t size)
{
    assert(windows_unresolved(&job.windows) == 1 && job.windows.parked == 0 && bytes_waiting() > 0);
    /* A task is one copy of its envelope: hints cost more than the two bytes they come with. */
    assert(bytes_waiting() <= sizeof(struct message) + size * (1 + sizeof(struct hint)) + 64);
    assert(offset_tracker_position(&partition->tracker) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct partition partition;
    int64_t skipped = counters[JOB_MALFORMED] + counters[JOB_KEYS] + counters[JOB_FOREIGN];
    int64_t consumed = counters[JOB_CONSUMED];
    uint8_t *copy = malloc(size + 1); /* of just its size, so that one byte too far is seen */

    memcpy(copy, data, size);
    partition_init(&partition, &job, 3);
    partition.fence = 9;
    dispatch_message(&partition, 0, copy, size);
    memset(copy, 0xee, size); /* is not needed afterwards */
    free(copy);
    skipped = counters[JOB_MALFORMED] + counters[JOB_KEYS] + counters[JOB_FOREIGN] - skipped;
    consumed = counters[JOB_CONSUMED] - consumed;
    assert(skipped <= consumed && consumed <= 1);
    if (windows_unresolved(&job.windows) > 0)
        check_task(&partition, size);
    else /* skipped, a probe, or a room of a cluster that has no comets */
        assert(offset_tracker_position(&partition.tracker) == 1);
    partition_free(&partition);
    assert(windows_unresolved(&job.windows) == 0 && job.windows.parked == 0 &&
           bytes_waiting() == 0);
    for (int i = 0; i < SETTLED_TURNS; i++)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    return 0;
}
