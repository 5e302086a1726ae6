/* repartition.h - imc-logic --set-partitions N: spreads pushes over N partitions from now on. The
 * order per user and room is kept.
 *
 *   Kafka: N partitions ─► wait PARTITION_COUNT_FRESH_MS ─► hold ─► every logic holds
 *        ─► jobs have read all ─► switch (one script: the number, and the hold's end)
 *        else: give up, nothing changes
 *
 * Runs as a process of its own, beside the daemons. Blocks. */
#ifndef IMC_LOGIC_PUSH_REPARTITION_H
#define IMC_LOGIC_PUSH_REPARTITION_H

struct daemon;

/* ARGUMENT is N. Returns the exit code. 0: N is agreed now, or was before. 1: it failed, and stderr
 * says why. */
int repartition(struct daemon *daemon, const char *argument);

#endif
