/* What calls about tokens, users and the cluster take and answer. */
#include "logic/base/config.h"
#include "logic/http/revocation.h"
#include "logic/http/v1/schemas.h"
#include "logic/tokens/tokens.h"

#include <stddef.h>

enum { ACCEPTS_MOST = 300, TOKEN_ROOMS_MOST = 500, REASON_MAX = 200, COMET_ID_MAX = 63 };

/* --- tokens --- */

static const struct schema token = {.type = SCHEMA_STRING, .min = 1, .max = TOKEN_MAX};
static const struct schema expire = {.type = SCHEMA_INTEGER, .min = 0, .max = INT32_MAX};
static const struct schema op = {.type = SCHEMA_INTEGER, .min = INT32_MIN, .max = INT32_MAX};
static const struct schema accepts = {
    .type = SCHEMA_ARRAY, .min = 1, .max = ACCEPTS_MOST, .items = &op};
static const struct schema rooms = {
    .type = SCHEMA_ARRAY, .max = TOKEN_ROOMS_MOST, .items = &schema_room};
static const struct schema_field token_new_fields[] = {
    {"uid", &schema_uid, true, "A user has one token: the older one is revoked.", NULL},
    {"token", &token, false, "logic makes one if it is not said.", NULL},
    {"expire", &expire, false, "Seconds; 0: never; tokens.ttl if it is not said.", NULL},
    {"room", &schema_room, false, "The main room of devices with it.", NULL},
    {"rooms", &rooms, false, "Rooms beside it: without commas, at most 1024 bytes in all.", NULL},
    {"accepts", &accepts, false,
     "What a goim client with it accepts that names no operations itself; all if it is not said.",
     NULL},
    SCHEMA_END,
};
const struct schema schema_token_new = {
    .type = SCHEMA_OBJECT, .name = "NewToken", .fields = token_new_fields};
static const struct schema_field token_fields[] = {
    {"token", &schema_text, true, NULL, NULL},
    {"uid", &schema_uid, true, NULL, NULL},
    {"expire", &schema_count, true, "Seconds from now; 0: never.", NULL},
    SCHEMA_END,
};
const struct schema schema_token = {.type = SCHEMA_OBJECT, .name = "Token", .fields = token_fields};

static const struct schema long_token = {.type = SCHEMA_STRING, .min = 1, .max = REVOKE_TOKEN_MAX};
static const struct schema jti = {.type = SCHEMA_STRING, .min = 1, .max = REVOKE_JTI_MAX};
static const struct schema unix_time = {
    .type = SCHEMA_INTEGER, .min = 0, .max = INT64_C(253402300799)};
static const char *const token_or_uid[] = {"token", "uid", NULL};
static const struct schema_field revoke_fields[] = {
    {"token", &long_token, false, "This token: a JSON Web Token, or one of POST /v1/tokens.", NULL},
    {"uid", &schema_uid, false, "All tokens that this user has now.", NULL},
    {"before", &unix_time, false,
     "With uid: JSON Web Tokens that were issued before that Unix time.", NULL},
    {"jti", &jti, false, "With uid: JSON Web Tokens with this id.", NULL},
    SCHEMA_END,
};
const struct schema schema_token_revoke = {
    .type = SCHEMA_OBJECT, .name = "RevokeTokens", .fields = revoke_fields, .one_of = token_or_uid};

const struct schema_field path_token[] = {
    {"token", &long_token, true, "As in POST /v1/tokens/revoke.", NULL},
    SCHEMA_END,
};

/* --- users --- */

static const struct schema seconds = {.type = SCHEMA_INTEGER, .min = 1, .max = REVOKE_UNTIL_MOST_S};
static const struct schema reason = {.type = SCHEMA_STRING, .min = 1, .max = REASON_MAX};
static const struct schema_field block_fields[] = {
    {"uid", &schema_uid, true, NULL, NULL},
    {"seconds", &seconds, true, "For so long.", NULL},
    {"reason", &reason, false, "For the clients of sessions that end now: operation 6, code 7.",
     NULL},
    SCHEMA_END,
};
const struct schema schema_user_block = {
    .type = SCHEMA_OBJECT, .name = "BlockUser", .fields = block_fields};
static const struct schema_field user_fields[] = {
    {"uid", &schema_uid, true, NULL, NULL},
    SCHEMA_END,
};
const struct schema schema_user = {.type = SCHEMA_OBJECT, .name = "User", .fields = user_fields};

/* --- comets --- */

static const struct schema comet_id = {.type = SCHEMA_STRING, .min = 1, .max = COMET_ID_MAX};
static const struct schema_field comet_fields[] = {
    {"server", &comet_id, true, "A comet, by its id in /v1/cluster.", NULL},
    SCHEMA_END,
};
const struct schema schema_comet = {.type = SCHEMA_OBJECT, .name = "Comet", .fields = comet_fields};
static const struct schema_field drains_fields[] = {
    {"server", &comet_id, true, NULL, NULL},
    {"draining", &schema_flag, true, "Does it send its clients elsewhere?", NULL},
    SCHEMA_END,
};
const struct schema schema_comet_drains = {
    .type = SCHEMA_OBJECT, .name = "CometDrains", .fields = drains_fields};

/* --- cluster --- */

