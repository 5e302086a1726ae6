/* What calls about traces take and answer. */
#include "logic/http/v1/schemas.h"

const struct schema_field query_message[] = {
    {"id", &schema_message_id, true, "As the push was answered.", NULL},
    SCHEMA_END,
};
const struct schema_field query_funnel[] = {
    {"id", &schema_message_id, true, "`push` of the answer to a push with trace.", NULL},
    SCHEMA_END,
};

static const struct schema at = {.type = SCHEMA_STRING,
                                 .doc = "RFC 3339, with microseconds, by the clock of Redis."};
static const struct schema_field session_fields[] = {
    {"session", &schema_text, true, "As in /v1/sessions.", NULL},
    {"state", &schema_text, true, "The last step there.", NULL},
    {"at", &at, true, NULL, NULL},
    SCHEMA_END,
};
static const struct schema session = {
    .type = SCHEMA_OBJECT, .name = "TracedSession", .fields = session_fields};
static const struct schema sessions = {.type = SCHEMA_ARRAY, .items = &session};
static const struct schema whole = {.type = SCHEMA_INTEGER, .min = INT64_MIN, .max = INT64_MAX};
static const struct schema_field step_fields[] = {
    {"at", &at, true, NULL, NULL},
    {"after_us", &whole, true, "Microseconds since the first step.", NULL},
    {"step", &schema_text, true, "docs/tracing.md lists them.", "\"written\""},
    {"service", &schema_text, false, "Who told it: imc-logic, imc-job or imc-comet.", NULL},
    {"member", &schema_text, false, "Which one of them.", NULL},
    {"session", &schema_text, false, "At this session.", NULL},
    {"sessions", &whole, false, "Of a message to a room or to all: so many sessions.", NULL},
    {"server", &schema_text, false, "dispatched: to this comet.", NULL},
    {"reason", &schema_text, false, "Why.", NULL},
    {"uid", &schema_uid, false, NULL, NULL},
    {"room", &schema_text, false, NULL, NULL},
    {"all", &whole, false, "1: to everybody.", NULL},
    {"op", &whole, false, NULL, NULL},
    {"bytes", &whole, false, "Of the body.", NULL},
    {"push", &schema_message_id, false, "For GET /v1/pushes/funnel.", NULL},
    {"ends", &whole, false, "Unix time in ms after which it does not wait in a mailbox.", NULL},
    {"topic", &schema_text, false, "Of Kafka.", NULL},
    {"partition", &whole, false, NULL, NULL},
    {"offset", &whole, false, NULL, NULL},
    SCHEMA_END,
};
static const struct schema step = {
    .type = SCHEMA_OBJECT, .name = "TraceStep", .fields = step_fields};
static const struct schema steps = {.type = SCHEMA_ARRAY, .items = &step};
static const struct schema_field message_fields[] = {
    {"id", &schema_message_id, true, NULL, NULL},
    {"state", &schema_text, true, "How far it has come.", "\"acknowledged\""},
    {"sessions", &sessions, true, "Those of the user that it was meant for.", NULL},
    {"steps", &steps, true, "In the order of time.", NULL},
    SCHEMA_END,
};
const struct schema schema_message_trace = {.type = SCHEMA_OBJECT,
                                            .name = "MessageTrace",
                                            .doc = "The way of a message.",
                                            .fields = message_fields};

static const struct schema_field funnel_fields[] = {
    {"push", &schema_message_id, true, NULL, NULL},
    {"at", &at, true, NULL, NULL},
    {"accepted", &schema_count, true, "Messages that logic took: one for each user or room.", NULL},
    {"failed", &schema_count, true, "Messages that Kafka did not take.", NULL},
    {"sent", &schema_count, true, "Times that a comet began to give one to a session.", NULL},
    {"written", &schema_count, true, "Times that the kernel of a comet's machine took one.", NULL},
    {"acknowledged", &schema_count, true, "Times that a device acknowledged one.", NULL},
    {"declined", &schema_count, true, "Times that a goim session did not accept the operation.",
     NULL},
    {"stored", &schema_count, true, "Messages that were put into a mailbox.", NULL},
    {"waiting", &schema_count, true, "Of these, messages that are still there.", NULL},
    {"expired", &schema_count, true, "Messages whose time was over before a session had them.",
     NULL},
    {"trimmed", &schema_count, true, "Messages that left a mailbox because of its limit.", NULL},
    {"replaced", &schema_count, true,
     "Messages that left a mailbox because a newer one had their collapse key.", NULL},
    SCHEMA_END,
};
const struct schema schema_funnel = {
    .type = SCHEMA_OBJECT, .name = "Funnel", .fields = funnel_fields};
