/* config.h - logic's settings. Read-only while it runs. */
#ifndef IMC_LOGIC_BASE_CONFIG_H
#define IMC_LOGIC_BASE_CONFIG_H

#include "common/daemon/daemon.h"
#include "common/trace/tracer.h"
#include "common/webhook/settings.h"

struct logic_config {
    struct daemon_config daemon; /* has to be the first member */
    bool api_tls;
    char *api_listen, *api_keys, *api_keys_file, *api_trusted, *api_hosts, *api_origins;
    _Atomic int64_t api_push_rate, api_max_requests, api_max_key_requests; /* see http/callers.h */
    int64_t api_max_body, api_max_bodies, api_header_timeout_ms, api_body_timeout_ms,
        api_idle_timeout_ms;
    bool auth_trust_mid;
    char *jwt_keys, *jwt_jwks, *jwt_jwks_url, *jwt_algorithms, *jwt_issuer, *jwt_audience,
        *jwt_claims;
    int64_t jwt_leeway_ms, jwt_max_length, jwt_threads, jwt_max_waiting;
    int64_t jwt_jwks_refresh_ms, jwt_jwks_timeout_ms, jwt_jwks_pause_ms, jwt_jwks_max;
    bool jwt_require_exp, jwt_jwks_insecure;
    int64_t revoke_keep_ms, revoke_keep_opaque_ms;
    _Atomic int64_t revoke_per_uid, revoke_timeout_ms;
    char *auth_url, *auth_secret_file;
    int64_t auth_timeout_ms, auth_retries, auth_in_flight, auth_waiting;
    int64_t auth_cache_ms, auth_cache_entries, auth_max_answer;
    bool goim_comets;            /* goim.comets */
    int64_t goim_session_ttl_ms; /* goim.session_ttl */
    char *bus_brokers, *bus_topic, *bus_group, *bus_options;
    int64_t bus_partitions, bus_replication, bus_linger_ms, bus_timeout_ms;
    _Atomic int64_t mailbox_limit, mailbox_limit_spilled, mailbox_limit_acked, mailbox_ttl_ms;
    int64_t mailbox_page, mailbox_page_bytes;
    _Atomic int64_t sessions_max_per_uid;
    char *sessions_when_full; /* refuse, close_oldest */
    char *sessions_same_key;  /* keep, replace */
    int64_t connect_timeout_ms;
    int64_t keys_ttl_ms;
    int64_t lookup_timeout_ms;
    _Atomic int64_t tokens_ttl_ms;
    _Atomic int64_t push_max_message, push_max_uids, push_max_keys;
    int64_t push_max_rooms, push_max_batch;
    _Atomic int64_t push_max_bytes, push_max_pending;
    _Atomic int64_t push_max_lag_ms, push_max_backlog;
    _Atomic int64_t later_max, later_horizon_ms;
    int64_t rooms_timeout_ms;
    int64_t router_timeout_ms, router_window;
    bool nodes_open;
    char *nodes_domain, *nodes_host_domain, *nodes_regions;
    int64_t nodes_tcp_port, nodes_ws_port, nodes_tcps_port, nodes_wss_port;
    int64_t nodes_heartbeat_ms, nodes_heartbeat_max;
    int64_t nodes_max_delay_ms, nodes_base_delay_ms;
    int64_t nodes_factor, nodes_jitter, nodes_region_weight; /* per cent */
    bool demo_enabled;
    bool console_enabled;
    int64_t console_session_ms;
    char *upstream_topic;
    struct webhook_settings upstream_hook;
    int64_t upstream_max_waiting, upstream_max_reply, upstream_max_answer;
    char *events_log, *events_types, *events_topic;
    int64_t events_max_waiting, events_facts;
    _Atomic int64_t events_followers;
    char *trace_users_file;
    int64_t trace_rate;
    struct tracer_config tracer; /* [trace] */
};

extern const struct config_row logic_config_rows[];
int logic_config_check(const void *arg, char *err, size_t errlen);

#endif
