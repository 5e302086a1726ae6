/* schemas.h - what the calls of /v1 take and answer. operations.c puts them together. */
#ifndef IMC_LOGIC_HTTP_V1_SCHEMAS_H
#define IMC_LOGIC_HTTP_V1_SCHEMAS_H

#include "logic/http/v1/schema.h"

extern const struct schema schema_push, schema_batch;
extern const struct schema schema_accepted, schema_results, schema_document;
extern const struct schema schema_problem;
extern const struct schema schema_scheduled, schema_cancelled;
extern const struct schema_field query_scheduled[], query_scheduled_cancel[];
/* sessions, rooms, mailbox */
extern const struct schema schema_sessions, schema_changed, schema_room_change, schema_rooms;
extern const struct schema schema_room_one, schema_members;
extern const struct schema_field query_members[], query_members_of[];
extern const struct schema_field path_room[], path_token[];
extern const struct schema schema_mailbox, schema_emptied;
extern const struct schema_field query_sessions[], query_sessions_end[], query_rooms[],
    query_mailbox[], query_mailbox_delete[];
/* traces */
extern const struct schema schema_message_trace, schema_funnel;
extern const struct schema_field query_message[], query_funnel[];
/* events */
extern const struct schema schema_events;
extern const struct schema_field query_events[];
/* tokens, users, cluster */
extern const struct schema schema_token_new, schema_token, schema_token_revoke;
extern const struct schema schema_user_block, schema_user;
extern const struct schema schema_cluster, schema_nodes;
extern const struct schema schema_comet, schema_comet_drains;

/* --- what several files of schemas have --- */

extern const struct schema schema_uid, schema_key, schema_room, schema_message_id;
extern const struct schema schema_count, schema_text, schema_flag;
#define SCHEMA_END \
    {              \
        0          \
    }

#endif
