#include "logic/base/config.h"
#include "common/events/event_types.h"
#include "common/kafka/kafka.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ROW(section, key, type, field, init, min, max, doc)                                  \
    {                                                                                        \
        section, key, type, offsetof(struct logic_config, field), init, min, max, doc, false \
    }

enum { KIB = 1024, MIB = 1024 * 1024, SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define DAY (INT64_C(24) * HOUR)

/* A number that a reload changes. */
#define LIVE(section, key, type, field, init, min, max, doc)                                   \
    {                                                                                          \
        section, key, type, CONFIG_LIVE(struct logic_config, field), init, min, max, doc, true \
    }

const struct config_row logic_config_rows[] = {
    ROW("api", "listen", CONFIG_ADDRESS, api_listen, "127.0.0.1:7172", 0, 0,
        "Where the HTTP API listens. Callers on other machines need api.keys_file, api.keys or "
        "api.trusted, too."),
    ROW("api", "tls", CONFIG_BOOL, api_tls, "no", 0, 0,
        "Serve the HTTP API over TLS (https), with tls.certificate. Plain HTTP is refused then."),
    ROW("api", "keys", CONFIG_SECRETS, api_keys, "", 0, 0,
        "The simple way: keys of the HTTP API that may do everything (Authorization: Bearer KEY, "
        "or X-API-Key: KEY). Without these and api.keys_file, programs on this machine are let in, "
        "over loopback, and nobody else: no web page, no proxy."),
    ROW("api", "keys_file", CONFIG_STRING, api_keys_file, "", 0, 0,
        "File of keys with scopes, a line NAME SCOPES sha256:DIGEST each; imc-logic --new-key NAME "
        "SCOPES makes one. Scopes: push, read, admin (docs/http-api.md says which call needs "
        "which). Read anew at SIGHUP."),
    LIVE("api", "push_rate", CONFIG_INT, api_push_rate, "0", 0, 100000000,
         "Messages a second that each key may push; a push to n uids is n. Those of a second may "
         "come at once. Beyond, 429 with Retry-After. 0 = no limit but those of [push], which hold "
         "for all keys together."),
    LIVE("api", "max_requests", CONFIG_INT, api_max_requests, "10000", 1, 1000000,
         "Requests that may be under way at a time, of all callers; further ones get 503."),
    LIVE("api", "max_key_requests", CONFIG_INT, api_max_key_requests, "0", 0, 1000000,
         "Requests that may be under way at a time of one key; further ones get 429. 0 = no limit "
         "but api.max_requests."),
    ROW("api", "trusted", CONFIG_LIST, api_trusted, "", 0, 0,
        "While no key is set: addresses and networks that are let in like loopback, "
        "10.1.0.0/16. In any case: proxies whose X-Forwarded-For is believed, for the region of a "
        "client that asks for a comet."),
    ROW("api", "hosts", CONFIG_LIST, api_hosts, "", 0, 0,
        "While no key is set: names of this API beside localhost and loopback addresses; a "
        "request "
        "with another one in Host is refused, since a web page may have made it up."),
    ROW("api", "origins", CONFIG_LIST, api_origins, "", 0, 0,
        "Origins of web pages that may read /1/msg/get, and /goim/nodes/weighted if nodes.open is "
        "set (CORS), each as a browser writes it: https://chat.example. Empty: none."),
    ROW("api", "max_body", CONFIG_BYTES, api_max_body, "1m", KIB, 64 * MIB,
        "Longest body of a request."),
    ROW("api", "max_bodies", CONFIG_BYTES, api_max_bodies, "64m", KIB, INT64_C(1024) * MIB,
        "Bodies of all requests together that are held at a time; further ones get 503."),
    ROW("api", "header_timeout", CONFIG_DURATION, api_header_timeout_ms, "5s", 100, HOUR,
        "Time a client has to send a request's header."),
    ROW("api", "body_timeout", CONFIG_DURATION, api_body_timeout_ms, "10s", 100, HOUR,
        "Time a client has to send a request's body."),
    ROW("api", "idle_timeout", CONFIG_DURATION, api_idle_timeout_ms, "75s", 100, HOUR,
        "A kept-alive connection without a request is closed after this long. Longer than what a "
        "balancer keeps its connections for (60 s for many), or it will meet closed ones."),
    ROW("auth", "trust_mid", CONFIG_BOOL, auth_trust_mid, "no", 0, 0,
        "Believe the mid in the auth of a goim v2 client that sends no token. Whoever reaches a "
        "comet can then be anybody: for a trusted network, or to try goim's clients."),
    ROW("auth", "url", CONFIG_STRING, auth_url, "", 0, 0,
        "Where the business is asked, by HTTP, who connects: http://host:port/path or "
        "https://, docs/auth.md. The same for all logics. Empty: tokens decide."),
    ROW("auth", "timeout", CONFIG_DURATION, auth_timeout_ms, "1s", 10, MINUTE,
        "A question that is unanswered for so long is asked once more, or its client refused with "
        "code 12."),
    ROW("auth", "retries", CONFIG_INT, auth_retries, "1", 0, 5,
        "How often a question is asked once more if there was no connection, no answer in time, or "
        "one with status 502, 503 or 504."),
    ROW("auth", "in_flight", CONFIG_INT, auth_in_flight, "64", 1, 512,
        "Questions that are asked at a time, each on a connection of its own that is kept."),
    ROW("auth", "waiting", CONFIG_INT, auth_waiting, "10000", 0, 1000000,
        "Questions that wait for a place among these. Clients beyond get code 12, and connect "
        "again."),
    ROW("auth", "secret_file", CONFIG_STRING, auth_secret_file, "", 0, 0,
        "File with a secret by which the business knows logic: it is sent as Authorization: Bearer "
        "SECRET. Read again on SIGHUP. Empty: none is sent."),
    ROW("auth", "cache", CONFIG_DURATION, auth_cache_ms, "0s", 0, HOUR,
        "The longest time for which an answer may be used for the same question again, if it says "
        "so itself (cache). 0 = never."),
    ROW("auth", "cache_entries", CONFIG_INT, auth_cache_entries, "10000", 1, 10000000,
        "Answers that are kept for that; the oldest goes first."),
    ROW("auth", "max_answer", CONFIG_BYTES, auth_max_answer, "16k", 256, MIB,
        "Longest body of an answer."),
    ROW("jwt", "keys", CONFIG_LIST, jwt_keys, "", 0, 0,
        "Keys by which clients' JSON Web Tokens are verified, each FAMILY=FILE or FAMILY:KID=FILE. "
        "FAMILY is hmac (the file is the secret, of 32 bytes or more), rsa, ec or ed25519 (a "
        "public "
        "key in PEM). KID: only for tokens whose header has that kid. Read again on SIGHUP."),
    ROW("jwt", "jwks", CONFIG_STRING, jwt_jwks, "", 0, 0,
        "File with further public keys, a JWK Set. Read again on SIGHUP."),
    ROW("jwt", "jwks_url", CONFIG_STRING, jwt_jwks_url, "", 0, 0,
        "Where further public keys are fetched, a JWK Set: https://host/path; http:// only from "
        "this "
        "machine, or with jwt.jwks_insecure. docs/tokens.md. Empty: nowhere."),
    ROW("jwt", "jwks_refresh", CONFIG_DURATION, jwt_jwks_refresh_ms, "10m", SECOND, DAY,
        "They are fetched again so often; sooner if a token names a key that is not among them."),
    ROW("jwt", "jwks_pause", CONFIG_DURATION, jwt_jwks_pause_ms, "5s", 100, HOUR,
        "Two fetches never begin within this time, whatever tokens name. After a failure the next "
        "one comes after so long, then after twice, 4, 8 and 16 times that."),
    ROW("jwt", "jwks_timeout", CONFIG_DURATION, jwt_jwks_timeout_ms, "2s", 10, MINUTE,
        "A fetch that takes longer has failed. Less than connect.timeout, because clients with a "
        "new key wait for it."),
    ROW("jwt", "jwks_max", CONFIG_BYTES, jwt_jwks_max, "64k", 256, 256 * KIB,
        "Longest JWK Set that is fetched."),
    ROW("jwt", "jwks_insecure", CONFIG_BOOL, jwt_jwks_insecure, "no", 0, 0,
        "Fetch jwt.jwks_url from another machine without TLS. Whoever is on the way can put in a "
        "key, and be any user. For a network that no stranger reaches."),
    ROW("jwt", "algorithms", CONFIG_LIST, jwt_algorithms,
        "HS256,HS384,HS512,RS256,PS256,ES256,EdDSA", 0, 0,
        "Algorithms by which tokens may be signed. Which one a key can serve, its family decides."),
    ROW("jwt", "issuer", CONFIG_STRING, jwt_issuer, "", 0, 0,
        "The claim iss of a token has to be this one. Empty: any, or none."),
    ROW("jwt", "audience", CONFIG_STRING, jwt_audience, "", 0, 0,
        "The claim aud of a token has to be this one, or to list it. Empty: only tokens without "
        "aud "
        "are taken."),
    ROW("jwt", "claims", CONFIG_STRING, jwt_claims,
        "uid=sub,room=room,rooms=rooms,key=key,accepts=accepts", 0, 0,
        "Which claim says what, USE=CLAIM: the user, the main room, the rooms beside it, the key "
        "and the operations of a goim client's device. USE= leaves one out."),
    ROW("jwt", "leeway", CONFIG_DURATION, jwt_leeway_ms, "30s", 0, HOUR,
        "By so much the issuer's clock may differ from ours: a token is taken that much earlier "
        "than nbf and iat, and longer than exp."),
    ROW("jwt", "require_exp", CONFIG_BOOL, jwt_require_exp, "yes", 0, 0,
        "Take only tokens that expire (exp)."),
    ROW("jwt", "max_length", CONFIG_BYTES, jwt_max_length, "4k", 256, 64 * KIB,
        "Longest token. A comet takes auths of conn.max_auth."),
    ROW("jwt", "threads", CONFIG_INT, jwt_threads, "1", 1, 3,
        "Threads that verify signatures: each some 10,000 a second by ES256 or EdDSA, 50,000 by "
        "RS256."),
    ROW("jwt", "max_waiting", CONFIG_INT, jwt_max_waiting, "4096", 16, 1000000,
        "Tokens that wait for such a thread. Clients beyond get code 12, and connect again."),
    ROW("revoke", "keep", CONFIG_DURATION, revoke_keep_ms, "720h", MINUTE, 3660 * DAY,
        "Revocations of JSON Web Tokens by id, or by when they were issued, are kept for so long. "
        "Longer than your tokens are good."),
    ROW("revoke", "keep_opaque", CONFIG_DURATION, revoke_keep_opaque_ms, "24h", 2 * MINUTE,
        3660 * DAY,
        "It is known for so long that an opaque token was revoked: a comet that others took for "
        "dead "
        "for up to this time asks when it comes back. docs/tokens.md."),
    LIVE("revoke", "per_uid", CONFIG_INT, revoke_per_uid, "100", 4, 10000,
         "Revocations of one uid that are kept at a time; a further token is not revoked, but all "
         "of "
         "the uid can be."),
    LIVE("revoke", "timeout", CONFIG_DURATION, revoke_timeout_ms, "3s", 100, MINUTE,
         "A call of /1/admin/revoke gets 503 if the sessions have not ended by then. They may be "
         "open still, but nobody new is let in."),
    ROW("goim", "comets", CONFIG_BOOL, goim_comets, "no", 0, 0,
        "Let goim's own comets use this logic, by goim.logic.Logic on rpc.listen, and send what is "
        "pushed to their sessions to goim's job. Whoever reaches rpc.listen can then name "
        "sessions, "
        "and get what is pushed to their users. For moving a goim cluster to imc."),
    ROW("goim", "session_ttl", CONFIG_DURATION, goim_session_ttl_ms, "30m", MINUTE, DAY,
        "A session on one of goim's comets is forgotten this long after its last heartbeat, of "
        "which "
        "such a comet sends one every 10 to 20 minutes."),
    ROW("bus", "brokers", CONFIG_LIST, bus_brokers, "127.0.0.1:9092", 0, 0,
        "Kafka's bootstrap servers."),
    ROW("bus", "topic", CONFIG_STRING, bus_topic, "imc-push", 0, 0,
        "Topic of the pushes; created if missing."),
    ROW("bus", "group", CONFIG_STRING, bus_group, "imc-job", 0, 0,
        "The jobs' bus.group, for --set-partitions: whether they have read everything."),
    ROW("bus", "partitions", CONFIG_INT, bus_partitions, "8", 1, 10000,
        "Partitions of the topic when it is created: the most jobs that can share the work."),
    ROW("bus", "replication", CONFIG_INT, bus_replication, "1", 1, 15,
        "Replication factor of the topic when it is created."),
    ROW("bus", "linger", CONFIG_DURATION, bus_linger_ms, "5ms", 0, 1000,
        "Under load, what comes within this time goes to Kafka together. A lone message goes at "
        "once."),
    ROW("bus", "timeout", CONFIG_DURATION, bus_timeout_ms, "5s", 100, 5 * MINUTE,
        "A push that Kafka has not confirmed after this long is answered with an error."),
    ROW("bus", "options", CONFIG_OPTIONS, bus_options, "", 0, 0,
        "librdkafka properties, name=value,name=value: security.protocol, sasl.mechanisms, "
        "compression.codec …"),
    LIVE("mailbox", "limit", CONFIG_INT, mailbox_limit, "20", 1, 100000,
         "Newest messages kept for a user who is away; older ones are dropped and counted."),
    LIVE("mailbox", "limit_spilled", CONFIG_INT, mailbox_limit_spilled, "10000", 1, 1000000,
         "Newest messages kept for a user who is online but slow, or not yet known to be away."),
    LIVE("mailbox", "limit_acked", CONFIG_INT, mailbox_limit_acked, "10000", 1, 1000000,
         "Of a user's messages that devices have not acknowledged, the newest that are kept. They "
         "are "
         "kept whether the devices are there or not, beside those of mailbox.limit."),
    LIVE("mailbox", "ttl", CONFIG_DURATION, mailbox_ttl_ms, "24h", SECOND, 366 * DAY,
         "A message waits at most this long; a push's ttl may shorten it."),
    ROW("mailbox", "page", CONFIG_INT, mailbox_page, "500", 1, 10000,
        "Most messages in one answer to a Fetch."),
    ROW("mailbox", "page_bytes", CONFIG_BYTES, mailbox_page_bytes, "1m", 64 * KIB, 2 * MIB,
        "Bytes of waiting messages in one answer to a comet; the rest is fetched next."),
    LIVE("sessions", "max_per_uid", CONFIG_INT, sessions_max_per_uid, "32", 0, 10000,
         "Sessions one uid may have at a time, 0 = any number; one more is refused with code 6."),
    ROW("sessions", "when_full", CONFIG_STRING, sessions_when_full, "refuse", 0, 0,
        "What becomes of one session more than sessions.max_per_uid. refuse: it gets code 6, "
        "unless "
        "one of the others has been silent for long (comet's session.silent). close_oldest: the "
        "user's oldest one is closed with code 5."),
    ROW("sessions", "same_key", CONFIG_STRING, sessions_same_key, "replace", 0, 0,
        "A goim client comes with a key that an older session of the same user has, on whichever "
        "comet. replace: the older one is closed with code 5, as in goim. keep: both stay."),
    ROW("connect", "timeout", CONFIG_DURATION, connect_timeout_ms, "3s", 100, MINUTE,
        "A connecting session that Redis and the router have not admitted by then is refused with "
        "code 12."),
    ROW("keys", "ttl", CONFIG_DURATION, keys_ttl_ms, "168h", 5 * SECOND, 3660 * DAY,
        "How long pushes to the key of a goim v2 device still find its user, after the device was "
        "connected last."),
    ROW("lookup", "timeout", CONFIG_DURATION, lookup_timeout_ms, "500ms", 10, MINUTE,
        "A push whose uid the router has not found by then goes to the bus without a hint."),
    LIVE("tokens", "ttl", CONFIG_DURATION, tokens_ttl_ms, "24h", 0, 3660 * DAY,
         "Life of a token made without expire; 0 = for ever."),
    LIVE("push", "max_message", CONFIG_BYTES, push_max_message, "64k", 1, MIB,
         "Longest message of a push."),
    LIVE("push", "max_uids", CONFIG_INT, push_max_uids, "10000", 1, 50000,
         "Most uids in one call of /1/pushs or /goim/push/mids, or in one push of /v1."),
    LIVE("push", "max_keys", CONFIG_INT, push_max_keys, "10000", 1, 50000,
         "Most keys in one call of /goim/push/keys, or in one push of /v1."),
    ROW("push", "max_rooms", CONFIG_INT, push_max_rooms, "1000", 1, 10000,
        "Most rooms of one push of /v1."),
    ROW("push", "max_batch", CONFIG_INT, push_max_batch, "1000", 1, 10000,
        "Most pushes in one call of /v1/batch."),
    LIVE("push", "max_bytes", CONFIG_BYTES, push_max_bytes, "64m", MIB, INT64_C(65536) * MIB,
         "Most bytes of one call of /1/pushs: uids times message. More is refused, nothing of it "
         "sent."),
    LIVE("push", "max_pending", CONFIG_INT, push_max_pending, "200000", 1000, 100000000,
         "Messages accepted and not yet in Kafka; a push beyond is refused, unless nothing else is "
         "pending."),
    LIVE("push", "max_lag", CONFIG_DURATION, push_max_lag_ms, "30s", 0, HOUR,
         "Pushes are refused while jobs deliver this much later than messages were accepted, or no "
         "job has reported for so long. 0 = never."),
    LIVE("push", "max_backlog", CONFIG_INT, push_max_backlog, "80", 1, 1000,
         "Per cent of what jobs may put off because it has to be stored; beyond, pushes to users "
         "who "
         "are away are refused."),
    LIVE("later", "max", CONFIG_INT, later_max, "100000", 1, 100000000,
         "Most messages that wait for their time (deliver_at of /v1), in all."),
    LIVE("later", "horizon", CONFIG_DURATION, later_horizon_ms, "720h", MINUTE, 3660 * DAY,
         "How far ahead such a message may be."),
    ROW("rooms", "timeout", CONFIG_DURATION, rooms_timeout_ms, "2s", 100, MINUTE,
        "A call of /1/room/join or /1/room/leave gets 503 if a comet has not carried it out by "
        "then. Calls that ask comets about sessions and members do without those that have not "
        "answered by then."),
    ROW("router", "timeout", CONFIG_DURATION, router_timeout_ms, "2s", 100, MINUTE,
        "A router that leaves a batch unanswered this long is taken for away until it answers "
        "again."),
    ROW("router", "window", CONFIG_INT, router_window, "2", 1, 64, "Batches in flight per router."),
    ROW("nodes", "open", CONFIG_BOOL, nodes_open, "no", 0, 0,
        "Let clients ask for comets without an API key, and web pages of api.origins read the "
        "answer. "
        "Off: the business asks for them."),
    ROW("nodes", "domain", CONFIG_STRING, nodes_domain, "", 0, 0,
        "A name that leads to every comet, told to clients; they are sent there when no comet is "
        "left to choose."),
    ROW("nodes", "host_domain", CONFIG_STRING, nodes_host_domain, "", 0, 0,
        "What makes a comet's node.host a whole name for web pages: .conn.example. Empty: "
        "node.host "
        "is whole."),
    ROW("nodes", "tcp_port", CONFIG_INT, nodes_tcp_port, "8080", 0, 65535,
        "Port at which clients reach every comet by TCP. 0 = none."),
    ROW("nodes", "ws_port", CONFIG_INT, nodes_ws_port, "8090", 0, 65535,
        "Port at which clients reach every comet by WebSocket. 0 = none."),
    ROW("nodes", "tcps_port", CONFIG_INT, nodes_tcps_port, "0", 0, 65535,
        "Port at which clients reach every comet by TCP with TLS, told as tcps_port. 0 = none."),
    ROW("nodes", "wss_port", CONFIG_INT, nodes_wss_port, "0", 0, 65535,
        "Port at which clients reach every comet, or the proxies before them, by WebSocket with "
        "TLS. 0 = none."),
    ROW("nodes", "heartbeat", CONFIG_DURATION, nodes_heartbeat_ms, "4m", SECOND, DAY,
        "How often clients are told to send a heartbeat. Shorter than each comet's "
        "conn.heartbeat."),
    ROW("nodes", "heartbeat_max", CONFIG_INT, nodes_heartbeat_max, "2", 1, 1000,
        "After so many heartbeats without an answer clients are told to connect anew."),
    ROW("nodes", "backoff_max_delay", CONFIG_DURATION, nodes_max_delay_ms, "5m", SECOND, DAY,
        "The longest that clients are told to wait before they connect again."),
    ROW("nodes", "backoff_base_delay", CONFIG_DURATION, nodes_base_delay_ms, "3s", SECOND, DAY,
        "The shortest such wait, after the first failure."),
    ROW("nodes", "backoff_factor", CONFIG_INT, nodes_factor, "180", 100, 10000,
        "By how many per cent of itself a wait grows with each further failure: 180 is a factor of "
        "1.8."),
    ROW("nodes", "backoff_jitter", CONFIG_INT, nodes_jitter, "30", 0, 100,
        "How many per cent a wait is to vary by chance, so that clients do not all come at once."),
    ROW("nodes", "regions", CONFIG_LIST, nodes_regions, "", 0, 0,
        "Where clients are, REGION=NETWORK: sh=10.1.0.0/16,sh=2001:db8::/32,bj=10.2.0.0/16. At "
        "most "
        "64 regions, 1024 networks. A region's name is what its comets have in lease.region."),
    ROW("nodes", "region_weight", CONFIG_INT, nodes_region_weight, "160", 100, 1000,
        "Per cent of its lease.weight that a comet has for clients of its own region."),
    ROW("demo", "enabled", CONFIG_BOOL, demo_enabled, "no", 0, 0,
        "Serve a page at /demo on api.listen, to anybody who reaches it: two users, a room, "
        "messages "
        "and their ticks. What it asks of logic needs a key all the same, which the person types "
        "in."),
    ROW("console", "enabled", CONFIG_BOOL, console_enabled, "no", 0, 0,
        "Serve the console at /console on api.listen: a page that shows and runs the cluster, "
        "docs/console.md. Anybody who reaches it gets the page; what it shows and does needs a "
        "login with a key of api.keys_file, or, while no key is set, comes from this machine."),
    ROW("console", "session", CONFIG_DURATION, console_session_ms, "8h", 60000, 7 * 86400000LL,
        "A login at the console ends after this time, and 15 minutes after its page was closed."),
    ROW("upstream", "topic", CONFIG_STRING, upstream_topic, "", 0, 0,
        "Topic for what clients send to the business (operation 4; of goim's clients also unknown "
        "ones): docs/upstream.md. It has to exist. The same for all logics. Either this or "
        "upstream.url. Both empty: comets answer such frames, and nobody gets them."),
    ROW("upstream", "url", CONFIG_STRING, upstream_hook.url, "", 0, 0,
        "Where such frames are posted instead, http://host:port/path or https://: "
        "docs/webhooks.md. "
        "The client is answered when the business has answered. The same for all logics."),
    WEBHOOK_ROWS(ROW, "upstream", upstream_hook, "5s", "16", "2s"),
    ROW("upstream", "max_reply", CONFIG_BYTES, upstream_max_reply, "16k", 0, 256 * 1024,
        "Longest reply of the business to a frame; a longer one is not passed to the client."),
    ROW("upstream", "max_answer", CONFIG_BYTES, upstream_max_answer, "1m", 1024, 16 * MIB,
        "Longest answer of upstream.url with all its replies; a longer one is cut off, so it has "
        "none."),
    ROW("upstream", "max_waiting", CONFIG_BYTES, upstream_max_waiting, "64m", MIB,
        INT64_C(65536) * MIB,
        "Bytes on their way to upstream.topic or upstream.url that have not been confirmed. "
        "Beyond, comets have to send them again."),
    ROW("events", "log", CONFIG_STRING, events_log, "", 0, 0,
        "Topic of the log of sessions (docs/events.md); created if missing, with bus.partitions. "
        "The "
        "same for all logics and jobs. A client is let in when Kafka has that. Empty: there are no "
        "session events."),
    ROW("events", "types", CONFIG_LIST, events_types, "connected,disconnected", 0, 0,
        "Which events there are, of " EVENT_TYPES_TEXT ". The same for all logics and jobs."),
    ROW("events", "max_waiting", CONFIG_BYTES, events_max_waiting, "64m", MIB, INT64_C(65536) * MIB,
        "Bytes on their way to events.log that Kafka has not confirmed. Beyond, clients get code "
        "12, "
        "and comets have to say ends of sessions again."),
    ROW("events", "facts", CONFIG_INT, events_facts, "1000000", 1000, 100000000,
        "What became of messages in mailboxes, and is not in events.log yet: at most so many in "
        "each "
        "shard of Redis, of some 100 bytes each. Beyond, they are counted and not told."),
    ROW("events", "topic", CONFIG_STRING, events_topic, "", 0, 0,
        "Where the jobs write events, which GET /v1/events and the console show: events.topic of "
        "the jobs. Empty: with console.enabled as a job says, otherwise there is no /v1/events."),
    LIVE(
        "events", "followers", CONFIG_INT, events_followers, "100", 1, 10000,
        "Calls of GET /v1/events that may wait for an event at once; others are refused with 503."),
    ROW("trace", "users_file", CONFIG_STRING, trace_users_file, "", 0, 0,
        "File of users all of whose messages are traced, a uid on each line (docs/tracing.md). "
        "Read again on SIGHUP. Empty: only messages pushed with \"trace\":true are."),
    ROW("trace", "rate", CONFIG_INT, trace_rate, "100", 1, 10000,
        "Messages a second that this logic has traced at most; further ones are pushed without, "
        "and counted."),
    TRACER_ROWS(offsetof(struct logic_config, tracer)),
    {.key = NULL},
};

static bool is_one_of(const char *text, const char *one, const char *other)
{
    return strcmp(text, one) == 0 || strcmp(text, other) == 0;
}

int logic_config_check(const void *arg, char *err, size_t errlen)
{
    const struct logic_config *config = arg;
    struct http_url url;

    if (config->mailbox_limit_spilled < config->mailbox_limit) {
        snprintf(err, errlen, "mailbox.limit_spilled must not be less than mailbox.limit");
        return -EINVAL;
    }
    if (config->push_max_message > config->api_max_body) {
        snprintf(err, errlen, "push.max_message must not be more than api.max_body");
        return -EINVAL;
    }
    if (config->api_max_bodies < config->api_max_body) {
        snprintf(err, errlen, "api.max_bodies must not be less than api.max_body");
        return -EINVAL;
    }
    if (config->api_tls && config->daemon.tls_certificate[0] == '\0') {
        snprintf(err, errlen, "api.tls needs tls.certificate and tls.key");
        return -EINVAL;
    }
    if (config->bus_linger_ms >= config->bus_timeout_ms) {
        snprintf(err, errlen, "bus.linger must be less than bus.timeout");
        return -EINVAL;
    }
    if (config->bus_brokers[0] == '\0' || config->bus_topic[0] == '\0') {
        snprintf(err, errlen, "bus.brokers and bus.topic must not be empty");
        return -EINVAL;
    }
    if (webhook_check(&config->upstream_hook, "upstream", &url, err, errlen) != 0)
        return -EINVAL;
    if (config->upstream_hook.url[0] != '\0' && config->upstream_topic[0] != '\0') {
        snprintf(err, errlen,
                 "upstream.topic and upstream.url exclude each other: a client is answered by one "
                 "of them");
        return -EINVAL;
    }
    if (strcmp(config->upstream_topic, config->bus_topic) == 0) {
        snprintf(err, errlen, "upstream.topic must not be bus.topic: job would read it as pushes");
        return -EINVAL;
    }
    unsigned types;
    if (event_types_read(config->events_types, &types, err, errlen) != 0)
        return -EINVAL;
    if (config->events_log[0] != '\0' &&
        (strcmp(config->events_log, config->bus_topic) == 0 ||
         strcmp(config->events_log, config->upstream_topic) == 0)) {
        snprintf(err, errlen, "events.log must be a topic of its own");
        return -EINVAL;
    }
    if (!is_one_of(config->sessions_when_full, "refuse", "close_oldest")) {
        snprintf(err, errlen, "sessions.when_full has to be refuse or close_oldest");
        return -EINVAL;
    }
    if (!is_one_of(config->sessions_same_key, "keep", "replace")) {
        snprintf(err, errlen, "sessions.same_key has to be keep or replace");
        return -EINVAL;
    }
    if (tracer_check(&config->tracer, err, errlen) != 0)
        return -EINVAL;
    return kafka_options_check(config->bus_options, err, errlen);
}
