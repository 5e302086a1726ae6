#include "logic/http/v1/schemas.h"
#include "common/protocol/name.h"
#include "logic/base/config.h"
#include "logic/http/idempotency.h"
#include "logic/http/push_call.h"
#include "logic/later/later.h"
#include "logic/tokens/device_keys.h"

#include <stddef.h>

#define SETTING(field) .setting = offsetof(struct logic_config, field)
#define END \
    {       \
        0   \
    }

/* --- what several have --- */

const struct schema schema_uid = {.type = SCHEMA_INTEGER,
                                  .name = "Uid",
                                  .doc = "A user: any whole number of 64 bits.",
                                  .min = INT64_MIN,
                                  .max = INT64_MAX};
const struct schema schema_key = {.type = SCHEMA_STRING,
                                  .name = "Key",
                                  .doc = "The key of a device, as goim's clients name theirs.",
                                  .min = 1,
                                  .max = DEVICE_KEY_MAX};
const struct schema schema_room = {.type = SCHEMA_STRING,
                                   .name = "Room",
                                   .doc = "The name of a room.",
                                   .min = 1,
                                   .max = ROOM_NAME_MAX};
const struct schema schema_message_id = {
    .type = SCHEMA_STRING,
    .name = "MessageId",
    .doc =
        "The number of a message, 64 bits. It is text, because JavaScript's numbers lose digits.",
    .min = 1,
    .max = 20,
    .is_id = true};
const struct schema schema_count = {.type = SCHEMA_INTEGER, .min = 0, .max = INT64_MAX};
const struct schema schema_text = {.type = SCHEMA_STRING};
const struct schema schema_flag = {.type = SCHEMA_BOOLEAN};
static const struct schema yes = {.type = SCHEMA_BOOLEAN, .only_true = true};

/* --- push --- */

static const struct schema uids = {
    .type = SCHEMA_ARRAY, .min = 1, SETTING(push_max_uids), .items = &schema_uid};
static const struct schema keys = {
    .type = SCHEMA_ARRAY, .min = 1, SETTING(push_max_keys), .items = &schema_key};
static const struct schema rooms = {
    .type = SCHEMA_ARRAY, .min = 1, SETTING(push_max_rooms), .items = &schema_room, .unique = true};
static const char *const receivers[] = {"uids", "keys", "rooms", "all", NULL};
static const struct schema_field to_fields[] = {
    {"uids", &uids, false,
     "Every session of these users. For a user without one the message waits in the mailbox. A "
     "user "
     "who is named twice gets it once.",
     "[1,2]"},
    {"keys", &keys, false,
     "Every session with one of these keys. For a key without one the message waits in the mailbox "
     "of the user that it belongs to. Keys that nobody has had are counted, and skipped.",
     NULL},
    {"rooms", &rooms, false, "Everybody who is in one of these rooms, once for each room.", NULL},
    {"all", &yes, false, "Everybody who is online.", NULL},
    SCHEMA_END,
};
static const struct schema to = {.type = SCHEMA_OBJECT,
                                 .name = "To",
                                 .doc = "Who gets the message.",
                                 .fields = to_fields,
                                 .one_of = receivers};

static const int64_t our_ops[] = {3, 6, 8, 9, INT64_MIN};
static const struct schema op = {
    .type = SCHEMA_INTEGER, .min = 0, .max = INT32_MAX, .except = our_ops};
static const struct schema any = {.type = SCHEMA_ANY};
static const struct schema base64 = {.type = SCHEMA_BASE64};
static const struct schema ttl = {.type = SCHEMA_INTEGER, .min = 0, .max = PUSH_TTL_MOST_S};
static const struct schema idempotency_key = {.type = SCHEMA_STRING, .min = 1, .max = IDEM_KEY_MAX};
static const struct schema unix_time = {
    .type = SCHEMA_INTEGER, .min = 0, .max = INT64_C(253402300799)};
static const struct schema scheduled_id = {.type = SCHEMA_STRING,
                                           .name = "ScheduledId",
                                           .doc = "A push for later.",
                                           .min = 1,
                                           .max = LATER_ID_MAX - 1};
