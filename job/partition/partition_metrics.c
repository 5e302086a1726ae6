#include "job/partition/partition_metrics.h"
#include "job/base/job.h"
#include "job/partition/partition.h"

#include <inttypes.h>
#include <stdio.h>

enum { BEHIND, LAG, ROWS };

static const struct metric_row rows[ROWS] = {
    [BEHIND] = {.name = "imc_job_partition_lag",
                .labels = "partition=\"…\"",
                .type = METRIC_GAUGE,
                .help = "Messages of an assigned partition behind what is resolved. One partition "
                        "far above the others: one user or room gets most messages. All of them: "
                        "see imc_job_lag_seconds."},
    [LAG] = {.name = "imc_job_partition_lag_seconds",
             .labels = "partition=\"…\"",
             .type = METRIC_GAUGE_MILLI,
             .help = "How late messages of an assigned partition are read."},
};

int64_t partitions_behind(const struct job *job)
{
    const struct partition *partition;
    int64_t behind = 0;

    LIST_FOREACH(partition, &job->partitions, link)
        behind += partition->behind;
    return behind;
}

static void render_row(const struct job *job, int row, struct exposition *to)
{
    const struct partition *partition;
    char labels[48];

    LIST_FOREACH(partition, &job->partitions, link) {
        snprintf(labels, sizeof labels, "partition=\"%" PRId32 "\"", partition->id);
        exposition_int(to, &rows[row], labels,
                       row == BEHIND ? partition->behind : partition->lag_ms);
    }
}

void partitions_render(const struct job *job, struct exposition *to)
{
    for (int row = 0; row < ROWS; row++)
        render_row(job, row, to);
}

void partition_metrics_document(FILE *out)
{
    metrics_document_rows(rows, ROWS, out);
}
