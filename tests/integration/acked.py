"""Acknowledged sessions on each wire form, and what they have to get."""
import goim
import imgo

KINDS = {"goim-tcp": (goim.TcpClient, "tcp"), "goim-ws": (goim.WsClient, "ws"), "json": (imgo.WsClient, "ws")}


def connect(comet, kind, token, **fields):
    client, port = KINDS[kind]
    return client(getattr(comet, port)).auth_acked(token, **fields)


def messages(client, n):
    """The next N messages: (sequence, id, body)."""
    return [client.acked_push() for _ in range(n)]


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
