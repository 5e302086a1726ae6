/* group_share.h - looks whether each partition of a topic is some member's of our group. Owner loop
 * only; a look waits for Kafka in a thread of its own.
 *
 * When partitions are to go from one member to another, the former gives them up and joins again;
 * that makes the group deal them out. If it is killed in between and comes back under its name, it
 * gets at once what it has kept, and Kafka thinks that nothing has changed. So the group is
 * content, and nobody reads those that were given up. Whoever sees that twice in a row leaves the
 * group and joins again. */
#ifndef IMC_JOB_KAFKA_GROUP_SHARE_H
#define IMC_JOB_KAFKA_GROUP_SHARE_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>

struct group_share;
struct job;

struct group_share_options {
    struct job *job;
    rd_kafka_t *rk;            /* stays the caller's and must outlive this */
    const char *group, *topic; /* likewise */
    /* N partitions are nobody's, and it does not look as if they will be. */
    void (*unowned)(size_t n, void *arg);
    void *arg;
};

struct group_share *group_share_open(const struct group_share_options *options);
/* Nothing is told any more. Waits up to a second for a look that is under way. */
void group_share_close(struct group_share *share);
/* Now and then: looks if it is time. The topic has PARTITIONS; 0: not known. */
void group_share_look(struct group_share *share, int partitions);
/* Of the topic's partitions those that were nobody's at the last look. */
size_t group_share_unowned(const struct group_share *share);

#endif
