/* push_call.h - one call that pushes, of whichever face. The files of the faces parse, everything
 * else is here. Main loop only.
 *
 * The request owns body and parameters until it is answered. If any part of a push is malformed,
 * none of it is accepted. */
#ifndef IMC_LOGIC_HTTP_PUSH_CALL_H
#define IMC_LOGIC_HTTP_PUSH_CALL_H

#include "common/protocol/name.h"
#include "logic/http/idempotency.h"
#include "logic/http/routes.h"
#include "logic/push/push.h"
#include "logic/trace/traces.h"

enum { PUSH_ROOM_MOST = ROOM_NAME_MAX };

struct push_call;

/* How a push ended. */
struct push_outcome {
    /* NULL: it was accepted. Otherwise why not; of its messages RESULT says which were accepted
     * all the same. */
    const struct api_refusal *refusal;
    const struct push_result *result; /* NULL: nothing was produced by this call */
    /* An earlier call with the same id was accepted, and this is what its face kept: LEN bytes. */
    bool repeated;
    const char *kept;
    size_t kept_len;
};

struct push_call {
    struct logic *logic;
    struct http_request *request; /* NULL: nobody calls now, so no limit of a caller holds */
    uint64_t began_ns;            /* by uv_hrtime() */
    const char *scope; /* of its id, if there is no request; needed during push_call_run() */
    void (*start)(struct push_call *call);
    struct push_message message;
    struct params_pushs users; /* the users that still have to get the message */
    int64_t uid;               /* if there is only one: USERS points here */
    const char **keys; /* of devices, to be freed: USERS are theirs once they are looked up */
    size_t n_keys;
    struct key_groups *groups; /* the keys of each of USERS; NULL: all devices are meant */
    const char **rooms;        /* to be freed; USERS are then a hash of each */
    const char *room;
    char *
        owned; /* what ROOM or the message's collapse key points to, unless the request owns that */
    int32_t speed;
    struct idem *idem;
    struct push_trace traced;      /* MESSAGE points here if the caller wants to know its way */
    struct trace_context *context; /* of the request's headers; NULL: it has none */
    int64_t *before; /* uids for which an earlier call with the same id was accepted */
    size_t n_before;
    size_t n_unknown; /* keys that nobody has */
    bool too_large;   /* parsing has failed because of a size */
    /* Answers. CALL is freed afterwards. */
    void (*answer)(struct push_call *call, const struct push_outcome *outcome);
    /* What is kept for calls with the same id: a text to be freed, beginning with {"ret":1, for
     * older logics answer it as it is. NULL: {"ret":1} is. */
    char *(*keep)(struct push_call *call, const struct push_outcome *outcome);
    void *arg; /* of the face's */
};

/* Reads the parameters of a face into CALL. 0; otherwise ERR says what is wrong. */
typedef int (*push_parse_fn)(struct push_call *call, struct params_error *err);

/* Handles REQUEST: parses, refuses what is too much, honours `id`, calls START and answers. PARSE
 * need not look at `ttl` and `id`. START is one of push_call_to_…(). */
void push_call_handle(struct logic *logic, struct http_request *request, push_parse_fn parse,
                      void (*start)(struct push_call *call));

/* The same for a CALL that is parsed, on the heap, and has START and ANSWER. ID may be NULL; it is
 * needed only during the call. ANSWER may run before this returns. */
void push_call_run(struct push_call *call, const char *id);
/* In place of push_call_run(). */
void push_call_free(struct push_call *call);
/* A digest of what CALL pushes, to whom. Whatever the face, the same push has the same. When it
 * expires is left out: that counts from now. */
void push_call_digest(const struct push_call *call, char out[IDEM_DIGEST + 1]);
extern const struct api_refusal push_call_id_taken, push_call_id_busy;

void push_call_to_uids(struct push_call *call);
/* Looks up first whose CALL->keys are. */
void push_call_to_keys(struct push_call *call);
void push_call_to_room(struct push_call *call);
/* To each of CALL->rooms. */
void push_call_to_rooms(struct push_call *call);
void push_call_to_all(struct push_call *call);

enum { PUSH_TTL_MOST_S = 366 * 24 * 3600 };

/* --- for the parsers. They return 0, or -1 with ERR --- */

/* The message's operation, from parameter FIELD. */
int push_call_op(struct push_call *call, const char *field, int32_t op, struct params_error *err);
/* The message is the whole body. */
int push_call_body(struct push_call *call, struct params_error *err);
/* Is the operation the protocol's own? Then no push may have it. */
bool push_call_op_is_ours(int64_t op);
/* Checks the size of CALL->message, from parameter FIELD. */
int push_call_message(struct push_call *call, const char *field, struct params_error *err);

#endif
