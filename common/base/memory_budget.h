/* memory_budget.h - a budget of memory for the process, and how near it is to it. Owner only.
 *
 * malloc() that fails ends the process: long before that a daemon refuses what is new, then lets go
 * of what costs most. Levels are left at a lower mark than they are entered at, so that what was
 * just freed is not filled at once:
 *
 *              80 %            90 %
 *   MEMORY_OK ─────► _SHORT ─────────► _CRITICAL
 *             ◄─────         ◄─────────
 *              75 %            85 %                of the budget */
#ifndef IMC_COMMON_BASE_MEMORY_BUDGET_H
#define IMC_COMMON_BASE_MEMORY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum memory_level { MEMORY_OK, MEMORY_SHORT, MEMORY_CRITICAL };

struct memory_budget {
    uint64_t budget, used; /* bytes */
    enum memory_level level;
    uint64_t shortages; /* times that MEMORY_OK was left */
};

/* USED bytes now. True: the level is another one. */
bool memory_budget_see(struct memory_budget *memory, uint64_t used);
/* Resident bytes of this process; 0 if the kernel does not tell. */
uint64_t memory_budget_resident(void);
/* The budget of a daemon that has none set: three quarters of its cgroup's limit (version 1 or 2,
 * the narrowest on the way up), or half of the machine's memory where that is less or no limit is
 * set: other daemons, Redis and Kafka may be on it. ROOT: "", or where a test has put proc and
 * sys. */
uint64_t memory_budget_default(const char *root);

#endif
