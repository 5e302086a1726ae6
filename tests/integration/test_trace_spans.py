"""Steps of traced messages as spans of OpenTelemetry: the collector gets them in OTLP's form, as one trace, and without
a collector everything else goes on."""
import http.server
import json
import subprocess
import threading
import time

import acked
import imgo
import pytest
from cluster import ROOT, Cluster, free_port, wait_for

JSON = {"Content-Type": "application/json"}
PYTHON = ROOT / "build-otlp" / "bin" / "python"
KINDS = {"send": 4, "process": 5, "deliver": 3, "store": 3}


class Collector:
    """Takes spans, by HTTP."""

    def __init__(self):
        self.port = free_port()
        self.bodies = []
        self.status = 200
        self.answer = b"{}"
        self.server = None

    def start(self):
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces" and self.headers["Content-Type"] == "application/json"
                if collector.status == 200:
                    collector.bodies.append(json.loads(body))
                self.send_response(collector.status)
                self.send_header("Content-Length", str(len(collector.answer)))
                self.end_headers()
                self.wfile.write(collector.answer)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def spans(self, message):
        """Those of MESSAGE: (service, span) by the first word of their names."""
        found = {}
        for body in list(self.bodies):
            for resource in body["resourceSpans"]:
                service = values(resource["resource"])["service.name"]
                for span in resource["scopeSpans"][0]["spans"]:
                    if values(span)["messaging.message.id"] == message:
                        found.setdefault(span["name"].split()[0], []).append((service, span))
        return found

    def has(self, message, *names):
        def there():
            spans = self.spans(message)
            return spans if spans.keys() >= set(names) else None
        return wait_for(there, 20, lambda: f"{names} of {message}: {self.spans(message)}")


def values(span):
    return {attribute["key"]: next(iter(attribute["value"].values())) for attribute in span["attributes"]}


@pytest.fixture(scope="module")
def collector():
    made = Collector()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def cluster(bus, collector):
    url = f"http://127.0.0.1:{collector.port}"
    made = Cluster(bus, env={f"IMC_{daemon}_TRACE_OTLP_URL": url for daemon in ("LOGIC", "JOB", "COMET")})
    yield made.wait_ready()
    made.stop()


def push(cluster, to, **headers):
    value = {"to": to, "body": 1, "trace": True}
    status, answer = cluster.api.call("POST", "/v1/push", json.dumps(value), headers={**JSON, **headers})
    assert status == 202, answer
    return answer["messages"][0]["id"]


def only(spans, name):
    (found,) = spans[name]
    return found


def test_a_message_is_one_trace(cluster, collector, connect, uid):
    client = connect(cluster.comets[0], cluster.api.token(uid))
    message = push(cluster, {"uids": [uid]})
    client.push()
    spans = collector.has(message, "send", "process", "deliver")
    services = {name: only(spans, name)[0] for name in spans}
    assert services == {"send": "imc-logic", "process": "imc-job", "deliver": "imc-comet"}
    send, process, deliver = (only(spans, name)[1] for name in ("send", "process", "deliver"))
    assert send["traceId"] == process["traceId"] == deliver["traceId"]
    assert send["parentSpanId"] == ""
    assert process["parentSpanId"] == send["spanId"] and deliver["parentSpanId"] == process["spanId"]
    for name, ((_, span),) in spans.items():
        assert span["kind"] == KINDS[name] and "status" not in span
        assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
    assert values(send)["messaging.system"] == "kafka" and values(deliver)["messaging.system"] == "imc"
    assert values(send)["messaging.destination.name"] == values(process)["messaging.destination.name"]
    for key in ("messaging.destination.partition.id", "messaging.kafka.offset"):
        assert values(send)[key] == values(process)[key]
    session = cluster.api.call("GET", "/v1/sessions", uid=uid)[1]["sessions"][0]["session"]
    assert values(deliver)["imc.session"] == session


def test_it_joins_the_trace_of_the_caller(cluster, collector, connect, uid):
    client = connect(cluster.comets[0], cluster.api.token(uid))
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    message = push(cluster, {"uids": [uid]}, traceparent=f"00-{trace}-{span}-01")
    client.push()
    spans = collector.has(message, "send", "process", "deliver")
    assert {found["traceId"] for ((_, found),) in spans.values()} == {trace}
    assert only(spans, "send")[1]["parentSpanId"] == span
    broken = push(cluster, {"uids": [uid]}, traceparent=f"00-{trace}-{span}")  # none, so it is a trace of its own
    assert only(collector.has(broken, "send"), "send")[1]["traceId"] != trace


def test_until_it_is_acknowledged(cluster, collector, uid):
    with acked.connect(cluster.comets[0], "json", cluster.api.token(uid)) as client:
        message = push(cluster, {"uids": [uid]})
        seq, _, _ = client.acked_push()
        time.sleep(0.2)
        client.ack(seq)
        span = only(collector.has(message, "deliver"), "deliver")[1]
    assert int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) >= 190_000_000


