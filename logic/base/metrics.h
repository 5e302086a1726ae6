/* metrics.h - logic's metrics. All values are in the main loop's block. */
#ifndef IMC_LOGIC_BASE_METRICS_H
#define IMC_LOGIC_BASE_METRICS_H

#include "common/base/metrics.h"
#include "common/trace/tracer.h"

/* As common/base/metrics.h has it; rows of one name stand together. */
#define LOGIC_METRICS(X, H)                                                                        \
    X(ACCEPTED_UID, "imc_logic_accepted_total", "kind=\"uid\"", METRIC_COUNTER,                    \
      "Messages taken from the HTTP API for the bus, one per uid, room or broadcast.")             \
    X(ACCEPTED_ROOM, "imc_logic_accepted_total", "kind=\"room\"", METRIC_COUNTER, "")              \
    X(ACCEPTED_ALL, "imc_logic_accepted_total", "kind=\"all\"", METRIC_COUNTER, "")                \
    X(PRODUCED_UID, "imc_logic_produced_total", "kind=\"uid\"", METRIC_COUNTER,                    \
      "Accepted messages that the bus has: accepted = produced + produce_failed + outstanding.")   \
    X(PRODUCED_ROOM, "imc_logic_produced_total", "kind=\"room\"", METRIC_COUNTER, "")              \
    X(PRODUCED_ALL, "imc_logic_produced_total", "kind=\"all\"", METRIC_COUNTER, "")                \
    X(FAILED_UID, "imc_logic_produce_failed_total", "kind=\"uid\"", METRIC_COUNTER,                \
      "Messages the bus did not confirm in bus.timeout: the caller got an error. It grows: look "  \
      "at the brokers, and at imc_bus_produce_seconds.")                                           \
    X(FAILED_ROOM, "imc_logic_produce_failed_total", "kind=\"room\"", METRIC_COUNTER, "")          \
    X(FAILED_ALL, "imc_logic_produce_failed_total", "kind=\"all\"", METRIC_COUNTER, "")            \
    H(ACCEPT_UID, "imc_logic_accept_seconds", "kind=\"uid\"", LE_500US, LE_25S,                    \
      "How long callers of a push wait until the bus has all of its messages: lookups, then "      \
      "Kafka. If it grows, compare imc_bus_produce_seconds and "                                   \
      "imc_rpc_batch_seconds{call=\"map\"}.")                                                      \
    H(ACCEPT_ROOM, "imc_logic_accept_seconds", "kind=\"room\"", LE_500US, LE_25S, "")              \
    H(ACCEPT_ALL, "imc_logic_accept_seconds", "kind=\"all\"", LE_500US, LE_25S, "")                \
    H(PRODUCE_TIME, "imc_bus_produce_seconds", NULL, LE_250US, LE_25S,                             \
      "From a message to Kafka until all replicas in sync have it. If it grows, look at the "      \
      "brokers: disk, replication, CPU; then at the network.")                                     \
    X(OUTSTANDING, "imc_logic_outstanding", NULL, METRIC_GAUGE,                                    \
      "Accepted messages without a delivery report.")                                              \
    X(PRODUCER_RESTARTS, "imc_logic_producer_restarts_total", NULL, METRIC_COUNTER,                \
      "Kafka producers that failed for good and were replaced.")                                   \
    X(PARTITIONS, "imc_logic_partitions", NULL, METRIC_GAUGE,                                      \
      "Partitions that messages are spread over, as agreed; 0: nothing can be produced now, "      \
      "/readyz says why.")                                                                         \
    X(UPSTREAM_PRODUCED, "imc_logic_upstream_total", "result=\"produced\"", METRIC_COUNTER,        \
      "Frames of clients for the business. produced: upstream.topic or upstream.url has them; "    \
      "failed: that was not confirmed; put_off: not tried, the topic is not there, the URL has a " \
      "pause, or too much waits; too_large: more than the topic or the URL takes; refused: the "   \
      "URL takes no such frame. Comets send failed and put_off ones again.")                       \
    X(UPSTREAM_FAILED, "imc_logic_upstream_total", "result=\"failed\"", METRIC_COUNTER, "")        \
    X(UPSTREAM_PUT_OFF, "imc_logic_upstream_total", "result=\"put_off\"", METRIC_COUNTER, "")      \
    X(UPSTREAM_LARGE, "imc_logic_upstream_total", "result=\"too_large\"", METRIC_COUNTER, "")      \
    X(UPSTREAM_REFUSED, "imc_logic_upstream_total", "result=\"refused\"", METRIC_COUNTER, "")      \
    X(UPSTREAM_REPLIES, "imc_logic_upstream_replies_total", "result=\"passed\"", METRIC_COUNTER,   \
      "Replies of upstream.url for clients. passed: on their way to the client; bad: answers "     \
      "that are not what they have to be, and replies that are too long: those clients got none.") \
    X(UPSTREAM_REPLIES_BAD, "imc_logic_upstream_replies_total", "result=\"bad\"", METRIC_COUNTER,  \
      "")                                                                                          \
    X(WEBHOOK_POSTED, "imc_logic_webhook_posts_total", "result=\"ok\"", METRIC_COUNTER,            \
      "Posts to upstream.url. ok: answered 2xx; connect: no address that may be used, no "         \
      "connection, TLS; timeout: no answer within upstream.url_timeout; status: another one; "     \
      "answer: not HTTP.")                                                                         \
    X(WEBHOOK_FAILED_CONNECT, "imc_logic_webhook_posts_total", "result=\"connect\"",               \
      METRIC_COUNTER, "")                                                                          \
    X(WEBHOOK_FAILED_TIMEOUT, "imc_logic_webhook_posts_total", "result=\"timeout\"",               \
      METRIC_COUNTER, "")                                                                          \
    X(WEBHOOK_FAILED_STATUS, "imc_logic_webhook_posts_total", "result=\"status\"", METRIC_COUNTER, \
      "")                                                                                          \
    X(WEBHOOK_FAILED_ANSWER, "imc_logic_webhook_posts_total", "result=\"answer\"", METRIC_COUNTER, \
      "")                                                                                          \
    X(WEBHOOK_EVENTS, "imc_logic_webhook_events_total", NULL, METRIC_COUNTER,                      \
      "Events in posts that were answered 2xx.")                                                   \
    X(WEBHOOK_US, "imc_logic_webhook_seconds_total", NULL, METRIC_COUNTER_MICRO,                   \
      "How long posts that were answered have taken, all together.")                               \
    X(WEBHOOK_DISABLED, "imc_logic_webhook_disabled", NULL, METRIC_GAUGE,                          \
      "1: upstream.url answered 410, and nothing is posted until SIGHUP or a restart.")            \
    X(UPSTREAM_RESTARTS, "imc_logic_upstream_restarts_total", NULL, METRIC_COUNTER,                \
      "Producers to upstream.topic that were replaced, because Kafka refused or did not "          \
      "confirm a message.")                                                                        \
    X(UPSTREAM_WAITING, "imc_logic_upstream_waiting_bytes", NULL, METRIC_GAUGE,                    \
      "Bytes on their way to upstream.topic or upstream.url that have not been confirmed.")        \
    X(EVENTS_PRODUCED, "imc_logic_events_total", "result=\"produced\"", METRIC_COUNTER,            \
      "Records of sessions. produced: events.log has them; failed: Kafka did not confirm them; "   \
      "put_off: not tried, the topic is not there or too much waits; too_large: more than the "    \
      "topic takes. Clients get code 12 then, and comets say ends of sessions again.")             \
    X(EVENTS_FAILED, "imc_logic_events_total", "result=\"failed\"", METRIC_COUNTER, "")            \
    X(EVENTS_PUT_OFF, "imc_logic_events_total", "result=\"put_off\"", METRIC_COUNTER, "")          \
    X(EVENTS_LARGE, "imc_logic_events_total", "result=\"too_large\"", METRIC_COUNTER, "")          \
    X(EVENTS_RESTARTS, "imc_logic_events_restarts_total", NULL, METRIC_COUNTER,                    \
      "Producers to events.log that were replaced, because Kafka refused or did not confirm a "    \
      "record.")                                                                                   \
    X(FACTS_LOST, "imc_logic_events_facts_lost", NULL, METRIC_GAUGE,                               \
      "What became of messages in mailboxes and is not told, because events.facts waited "         \
      "already: "                                                                                  \
      "ever, as the shards of Redis say whose facts this logic takes.")                            \
    X(EVENTS_FOLLOWERS, "imc_logic_events_followers", NULL, METRIC_GAUGE,                          \
      "Calls of GET /v1/events that wait for an event; at most events.followers.")                 \
    X(EVENTS_WAITING, "imc_logic_events_waiting_bytes", NULL, METRIC_GAUGE,                        \
      "Bytes on their way to events.log that Kafka has not confirmed.")                            \
    X(BACKLOG_LAG_MS, "imc_logic_backlog_lag_seconds", NULL, METRIC_GAUGE_MILLI,                   \
      "Age of the messages that jobs read now, as the one furthest behind tells.")                 \
    X(BACKLOG_USED, "imc_logic_backlog_ratio", NULL, METRIC_GAUGE_MILLI,                           \
      "How much a job uses of what it may put off because it has to be stored; near "              \
      "push.max_backlog pushes to users who are away are refused.")                                \
    X(STORING_STALLED, "imc_logic_storing_stalled", NULL, METRIC_GAUGE,                            \
      "1: a job tells that nothing can be stored.")                                                \
    X(UNHINTED, "imc_logic_unhinted_total", NULL, METRIC_COUNTER,                                  \
      "uid messages produced without a hint: nobody online, or the router did not know.")          \
    X(KEYS_UNKNOWN, "imc_logic_keys_unknown_total", NULL, METRIC_COUNTER,                          \
      "Keys in pushes that no device had within keys.ttl: skipped, as goim does.")                 \
    X(REPEATED, "imc_logic_idempotent_total", "result=\"repeated\"", METRIC_COUNTER,               \
      "With an idempotency key: answered as the first time (repeated), first of their key.")       \
    X(FIRST, "imc_logic_idempotent_total", "result=\"first\"", METRIC_COUNTER, "")                 \
    X(REFUSED_PARAMETER, "imc_logic_refused_total", "reason=\"parameter\"", METRIC_COUNTER,        \
      "API calls refused; a look-up that finds nothing (404) is none. The caller's mistake: "      \
      "parameter, token, path, method, encoding; "                                                 \
      "size: more than the topic or push.max_bytes takes; http: no proper request. For want of "   \
      "something: bus, redis, router, comet (no answer), bodies (api.max_bodies), "                \
      "memory (memory.limit), drain (this logic ends). Too much under way: reads (/1/msg/get), "   \
      "orders (/1/room/join), followers (events.followers), pending, lag, backlog "                \
      "(push.max_pending, push.max_lag, push.max_backlog). Of the caller: key (missing, wrong), "  \
      "scope (the key lacks it), rate "                                                            \
      "(api.push_rate), busy (api.max_key_requests), requests (api.max_requests, of all).")        \
    X(REFUSED_KEY, "imc_logic_refused_total", "reason=\"key\"", METRIC_COUNTER, "")                \
    X(REFUSED_SCOPE, "imc_logic_refused_total", "reason=\"scope\"", METRIC_COUNTER, "")            \
    X(REFUSED_RATE, "imc_logic_refused_total", "reason=\"rate\"", METRIC_COUNTER, "")              \
    X(REFUSED_BUSY, "imc_logic_refused_total", "reason=\"busy\"", METRIC_COUNTER, "")              \
    X(REFUSED_REQUESTS, "imc_logic_refused_total", "reason=\"requests\"", METRIC_COUNTER, "")      \
    X(REFUSED_TOKEN, "imc_logic_refused_total", "reason=\"token\"", METRIC_COUNTER, "")            \
    X(REFUSED_SIZE, "imc_logic_refused_total", "reason=\"size\"", METRIC_COUNTER, "")              \
    X(REFUSED_PATH, "imc_logic_refused_total", "reason=\"path\"", METRIC_COUNTER, "")              \
    X(REFUSED_METHOD, "imc_logic_refused_total", "reason=\"method\"", METRIC_COUNTER, "")          \
    X(REFUSED_ENCODING, "imc_logic_refused_total", "reason=\"encoding\"", METRIC_COUNTER, "")      \
    X(REFUSED_BODIES, "imc_logic_refused_total", "reason=\"bodies\"", METRIC_COUNTER, "")          \
    X(REFUSED_HTTP, "imc_logic_refused_total", "reason=\"http\"", METRIC_COUNTER, "")              \
    X(REFUSED_BUS, "imc_logic_refused_total", "reason=\"bus\"", METRIC_COUNTER, "")                \
    X(REFUSED_REDIS, "imc_logic_refused_total", "reason=\"redis\"", METRIC_COUNTER, "")            \
    X(REFUSED_ROUTER, "imc_logic_refused_total", "reason=\"router\"", METRIC_COUNTER, "")          \
    X(REFUSED_PENDING, "imc_logic_refused_total", "reason=\"pending\"", METRIC_COUNTER, "")        \
    X(REFUSED_LAG, "imc_logic_refused_total", "reason=\"lag\"", METRIC_COUNTER, "")                \
    X(REFUSED_READS, "imc_logic_refused_total", "reason=\"reads\"", METRIC_COUNTER, "")            \
    X(REFUSED_BACKLOG, "imc_logic_refused_total", "reason=\"backlog\"", METRIC_COUNTER, "")        \
    X(REFUSED_COMET, "imc_logic_refused_total", "reason=\"comet\"", METRIC_COUNTER, "")            \
    X(REFUSED_LATER, "imc_logic_refused_total", "reason=\"later\"", METRIC_COUNTER, "")            \
    X(REFUSED_ORDERS, "imc_logic_refused_total", "reason=\"orders\"", METRIC_COUNTER, "")          \
    X(REFUSED_FOLLOWERS, "imc_logic_refused_total", "reason=\"followers\"", METRIC_COUNTER, "")    \
    X(REFUSED_DRAIN, "imc_logic_refused_total", "reason=\"drain\"", METRIC_COUNTER, "")            \
    X(REFUSED_MEMORY, "imc_logic_refused_total", "reason=\"memory\"", METRIC_COUNTER, "")          \
    X(API_PUSH, "imc_logic_api_requests_total", "scope=\"push\"", METRIC_COUNTER,                  \
      "API calls whose caller is known, by the scope that they need; none: by a user's token, "    \
      "or open to all.")                                                                           \
    X(API_READ, "imc_logic_api_requests_total", "scope=\"read\"", METRIC_COUNTER, "")              \
    X(API_ADMIN, "imc_logic_api_requests_total", "scope=\"admin\"", METRIC_COUNTER, "")            \
    X(API_NONE, "imc_logic_api_requests_total", "scope=\"none\"", METRIC_COUNTER, "")              \
    X(HTTP_2XX, "imc_logic_http_responses_total", "code=\"2xx\"", METRIC_COUNTER,                  \
      "Answers of the HTTP API.")                                                                  \
    X(HTTP_4XX, "imc_logic_http_responses_total", "code=\"4xx\"", METRIC_COUNTER, "")              \
    X(HTTP_5XX, "imc_logic_http_responses_total", "code=\"5xx\"", METRIC_COUNTER, "")              \
    X(HTTP_HELD, "imc_logic_http_held_bytes", NULL, METRIC_GAUGE,                                  \
      "Requests with their bodies, and what is read ahead, that are held; at most "                \
      "api.max_bodies, and 1 MiB for heads.")                                                      \
    X(HTTP_PENDING, "imc_logic_http_pending", NULL, METRIC_GAUGE, "Requests not answered yet.")    \
    X(HTTP_CONNECTIONS, "imc_logic_http_connections", NULL, METRIC_GAUGE,                          \
      "Connections to api.listen.")                                                                \
    X(HTTP_FULL, "imc_logic_http_full_total", NULL, METRIC_COUNTER,                                \
      "Times that a connection to api.listen had to wait: its share of open files was taken.")     \
    X(HTTP_GAVE_WAY, "imc_logic_http_gave_way_total", NULL, METRIC_COUNTER,                        \
      "Connections to api.listen without a whole request that were closed for others.")            \
    X(HTTP_ANSWERS, "imc_logic_http_answers_bytes", NULL, METRIC_GAUGE,                            \
      "Answers that callers of the HTTP API have not read yet. From 32 MiB on, /1/msg/get "        \
      "waits.")                                                                                    \
    X(HTTP_UNREAD, "imc_logic_http_unread_total", NULL, METRIC_COUNTER,                            \
      "Connections to api.listen closed meanwhile: they read less than 128 kB a second.")          \
    X(HTTP_ACCEPT_ERRORS, "imc_logic_http_accept_errors_total", NULL, METRIC_COUNTER,              \
      "Connections to api.listen not accepted for want of descriptors or memory.")                 \
    X(NODES, "imc_logic_nodes", NULL, METRIC_GAUGE,                                                \
      "Comets that clients are told of: they live, and take clients.")                             \
    X(NODES_CHOSEN, "imc_logic_nodes_asked_total", "result=\"chosen\"", METRIC_COUNTER,            \
      "Clients that asked which comet to connect to. moved: those that a comet sends away; "       \
      "none: no comet took clients.")                                                              \
    X(NODES_MOVED, "imc_logic_nodes_asked_total", "result=\"moved\"", METRIC_COUNTER, "")          \
    X(NODES_NONE, "imc_logic_nodes_asked_total", "result=\"none\"", METRIC_COUNTER, "")            \
    X(TOKENS_NEW, "imc_logic_tokens_total", "event=\"new\"", METRIC_COUNTER,                       \
      "Tokens made and taken back.")                                                               \
    X(TOKENS_REVOKED, "imc_logic_tokens_total", "event=\"revoked\"", METRIC_COUNTER, "")           \
    X(JWT_KEYS, "imc_logic_jwt_keys", NULL, METRIC_GAUGE,                                          \
      "Keys of jwt.keys, jwt.jwks and jwt.jwks_url.")                                              \
    X(JWT_WAITING, "imc_logic_jwt_waiting", NULL, METRIC_GAUGE,                                    \
      "Clients' JSON Web Tokens that wait to be verified; at most jwt.max_waiting.")               \
    X(JWT_GOOD, "imc_logic_jwt_total", "result=\"good\"", METRIC_COUNTER,                          \
      "JSON Web Tokens that clients sent. key: no key here verifies it; claims: it is for "        \
      "others, or lacks a claim; busy: not verified, too many waited; away: not verified, "        \
      "jwt.jwks_url did not give the keys.")                                                       \
    X(JWT_MALFORMED, "imc_logic_jwt_total", "result=\"malformed\"", METRIC_COUNTER, "")            \
    X(JWT_KEY, "imc_logic_jwt_total", "result=\"key\"", METRIC_COUNTER, "")                        \
    X(JWT_SIGNATURE, "imc_logic_jwt_total", "result=\"signature\"", METRIC_COUNTER, "")            \
    X(JWT_EXPIRED, "imc_logic_jwt_total", "result=\"expired\"", METRIC_COUNTER, "")                \
    X(JWT_CLAIMS, "imc_logic_jwt_total", "result=\"claims\"", METRIC_COUNTER, "")                  \
    X(JWT_BUSY, "imc_logic_jwt_total", "result=\"busy\"", METRIC_COUNTER, "")                      \
    X(JWT_AWAY, "imc_logic_jwt_total", "result=\"away\"", METRIC_COUNTER, "")                      \
    X(JWKS_GOOD, "imc_logic_jwks_fetches_total", "result=\"good\"", METRIC_COUNTER,                \
      "Fetches of jwt.jwks_url. connect: no connection, or no address; timeout: not within "       \
      "jwt.jwks_timeout; status: an HTTP status other than 2xx; answer: no JWK Set with a key "    \
      "that "                                                                                      \
      "can verify here, or longer than jwt.jwks_max.")                                             \
    X(JWKS_CONNECT, "imc_logic_jwks_fetches_total", "result=\"connect\"", METRIC_COUNTER, "")      \
    X(JWKS_TIMEOUT, "imc_logic_jwks_fetches_total", "result=\"timeout\"", METRIC_COUNTER, "")      \
    X(JWKS_STATUS, "imc_logic_jwks_fetches_total", "result=\"status\"", METRIC_COUNTER, "")        \
    X(JWKS_ANSWER, "imc_logic_jwks_fetches_total", "result=\"answer\"", METRIC_COUNTER, "")        \
    X(JWKS_TOO_SOON, "imc_logic_jwks_too_soon_total", NULL, METRIC_COUNTER,                        \
      "Tokens with an unknown key name for which nothing was fetched, because of jwt.jwks_pause.") \
    X(JWKS_AGE, "imc_logic_jwks_age_seconds", NULL, METRIC_GAUGE,                                  \
      "Since keys were fetched from jwt.jwks_url; since the start if none were. 0 without that "   \
      "setting.")                                                                                  \
    X(JWKS_WAITING, "imc_logic_jwks_waiting", NULL, METRIC_GAUGE,                                  \
      "Clients' tokens that wait for a fetch, counted in jwt.max_waiting.")                        \
    X(REVOKED, "imc_logic_revoked_total", "what=\"user\"", METRIC_COUNTER,                         \
      "Calls of /1/admin/revoke that were carried out.")                                           \
    X(REVOKED_TOKENS, "imc_logic_revoked_total", "what=\"token\"", METRIC_COUNTER, "")             \
    X(REVOKED_SESSIONS, "imc_logic_revoked_sessions_total", NULL, METRIC_COUNTER,                  \
      "Sessions that such calls ended.")                                                           \
    X(REVOKED_REFUSED, "imc_logic_revoked_refused_total", NULL, METRIC_COUNTER,                    \
      "Sessions that were not let in because of such a call, or because Redis did not say.")       \
    X(STORED_SETTLE, "imc_logic_stored_total", "by=\"settle\"", METRIC_COUNTER,                    \
      "Messages new in a mailbox: stored = confirmed + expired + trimmed + "                       \
      "trimmed_unacknowledged + replaced + waiting.")                                              \
    X(STORED_SPILL, "imc_logic_stored_total", "by=\"spill\"", METRIC_COUNTER, "")                  \
    X(STORED_AGAIN, "imc_logic_stored_again_total", NULL, METRIC_COUNTER,                          \
      "Messages to be stored that were in the mailbox already (retries).")                         \
    X(STORE_FAILED, "imc_logic_store_failed_total", NULL, METRIC_COUNTER,                          \
      "Stores that Redis did not carry out.")                                                      \
    X(TRIMMED, "imc_logic_trimmed_total", NULL, METRIC_COUNTER,                                    \
      "Messages dropped from mailboxes because newer ones reached the limit.")                     \
    X(TRIMMED_ACKED, "imc_logic_trimmed_unacknowledged_total", NULL, METRIC_COUNTER,               \
      "Messages dropped from mailboxes because devices have not acknowledged more than "           \
      "mailbox.limit_acked.")                                                                      \
    X(REPLACED, "imc_logic_replaced_total", NULL, METRIC_COUNTER,                                  \
      "Messages that left mailboxes because a newer one with their collapse key came.")            \
    X(EXPIRED, "imc_logic_expired_total", NULL, METRIC_COUNTER,                                    \
      "Messages dropped from mailboxes by age.")                                                   \
    X(EXPIRED_UNSTORED, "imc_logic_expired_unstored_total", NULL, METRIC_COUNTER,                  \
      "Messages that were too old when they were to be stored: dropped.")                          \
    X(MAILBOX_FOREIGN, "imc_logic_mailbox_foreign_total", NULL, METRIC_COUNTER,                    \
      "Members of mailboxes that no logic had written: dropped.")                                  \
    X(FETCHED, "imc_logic_fetched_total", NULL, METRIC_COUNTER,                                    \
      "Waiting messages handed out (they stay).")                                                  \
    X(CONFIRMED, "imc_logic_confirmed_total", NULL, METRIC_COUNTER,                                \
      "Waiting messages that left by confirmation.")                                               \
    X(CONFIRMED_KEPT, "imc_logic_confirmed_kept_total", NULL, METRIC_COUNTER,                      \
      "Confirmations of messages that stay, because other sessions of the user are owed them.")    \
    X(SETTLED_STORED, "imc_logic_settled_total", "result=\"stored\"", METRIC_COUNTER,              \
      "Settle requests of job.")                                                                   \
    X(SETTLED_UNKNOWN, "imc_logic_settled_total", "result=\"unknown\"", METRIC_COUNTER, "")        \
    X(SETTLED_FAILED, "imc_logic_settled_total", "result=\"failed\"", METRIC_COUNTER, "")          \
    X(SETTLED_EARLY, "imc_logic_settled_total", "result=\"too_early\"", METRIC_COUNTER, "")        \
    X(CONNECT_OK, "imc_logic_connects_total", "result=\"admitted\"", METRIC_COUNTER,               \
      "Sessions that asked to enter.")                                                             \
    X(CONNECT_TOKEN, "imc_logic_connects_total", "result=\"token\"", METRIC_COUNTER, "")           \
    X(CONNECT_MALFORMED, "imc_logic_connects_total", "result=\"malformed\"", METRIC_COUNTER, "")   \
    X(CONNECT_TOO_MANY, "imc_logic_connects_total", "result=\"too_many\"", METRIC_COUNTER, "")     \
    X(CONNECT_UNAVAILABLE, "imc_logic_connects_total", "result=\"unavailable\"", METRIC_COUNTER,   \
      "")                                                                                          \
    X(CONNECT_REVOKED, "imc_logic_connects_total", "result=\"revoked\"", METRIC_COUNTER, "")       \
    X(CONNECT_BUSINESS, "imc_logic_connects_total", "result=\"business\"", METRIC_COUNTER, "")     \
    X(RENEWED, "imc_logic_renewals_total", "result=\"renewed\"", METRIC_COUNTER,                   \
      "Further tokens of open sessions.")                                                          \
    X(RENEW_REFUSED, "imc_logic_renewals_total", "result=\"refused\"", METRIC_COUNTER, "")         \
    X(RENEW_UNAVAILABLE, "imc_logic_renewals_total", "result=\"unavailable\"", METRIC_COUNTER, "") \
    X(AUTH_ASKED, "imc_logic_auth_asked_total", NULL, METRIC_COUNTER,                              \
      "Questions to auth.url who connects, each try counted.")                                     \
    X(AUTH_RETRIES, "imc_logic_auth_retries_total", NULL, METRIC_COUNTER,                          \
      "Questions to auth.url that were asked once more.")                                          \
    X(AUTH_ADMITTED, "imc_logic_auth_total", "result=\"admitted\"", METRIC_COUNTER,                \
      "Clients about whom the business was asked, by what it said, now or earlier.")               \
    X(AUTH_REFUSED, "imc_logic_auth_total", "result=\"refused\"", METRIC_COUNTER, "")              \
    X(AUTH_CACHED, "imc_logic_auth_cached_total", NULL, METRIC_COUNTER,                            \
      "Of these, those for whom an earlier answer was used (auth.cache).")                         \
    X(AUTH_FAILED_CONNECT, "imc_logic_auth_failed_total", "reason=\"connect\"", METRIC_COUNTER,    \
      "Clients refused with code 12 because the business did not say who they are. connect: no "   \
      "connection, or no address; timeout: no answer in time; status: one with another status "    \
      "than 2xx, 401 or 403; answer: it is not what docs/auth.md says; waiting: too many "         \
      "questions (auth.in_flight, auth.waiting); pause: not asked for a moment, after failures "   \
      "in a row.")                                                                                 \
    X(AUTH_FAILED_TIMEOUT, "imc_logic_auth_failed_total", "reason=\"timeout\"", METRIC_COUNTER,    \
      "")                                                                                          \
    X(AUTH_FAILED_STATUS, "imc_logic_auth_failed_total", "reason=\"status\"", METRIC_COUNTER, "")  \
    X(AUTH_FAILED_ANSWER, "imc_logic_auth_failed_total", "reason=\"answer\"", METRIC_COUNTER, "")  \
    X(AUTH_FAILED_WAITING, "imc_logic_auth_failed_total", "reason=\"waiting\"", METRIC_COUNTER,    \
      "")                                                                                          \
    X(AUTH_FAILED_PAUSE, "imc_logic_auth_failed_total", "reason=\"pause\"", METRIC_COUNTER, "")    \
    X(AUTH_US, "imc_logic_auth_seconds_total", NULL, METRIC_COUNTER_MICRO,                         \
      "Time that clients waited for these answers, refusals included: divide by "                  \
      "imc_logic_auth_total and imc_logic_auth_failed_total.")                                     \
    X(AUTH_WAITING, "imc_logic_auth_waiting", NULL, METRIC_GAUGE,                                  \
      "Questions to auth.url that wait for a place (auth.waiting).")                               \
    X(AUTH_IN_FLIGHT, "imc_logic_auth_in_flight", NULL, METRIC_GAUGE,                              \
      "Questions to auth.url without an answer (auth.in_flight).")                                 \
    X(AUTH_KEPT, "imc_logic_auth_kept", NULL, METRIC_GAUGE,                                        \
      "Answers that may be used again (auth.cache_entries).")                                      \
    X(DISCONNECTS, "imc_logic_disconnects_total", NULL, METRIC_COUNTER, "Sessions that ended.")    \
    X(REGISTERS, "imc_logic_registers_total", "result=\"taken\"", METRIC_COUNTER,                  \
      "Open sessions told to the routers again.")                                                  \
    X(REGISTERS_REFUSED, "imc_logic_registers_total", "result=\"refused\"", METRIC_COUNTER, "")    \
    X(LOOKUP_COMPLETE, "imc_logic_lookups_total", "result=\"complete\"", METRIC_COUNTER,           \
      "Questions to the routers where a uid is; incomplete: the router is still being told.")      \
    X(LOOKUP_INCOMPLETE, "imc_logic_lookups_total", "result=\"incomplete\"", METRIC_COUNTER, "")   \
    X(LOOKUP_UNANSWERED, "imc_logic_lookups_total", "result=\"unanswered\"", METRIC_COUNTER, "")   \
    X(ROUTER_BATCHES, "imc_logic_router_batches_total", NULL, METRIC_COUNTER,                      \
      "Batches sent to routers.")                                                                  \
    X(ROUTER_MISMATCH, "imc_logic_router_mismatch_total", NULL, METRIC_COUNTER,                    \
      "Batches a router answered with another ring than ours.")                                    \
    X(ROUTER_TIMEOUT, "imc_logic_router_timeout_total", NULL, METRIC_COUNTER,                      \
      "Requests a router did not answer.")                                                         \
    X(ROUTER_MALFORMED, "imc_logic_router_malformed_total", NULL, METRIC_COUNTER,                  \
      "Router answers that do not fit their batch.")                                               \
    X(ROUTERS, "imc_logic_routers", NULL, METRIC_GAUGE, "Live routers on the ring.")               \
    X(GOIM_CONNECT, "imc_logic_goim_calls_total", "call=\"connect\"", METRIC_COUNTER,              \
      "Calls of goim's comets to goim.logic.Logic, see goim.comets.")                              \
    X(GOIM_DISCONNECT, "imc_logic_goim_calls_total", "call=\"disconnect\"", METRIC_COUNTER, "")    \
    X(GOIM_HEARTBEAT, "imc_logic_goim_calls_total", "call=\"heartbeat\"", METRIC_COUNTER, "")      \
    X(GOIM_RENEW, "imc_logic_goim_calls_total", "call=\"renew_online\"", METRIC_COUNTER, "")       \
    X(GOIM_RECEIVE, "imc_logic_goim_calls_total", "call=\"receive\"", METRIC_COUNTER, "")          \
    X(GOIM_NODES, "imc_logic_goim_calls_total", "call=\"nodes\"", METRIC_COUNTER, "")              \
    X(GOIM_REFUSED, "imc_logic_goim_refused_total", NULL, METRIC_COUNTER,                          \
      "Such calls that were refused; the answer says why.")                                        \
    X(GOIM_ROOMS_ODD, "imc_logic_goim_rooms_odd_total", NULL, METRIC_COUNTER,                      \
      "Rooms of goim's comets that were not counted: no room of imc may have their name.")         \
    X(GOIM_SENT, "imc_logic_goim_sent_total", NULL, METRIC_COUNTER,                                \
      "Messages sent to goim's job, one for each of goim's comets where the user has sessions.")   \
    X(BATCHES_COMET, "imc_logic_batches_total", "from=\"comet\"", METRIC_COUNTER,                  \
      "Batches received.")                                                                         \
    X(BATCHES_JOB, "imc_logic_batches_total", "from=\"job\"", METRIC_COUNTER, "")                  \
    X(BATCHES_REPORT, "imc_logic_batches_total", "from=\"daemon\"", METRIC_COUNTER, "")            \
    X(BATCHES_MALFORMED, "imc_logic_batches_malformed_total", NULL, METRIC_COUNTER,                \
      "Streams closed for a batch that could not be decoded.")                                     \
    X(BATCHES_PENDING, "imc_logic_batches_pending", NULL, METRIC_GAUGE,                            \
      "Batches not answered yet.")                                                                 \
    X(LATER_ADDED, "imc_logic_later_total", "event=\"added\"", METRIC_COUNTER,                     \
      "Messages that wait for their time (deliver_at of /v1). again: the bus did not take one "    \
      "that "                                                                                      \
      "was due; dropped: it cannot be pushed any more, the log says why.")                         \
    X(LATER_DELIVERED, "imc_logic_later_total", "event=\"delivered\"", METRIC_COUNTER, "")         \
    X(LATER_CANCELLED, "imc_logic_later_total", "event=\"cancelled\"", METRIC_COUNTER, "")         \
    X(LATER_AGAIN, "imc_logic_later_total", "event=\"again\"", METRIC_COUNTER, "")                 \
    X(LATER_DROPPED, "imc_logic_later_total", "event=\"dropped\"", METRIC_COUNTER, "")             \
    X(ROOM_ORDERS, "imc_logic_room_orders_pending", NULL, METRIC_GAUGE,                            \
      "Calls of /1/room/join and /1/room/leave that are under way.")                               \
    X(ORDERS_DONE, "imc_logic_room_orders_total", "result=\"done\"", METRIC_COUNTER,               \
      "Calls of /1/room/join and /1/room/leave: carried out, or answered with 503.")               \
    X(ORDERS_FAILED, "imc_logic_room_orders_total", "result=\"failed\"", METRIC_COUNTER, "")       \
    X(QUESTIONS, "imc_logic_questions_pending", NULL, METRIC_GAUGE,                                \
      "Questions to comets that are under way: what sessions are like, who is in a room.")         \
    X(QUESTIONS_ANSWERED, "imc_logic_questions_total", "result=\"answered\"", METRIC_COUNTER,      \
      "Questions to comets: answered, or not: the comet did not answer within rooms.timeout, or "  \
      "has no connection to this logic.")                                                          \
    X(QUESTIONS_UNANSWERED, "imc_logic_questions_total", "result=\"unanswered\"", METRIC_COUNTER,  \
      "")                                                                                          \
    X(CONSOLE_LOGINS, "imc_logic_console_logins_total", "result=\"good\"", METRIC_COUNTER,         \
      "Logins at the console; refused: a wrong key, or too many of them from an address.")         \
    X(CONSOLE_REFUSED, "imc_logic_console_logins_total", "result=\"refused\"", METRIC_COUNTER, "") \
    X(CONSOLE_DAEMONS, "imc_logic_console_daemons", NULL, METRIC_GAUGE,                            \
      "Daemons that the console has heard of.")                                                    \
    X(CONSOLE_REPORTS, "imc_logic_console_reports_total", "result=\"taken\"", METRIC_COUNTER,      \
      "Reports of daemons for the console. stranger: of none that lives; full: of one too many.")  \
    X(CONSOLE_STRANGERS, "imc_logic_console_reports_total", "result=\"stranger\"", METRIC_COUNTER, \
      "")                                                                                          \
    X(CONSOLE_FULL, "imc_logic_console_reports_total", "result=\"full\"", METRIC_COUNTER, "")      \
    X(STREAMS, "imc_logic_streams", NULL, METRIC_GAUGE,                                            \
      "Open streams of comets and jobs, and of all daemons that report to the console.")           \
    X(TRACED, "imc_logic_traced_total", "what=\"message\"", METRIC_COUNTER,                        \
      "Traced messages, of which steps are kept, and pushes, of which messages are counted.")      \
    X(TRACED_PUSHES, "imc_logic_traced_total", "what=\"push\"", METRIC_COUNTER, "")                \
    X(TRACES_LIMITED, "imc_logic_traces_limited_total", NULL, METRIC_COUNTER,                      \
      "Messages and pushes that were to be traced, beyond trace.rate: they were pushed without.")  \
    TRACER_METRICS(X)

enum logic_metric {
#define X(id, ...) LOGIC_##id,
#define H(id, ...) LOGIC_##id, LOGIC_##id##_LAST = LOGIC_##id + HISTOGRAM_SLOTS - 1,
    LOGIC_METRICS(X, H)
#undef X
#undef H
        LOGIC_METRIC_COUNT /* of values in a block */
};

enum { LOGIC_METRIC_ROWS = 0 LOGIC_METRICS(METRIC_ONE, METRIC_ONE) };
extern const struct metric_row logic_metric_rows[LOGIC_METRIC_ROWS];

#endif
