/* What calls about sessions, rooms and mailboxes take and answer. */
#include "common/protocol/name.h"
#include "logic/base/config.h"
#include "logic/http/v1/members.h"
#include "logic/http/v1/schemas.h"
#include "logic/peers/questions.h"
#include "logic/router/room_lists.h"

#include <stddef.h>

enum {
    REASON_MAX = 200,
    SERVER_MAX = 63,
    SESSION_MAX = 16 + 1 + SERVER_MAX,
    MAILBOX_LIMIT_MAX = 1000,
};

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
static const char *const transports[] = {"tcp", "tls", "ws", "wss", NULL};
static const struct schema transport = {.type = SCHEMA_STRING, .words = transports};
static const struct schema room_names = {.type = SCHEMA_ARRAY, .items = &schema_room};
static const struct schema any_op = {.type = SCHEMA_INTEGER, .min = INT32_MIN, .max = INT32_MAX};
static const struct schema op_numbers = {.type = SCHEMA_ARRAY, .items = &any_op};
static const struct schema server_list = {.type = SCHEMA_ARRAY, .items = &schema_text};
static const struct schema_field session_fields[] = {
    {"session", &session_id, true, NULL, NULL},
    {"server", &schema_text, true, "Its comet.", NULL},
    {"key", &schema_key, false, "Of its device, if it has one.", NULL},
    {"room", &schema_room, false, "Its main room, if it has one.", NULL},
    {"since", &schema_count, false,
     "Unix time, in seconds, when it was opened. This and what follows is absent if its comet has "
     "not answered.",
     NULL},
    {"transport", &transport, false, "ws and wss: WebSocket; tls and wss: over TLS.", NULL},
    {"address", &schema_text, false, "IP address of the client.", NULL},
    {"platform", &schema_text, false, "As the client says, if it does: goim's clients do.", NULL},
    {"rooms", &room_names, false, "All that it is in, the main one first.", NULL},
    {"more_rooms", &schema_count, false, "So many others are left out of rooms.", NULL},
    {"ack", &schema_flag, false, "Whether it acknowledges its messages.", NULL},
    {"accepts", &op_numbers, false,
     "A client of goim has chosen these operations, and gets no messages to its user or to all "
     "with "
     "others. Absent: it has chosen none.",
     NULL},
    {"declines", &op_numbers, false, "Or it gets all but these.", NULL},
    {"more_operations", &schema_count, false, "So many others are left out of the two lists.",
     NULL},
    {"unsent", &schema_count, false,
     "Bytes that wait in its comet, and in the kernel there, until the device takes them. 0: it "
     "has all that was written to it.",
     NULL},
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
    {"unanswered", &server_list, true,
     "Comets that have not answered: details of their sessions are absent, and some of these may "
     "have ended.",
     NULL},
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
static const char *const orders[] = {"sessions", "name", NULL};
static const struct schema rooms_order = {.type = SCHEMA_STRING, .words = orders};
static const struct schema rooms_cursor = {.type = SCHEMA_STRING,
                                           .name = "RoomsCursor",
                                           .doc = "A place among the rooms by name.",
                                           .min = 1,
                                           .max = ROOM_NAME_MAX};
const struct schema_field query_rooms[] = {
    {"prefix", &prefix, false, "Only rooms whose names begin so.", NULL},
    {"limit", &rooms_limit, false, "At most so many; 100 if it is not said.", NULL},
    {"order", &rooms_order, false,
     "sessions, if it is not said: those with the most sessions first. name: by name, as bytes, "
     "page "
     "by page.",
     NULL},
    {"cursor", &rooms_cursor, false, "With order=name: of the page before.", NULL},
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
    {"rooms", &room_counts, true, "In the order that was asked for.", NULL},
    {"cursor", &rooms_cursor, false, "With order=name: there may be more, ask with it.", NULL},
    {"complete", &schema_flag, true,
     "false: routers come or go, and for some seconds numbers may be too low.", NULL},
    SCHEMA_END,
};
const struct schema schema_rooms = {.type = SCHEMA_OBJECT, .name = "Rooms", .fields = rooms_fields};

const struct schema_field path_room[] = {
    {"room", &schema_room, true, "The room, with what is no letter, digit, -, ., _ or ~ escaped.",
     NULL},
    SCHEMA_END,
};
static const struct schema_field room_one_fields[] = {
    {"room", &schema_room, true, NULL, NULL},
    {"sessions", &schema_count, true, "As of 2 s ago at most.", NULL},
    {"complete", &schema_flag, true,
     "false: routers come or go, and for some seconds the number may be too low.", NULL},
    SCHEMA_END,
};
const struct schema schema_room_one = {
    .type = SCHEMA_OBJECT, .name = "RoomOne", .fields = room_one_fields};

static const struct schema members_limit = {
    .type = SCHEMA_INTEGER, .min = 1, .max = QUESTION_MEMBERS_MAX};
static const struct schema members_cursor = {.type = SCHEMA_STRING,
                                             .name = "MembersCursor",
                                             .doc = "A place among the members of a room.",
                                             .min = MEMBERS_CURSOR_DIGITS + 2,
                                             .max = MEMBERS_CURSOR_DIGITS + 1 + SERVER_MAX};
#define MEMBERS_PAGE                                                                   \
    {"limit", &members_limit, false, "At most so many; 100 if it is not said.", NULL}, \
    {                                                                                  \
        "cursor", &members_cursor, false, "Of the page before.", NULL                  \
    }
const struct schema_field query_members[] = {
    {"room", &schema_room, true, NULL, NULL},
    MEMBERS_PAGE,
    SCHEMA_END,
};
const struct schema_field query_members_of[] = {
    MEMBERS_PAGE,
    SCHEMA_END,
};
static const struct schema_field member_fields[] = {
    {"session", &session_id, true, NULL, NULL},
    {"server", &schema_text, true, "Its comet.", NULL},
    {"uid", &schema_uid, true, NULL, NULL},
    {"key", &schema_key, false, "Of its device, if it has one.", NULL},
    SCHEMA_END,
};
static const struct schema member = {
    .type = SCHEMA_OBJECT, .name = "Member", .fields = member_fields};
static const struct schema member_list = {.type = SCHEMA_ARRAY, .items = &member};
static const struct schema_field members_fields[] = {
    {"members", &member_list, true, "Sessions: a user may have several.", NULL},
    {"cursor", &members_cursor, false, "There may be more: ask with it.", NULL},
    {"unanswered", &server_list, true,
     "Comets that have not answered, whose members are left out, in this page and behind it.",
     NULL},
    SCHEMA_END,
};
const struct schema schema_members = {
    .type = SCHEMA_OBJECT, .name = "Members", .fields = members_fields};

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
