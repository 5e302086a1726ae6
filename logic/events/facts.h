/* facts.h - what became of messages in mailboxes: from Redis, where scripts put it as they changed
 * the mailbox (logic/mailbox/fact.lua), into the log of sessions. Main loop only.
 *
 *   imc:facts ─facts_take─► events.log ─► facts_end: gone from imc:facts
 *   imc:ends ──facts_take─► mailbox_sweep: what has ended goes into imc:facts
 *
 * One logic at a time takes those of a shard, in order. The others ask again when its time is over
 * (imc:facts:owner). If it has died, another one takes them again, so the log has each at least
 * once. */
#ifndef IMC_LOGIC_EVENTS_FACTS_H
#define IMC_LOGIC_EVENTS_FACTS_H

struct logic;
struct facts;

/* Looks several times a second. NULL if nobody is told of messages. Needs logic->redis. */
struct facts *facts_open(struct logic *logic);
/* NULL is fine. Call it before the log's producer is closed. */
void facts_close(struct facts *facts);
/* Sets metrics. NULL is fine. */
void facts_scrape(const struct facts *facts);

#endif
