/* memory_budget.h - how much of its memory budget the process uses, as a level. Owner only.
 *
 * The process aborts when malloc() fails. So, long before that, a daemon refuses new work, then
 * drops what costs most memory. A level is left at a lower mark than it is entered at. Otherwise
 * memory that was just freed would be filled again at once.
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

/* The process uses USED bytes now. True: the level has changed. */
bool memory_budget_see(struct memory_budget *memory, uint64_t used);
/* Resident bytes of this process; 0 if the kernel does not say. */
uint64_t memory_budget_resident(void);
/* The budget, in bytes, of a daemon whose configuration sets none. It is three quarters of the
 * cgroup's limit, but at most half of the machine's memory: other daemons, Redis and Kafka may run
 * there. The cgroup's limit (version 1 or 2) is the lowest of all groups from its own upwards. ROOT
 * is "", or the directory in which a test has put proc and sys. */
uint64_t memory_budget_default(const char *root);

#endif
