/* session_log.h - writes to the log of sessions (events.log) that a session was opened, or has
 * ended: docs/events.md. Main loop only.
 *
 * All records of a uid are in one partition, in the order of the calls. What fails may be there all
 * the same: the caller says it again, or that the session has ended. */
#ifndef IMC_LOGIC_EVENTS_SESSION_LOG_H
#define IMC_LOGIC_EVENTS_SESSION_LOG_H

#include "common/events/session_record.h"
#include "common/kafka/ordered_producer.h"
#include "logic/base/logic.h"

/* Fills logic->session_log and event_types, or leaves them if events.log is empty. The caller
 * closes it with ordered_producer_close(). 0, or -EINVAL and the like after logging. */
int session_log_open(struct logic *logic);
/* Writes RECORD of the session NAME, of which nothing is kept, to the partition of its uid. Only if
 * there is a log. As ordered_producer_send(). */
int session_log_write(struct logic *logic, const struct session_name *name,
                      const Imc__V1__SessionRecord *record, struct ordered_ticket *ticket);
/* The same with KEY, KEY_LEN bytes, for a record that is no session's beginning or end. */
int session_log_write_with(struct logic *logic, const char *key, size_t key_len,
                           const Imc__V1__SessionRecord *record, struct ordered_ticket *ticket);
/* The same, to PARTITION, of those that session_log_partitions() says. */
int session_log_write_to(struct logic *logic, const struct session_name *name,
                         const Imc__V1__SessionRecord *record, int32_t partition,
                         struct ordered_ticket *ticket);
/* 0: it takes nothing now. */
int session_log_partitions(const struct logic *logic);

#endif
