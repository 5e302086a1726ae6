/* What calls about sessions, rooms and mailboxes take and answer. */
#include "logic/base/config.h"
#include "logic/http/v1/schemas.h"
#include "logic/router/room_lists.h"

#include <stddef.h>

enum { REASON_MAX = 200, SESSION_MAX = 16 + 1 + 63, ROOMS_LIMIT = 100, MAILBOX_LIMIT_MAX = 1000 };

static const struct schema session_id = {.type = SCHEMA_STRING,
                                         .name = "SessionId",
                                         .doc =
                                             "A session: its number on its comet, and the comet.",
                                         .min = 18,
                                         .max = SESSION_MAX};
static const struct schema reason = {.type = SCHEMA_STRING, .min = 1, .max = REASON_MAX};

/* --- sessions --- */

const struct schema_field query_sessions[] = {
    {"uid", &schema_uid, false, "Of this user. Without it: of the user who connected with the key.",
     NULL},
    {"key", &schema_key, false, "Only those of devices with this key.", NULL},
    SCHEMA_END,
};
const struct schema_field query_sessions_end[] = {
    {"uid", &schema_uid, false, "Of this user. Without it: of the user who connected with the key.",
     NULL},
    {"key", &schema_key, false, "Only those of devices with this key.", NULL},
    {"session", &session_id, false, "Only this one.", NULL},
    {"reason", &reason, false, "For the client, which gets it with operation 6, code 7.", NULL},
    SCHEMA_END,
};
static const struct schema_field session_fields[] = {
    {"session", &session_id, true, NULL, NULL},
    {"server", &schema_text, true, "Its comet.", NULL},
    {"key", &schema_key, false, "Of its device, if it has one.", NULL},
    {"room", &schema_room, false, "Its main room, if it has one.", NULL},
    SCHEMA_END,
};
static const struct schema session = {
    .type = SCHEMA_OBJECT, .name = "Session", .fields = session_fields};
static const struct schema session_list = {.type = SCHEMA_ARRAY, .items = &session};
static const struct schema_field sessions_fields[] = {
    {"uid", &schema_uid, false, "Absent: nobody has had the key.", NULL},
    {"sessions", &session_list, true, NULL, NULL},
    {"complete", &schema_flag, true,
     "false: routers or comets have just changed, and sessions may be missing.", NULL},
    SCHEMA_END,
};
const struct schema schema_sessions = {
    .type = SCHEMA_OBJECT, .name = "Sessions", .fields = sessions_fields};

static const struct schema_field refused_fields[] = {
    {"rooms.per_session", &schema_count, true, "Sessions in as many rooms as they may be.", NULL},
    {"rooms.max", &schema_count, true, "Sessions whose comet has as many rooms as it may have.",
     NULL},
    SCHEMA_END,
};
static const struct schema refused = {
    .type = SCHEMA_OBJECT, .name = "RoomsRefused", .fields = refused_fields};
static const struct schema_field changed_fields[] = {
    {"sessions", &schema_count, true,
     "That were ended, or are in the room now, or are not in it any more.", NULL},
    {"refused", &refused, false, "That could not join.", NULL},
    SCHEMA_END,
};
const struct schema schema_changed = {
    .type = SCHEMA_OBJECT, .name = "Changed", .fields = changed_fields};

/* --- rooms --- */

static const struct schema prefix = {.type = SCHEMA_STRING, .min = 1, .max = 128};
static const struct schema rooms_limit = {
    .type = SCHEMA_INTEGER, .min = 1, .max = ROOM_LISTS_TOP_MAX};
const struct schema_field query_rooms[] = {
    {"prefix", &prefix, false, "Only rooms whose names begin so.", NULL},
    {"limit", &rooms_limit, false, "At most so many; 100 if it is not said.", NULL},
    {"room", &schema_room, false, "This one, whether somebody is in it or not.", NULL},
    SCHEMA_END,
};
static const struct schema_field room_count_fields[] = {
    {"room", &schema_room, true, NULL, NULL},
    {"sessions", &schema_count, true, "As of 2 s ago at most.", NULL},
    SCHEMA_END,
};
static const struct schema room_count = {
    .type = SCHEMA_OBJECT, .name = "RoomCount", .fields = room_count_fields};
static const struct schema room_counts = {.type = SCHEMA_ARRAY, .items = &room_count};
static const struct schema_field rooms_fields[] = {
    {"rooms", &room_counts, true, "Those with the most sessions first.", NULL},
    {"complete", &schema_flag, true,
     "false: routers come or go, and for some seconds numbers may be too low.", NULL},
    SCHEMA_END,
};
const struct schema schema_rooms = {.type = SCHEMA_OBJECT, .name = "Rooms", .fields = rooms_fields};

static const struct schema_field room_change_fields[] = {
    {"room", &schema_room, true, NULL, NULL},
    {"uid", &schema_uid, false,
     "The sessions of this user. Without it: of the user who connected with the key.", NULL},
    {"key", &schema_key, false, "Only those of devices with this key.", NULL},
    SCHEMA_END,
};
const struct schema schema_room_change = {
    .type = SCHEMA_OBJECT, .name = "RoomChange", .fields = room_change_fields};

/* --- mailbox --- */

static const struct schema mailbox_limit = {
    .type = SCHEMA_INTEGER, .min = 1, .max = MAILBOX_LIMIT_MAX};
const struct schema_field query_mailbox[] = {
    {"uid", &schema_uid, true, NULL, NULL},
    {"limit", &mailbox_limit, false,
     "At most so many, of about mailbox.page_bytes together; mailbox.page if it is not said.",
     NULL},
    {"cursor", &schema_message_id, false, "Of the page before. Only messages behind it.", NULL},
    SCHEMA_END,
};
const struct schema_field query_mailbox_delete[] = {
    {"uid", &schema_uid, true, NULL, NULL},
    {"upto", &schema_message_id, true, "The newest message to be deleted.", NULL},
    SCHEMA_END,
};
static const struct schema waiting_op = {
    .type = SCHEMA_INTEGER, .min = INT32_MIN, .max = INT32_MAX};
static const struct schema_field waiting_fields[] = {
    {"id", &schema_message_id, true, NULL, NULL},
    {"op", &waiting_op, true, "Of the frame that devices get.", NULL},
    {"body_base64", &schema_text, true, "The message.", NULL},
    {"expires", &schema_count, false, "Unix time, in seconds. Absent: mailbox.ttl decides.", NULL},
    SCHEMA_END,
};
static const struct schema waiting = {
    .type = SCHEMA_OBJECT, .name = "WaitingMessage", .fields = waiting_fields};
static const struct schema waiting_list = {.type = SCHEMA_ARRAY, .items = &waiting};
static const struct schema_field mailbox_fields[] = {
    {"messages", &waiting_list, true, "The oldest first.", NULL},
    {"cursor", &schema_message_id, false, "There may be more: ask with it.", NULL},
    SCHEMA_END,
};
const struct schema schema_mailbox = {
    .type = SCHEMA_OBJECT, .name = "Mailbox", .fields = mailbox_fields};
static const struct schema_field emptied_fields[] = {
    {"uid", &schema_uid, true, NULL, NULL},
    SCHEMA_END,
};
const struct schema schema_emptied = {
    .type = SCHEMA_OBJECT, .name = "Emptied", .fields = emptied_fields};
