#include "comet/base/config.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROW(section, key, type, field, init, min, max, doc)                                  \
    {                                                                                        \
        section, key, type, offsetof(struct comet_config, field), init, min, max, doc, false \
    }

/* A number that a reload changes. */
#define LIVE(section, key, type, field, init, min, max, doc)                                   \
    {                                                                                          \
        section, key, type, CONFIG_LIVE(struct comet_config, field), init, min, max, doc, true \
    }

const struct config_row comet_config_rows[] = {
    ROW("comet", "workers", CONFIG_INT, workers, "0", 0, 64,
        "Event loops, each with its own listeners and sessions. 0 = one per core."),
    ROW("tcp", "listen", CONFIG_ADDRESS, tcp_listen, "0.0.0.0:8080", 0, CONFIG_MAY_BE_OFF,
        "Where TCP clients connect. Empty = nowhere."),
    ROW("tcp", "advertise", CONFIG_STRING, tcp_advertise, "", 0, 0,
        "host:port under which clients reach tcp.listen. Clients that ask for a comet are told the "
        "host, if node.ips is empty. Empty = the advertised RPC host with tcp.listen's port, if "
        "there is one."),
    ROW("ws", "listen", CONFIG_ADDRESS, ws_listen, "0.0.0.0:8090", 0, CONFIG_MAY_BE_OFF,
        "Where WebSocket clients connect, path /sub. Empty = nowhere."),
    ROW("ws", "advertise", CONFIG_STRING, ws_advertise, "", 0, 0,
        "host:port under which clients reach ws.listen. Web pages that ask for a comet are told "
        "the host, if node.host is empty. Empty = the advertised RPC host with ws.listen's port, "
        "if "
        "there is one."),
    ROW("ws", "allowed_origins", CONFIG_LIST, allowed_origins, "", 0, 0,
        "Web pages that may connect, by their Origin: https://example.com, https://*.example.com "
        "(all hosts below it), http://localhost:* (any port), null (files); empty = any."),
    ROW("ws", "protocols", CONFIG_LIST, protocols, "", 0, 0,
        "Subprotocols (Sec-WebSocket-Protocol) that are taken up if a client offers them; empty = "
        "the first one it offers. What is spoken is the same with any."),
    ROW("ws", "pass_headers", CONFIG_LIST, pass_headers, "", 0, 0,
        "Headers of the WebSocket handshake that the business gets to see when logic asks it who "
        "connects (logic's auth.url): cookie,user-agent,origin. Kept until the session is "
        "admitted. "
        "Empty = none."),
    ROW("ws", "pass_headers_max", CONFIG_BYTES, pass_headers_max, "8k", 64, 32768,
        "Bytes of these headers. A handshake with more is refused (431)."),
    ROW("ws", "ping", CONFIG_DURATION, ping_ms, "45s", 0, 86400000,
        "A WebSocket session that has been silent for about this long is pinged, so that proxies "
        "between do not take it for idle (nginx: 60 s). 0 = never."),
    ROW("tls", "kernel", CONFIG_STRING, tls_kernel, "off", 0, 0,
        "Does Linux encrypt what clients get over TLS 1.3 (kTLS)? off: comet does. auto: Linux, if "
        "its "
        "module tls is loaded and can change keys, else comet. on: Linux, or comet does not start. "
        "docs/tls.md says when that is worth it."),
    ROW("tcps", "listen", CONFIG_ADDRESS, tcps_listen, "", 0, 0,
        "Where TCP clients connect with TLS, as in 0.0.0.0:8081; needs tls.certificate. Empty = "
        "nowhere."),
    ROW("tcps", "advertise", CONFIG_STRING, tcps_advertise, "", 0, 0,
        "host:port under which TCP clients are served with TLS: of tcps.listen, or of a proxy "
        "before tcp.listen. Empty = the advertised RPC host with tcps.listen's port, if there is "
        "one."),
    ROW("wss", "listen", CONFIG_ADDRESS, wss_listen, "", 0, 0,
        "Where WebSocket clients connect with TLS, path /sub, as in 0.0.0.0:8095; needs "
        "tls.certificate. Empty = nowhere."),
    ROW("wss", "advertise", CONFIG_STRING, wss_advertise, "", 0, 0,
        "host:port under which WebSocket clients are served with TLS: of wss.listen, or of a proxy "
        "before ws.listen. Empty = the advertised RPC host with wss.listen's port, if there is "
        "one."),
    ROW("node", "host", CONFIG_STRING, node_host, "", 0, 0,
        "This comet's host name for web pages that ask for a comet; logic's nodes.host_domain is "
        "put behind it. Empty = the host of ws.advertise, or of wss.advertise."),
    ROW("node", "ips", CONFIG_LIST, node_ips, "", 0, 0,
        "IP addresses, 8 at most, that apps are told which ask for a comet. Empty = the host of "
        "tcp.advertise, or of tcps.advertise."),
    ROW("conn", "handshake_timeout", CONFIG_DURATION, handshake_ms, "5s", 100, 600000,
        "From accept to the end of authentication."),
    LIVE("conn", "handshakes", CONFIG_INT, handshakes, "4096", 1, 1000000,
         "TLS handshakes under way in one loop (comet.workers), counted from a client's first "
         "record. While there are so many, more clients wait in the kernel's queue."),
    ROW("conn", "heartbeat", CONFIG_DURATION, heartbeat_ms, "5m", 1000, 86400000,
        "A session that sends nothing for this long is closed with code 11."),
    ROW("conn", "linger", CONFIG_DURATION, linger_ms, "2s", 0, 60000,
        "How long a closing connection may take to read what it was sent and to close its side."),
    ROW("conn", "max_body", CONFIG_BYTES, max_body, "4k", 64, 1 << 20,
        "Largest body of a client's frame."),
    ROW("conn", "max_auth", CONFIG_BYTES, max_auth, "4k", 64, 1 << 20,
        "Largest body of the auth frame, if conn.max_body is not less."),
    LIVE(
        "conn", "strangers", CONFIG_BYTES, strangers, "64m", 1 << 20, 1LL << 40,
        "Bytes that may be kept for clients that have not authenticated yet: half handshakes, half "
        "frames, tokens logic is asked about. Beyond it those that want more than 1 KiB are "
        "refused (503, code 12)."),
    ROW("conn", "max", CONFIG_INT, max_connections, "0", 0, 10000000,
        "Connections of this process. 0 = what the limit of open files leaves."),
    LIVE("conn", "per_address", CONFIG_INT, per_address, "5000", 0, 10000000,
         "Connections that one client address may have (IPv6: a network of 64 bits). One more is "
         "reset, or gets 429 behind a proxy. Many devices share an address of a carrier. 0 = any "
         "number."),
    LIVE("conn", "rate_per_address", CONFIG_INT, rate_per_address, "100", 0, 1000000,
         "Connections that one client address may open a second, in the long run. 0 = any number."),
    LIVE("conn", "rate_burst", CONFIG_INT, rate_burst, "1000", 1, 10000000,
         "So many of them it may open at once, after a pause."),
    ROW("conn", "trusted", CONFIG_LIST, conn_trusted, "127.0.0.0/8,::1", 0, 0,
        "Addresses and networks without these limits, such as load balancers and health checks. "
        "What runs on this machine is no stranger."),
    ROW("proxy", "protocol", CONFIG_BOOL, proxy_protocol, "false", 0, 0,
        "Every connection begins with a header of the PROXY protocol, version 1 or 2, which names "
        "the client's address. Others than proxy.trusted are refused then."),
    ROW("proxy", "trusted", CONFIG_LIST, proxy_trusted, "", 0, 0,
        "Addresses and networks of proxies that are believed whom they speak for: in "
        "X-Forwarded-For of a WebSocket handshake and, if proxy.protocol is on, in its header. "
        "Each has to write X-Forwarded-For itself, or clients choose their address."),
    LIVE("fanout", "sendq", CONFIG_BYTES, sendq_bytes, "256k", 1024, 64 << 20,
         "Bytes that may wait for one slow connection. Room messages beyond close it with code 8, "
         "messages to a user go "
         "to the mailbox."),
    LIVE("fanout", "spill_after", CONFIG_DURATION, spill_ms, "100ms", 10, 60000,
         "A message to a user that its socket has not taken for this long goes to the mailbox, to "
         "be fetched when the "
         "socket has drained."),
    ROW("fanout", "slice", CONFIG_INT, walk_slice, "512", 1, 1000000,
        "Members a room walk writes to before other work of the loop gets its turn."),
    ROW("fanout", "batch", CONFIG_BYTES, walk_bytes, "256k", 1024, 16 << 20,
        "Bytes of messages that one walk over a room carries at most."),
    ROW("fanout", "max_delay", CONFIG_DURATION, walk_delay_ms, "0ms", 0, 60000,
        "How long a message to more than fanout.slice sessions may wait for others to share its "
        "writes: more latency for less CPU. 0 = not at all, but for the pause of half a walk's "
        "time, 100 ms at most, that follows each walk over so many."),
    ROW("fanout", "patience", CONFIG_DURATION, walk_patience_ms, "1s", 0, 60000,
        "While more than an eighth of a loop's sockets have not taken what they were sent, the "
        "next walk waits for them, and job and Kafka with it; but not for longer than this in "
        "one go."),
    LIVE("drain", "rate", CONFIG_INT, drain_rate, "100", 1, 1000000,
         "Sessions a second that are told to go, and where to, when comet drains (POST /drain, "
         "SIGTERM); on SIGTERM more if daemon.drain would not be enough."),
    LIVE("rooms", "per_session", CONFIG_INT, rooms_per_session, "64", 1, 10000,
         "Rooms one session may be in; a join beyond is refused with code 10."),
    LIVE("rooms", "max", CONFIG_INT, rooms_max, "500000", 1, 100000000,
         "Rooms with members in one loop (comet.workers). Who wants to enter a new one beyond it "
         "gets code 12."),
    ROW("rooms", "linger", CONFIG_DURATION, rooms_linger_ms, "30s", 0, 3600000,
        "How long jobs go on sending what is pushed to a room after its last member here has left. "
        "Whoever enters it within that time need not wait until jobs know of it."),
    ROW("rooms", "recall", CONFIG_DURATION, recall_ms, "30s", 0, 3600000,
        "Sessions that missed messages to their room while others took this comet for dead are "
        "told to connect again (code 12), spread over this time, or sooner at drain.rate."),
    ROW("rooms", "vouch_timeout", CONFIG_DURATION, vouch_ms, "30s", 1000, 3600000,
        "How long jobs may take, after others took this comet for dead, to vouch that every "
        "message to a room has come; then it is taken for missed."),
    ROW("imgo", "sdk_gap", CONFIG_DURATION, sdk_gap_ms, "50ms", 0, 10000,
        "Pause after the auth reply on TCP before messages follow: imgo's Java SDK takes one read "
        "for one frame."),
    ROW("session", "held", CONFIG_INT, held_messages, "256", 1, 100000,
        "Messages held in memory for a session while its waiting messages are fetched; further "
        "ones go to the mailbox."),
    LIVE("session", "ack_window", CONFIG_INT, ack_window, "64", 1, 65536,
         "Messages that an acknowledged session may be sent without having acknowledged one of "
         "them. The mailbox holds the rest."),
    LIVE("session", "ack_wait", CONFIG_DURATION, ack_wait_ms, "1s", 10, 60000,
         "A message that its client has not acknowledged for this long goes to the mailbox, until "
         "it is acknowledged. Shorter than it takes clients to answer costs Redis two commands a "
         "message; longer keeps more messages in job, whose job.window limits them."),
    LIVE("session", "frames_per_second", CONFIG_INT, frames_per_second, "100", 0, 1000000,
         "Frames, WebSocket fragments, pings and pongs that a session may send a second, in the "
         "long run. One more closes it with code 10. 0 = any number."),
    LIVE("session", "frames_burst", CONFIG_INT, frames_burst, "1000", 1, 100000000,
         "So many of them it may send at once, after a pause."),
    LIVE("session", "bytes_per_second", CONFIG_BYTES, bytes_per_second, "256k", 0, 1 << 30,
         "Bytes that a session may send a second, in the long run, over TLS with what its records "
         "add. More closes it with code 10. 0 = any number."),
    LIVE("session", "bytes_burst", CONFIG_BYTES, bytes_burst, "8m", 1024, 1 << 30,
         "So many of them it may send at once, after a pause. At least the longest message of a "
         "WebSocket client in JSON: 4 * conn.max_body + 2 KiB."),
    ROW("session", "renew_interval", CONFIG_DURATION, renew_interval_ms, "5s", 0, 3600000,
        "A session may send another token (a second auth, docs/tokens.md) so often. Sooner closes "
        "it "
        "with code 10, and so does one before the last one was answered."),
    ROW("session", "silent", CONFIG_DURATION, silent_ms, "60s", 1000, 86400000,
        "If a user who has sessions.max_per_uid sessions wants another one, one of which nothing "
        "has been heard for this long gives way. Longer than ws.ping, or living ones do."),
    ROW("logic", "connect_timeout", CONFIG_DURATION, connect_ms, "4s", 100, 60000,
        "How long logic may take to admit a session before it is told to try again (code 12)."),
    ROW("logic", "window", CONFIG_INT, logic_window, "2", 1, 64,
        "Batches in flight from one loop to one logic."),
    ROW("logic", "connects", CONFIG_INT, logic_connects, "256", 1, 1000000,
        "Sessions that one loop has logics admit at a time. When many clients come at once, the "
        "others wait, in order: those whose auth has come here, up to as many again, and behind "
        "them in the kernel, not accepted. So pushes to those who are in find no long queues. Not "
        "where logics ask the business who connects."),
    LIVE("upstream", "window", CONFIG_INT, upstream_window, "16", 1, 1000,
         "Frames for the business (operation 4) that a session may have without an answer. What it "
         "sends beyond is not read until answers come."),
    ROW("upstream", "timeout", CONFIG_DURATION, upstream_timeout_ms, "30s", 1000, 3600000,
        "A session of which no frame for the business was taken for this long is closed with code "
        "12, so that the client knows and sends it again."),
    LIVE("upstream", "max_waiting", CONFIG_BYTES, upstream_max_waiting, "16m", 1 << 20, 1LL << 40,
         "Bytes of frames for the business that one loop (comet.workers) keeps. Beyond, each "
         "session "
         "has one such frame at a time; beyond twice as much, one more closes it with code 12."),
    TRACER_ROWS(offsetof(struct comet_config, tracer)),
    {.key = NULL},
};

