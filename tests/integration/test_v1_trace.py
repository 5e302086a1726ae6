"""The context of a caller's trace (W3C Trace Context) goes with each message to Kafka, as headers; a wrong one does not."""
import json
import subprocess

from cluster import BUILD

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STATE = "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE"


def headers(cluster, body):
    """The headers of all messages whose envelope has BODY."""
    out = subprocess.run([str(BUILD / "tests" / "tools" / "bus_read"), cluster.bus.brokers, cluster.topic], check=True,
                         timeout=120, capture_output=True, text=True).stdout
    return [one["headers"] for one in map(json.loads, out.splitlines()) if body in bytes.fromhex(one["value"])]


def push(cluster, value, path="/v1/push", **extra):
    status, text, _ = cluster.api.request("POST", path, json.dumps(value), {"Content-Type": "application/json", **extra})
    assert status in (200, 202), text
    return json.loads(text)


def test_each_message_has_it(shared, uids):
    users = uids(2)
    with_it = f"trace-{users[0]}"
    push(shared, {"to": {"uids": users}, "body": with_it}, traceparent=PARENT, tracestate=STATE)
    push(shared, {"to": {"rooms": [with_it]}, "body": with_it}, traceparent=PARENT, tracestate=STATE)
    push(shared, [{"to": {"all": True}, "body": with_it}], "/v1/batch", traceparent=PARENT, tracestate=STATE)
    shared.api.request("POST", f"/1/push?uid={users[0]}", with_it, {"traceparent": PARENT, "tracestate": STATE})
    want = {"traceparent": PARENT, "tracestate": STATE.replace(", ", ",")}
    assert headers(shared, with_it.encode()) == [want] * 5


def test_a_wrong_one_is_left_out(shared, uid):
    for name, sent, want in (("none", {}, {}),
                             ("zero", {"traceparent": PARENT.replace("00f067aa0ba902b7", "0" * 16)}, {}),
                             ("upper", {"traceparent": PARENT.upper(), "tracestate": STATE}, {}),
                             ("alone", {"tracestate": STATE}, {}),
                             ("state", {"traceparent": PARENT, "tracestate": "no state"}, {"traceparent": PARENT}),
                             ("later", {"traceparent": "01" + PARENT[2:] + "-more"}, {"traceparent": PARENT})):
        body = f"trace-{name}-{uid}"
        push(shared, {"to": {"uids": [uid]}, "body": body}, **sent)
        assert headers(shared, body.encode()) == [want], name
