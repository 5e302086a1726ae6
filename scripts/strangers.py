"""What strangers do to a comet, from two addresses of this machine, until killed or for SECONDS: python3 scripts/strangers.py
--tcp HOST:PORT --ws HOST:PORT --seconds S [--connections N] [--rate R] [--token T]

One address opens R connections a second until it has N, and opens anew what is closed. Those to the WebSocket port send a
byte of a handshake every second, those to the TCP port nothing. The other address has 20 sessions of the user of T, which
send heartbeats as fast as they can, and come back when they are closed. Prints what became of it, as JSON."""
import argparse
import collections
import errno
import json
import selectors
import socket
import struct
import time

SLOW, FAST = "127.66.6.6", "127.66.6.7"
HANDSHAKE = b"GET /sub HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 1000
FLOODS = 20
FLOOD = struct.pack(">IHHii", 16, 16, 1, 2, 1) * 4096


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


class Strangers:
    def __init__(self, options):
        self.tcp, self.ws = address(options.tcp), address(options.ws)
        self.options = options
        self.selector = selectors.DefaultSelector()
        self.counts = collections.Counter()
        self.slow = {}  # socket: bytes of the handshake that it has sent; None: TCP
        self.floods = {}  # socket: what it is to send next

    def open(self, to, source):
        sock = socket.socket()
        sock.setblocking(False)
        try:
            sock.bind((source, 0))
            sock.connect(to)
        except BlockingIOError:
            return sock
        except OSError as error:
            self.counts[errno.errorcode[error.errno]] += 1
            sock.close()
            return None
        return sock

    def open_slow(self):
        is_ws = len(self.slow) % 2 == 0
        sock = self.open(self.ws if is_ws else self.tcp, SLOW)
        self.counts["tried"] += 1
        if sock is not None:
            self.slow[sock] = 0 if is_ws else None
            self.selector.register(sock, selectors.EVENT_READ, self.read_slow)

    def read_slow(self, sock):
        try:
            if sock.recv(4096):
                return
            self.counts["closed"] += 1
        except ConnectionError:
            self.counts["reset"] += 1
        except BlockingIOError:
            return
        self.selector.unregister(sock)
        del self.slow[sock]
        sock.close()

    def drip(self):
        for sock, sent in list(self.slow.items()):
            if sent is not None and sent < len(HANDSHAKE):
                try:
                    self.slow[sock] += sock.send(HANDSHAKE[sent:sent + 1])
                except OSError:
                    pass  # seen when it is read

    def open_flood(self):
        sock = self.open(self.tcp, FAST)
        if sock is None:
            return
        token = self.options.token.encode()
        self.floods[sock] = struct.pack(">IHHii", 16 + len(token), 16, 1, 7, 1) + token + FLOOD
        self.counts["floods"] += 1
        self.selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, self.flood)

    def flood(self, sock):
        try:
            while (data := sock.recv(1 << 20)) and len(data) == 1 << 20:
                continue
            if not data:
                raise ConnectionResetError
        except BlockingIOError:
            pass
        except ConnectionError:
            self.end_flood(sock)
            return
        try:
            rest = self.floods[sock]
            self.floods[sock] = rest[sock.send(rest):] or FLOOD
        except BlockingIOError:
            pass
        except OSError:
            self.end_flood(sock)

    def end_flood(self, sock):
        self.counts["floods ended"] += 1
        self.selector.unregister(sock)
        del self.floods[sock]
        sock.close()

    def run(self):
        end = time.monotonic() + self.options.seconds
        dripped, begun = 0.0, time.monotonic()
        while (now := time.monotonic()) < end:
            due = (now - begun) * self.options.rate
            while self.counts["tried"] < due and len(self.slow) < self.options.connections:
                self.open_slow()
            if now - dripped > 1:
                dripped = now
                self.drip()
                for _ in range(FLOODS - len(self.floods) if self.options.token else 0):
                    self.open_flood()
            for key, _ in self.selector.select(0.01):
                key.data(key.fileobj)
        self.counts["held"] = len(self.slow)
        return dict(self.counts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tcp", required=True)
    parser.add_argument("--ws", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--token", default="")
    print(json.dumps(Strangers(parser.parse_args()).run()))


if __name__ == "__main__":
    main()
