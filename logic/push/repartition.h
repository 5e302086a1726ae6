/* repartition.h - imc-logic --set-partitions N: pushes are spread over N partitions from then on,
 * and the order per user and room is kept.
 *
 *   Kafka: N partitions ─► wait PARTITION_COUNT_FRESH_MS ─► hold ─► every logic holds
 *        ─► jobs have read all ─► switch (one script: the number, and the hold's end)
 *        else: give up, nothing changes
 *
 * Runs as a process of its own beside the daemons and blocks. */
#ifndef IMC_LOGIC_PUSH_REPARTITION_H
#define IMC_LOGIC_PUSH_REPARTITION_H

struct daemon;

/* ARGUMENT: N. The exit code: 0, also when N is agreed already; 1 after saying on stderr what is in
 * the way. */
int repartition(struct daemon *daemon, const char *argument);

#endif