static const struct schema speed = {.type = SCHEMA_INTEGER, .min = 0, .max = INT32_MAX};
static const char *const ack_words[] = {"each", "any", NULL};
static const struct schema collapse = {.type = SCHEMA_STRING, .min = 1, .max = PUSH_COLLAPSE_MAX};
static const struct schema ack = {.type = SCHEMA_STRING, .words = ack_words};
static const char *const bodies[] = {"body", "body_base64", NULL};
static const struct schema_field push_fields[] = {
    {"to", &to, true, NULL, NULL},
    {"op", &op, false,
     "The operation of the frame that devices get; 5 if it is not said. Not 3, 6, 8 and 9: devices "
     "take these for comet's own words.",
     NULL},
    {"body", &any, false,
     "The message: any JSON value. Devices get it as it stands here, with its digits and its white "
     "space. At most push.max_message bytes.",
     "{\"text\":\"hello\"}"},
    {"body_base64", &base64, false,
     "The message: any bytes, at least 1 and at most push.max_message.", NULL},
    {"ttl", &ttl, false,
     "Seconds that the message may wait in a mailbox, never longer than mailbox.ttl. 0: only users "
     "who are online get it.",
     NULL},
    {"id", &idempotency_key, false,
     "Idempotency key: for 5 minutes a push with the same key gets the same answer and is not "
     "pushed again. The header Idempotency-Key says the same.",
     NULL},
    {"trace", &schema_flag, false,
     "true: the way of each message is kept for an hour, and counted: GET /v1/messages, GET "
     "/v1/pushes/funnel. At most trace.rate messages a second.",
     NULL},
    {"ack", &ack, false,
     "With uids or keys: which device ends the message for its user. each, the default: each "
     "device "
     "for itself. any: the first session that has it ends it for all; an acknowledged session has "
     "it when it has acknowledged it, any other when it was written to it.",
     NULL},
    {"collapse", &collapse, false,
     "With uids or keys: of a user's messages that wait in the mailbox with the same collapse key, "
     "the newest stays. Messages to keys replace only those to the same keys.",
     NULL},
    {"deliver_at", &unix_time, false,
     "Unix time, in seconds: the message waits until then, at most later.horizon from now. Its ttl "
     "begins then. A time that is over means now.",
     NULL},
    {"speed", &speed, false, "With all: messages a second; 0, the default: as fast as possible.",
     NULL},
    SCHEMA_END,
};
const struct schema schema_push = {.type = SCHEMA_OBJECT,
                                   .name = "Push",
                                   .doc = "A message, and who gets it.",
                                   .fields = push_fields,
                                   .one_of = bodies};
const struct schema schema_batch = {.type = SCHEMA_ARRAY,
                                    .name = "Batch",
                                    .min = 1,
                                    SETTING(push_max_batch),
                                    .items = &schema_push,
                                    .each_alone = true};

static const struct schema_field receiver_fields[] = {
    {"uid", &schema_uid, false, NULL, NULL},
    {"room", &schema_room, false, NULL, NULL},
    {"all", &yes, false, NULL, NULL},
    {"id", &schema_message_id, false, "Absent: the message went to goim's own comets only.", NULL},
    SCHEMA_END,
};
static const struct schema receiver = {.type = SCHEMA_OBJECT,
                                       .name = "Message",
                                       .doc = "A message to one user, to one room, or to all.",
                                       .fields = receiver_fields};
static const struct schema receiver_list = {.type = SCHEMA_ARRAY, .items = &receiver};
static const struct schema_field accepted_fields[] = {
    {"accepted", &schema_count, false,
     "How many messages were accepted, those of an earlier call with "
     "this id included.",
     NULL},
    {"messages", &receiver_list, true, "Those that this call has made.", NULL},
    {"unknown_keys", &schema_count, false, "Keys that nobody has had.", NULL},
    {"repeated", &yes, false, "A call with the same id was answered so before. Nothing was pushed.",
     NULL},
    {"scheduled", &scheduled_id, false, "Of a push for later: its id.", NULL},
    {"deliver_at", &unix_time, false, "Of a push for later: when it is delivered.", NULL},
    {"push", &schema_message_id, false, "Of a push with trace: what GET /v1/pushes/funnel takes.",
     NULL},
    {"traced", &schema_flag, false,
     "false, of a push with trace: it is not traced, because of trace.rate.", NULL},
    SCHEMA_END,
};
const struct schema schema_accepted = {
    .type = SCHEMA_OBJECT,
    .name = "Accepted",
    .doc = "Kafka has the messages: whichever daemon dies now, none is lost.",
    .fields = accepted_fields};

/* --- problems --- */

static const struct schema_field field_error_fields[] = {
    {"pointer", &schema_text, false, "Where in the body: a JSON pointer (RFC 6901).",
     "\"/to/uids/0\""},
    {"parameter", &schema_text, false, "Which parameter of the query.", NULL},
    {"header", &schema_text, false, "Which header.", NULL},
    {"detail", &schema_text, true, "What is wrong, and what may be there.", NULL},
    SCHEMA_END,
};
static const struct schema field_error = {
    .type = SCHEMA_OBJECT, .name = "FieldError", .fields = field_error_fields};