def test_by_the_mailbox(cluster, collector, connect, uid):
    message = push(cluster, {"uids": [uid]})
    stored = only(collector.has(message, "store", "process"), "store")
    assert stored[0] == "imc-logic"
    connect(cluster.comets[0], cluster.api.token(uid)).push()
    spans = collector.has(message, "deliver", "store", "process", "send")
    assert len({span["traceId"] for found in spans.values() for _, span in found}) == 1


def test_a_room(cluster, collector, connect, uids):
    users = uids(3)
    room = f"spans-{users[0]}"
    clients = [connect(cluster.comets[0], cluster.api.token(user, room=room)) for user in users]
    message = push(cluster, {"rooms": [room]})
    for client in clients:
        client.push()
    spans = collector.has(message, "deliver")
    wait_for(lambda: sum(int(values(span)["imc.sessions"]) for _, span in collector.spans(message)["deliver"]) == 3,
             what="three sessions")
    assert spans["deliver"][0][1]["name"] == "deliver room"


def test_sessions_on_two_comets(bus, collector, uid):
    """Each is the first of its comet, so that their handles are the same number. Their spans have ids of their own."""
    url = f"http://127.0.0.1:{collector.port}"
    cluster = Cluster(bus, comets=2, env={"IMC_COMET_COMET_WORKERS": "1", "IMC_COMET_TRACE_OTLP_URL": url}).wait_ready()
    try:
        clients = [imgo.TcpClient(comet.tcp).auth(cluster.api.token(uid)) for comet in cluster.comets]
        message = push(cluster, {"uids": [uid]})
        for client in clients:
            client.push()
        wait_for(lambda: len(collector.spans(message).get("deliver", [])) == 2, 20, "two spans")
        (_, one), (_, two) = collector.spans(message)["deliver"]
        assert values(one)["imc.session"].split(".")[0] == values(two)["imc.session"].split(".")[0]
        assert one["spanId"] != two["spanId"]
    finally:
        cluster.stop()


def test_others_have_no_spans(cluster, collector, connect, uid):
    client = connect(cluster.comets[0], cluster.api.token(uid))
    value = {"to": {"uids": [uid]}, "body": 1}
    other = cluster.api.call("POST", "/v1/push", json.dumps(value), headers=JSON)[1]["messages"][0]["id"]
    message = push(cluster, {"uids": [uid]})
    for _ in range(2):
        client.push()
    collector.has(message, "send", "process", "deliver")
    assert not collector.spans(other)


@pytest.mark.skipif(not PYTHON.exists(), reason="opentelemetry-proto is not installed: scripts/test does it")
def test_they_are_what_the_schema_has(cluster, collector, uid):
    message = push(cluster, {"uids": [uid]})
    collector.has(message, "send", "process", "store")
    bodies = "".join(json.dumps(body) + "\n" for body in collector.bodies)
    run = subprocess.run([PYTHON, ROOT / "tests" / "integration" / "otlp_check.py"], input=bodies, text=True,
                         capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) >= 3


def spans(cluster, result):
    return cluster.sum("logic", f'imc_trace_spans_total{{result="{result}"}}')


def lost_is(cluster, n):
    wait_for(lambda: spans(cluster, "lost") == n, 20, lambda: f"{n} lost spans: {spans(cluster, 'lost')}")


def test_a_collector_that_refuses(cluster, collector, uid):
    lost = spans(cluster, "lost")
    collector.answer = b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too old"}}'
    push(cluster, {"uids": [uid]})
    lost_is(cluster, lost + 1)  # of `send`; `store` may come in a request of its own
    assert 'why="too old"' in cluster.logics[0].log()
    collector.answer = b"{}"


def test_a_collector_that_cannot_or_is_dead(cluster, collector, uid):
    with imgo.TcpClient(cluster.comets[0].tcp).auth(cluster.api.token(uid)) as client:
        cannot_then_dies(cluster, collector, client, uid)


def cannot_then_dies(cluster, collector, client, uid):
    collector.has(push(cluster, {"uids": [uid]}), "send")
    client.push()
    lost = spans(cluster, "lost")
    collector.status = 503
    messages = [push(cluster, {"uids": [uid]})]
    client.push()
    wait_for(lambda: "collector does not take spans" in cluster.logics[0].log(), what="the log to say so")
    collector.stop()
    begun = time.monotonic()
    messages += [push(cluster, {"uids": [uid]}) for _ in range(10)]
    client.pushes(10)
    assert time.monotonic() - begun < 5
    collector.status = 200
    collector.start()
    for message in messages:
        collector.has(message, "send", "process", "deliver")
    assert spans(cluster, "lost") == lost
    assert cluster.logics[0].log().count("collector does not take spans") == 1
    wait_for(lambda: "collector takes spans again" in cluster.logics[0].log(), what="the log to say so")
    collector.status = 400
    push(cluster, {"uids": [uid]})
    lost_is(cluster, lost + 1)
