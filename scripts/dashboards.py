"""The dashboards of deploy/grafana: one table, from which their JSON is made (scripts/gen-docs). tests/integration/
test_dashboards.py asks a real Prometheus for each expression.

A panel has a title, a unit of Grafana's, a note that says what to do with it, and series: legend and expression. Within
an expression RATE stands for [$__rate_interval], HERE for instance=~"$instance", and P99(metric, labels) for the usual
quantile.
"""
import json
import re

SECONDS, BYTES, PER_SECOND, NUMBER, RATIO = "s", "bytes", "ops", "short", "percentunit"


def panel(title, unit, note, *series):
    return {"title": title, "unit": unit, "note": note, "series": series}


PROCESS = ("Process", (
    panel("Loop lag", SECONDS, "How late loops are. Above 0.1 s: overloaded, or something blocks.",
          ("{{instance}} p99", "P99(imc_loop_lag_seconds, instance)")),
    panel("CPU", NUMBER, "Cores in use.", ("{{instance}}", "rate(process_cpu_seconds_total{HERE}RATE)")),
    panel("Memory", BYTES, "Resident memory, and what it may become (memory.limit).",
          ("{{instance}}", "process_resident_memory_bytes{HERE}"),
          ("{{instance}} limit", "imc_memory_limit_bytes{HERE}")),
    panel("Open files", NUMBER, "Near the limit: raise LimitNOFILE.", ("{{instance}}", "process_open_fds{HERE}"),
          ("{{instance}} limit", "process_max_fds{HERE}")),
    panel("Redis: time of a command", SECONDS, "Grows: SLOWLOG and CPU of Redis, then the network.",
          ("{{instance}} p99", "P99(imc_redis_command_seconds, instance)")),
    panel("Conditions that do not hold", NUMBER, "Not 0: /readyz of that daemon says why.",
          ("{{instance}}", "count by (instance) (imc_condition{HERE}) - sum by (instance) (imc_condition{HERE})")),
))

RPC = panel("Batches to other daemons", SECONDS, "Grows: look at the daemons that are asked.",
            ("{{call}} p99", "P99(imc_rpc_batch_seconds, call)"))