int comet_config_check(const void *arg, char *err, size_t errlen)
{
    static const char header_names[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789-_, \t";
    const struct comet_config *config = arg;
    const char *tls = config->tcps_listen[0] != '\0'  ? "tcps.listen"
                      : config->wss_listen[0] != '\0' ? "wss.listen"
                                                      : NULL;

    if (tls == NULL && config->tcp_listen[0] == '\0' && config->ws_listen[0] == '\0') {
        snprintf(err, errlen,
                 "no client can connect: set one of tcp.listen, ws.listen, "
                 "tcps.listen and wss.listen");
        return -EINVAL;
    }
    if (tls != NULL && config->daemon.tls_certificate[0] == '\0') {
        snprintf(
            err, errlen,
            "%s is set, but there is no certificate: set tls.certificate and tls.key, or clear "
            "%s",
            tls, tls);
        return -EINVAL;
    }
    if (config->handshake_ms < config->connect_ms) {
        snprintf(
            err, errlen,
            "conn.handshake_timeout (%lld ms) is shorter than logic.connect_timeout (%lld ms): "
            "clients would be "
            "told of a timeout before logic had its chance; raise the first or lower the second",
            (long long)config->handshake_ms, (long long)config->connect_ms);
        return -EINVAL;
    }
    const int64_t longest = 4 * config->max_body + 2048;
    if (config->bytes_per_second > 0 && config->bytes_burst < longest) {
        snprintf(err, errlen,
                 "session.bytes_burst (%" PRId64 ") is less than the longest message that a client "
                 "may send, 4 * conn.max_body + 2048 (%" PRId64 "): raise the first or lower "
                 "conn.max_body",
                 config->bytes_burst, longest);
        return -EINVAL;
    }
    if (strcmp(config->tls_kernel, "off") != 0 && strcmp(config->tls_kernel, "auto") != 0 &&
        strcmp(config->tls_kernel, "on") != 0) {
        snprintf(err, errlen, "tls.kernel has to be off, auto or on");
        return -EINVAL;
    }
    if (config->pass_headers[strspn(config->pass_headers, header_names)] != '\0') {
        snprintf(err, errlen, "ws.pass_headers is no list of headers' names");
        return -EINVAL;
    }
    return tracer_check(&config->tracer, err, errlen);
}
