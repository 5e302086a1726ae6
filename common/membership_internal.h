/* membership_internal.h - what membership.c, membership_list.c and membership_script.c share. Owner
 * loop only. */
#ifndef IMC_COMMON_MEMBERSHIP_INTERNAL_H
#define IMC_COMMON_MEMBERSHIP_INTERNAL_H

#include "common/membership.h"

/* membership_script.c. KEYS: "imc:members:seen", then one hash per kind in the enum's order.
 * ARGV: own kind (0 …), watched kinds (bits), id, epoch, rpc, member as JSON, ttl_ms, gap_ms
 * (nobody ran the script for so long: Redis was away), held ("1": we had the lease of this epoch),
 * take ("1": may replace a live lease of the same rpc), the highest node number, or -1: this kind
 * has none. Answer: status, node, rpc of the one who has the id, then per watched kind an array of
 * id, JSON, id, JSON … Status: held, lost (our lease had lapsed; nothing was written), other (has
 * the id), full (no node number is free). */
extern struct redis_script membership_renew_script;
/* KEYS: the kind's hash. ARGV: id, epoch. 1 if the lease was ours and is gone. */
extern struct redis_script membership_leave_script;

/* membership_list.c: */
/* To be freed. */
char *member_encode(const struct member *member, int64_t ttl_ms);
/* From an array of id, JSON, id, JSON …; what cannot be read is left out and logged. Sorted. */
struct member_list member_list_decode(const redisReply *reply);
/* Adds to LIST what only OLD has. */
void member_list_keep(struct member_list *list, const struct member_list *old);
/* But for the connections. */
bool member_list_same(const struct member_list *a, const struct member_list *b);
const struct member *member_list_find(const struct member_list *list, const char *id);
void member_list_free(struct member_list *list);

#endif