OVERVIEW = (
    ("Is it well", (
        panel("Daemons that answer", NUMBER, "Fewer than there should be: ImcDaemonDown.",
              ("{{daemon}}", "count by (daemon) (imc_build_info)")),
        panel("Can it serve", NUMBER, "0: no daemon of a kind can; imc_condition says what is missing.",
              ("{{use}}", "min by (use) (imc_ready)")),
        panel("Partitions", NUMBER, "Those that are read are as many as logic spreads over.",
              ("spread over", "max(imc_logic_partitions)"), ("assigned", "sum(imc_job_partitions)"),
              ("not read", "sum(imc_job_partitions_unread)")),
        panel("Connections", NUMBER, "", ("connections", "sum(imc_comet_connections)"),
              ("sessions", "sum(imc_comet_sessions)")),
        panel("Certificates expire in", SECONDS, "Short: a new file, then SIGHUP. Empty where no daemon has a certificate.",
              ("{{instance}} {{file}}", "min by (instance, file) (imc_tls_certificate_expiry_seconds) - time()")),
    )),
    ("Messages", (
        panel("Pushes accepted", PER_SECOND, "One per user, room or broadcast.",
              ("{{kind}}", "sum by (kind) (rate(imc_logic_accepted_totalRATE))")),
        panel("Deliveries", PER_SECOND, "Written to sessions.",
              ("{{kind}}", "sum by (kind) (rate(imc_comet_deliveries_totalRATE))")),
        panel("From acceptance until written, or acknowledged", SECONDS,
              "Follow the way of a message: Kafka, lag, batches, loops. waiting: the user was away.",
              ("{{kind}} {{until}} p99", "P99(imc_delivery_seconds, kind, until)"),
              ("{{kind}} {{until}} p50", "P50(imc_delivery_seconds, kind, until)")),
        panel("Until the caller of a push has its answer", SECONDS, "Grows with Kafka's answers.",
              ("{{kind}} p99", "P99(imc_logic_accept_seconds, kind)"),
              ("Kafka p99", "P99(imc_bus_produce_seconds)")),
        panel("How late jobs read", SECONDS, "Grows: add jobs, or look at what they wait for.",
              ("{{instance}}", "max by (instance) (imc_job_lag_seconds)")),
        panel("Mailboxes", PER_SECOND, "trimmed, expired: messages were dropped by number or age.",
              ("stored", "sum(rate(imc_logic_stored_totalRATE))"),
              ("trimmed", "sum(rate(imc_logic_trimmed_totalRATE))"),
              ("expired", "sum(rate(imc_logic_expired_totalRATE))")),
    )),
    ("Refused", (
        panel("Calls of the HTTP API", PER_SECOND, "By reason; docs/metrics.md says whose fault it is.",
              ("{{reason}}", "sum by (reason) (rate(imc_logic_refused_totalRATE))")),
        panel("Clients sent away", PER_SECOND, "By the name of the close code.",
              ("{{reason}}", "sum by (reason) (rate(imc_comet_kicked_totalRATE))")),
        panel("Connections closed after accept", PER_SECOND, "full, memory: add comets.",
              ("{{reason}}", "sum by (reason) (rate(imc_comet_refused_totalRATE))")),
    )),
    ("Daemons", (
        panel("Loop lag", SECONDS, "Above 0.1 s: overloaded, or something blocks.",
              ("{{instance}} p99", "P99(imc_loop_lag_seconds, instance)")),
        RPC,
        panel("Memory used of its budget", RATIO, "From 0.8 on what is new is refused.",
              ("{{instance}}", "process_resident_memory_bytes / imc_memory_limit_bytes")),
        panel("CPU", NUMBER, "Cores in use.", ("{{instance}}", "rate(process_cpu_seconds_total{job=~\"imc.*\"}RATE)")),
    )),
)

COMET = (
    ("Clients", (
        panel("Connections", NUMBER, "", ("{{instance}} connections", "imc_comet_connections{HERE}"),
              ("{{instance}} sessions", "imc_comet_sessions{HERE}")),
        panel("Accepted", PER_SECOND, "", ("{{listener}}", "sum by (listener) (rate(imc_comet_accepted_total{HERE}RATE))")),
        panel("From auth until logic's answer", SECONDS, "Grows: logics, routers or Redis are slow.",
              ("{{result}} p99", "P99(imc_comet_connect_seconds, result)")),
        panel("Answers to auth", PER_SECOND, "unavailable: no logic answered.",
              ("{{result}}", "sum by (result) (rate(imc_comet_connects_total{HERE}RATE))")),
        panel("Sent away", PER_SECOND, "By the name of the close code.",
              ("{{reason}}", "sum by (reason) (rate(imc_comet_kicked_total{HERE}RATE))")),
        panel("Closed after accept", PER_SECOND, "",
              ("{{reason}}", "sum by (reason) (rate(imc_comet_refused_total{HERE}RATE))")),
    )),
    ("Delivery", (
        panel("Deliveries", PER_SECOND, "", ("{{kind}}", "sum by (kind) (rate(imc_comet_deliveries_total{HERE}RATE))")),
        panel("From acceptance until written, or acknowledged", SECONDS, "",
              ("{{kind}} {{until}} p99", "P99(imc_delivery_seconds, kind, until)")),
        panel("Walks over rooms, and over all", SECONDS, "Grows: larger rooms, slower sockets; more loops divide it.",
              ("{{to}} p99", "P99(imc_comet_walk_seconds, to)")),
        panel("Deliveries per write", NUMBER, "Grows with the load: messages share a write.",
              ("{{instance}}", "sum by (instance) (rate(imc_comet_deliveries_total{HERE}RATE)) / "
                               "sum by (instance) (rate(imc_comet_writes_total{HERE}RATE))")),
        panel("Bytes written", "Bps", "", ("{{instance}}", "rate(imc_comet_write_bytes_total{HERE}RATE)")),
        panel("Items from jobs", PER_SECOND, "gone: their sessions had just left.",
              ("{{kind}}", "sum by (kind) (rate(imc_comet_items_total{HERE}RATE))"),
              ("gone", "sum(rate(imc_comet_items_gone_total{HERE}RATE))")),
    )),
    ("Devices that do not keep up", (
        panel("Waiting for sockets", BYTES, "", ("{{instance}}", "imc_comet_queued_bytes{HERE}")),
        panel("Spilled into mailboxes", PER_SECOND, "", ("{{instance}}", "rate(imc_comet_spilled_total{HERE}RATE)")),
        panel("Acknowledgements", PER_SECOND, "late: not within session.ack_wait, so it went to the mailbox.",
              ("sent", "sum(rate(imc_comet_acknowledged_sent_total{HERE}RATE))"),
              ("acknowledged", "sum(rate(imc_comet_acknowledged_total{HERE}RATE))"),
              ("late", "sum(rate(imc_comet_acknowledged_late_total{HERE}RATE))")),
        panel("Rooms", NUMBER, "", ("{{instance}}", "imc_comet_rooms{HERE}")),
        panel("Frames from clients", PER_SECOND, "", ("{{instance}}", "rate(imc_comet_frames_in_total{HERE}RATE)")),
        panel("For the business", NUMBER, "held: sessions that wait for upstream.topic.",
              ("waiting", "sum(imc_comet_upstream_waiting{HERE})"), ("held", "sum(imc_comet_upstream_held{HERE})")),
    )),
    ("Others", (RPC,)),
)

