"""Acknowledged sessions on each wire form, and what they have to get."""
import json

import goim
import imgo
from cluster import wait_for

KINDS = {"goim-tcp": (goim.TcpClient, "tcp"), "goim-ws": (goim.WsClient, "ws"), "json": (imgo.WsClient, "ws")}


def connect(comet, kind, token, **fields):
    client, port = KINDS[kind]
    return client(getattr(comet, port)).auth_acked(token, **fields)


def acknowledge(client):
    """Acknowledges the next message of its user; what comes to rooms and to all passes by."""
    while True:
        got = client.recv()
        if got.id is not None:
            client.ack(got.seq)
            return


def messages(client, n):
    """The next N messages: (sequence, id, body)."""
    return [client.acked_push() for _ in range(n)]


def sessions(cluster, uid):
    """How many sessions of UID the routers know."""
    status, text, _ = cluster.api.request("GET", f"/v1/sessions?uid={uid}")
    assert status == 200, text
    return len(json.loads(text)["sessions"])


def leave(cluster, uid, client, left=0):
    """Resets CLIENT, which has read all that came, and waits until the routers know only LEFT sessions of UID."""
    client.send(imgo.HEARTBEAT)  # what it has acknowledged is read
    assert client.recv().op == imgo.HEARTBEAT_REPLY
    client.reset()
    wait_for(lambda: sessions(cluster, uid) == left, 10, f"{left} sessions of the user to be left")


class Reader:
    """What one device got, over all its sessions."""

    def __init__(self):
        self.ids = {}  # body → id
        self.order = []  # bodies, each when it came first
        self.repeats = 0

    def take(self, message):
        _, id, body = message
        if body in self.ids:
            assert self.ids[body] == id, f"{body} came with id {id}, and before that with {self.ids[body]}"
            self.repeats += 1
        else:
            assert id not in self.ids.values(), f"{body} came with the id of another message"
            self.ids[body] = id
            self.order.append(body)

    def until(self, client, wanted, ack=True):
        """Reads, and acknowledges, until everything of WANTED has come."""
        while not set(wanted) <= self.ids.keys():
            message = client.acked_push()
            self.take(message)
            if ack:
                client.ack(message[0])
