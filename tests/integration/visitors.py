"""Clients that enter and leave rooms at random while pushes to the rooms flow, and the check of what they got."""
import collections
import http.client
import random
import threading
import time

import goim
import imgo
from cluster import SLOW, wait_for

JOIN, LEAVE, CHANGE_ROOM = 20, 22, 12


class RoomTraffic:
    """with RoomTraffic(apis, rooms) as traffic: LANES pushers, each with rooms of its own, push "ROOM:NUMBER" to one room after
    the other. A room's numbers rise, and one is begun when the one before was answered."""

    def __init__(self, apis, rooms, lanes=4, every=0.01):
        self.apis, self.rooms, self.every = apis, rooms, every
        self.begun = dict.fromkeys(rooms, 0)  # numbers below this are on their way, or were answered
        self.accepted = {room: [] for room in rooms}
        self.errors = []
        self.end = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(rooms[lane::lanes],)) for lane in range(lanes)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.end.set()
        for thread in self.threads:
            thread.join()

    @property
    def pushed(self):
        return sum(map(len, self.accepted.values()))

    def _run(self, rooms):
        while True:
            for room in rooms:
                if self.end.wait(self.every):
                    return
                number = self.begun[room]
                self.begun[room] += 1
                try:
                    answer = self.apis[number % len(self.apis)].call("POST", "/1/push/room", f"{room}:{number}", rid=room)
                except (OSError, http.client.HTTPException) as error:
                    answer = repr(error)
                if answer == (200, {"ret": 1}):
                    self.accepted[room].append(number)
                else:
                    self.errors.append(answer)


class Visitor(threading.Thread):
    """Visits one room after the other. In each it stays until it has got some messages, all that were accepted from when
    it was told that it is in the room. FAULTS: a server may end the connection, or repeat something."""

    def __init__(self, cluster, traffic, uid, seed, faults):
        super().__init__()
        self.cluster, self.traffic, self.uid, self.faults = cluster, traffic, uid, faults
        self.random = random.Random(seed)
        self.client = None
        self.visits = 0
        self.cut = 0
        self.slowest = 0.0
        self.wrong = []
        self.got = collections.defaultdict(list)

    def run(self):
        while not self.traffic.end.is_set() and not self.wrong:
            try:
                self.visit(self.random.choice(self.traffic.rooms))
            except imgo.Closed as closed:
                self.cut += 1
                if not self.faults or closed.reason is not None and closed.reason["code"] not in (9, 12):
                    self.wrong.append(f"closed: {closed}")
                self.client = None
            except (OSError, TimeoutError, AssertionError, http.client.HTTPException) as error:
                # A comet that stands still lets nobody in; a logic that is waited for, neither.
                if not self.faults or isinstance(error, AssertionError):
                    self.wrong.append(repr(error))
                self.client = None
                time.sleep(0.1)
        if self.client is not None:
            self.client.close()

    # --- what came ---

    def take(self, frame):
        body = frame.body if isinstance(frame.body, str) else frame.body.decode()
        room, number = body.rsplit(":", 1)
        self.got[room].append(int(number))

    def until(self, op, timeout):
        """The reply with operation OP; what comes before it is noted."""
        end = time.monotonic() + timeout
        while True:
            frame = self.client.recv(max(0.01, end - time.monotonic()))
            if frame.op == op:
                return
            self.take(frame)

    # --- ways in ---

    def connect(self, room):
        """Opens a session that enters ROOM by its token or its auth (None: no room). Returns when it was told."""
        kind = self.random.choice([imgo.TcpClient, imgo.WsClient, goim.TcpClient, goim.WsClient])
        comet = self.random.choice(self.cluster.comets)
        beside = self.random.random() < 0.5
        rooms = {} if room is None else {"rooms": room} if beside else {"room": room}
        token = self.cluster.api.token(self.uid, **rooms)
        self.client = kind(comet.ws if issubclass(kind, imgo.WsClient) else comet.tcp)
        if issubclass(kind, (goim.TcpClient, goim.WsClient)):
            self.client.auth(token=token)
        else:
            self.client.auth(token)

    def enter(self, room):
        if self.client is None or self.random.random() < 0.3:
            if self.client is not None:
                self.client.close()
            self.client = None
            by_auth = self.random.random() < 0.7
            self.connect(room if by_auth else None)
            if by_auth:
                return
        is_goim = isinstance(self.client, (goim.TcpClient, goim.WsClient))
        op = CHANGE_ROOM if is_goim and self.random.random() < 0.5 else JOIN
        self.client.send(op, room.encode(), 9)
        self.until(op + 1, 15 * SLOW)

    def visit(self, room):
        self.got.clear()
        begin = time.monotonic()
        self.enter(room)
        first = self.traffic.begun[room]
        self.slowest = max(self.slowest, time.monotonic() - begin)
        self.stay(room, first)
        self.visits += 1
        self.client.send(LEAVE, room.encode(), 9)
        self.until(LEAVE + 1, 15 * SLOW)

    def missing(self, room, first):
        accepted = self.traffic.accepted[room]
        return {n for n in accepted[-100:] if n >= first} - set(self.got[room])

    def stay(self, room, first):
        """Until some of what was begun after FIRST is accepted, and all that was accepted by then has come."""
        enough = first + self.random.randrange(1, 4)
        end = time.monotonic() + 25 * SLOW
        missing = None
        while missing is None or missing:
            if missing is None and (self.traffic.begun[room] > enough or self.traffic.end.is_set()):
                missing = self.missing(room, first)
                continue
            try:
                self.take(self.client.recv(0.05))
            except TimeoutError:
                if time.monotonic() > end:
                    self.wrong.append(f"{type(self.client).name} {room}: in it from {first} on, never got {missing}, "
                                      f"but {self.got[room]}")
                    return
            missing = None if missing is None else missing - set(self.got[room])
        got = self.got[room]
        firsts = list(dict.fromkeys(got))
        if firsts != sorted(firsts) or (not self.faults and firsts != got):
            self.wrong.append(f"{type(self.client).name} {room}: order or repeats: {got}")


def visit_rooms(cluster, uids, rooms=24, visitors=12, seconds=8, fault=None):
    """Visitors for SECONDS, and FAULT() meanwhile. Returns (visits, slowest join)."""
    names = [f"{uids[0]}-r{n}" for n in range(rooms)]
    with RoomTraffic([logic.api for logic in cluster.logics], names) as traffic:
        crowd = [Visitor(cluster, traffic, uid, seed, fault is not None) for seed, uid in enumerate(uids[:visitors])]
        for visitor in crowd:
            visitor.start()
        begin = time.monotonic()
        if fault is not None:
            fault()
        wait_for(lambda: time.monotonic() - begin > seconds or any(v.wrong for v in crowd), 4 * seconds + 60)
        pushed = traffic.pushed
    for visitor in crowd:
        visitor.join()
    wrong = [word for visitor in crowd for word in visitor.wrong]
    visits = sum(visitor.visits for visitor in crowd)
    slowest = max(visitor.slowest for visitor in crowd)
    report = f"{visits} visits, {sum(v.cut for v in crowd)} cut, {pushed} pushes, {len(traffic.errors)} errors, " \
             f"slowest join {slowest:.2f} s"
    print(report)
    assert not wrong, f"{report}:\n" + "\n".join(wrong[:5])
    return visits, slowest
