"""Session events: clusters that tell them, what is on the topic then, and the books of what has to be there."""
import collections
import json
import subprocess

from cluster import BUILD, wait_for


def settings(bus, types=None, create=True, **more):
    """Settings of a cluster that tells events, of TYPES, to a topic of its own; and the topic's name."""
    name = bus.topic()
    topic = f"{name}-events"
    if bus.kind == "kafka" and create:
        bus.topic_tool("create", topic, 4)
    if types is not None:
        more |= {"IMC_LOGIC_EVENTS_TYPES": types, "IMC_JOB_EVENTS_TYPES": types}
    return {"IMC_LOGIC_EVENTS_LOG": f"{name}-sessions", "IMC_JOB_EVENTS_LOG": f"{name}-sessions",
            "IMC_JOB_EVENTS_TOPIC": topic, "IMC_JOB_EVENTS_GROUP": f"{name}-events",
            "IMC_COMET_COMET_WORKERS": "2", **more}, topic


def read(bus, topic):
    """All messages of TOPIC, partition by partition, each in order."""
    out = subprocess.run([str(BUILD / "tests" / "tools" / "bus_read"), bus.brokers, topic], check=True, timeout=120,
                         capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def events(cluster):
    """All events of the topic as the business reads them: dicts, each with its "key"."""
    found = []
    for one in read(cluster.bus, cluster.events):
        assert one["headers"] == {"content-type": "application/cloudevents+json; charset=UTF-8"}, one
        event = json.loads(bytes.fromhex(one["value"]))
        assert bytes.fromhex(one["key"]).decode() == event["subject"], one
        found.append(event)
    return found


def kind(event):
    prefix, thing, what, version = event["type"].rsplit(".", 3)
    assert prefix == "io.imc" and version == "v1" and thing in ("session", "room", "message"), event
    return what


def firsts(found):
    """FOUND without what came before, and in the order of the first occurrences: rising per uid."""
    seen, last = {}, collections.defaultdict(str)
    for event in found:
        first = seen.setdefault(event["id"], event)
        if first is event:
            assert event["sequence"] > last[event["subject"]], (last, event)
            last[event["subject"]] = event["sequence"]
        else:
            # A job that reads a message again takes note of it again; two logics that write what a comet says may hear of it
            # a moment apart.
            other = {"sequence": ""} if kind(event) in ("connected", "disconnected") else {"sequence": "", "time": ""}
            if kind(event) == "expired":  # what has left its mailbox is over by its ttl when a job reads it again
                other["data"] = ""
            assert {**first, **other} == {**event, **other}, (first, event)
    return list(seen.values())


def of_uid(cluster, uid):
    return [event for event in firsts(events(cluster)) if event["subject"] == str(uid)]


def told(cluster, uid, kinds, timeout=30):
    """The events of UID, when they are of KINDS: "connected disconnected"."""
    got = []

    def there():
        got[:] = of_uid(cluster, uid)
        return " ".join(map(kind, got)) == kinds

    wait_for(there, timeout, lambda: f"{kinds}, got {got}", 0.3)
    return got


def balance(found):
    """Sessions without an end, and ends without a beginning. With events.debounce a connected may stand for an end."""
    opened = {event["data"]["session"] for event in found if kind(event) == "connected"}
    ended = {event["data"]["session"] for event in found if kind(event) == "disconnected"}
    replaced = {former for event in found for former in event["data"].get("replaces", ())}
    assert not ended & replaced, ended & replaced
    return opened - ended - replaced, (ended | replaced) - opened
