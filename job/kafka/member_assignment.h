/* member_assignment.h - what a member of a consumer group was given, as Kafka's group tells it.
 * Pure. */
#ifndef IMC_JOB_KAFKA_MEMBER_ASSIGNMENT_H
#define IMC_JOB_KAFKA_MEMBER_ASSIGNMENT_H

#include <stdbool.h>
#include <stddef.h>

/* Marks in OWNED, of the partitions 0 … N - 1 of TOPIC, those that the LEN bytes at DATA name.
 * False: they are no assignment. A member that was given nothing may have no bytes. */
bool member_assignment_read(const void *data, size_t len, const char *topic, bool *owned, size_t n);

#endif
