/* handle_table.h - finds a loop's sessions by handle: the slot is an index, nothing is hashed.
 * Owner loop only.
 *
 *   handle, 64 bits: | loop 8 | generation 32 | slot 24 |     never 0: generations start at 1
 *
 * A slot that is used again gets the next generation, so an old handle finds nobody. */
#ifndef IMC_COMET_NET_HANDLE_TABLE_H
#define IMC_COMET_NET_HANDLE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct conn;
struct handle_table;

struct handle_table *handle_table_open(int loop_index);
void handle_table_close(struct handle_table *table);
/* The new handle; 0 if there are 2^24 sessions already. */
uint64_t handle_table_add(struct handle_table *table, struct conn *conn);
void handle_table_remove(struct handle_table *table, uint64_t handle);
/* NULL: the session is gone, or belongs to another loop. */
struct conn *handle_table_find(const struct handle_table *table, uint64_t handle);
/* A walk over all sessions goes from slot 0 to handle_table_slots(), and may stop and go on in
 * between. handle_table_at() is NULL for a free slot. */
size_t handle_table_slots(const struct handle_table *table);
struct conn *handle_table_at(const struct handle_table *table, size_t slot);

static inline int handle_loop(uint64_t handle)
{
    return (int)(handle >> 56);
}

#endif
