/* internal.h - what the files of this folder share. Main loop only. */
#ifndef IMC_LOGIC_MAILBOX_INTERNAL_H
#define IMC_LOGIC_MAILBOX_INTERNAL_H

#include "common/base/list.h"
#include "common/protocol/mailbox_key.h"
#include "logic/mailbox/mailbox.h"

struct mailbox_key {
    char text[MAILBOX_KEY_MAX];
    size_t len, shard;
};
struct mailbox_key mailbox_key_of(struct logic *logic, int64_t uid);

/* A number as text, for an argument of a command. */
struct mailbox_number {
    char text[24];
    size_t len;
};
struct mailbox_number mailbox_number(uint64_t value);

static inline const char *mailbox_text(const char *text)
{
    return text != NULL ? text : "";
}

/* A message id as it stands in Redis: the first bytes of a member, or a field. Big-endian. */
enum { MAILBOX_ID = 8 };
void mailbox_put_id(uint8_t out[MAILBOX_ID], uint64_t id);
uint64_t mailbox_get_id(const void *in);

/* A command that Redis has not answered. */
struct mailbox_call {
    struct logic *logic;
    int64_t uid;
    enum mailbox_by by;
    mailbox_fn fn;
    mailbox_page_fn page_fn;
    mailbox_confirm_fn confirm_fn;
    void *arg;
    size_t limit;
    uint64_t after; /* fetch: ids above this */
    uint64_t upto;  /* trim: the newest message that counts */
    char *own;      /* fetch: as of struct mailbox_read; NULL: leave out none */
    char *device;   /* fetch: with OWN, not NULL */
    bool first;     /* is anything there? Then it is a fetch */
    STAILQ_ENTRY(mailbox_call) waiting;
    struct mailbox_there *there; /* store: where to say what is in the mailbox; may be NULL */
};
struct mailbox_call *mailbox_call_new(struct logic *logic, int64_t uid, void *arg);

/* Which facts a script is to put into imc:facts, for facts.h: letters of logic/mailbox/fact.lua. */
struct mailbox_tells {
    const char *letters; /* "": none */
    const char *session; /* "": none, or not known */
};
/* The letters of what the business wants to know of messages that end, "" if nothing. */
const char *mailbox_end_letters(const struct logic *logic);
/* redis_eval() of a script of one key, to which TELLS adds two more, and an argument. */
void mailbox_eval(struct logic *logic, const struct redis_eval *eval,
                  const struct mailbox_tells *tells, redis_fn fn, void *arg);

/* Is REPLY of TYPE? False, after a line in the log, if it is missing, an error, or of another
 * type. */
bool mailbox_reply_is(const redisReply *reply, int type, const char *what);

#endif