static const struct schema field_errors = {.type = SCHEMA_ARRAY, .items = &field_error};
static const struct schema status = {.type = SCHEMA_INTEGER, .min = 200, .max = 599};
static const struct schema_field problem_fields[] = {
    {"title", &schema_text, true, "What the status means.", "\"Bad Request\""},
    {"status", &status, true, NULL, "400"},
    {"code", &schema_text, true, "The same for programs: docs/http-api-v1.md lists them.",
     "\"invalid\""},
    {"detail", &schema_text, true, "What is wrong with this call.", NULL},
    {"errors", &field_errors, false, "The first fields that are wrong, at most eight.", NULL},
    {"accepted", &schema_count, false, "Of a push: messages that were accepted all the same.",
     NULL},
    {"not_accepted", &receiver_list, false,
     "Of a push: those that were not. A call with the same id pushes only these.", NULL},
    SCHEMA_END,
};
const struct schema schema_problem = {.type = SCHEMA_OBJECT,
                                      .name = "Problem",
                                      .doc = "What went wrong (RFC 9457).",
                                      .fields = problem_fields};

static const struct schema_field result_fields[] = {
    {"status", &status, true, "As the push alone would have been answered.", NULL},
    {"accepted", &schema_count, false, NULL, NULL},
    {"messages", &receiver_list, false, NULL, NULL},
    {"unknown_keys", &schema_count, false, NULL, NULL},
    {"push", &schema_message_id, false, NULL, NULL},
    {"traced", &schema_flag, false, NULL, NULL},
    {"repeated", &yes, false, NULL, NULL},
    {"title", &schema_text, false, NULL, NULL},
    {"code", &schema_text, false, NULL, NULL},
    {"detail", &schema_text, false, NULL, NULL},
    {"errors", &field_errors, false, NULL, NULL},
    {"not_accepted", &receiver_list, false, NULL, NULL},
    {"scheduled", &scheduled_id, false, "Of a push for later: its id.", NULL},
    {"deliver_at", &unix_time, false, "Of a push for later: when it is delivered.", NULL},
    SCHEMA_END,
};
static const struct schema result = {
    .type = SCHEMA_OBJECT,
    .name = "Result",
    .doc = "How one push of a batch ended: the fields of Accepted, or those of Problem.",
    .fields = result_fields};
static const struct schema result_list = {.type = SCHEMA_ARRAY, .items = &result};
static const struct schema_field results_fields[] = {
    {"results", &result_list, true, "One for each push, in their order.", NULL},
    SCHEMA_END,
};
const struct schema schema_results = {
    .type = SCHEMA_OBJECT, .name = "Results", .fields = results_fields};

/* --- scheduled --- */

static const struct schema list_limit = {.type = SCHEMA_INTEGER, .min = 1, .max = LATER_PAGE_MAX};
static const struct schema cursor = {.type = SCHEMA_STRING, .min = 1, .max = LATER_ID_MAX + 48};
const struct schema_field query_scheduled[] = {
    {"limit", &list_limit, false, "At most so many; 100 if it is not said.", NULL},
    {"cursor", &cursor, false, "Of the page before.", NULL},
    SCHEMA_END,
};
const struct schema_field query_scheduled_cancel[] = {
    {"id", &scheduled_id, true, NULL, NULL},
    SCHEMA_END,
};
static const struct schema_field scheduled_fields[] = {
    {"id", &scheduled_id, true, NULL, NULL},
    {"deliver_at", &unix_time, true, NULL, NULL},
    {"push", &any, true, "As it was in the call.", NULL},
    SCHEMA_END,
};
static const struct schema scheduled = {
    .type = SCHEMA_OBJECT, .name = "ScheduledPush", .fields = scheduled_fields};
static const struct schema scheduled_list = {.type = SCHEMA_ARRAY, .items = &scheduled};
static const struct schema_field scheduled_page_fields[] = {
    {"scheduled", &scheduled_list, true,
     "By the time they are due, of one Redis shard after the other.", NULL},
    {"cursor", &cursor, false, "There may be more: ask with it.", NULL},
    SCHEMA_END,
};
const struct schema schema_scheduled = {
    .type = SCHEMA_OBJECT, .name = "Scheduled", .fields = scheduled_page_fields};
static const struct schema_field cancelled_fields[] = {
    {"id", &scheduled_id, true, NULL, NULL},
    SCHEMA_END,
};
const struct schema schema_cancelled = {
    .type = SCHEMA_OBJECT, .name = "Cancelled", .fields = cancelled_fields};

const struct schema schema_document = {.type = SCHEMA_ANY, .doc = "This document."};