static const struct schema number = {.type = SCHEMA_NUMBER};
static const char *const kind_words[] = {"comet", "logic", "router", "job", NULL};
static const struct schema kind = {.type = SCHEMA_STRING, .words = kind_words};
static const struct schema_field daemon_fields[] = {
    {"kind", &kind, true, NULL, NULL},
    {"id", &schema_text, false, "Of its lease.", NULL},
    {"since", &schema_count, true, "Unix time: when its present life began.", NULL},
    {"region", &schema_text, false, NULL, NULL},
    {"zone", &schema_text, false, NULL, NULL},
    {"version", &schema_text, false, "Absent: a version that does not say it.", NULL},
    {"ready", &schema_flag, false,
     "Whether all holds that /readyz wants, as it told last: it tells every lease.renew.", NULL},
    {"lacks", &schema_text, false,
     "Conditions of /readyz that do not hold, with commas between them.", NULL},
    {"lag_ms", &schema_count, false,
     "Of a job: how old the messages are that it reads from Kafka now; 0: none wait there. Absent: "
     "it has said nothing for 5 s.",
     NULL},
    {"store_used", &number, false,
     "Of a job: how much it uses of what it may put off because it has to be stored, from 0 to 1.",
     NULL},
    {"stalled", &schema_flag, false, "Of a job: nothing could be stored for some seconds.", NULL},
    {"why", &schema_text, false, "Why it could not.", NULL},
    {"sessions", &schema_count, false, "Of a comet, as it told last.", NULL},
    {"addresses", &schema_count, false, "IP addresses that they come from, by its estimate.", NULL},
    {"takes_clients", &schema_flag, false,
     "Of a comet. false: it drains, is full, or cannot let sessions in.", NULL},
    {"draining", &schema_flag, false, "Of a comet: does it send its clients elsewhere?", NULL},
    {"weight", &schema_count, false, "Of a comet.", NULL},
    SCHEMA_END,
};
static const struct schema daemon_schema = {
    .type = SCHEMA_OBJECT, .name = "Daemon", .fields = daemon_fields};
static const struct schema daemons = {.type = SCHEMA_ARRAY, .items = &daemon_schema};
static const struct schema_field gone_fields[] = {
    {"kind", &kind, true, NULL, NULL},
    {"id", &schema_text, false, "Of its lease.", NULL},
    {"gone", &schema_count, true, "Unix time: since when it is not in the list.", NULL},
    SCHEMA_END,
};
static const struct schema gone_schema = {
    .type = SCHEMA_OBJECT, .name = "GoneDaemon", .fields = gone_fields};
static const struct schema gone = {.type = SCHEMA_ARRAY, .items = &gone_schema};
static const struct schema_field cluster_fields[] = {
    {"daemons", &daemons, true, "Those that live, as this logic sees them.", NULL},
    {"gone", &gone, true,
     "Those that were in the list within the last hour, and are not: they have ended, died or "
     "hang. "
     "As this logic has seen them since it started, 64 at most.",
     NULL},
    {"fresh", &schema_flag, true, "false: Redis does not answer, and the list may be old.", NULL},
    {"version", &schema_text, true, "Of this logic.", NULL},
    {"takes_pushes", &schema_flag, true,
     "false: jobs are too far behind, and pushes are refused, or those to users who are away.",
     NULL},
    {"why", &schema_text, false, "Why not.", NULL},
    {"pending", &schema_count, true, "Messages that this logic has accepted and Kafka has not yet.",
     NULL},
    SCHEMA_END,
};
const struct schema schema_cluster = {
    .type = SCHEMA_OBJECT, .name = "Cluster", .fields = cluster_fields};

static const struct schema_field node_fields[] = {
    {"server", &schema_text, true, "The comet.", NULL},
    {"tcp", &schema_text, false, "host:port for TCP.", NULL},
    {"tcps", &schema_text, false, "For TCP with TLS.", NULL},
    {"ws", &schema_text, false, "For WebSocket.", NULL},
    {"wss", &schema_text, false, "For WebSocket with TLS.", NULL},
    {"region", &schema_text, false, NULL, NULL},
    SCHEMA_END,
};
static const struct schema node = {.type = SCHEMA_OBJECT, .name = "Node", .fields = node_fields};
static const struct schema node_list = {.type = SCHEMA_ARRAY, .items = &node};
static const struct schema_field backoff_fields[] = {
    {"max_delay", &schema_count, true, "Seconds between two tries, at most.", NULL},
    {"base_delay", &schema_count, true, "Seconds before the second try.", NULL},
    {"factor", &number, true, "By how much the wait grows with each failure.", NULL},
    {"jitter", &number, true, "By how much it varies at random.", NULL},
    SCHEMA_END,
};
static const struct schema backoff = {
    .type = SCHEMA_OBJECT, .name = "Backoff", .fields = backoff_fields};
static const struct schema_field nodes_fields[] = {
    {"nodes", &node_list, true,
     "Up to five comets, the best one first: by weight, connections and the region of the caller's "
     "address.",
     NULL},
    {"heartbeat", &schema_count, true, "Seconds between heartbeats.", NULL},
    {"heartbeat_max", &schema_count, true, "So many may stay unanswered.", NULL},
    {"backoff", &backoff, true, "How to wait between tries.", NULL},
    SCHEMA_END,
};
const struct schema schema_nodes = {.type = SCHEMA_OBJECT, .name = "Nodes", .fields = nodes_fields};