LOGIC = (
    ("HTTP API", (
        panel("Calls", PER_SECOND, "", ("{{method}} {{route}} {{code}}", "sum by (route, method, code) "
              "(rate(imc_logic_http_request_duration_seconds_count{HERE}RATE))")),
        panel("Time of a call", SECONDS, "Pushes: Kafka. Reads: Redis, routers. All: the loop.",
              ("{{method}} {{route}} p99", "P99(imc_logic_http_request_duration_seconds, route, method)")),
        panel("Refused", PER_SECOND, "docs/metrics.md says whose fault it is.",
              ("{{reason}}", "sum by (reason) (rate(imc_logic_refused_total{HERE}RATE))")),
        panel("Connections and open calls", NUMBER, "", ("connections", "sum(imc_logic_http_connections{HERE})"),
              ("calls", "sum(imc_logic_http_pending{HERE})")),
    )),
    ("Pushes", (
        panel("Accepted", PER_SECOND, "", ("{{kind}}", "sum by (kind) (rate(imc_logic_accepted_total{HERE}RATE))")),
        panel("Messages by API key", PER_SECOND, "Who pushes most. A limit for each: api.push_rate.",
              ("{{key}}", "topk(10, sum by (key) (rate(imc_logic_key_messages_total{HERE}RATE)))")),
        panel("Until Kafka has them", SECONDS, "", ("{{kind}} p99", "P99(imc_logic_accept_seconds, kind)"),
              ("Kafka p99", "P99(imc_bus_produce_seconds)")),
        panel("Not confirmed, and not yet", NUMBER, "failed: callers got an error.",
              ("failed/s", "sum(rate(imc_logic_produce_failed_total{HERE}RATE))"),
              ("waiting", "sum(imc_logic_outstanding{HERE})")),
        panel("What jobs tell", SECONDS, "", ("lag", "max(imc_logic_backlog_lag_seconds{HERE})")),
        panel("What jobs may put off, used", RATIO, "At push.max_backlog pushes to users who are away are refused.",
              ("{{instance}}", "imc_logic_backlog_ratio{HERE}")),
    )),
    ("Sessions and mailboxes", (
        panel("Batches", PER_SECOND, "", ("{{from}}", "sum by (from) (rate(imc_logic_batches_total{HERE}RATE))")),
        panel("Stored, fetched, confirmed", PER_SECOND, "", ("stored", "sum(rate(imc_logic_stored_total{HERE}RATE))"),
              ("fetched", "sum(rate(imc_logic_fetched_total{HERE}RATE))"),
              ("confirmed", "sum(rate(imc_logic_confirmed_total{HERE}RATE))")),
        panel("Dropped", PER_SECOND, "trimmed: mailbox.limit; expired: mailbox.ttl.",
              ("trimmed", "sum(rate(imc_logic_trimmed_total{HERE}RATE))"),
              ("expired", "sum(rate(imc_logic_expired_total{HERE}RATE))")),
        panel("Comets that take clients", NUMBER, "0: nobody can connect.", ("{{instance}}", "imc_logic_nodes{HERE}")),
        panel("Redis: memory", BYTES, "Near the limit: raise maxmemory, or lower mailbox.limit.",
              ("{{server}}", "max by (server) (imc_redis_memory_used_bytes{HERE})")),
        RPC,
    )),
)

