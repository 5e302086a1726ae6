"""Thousands of devices in one thread, which come back elsewhere when their connection ends, and pushes that go on meanwhile.

A device notes everything it gets, connection by connection. So the test can say afterwards what it should have got."""
import collections
import contextlib
import http.client
import json
import random
import selectors
import socket
import struct
import threading
import time

import imgo
from cluster import SLOW, wait_for


class Connection:
    """One life of a device's connection: what came on it, and since when it was in."""

    def __init__(self, server):
        self.server = server
        self.since = None  # the auth reply was read then
        self.ended = False
        self.rooms = []  # numbers of the room's messages, as they came


class Device:
    """A user with one session and one room; every fourth one is goim's."""

    def __init__(self, swarm, uid, token, room):
        self.swarm, self.uid, self.token, self.room = swarm, uid, token, room
        self.goim = uid % 4 == 0
        self.got = []  # numbers of messages to the user, of all its connections
        self.connections = []
        self.reasons = collections.Counter()
        self.nodes = []  # where a comet that drains has sent it, and it has not tried yet
        self.followed = []  # the connections that it made because it was sent there
        self.sock = None
        self.buf = b""

    def now(self):
        return self.connections[-1] if self.connections and not self.connections[-1].ended else None

    def connect(self):
        server = self.swarm.reached_at(self.nodes.pop(0)) if self.nodes else None
        self.connections.append(Connection(server or random.choice(self.swarm.comets)))
        if server:
            self.followed.append(self.connections[-1])
        self.buf = b""
        self.sock = socket.socket()
        self.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self.sock.connect(self.connections[-1].server.tcp)
        self.swarm.selector.register(self.sock, selectors.EVENT_WRITE, self)

    def on_event(self, mask):
        try:
            if mask & selectors.EVENT_WRITE:
                body = json.dumps({"token": self.token}) if self.goim else self.token
                self.sock.send(imgo.frame(imgo.AUTH, body.encode()))
                self.swarm.selector.modify(self.sock, selectors.EVENT_READ, self)
                return
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
            return
        self.buf += data
        self.take()

    def take(self):
        at = 0
        while len(self.buf) - at >= 16:
            length, _, _, op, _ = struct.unpack_from(">IHHii", self.buf, at)
            if len(self.buf) - at < length:
                break
            self.frame(op, self.buf[at + 16:at + length])
            at += length
        self.buf = self.buf[at:]

    def frame(self, op, body):
        if op == imgo.AUTH_REPLY:
            self.connections[-1].since = time.monotonic()
        elif op == imgo.DISCONNECT:
            reason = json.loads(body)
            self.reasons[reason["code"]] += 1
            self.nodes = list(reason.get("nodes", ()))
        else:
            kind, run, number = body.decode().split(":")
            if run == self.swarm.run:  # else it waited for the user since an earlier test
                (self.got if kind == "user" else self.connections[-1].rooms).append(int(number))

    def end(self):
        self.swarm.selector.unregister(self.sock)
        self.sock.close()
        self.connections[-1].ended = True
        if self.swarm.back:
            self.swarm.later(random.uniform(0.05, 0.5), self.connect)

    def move(self):
        """Leaves as a device does that changes its network: it closes its side, reads to the end, and comes back."""
        if self.now() and self.now().since:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)


class Swarm:
    """with Swarm(comets, {uid: (token, room)}) as swarm: all of them are in. COMETS may be changed at any time: it is where
    they connect to, unless a comet that drains sends them to another one."""

    def __init__(self, comets, users):
        self.comets = list(comets)
        self.known = list(comets)  # also those that it has left out since
        self.run = f"{random.getrandbits(32):x}"
        self.selector = selectors.DefaultSelector()
        self.devices = [Device(self, uid, *what) for uid, what in users.items()]
        self.back = True
        self._orders = collections.deque()  # (time, function), of any thread
        self._due = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def later(self, seconds, function):
        self._orders.append((time.monotonic() + seconds, function))

    def _run(self):
        while not self._end.is_set():
            for key, mask in self.selector.select(0.02):
                key.data.on_event(mask)
            while self._orders:
                self._due.append(self._orders.popleft())
            now = time.monotonic()
            due = [function for when, function in self._due if when <= now]
            self._due = [order for order in self._due if order[0] > now]
            for function in due:
                function()

    def __enter__(self):
        for i, device in enumerate(self.devices):
            self.later(i / 2000, device.connect)
        self._thread.start()
        self.all_in()
        return self

    def __exit__(self, *exc):
        self.back = False
        self._end.set()
        self._thread.join()
        for device in self.devices:
            if device.now():
                device.sock.close()

    def outside(self):
        return [d for d in self.devices if d.now() is None or d.now().since is None]

    def reached_at(self, node):
        """The comet with this address; None: there is none."""
        return next((comet for comet in self.known if f"{comet.tcp[0]}:{comet.tcp[1]}" == node), None)

    def all_in(self, timeout=30):
        wait_for(lambda: not self.outside(), timeout, lambda: f"{len(self.outside())} devices to be in again: "
                 f"{[dict(d.reasons) for d in self.outside()[:5]]}")

    def move(self, devices):
        for device in devices:
            self.later(0, device.move)

    def at(self, server):
        return [d for d in self.devices if d.now() and d.now().server is server]


