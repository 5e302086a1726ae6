"""What clients send to the business: clusters that hand it on, and what is then on the topic."""
import collections
import json
import subprocess

import goim
import imgo
from cluster import BUILD

SETTINGS = {"IMC_LOGIC_BUS_TIMEOUT": "2s", "IMC_COMET_COMET_WORKERS": "2"}

Event = collections.namedtuple("Event", "partition offset key value headers")


def events(cluster):
    """All events of the topic, partition by partition, each in order."""
    out = subprocess.run([str(BUILD / "tests" / "tools" / "bus_read"), cluster.bus.brokers, cluster.upstream], check=True,
                         timeout=120, capture_output=True, text=True).stdout
    return [Event(one["partition"], one["offset"], bytes.fromhex(one["key"]), bytes.fromhex(one["value"]), one["headers"])
            for one in map(json.loads, out.splitlines())]


def of_uid(cluster, uid):
    return [one for one in events(cluster) if one.key == str(uid).encode()]


def values(cluster, uid):
    return [one.value for one in of_uid(cluster, uid)]


def firsts(found):
    """FOUND without events that came before: those have the id of an earlier one."""
    seen = {}
    for one in found:
        first = seen.setdefault(one.headers["ce_id"], one)
        assert (first.value, first.headers) == (one.value, one.headers), (first, one)
    return list(seen.values())


def settings(bus, there=True, **more):
    """Settings of a cluster that hands on to a topic of its own, which is made if it is to be THERE; and its name."""
    topic = f"{bus.topic()}-upstream"
    if there and bus.kind == "kafka":
        bus.topic_tool("create", topic, 4)
    return {**SETTINGS, "IMC_LOGIC_UPSTREAM_TOPIC": topic, **more}, topic


def session(cluster, uid, kind=imgo.TcpClient, **token):
    """A client of UID, by one of the protocols."""
    comet = cluster.comets[0]
    client = kind(comet.ws if kind in (imgo.WsClient, goim.WsClient) else comet.tcp)
    if kind in (goim.TcpClient, goim.WsClient):
        client.auth(token=cluster.api.token(uid, **token), key="phone-7")
        return client
    return client.auth(cluster.api.token(uid, **token))


def send(client, body, seq=9, op=4):
    """Sends, and waits for the answer."""
    client.send(op, body, seq)
    return client.recv()