ROUTER = (
    ("Map", (
        panel("Sessions", NUMBER, "", ("{{instance}}", "imc_router_sessions{HERE}"),
              ("{{instance}} uids", "imc_router_uids{HERE}")),
        panel("Rooms", NUMBER, "", ("{{instance}}", "imc_router_rooms{HERE}")),
        panel("Memory of the map", BYTES, "", ("{{instance}}", "imc_router_map_bytes{HERE}")),
        panel("Incomplete", NUMBER, "1 for long: a comet does not register its sessions.",
              ("{{instance}}", "imc_router_incomplete{HERE}"),
              ("{{instance}} missing comets", "imc_router_missing_comets{HERE}")),
    )),
    ("Work", (
        panel("Batches", PER_SECOND, "", ("{{instance}}", "rate(imc_router_batches_total{HERE}RATE)")),
        panel("Puts", PER_SECOND, "", ("{{status}}", "sum by (status) (rate(imc_router_puts_total{HERE}RATE))")),
        panel("Lookups", PER_SECOND, "", ("found: {{found}}", "sum by (found) (rate(imc_router_lookups_total{HERE}RATE))")),
        panel("Ring", NUMBER, "Changes: routers came or went.",
              ("{{instance}} changes", "increase(imc_router_ring_changes_total{HERE}RATE)"),
              ("{{instance}} comets", "imc_router_comets{HERE}")),
    )),
)

JOB = (
    ("Kafka", (
        panel("Taken from the bus", PER_SECOND, "", ("{{instance}}", "rate(imc_job_consumed_total{HERE}RATE)")),
        panel("How late messages are read", SECONDS, "Grows: add jobs, or look at what they wait for.",
              ("{{instance}}", "imc_job_lag_seconds{HERE}")),
        panel("Behind, by partition", NUMBER, "One far above the others: one user or room gets most messages.",
              ("{{partition}}", "sum by (partition) (imc_job_partition_lag{HERE})")),
        panel("Partitions", NUMBER, "", ("{{instance}}", "imc_job_partitions{HERE}"),
              ("{{instance}} not read", "imc_job_partitions_unread{HERE}")),
    )),
    ("Delivery", (
        panel("Delivered", PER_SECOND, "", ("{{kind}}", "sum by (kind) (rate(imc_job_delivered_total{HERE}RATE))")),
        panel("Unresolved", NUMBER, "", ("{{instance}}", "imc_job_unresolved{HERE}"),
              ("{{instance}} to be stored", "imc_job_settling{HERE}")),
        panel("Stored, held, sent again", PER_SECOND, "", ("stored", "sum(rate(imc_job_settled_total{HERE}RATE))"),
              ("held", "sum(rate(imc_job_held_total{HERE}RATE))"),
              ("sent again", "sum(rate(imc_job_resent_total{HERE}RATE))")),
        panel("Put off, used", RATIO, "1: nothing is read any more.", ("{{instance}}", "imc_job_backlog_ratio{HERE}")),
        panel("Streams to comets", NUMBER, "Fewer than comets: one does not answer.",
              ("{{instance}} comets", "imc_job_comets{HERE}"), ("{{instance}} up", "imc_job_comet_streams_up{HERE}")),
        panel("Items to rooms", PER_SECOND, "left_out: that comet has no member of the room.",
              ("{{what}}", "sum by (what) (rate(imc_job_room_items_total{HERE}RATE))")),
        RPC,
    )),
)

