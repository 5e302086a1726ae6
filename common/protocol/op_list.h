/* op_list.h - lists of operations as text: "1000,1001". Pure; any thread. */
#ifndef IMC_COMMON_PROTOCOL_OP_LIST_H
#define IMC_COMMON_PROTOCOL_OP_LIST_H

#include <stddef.h>
#include <stdint.h>

/* Reads the number of LIST at *AT, which must be less than LEN, and moves *AT behind the comma that
 * follows it. 0, or -EBADMSG: that is not a number of 32 bits, or nothing follows the comma. */
int op_list_next(const void *list, size_t len, size_t *at, int32_t *op);

#endif