class Pushes:
    """with Pushes(swarm.run, apis, uids, rooms, per_second) as pushes: pushes rising numbers, each again under the same id
    until it is accepted. So the messages of a user or a room are accepted in the order of their numbers. APIS may be
    changed."""

    def __init__(self, run, apis, uids, rooms, per_second, threads=8):
        self.run = run
        self.apis = list(apis)
        self.every = threads / per_second
        self.users = {uid: [] for uid in uids}  # numbers
        self.rooms = {room: [] for room in rooms}  # (number, begun, accepted)
        self.retries = 0
        self.longest = 0.0
        self.pushed = 0
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(uids[i::threads], rooms[i::threads], i))
                         for i in range(threads)]

    def __enter__(self):
        self.begun = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def rate(self):
        return self.pushed / (time.monotonic() - self.begun)

    def _run(self, uids, rooms, lane):
        """Three to users, then two to rooms."""
        number, due = 0, time.monotonic()
        while not self._end.is_set():
            if number % 5 < 3:
                uid = uids[number % len(uids)]
                self._push(number, lane, f"/1/push?uid={uid}", f"user:{self.run}:{number}")
                self.users[uid].append(number)
            else:
                room, begun = rooms[number % len(rooms)], time.monotonic()
                self._push(number, lane, f"/1/push/room?rid={room}", f"room:{self.run}:{number}")
                self.rooms[room].append((number, begun, time.monotonic()))
            number += 1
            self.pushed += 1
            due = max(due + self.every, time.monotonic() - 1)
            self._end.wait(max(0, due - time.monotonic()))

    def _push(self, number, lane, path, body):
        begin = time.monotonic()
        tries = 0
        while True:
            api = self.apis[(number + tries) % len(self.apis)]
            try:
                status, text, _ = api.request("POST", f"{path}&id={self.run}-{lane}-{number}", body)
            except (OSError, http.client.HTTPException):
                status, text = 0, ""
            if status == 200:
                assert text == '{"ret":1}', text
                break
            tries += 1
            assert time.monotonic() - begin < 30 * SLOW, f"not accepted for 30 s: {status} {text}"
            time.sleep(0.05)
        self.retries += tries
        self.longest = max(self.longest, time.monotonic() - begin)

    def go_on(self, n, timeout=60):
        goal = self.pushed + n
        wait_for(lambda: self.pushed >= goal, timeout, lambda: f"{n} more pushes")


def missing(device, pushes):
    """What DEVICE's user should have got, and has not."""
    return sorted(set(pushes.users[device.uid]) - set(device.got))


def missing_in_room(device, pushes):
    """{connection: numbers}: on each connection everything from the first message that was begun after the auth reply on;
    on one that has ended, to the last that came."""
    result = {}
    for connection in device.connections:
        if connection.since is None:
            continue
        due = {number for number, begun, _ in pushes.rooms[device.room] if begun > connection.since}
        if connection.ended:
            due = {number for number in due if number <= max(connection.rooms, default=-1)}
        if due - set(connection.rooms):
            result[connection] = sorted(due - set(connection.rooms))
    return result


def wait_for_all(devices, pushes, timeout=20):
    """Pushes have ended: all devices have what they should get."""
    def lacking():
        return [device for device in devices if missing(device, pushes) or missing_in_room(device, pushes)]
    wait_for(lambda: not lacking(), timeout, lambda: [
        (d.uid, missing(d, pushes), d.room, [(c.server.name, c.since, c.ended, missing_in_room(d, pushes).get(c))
                                             for c in d.connections]) for d in lacking()[:5]])


def check_order(device):
    """What DEVICE got came in the order of its numbers. The number of repetitions to the user."""
    for what, got in (("its user", device.got), *((device.room, c.rooms) for c in device.connections)):
        firsts = list(dict.fromkeys(got))
        assert firsts == sorted(firsts), f"{device.uid}: {what}: out of order: {got}"
    return len(device.got) - len(set(device.got))