DASHBOARDS = {
    "overview": ("imc", OVERVIEW),
    "comet": ("imc: comet", (*COMET, PROCESS)),
    "logic": ("imc: logic", (*LOGIC, PROCESS)),
    "router": ("imc: router", (*ROUTER, PROCESS)),
    "job": ("imc: job", (*JOB, PROCESS)),
}


def expression(text, here):
    """As Grafana gets it. HERE: does the dashboard have the variable $instance?"""
    def quantile(match):
        share, metric, *labels = match[1], *re.split(r",\s*", match[2])
        only = '{instance=~"$instance"}' if here else ""
        by = ", ".join([*labels, "le"])
        return f"histogram_quantile(0.{share}, sum by ({by}) (rate({metric}_bucket{only}[$__rate_interval])))"
    text = re.sub(r"P(\d\d)\(([^)]*)\)", quantile, text)
    return text.replace("RATE", "[$__rate_interval]").replace("HERE", 'instance=~"$instance"')


def expressions():
    """(dashboard, panel, expression) of all."""
    for name, (_, rows) in DASHBOARDS.items():
        for _, panels in rows:
            for each in panels:
                for _, text in each["series"]:
                    yield name, each["title"], expression(text, name != "overview")


def panel_json(each, number, place, here):
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "id": number, "type": "timeseries", "title": each["title"], "description": each["note"], "datasource": source,
        "gridPos": {"h": 7, "w": 8, "x": place % 3 * 8, "y": 0},
        "fieldConfig": {"defaults": {"unit": each["unit"], "min": 0, "custom": {"fillOpacity": 8, "showPoints": "never"}},
                        "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [{"refId": chr(ord("A") + i), "datasource": source, "expr": expression(text, here),
                     "legendFormat": legend} for i, (legend, text) in enumerate(each["series"])],
    }


def variables(name, here):
    found = [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
    if here:
        query = f'label_values(imc_build_info{{daemon="{name}"}}, instance)'
        found.append({"name": "instance", "type": "query", "datasource": {"type": "prometheus", "uid": "${source}"},
                      "query": {"query": query, "refId": "instance"}, "definition": query, "refresh": 2, "sort": 1,
                      "multi": True, "includeAll": True, "current": {"text": "All", "value": "$__all"}})
    return found


def dashboard(name):
    title, rows = DASHBOARDS[name]
    here = name != "overview"
    panels, y = [], 0
    for row, members in rows:
        panels.append({"id": len(panels) + 1, "type": "row", "title": row, "collapsed": False, "panels": [],
                       "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}})
        y += 1
        for place, each in enumerate(members):
            made = panel_json(each, len(panels) + 1, place, here)
            made["gridPos"]["y"] = y + place // 3 * 7
            panels.append(made)
        y += (len(members) + 2) // 3 * 7
    return {
        "uid": f"imc-{name}", "title": title, "tags": ["imc"], "schemaVersion": 38, "editable": True, "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"}, "templating": {"list": variables(name, here)}, "panels": panels,
        "links": [{"title": "imc", "type": "dashboards", "tags": ["imc"], "asDropdown": True, "keepTime": True}],
    }


def text_of(name):
    """Each panel is a line: it is read by Grafana, and compared by people."""
    made = dashboard(name)
    lines = ",\n".join("  " + json.dumps(each, ensure_ascii=False) for each in made.pop("panels"))
    rest = json.dumps(made, indent=1, ensure_ascii=False)
    return f'{rest[:-2]},\n "panels": [\n{lines}\n ]\n}}\n'


if __name__ == "__main__":
    import pathlib
    import sys
    for each in DASHBOARDS:
        pathlib.Path(sys.argv[1], f"{each}.json").write_text(text_of(each), encoding="utf-8")
