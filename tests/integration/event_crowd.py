"""Users who come and go, move between rooms and get messages while daemons die at random: what the books of events are
checked against (event_books.py)."""
import collections
import http.client
import json
import random
import threading
import time

import goim
import imgo

JOIN, LEAVE = 20, 22
ROOMS = 3
ENDED = (imgo.Closed, OSError, http.client.HTTPException)


class Person(threading.Thread):
    """A user who has one session after the other until END. KIND: "plain", "acked", or "both", in turns."""

    def __init__(self, cluster, uid, kind, seed):
        super().__init__(daemon=True)  # a test that failed does not wait for it
        self.cluster, self.uid, self.kind = cluster, uid, kind
        self.random = random.Random(seed)
        room = {"room": f"{uid}-0"} if self.random.random() < 0.5 else {}
        self.token = cluster.api.token(uid, **room)
        self.end = threading.Event()
        self.calm = threading.Event()  # one last session, which stays until END
        self.sessions = 0  # that were let in
        self.got, self.acked = set(), set()  # ids, of acknowledged sessions
        self.pending = set()  # of the present one: what is acknowledged with the next one
        self.wrong = []
        self.client = None

    def run(self):
        try:
            while not self.end.is_set():
                try:
                    self.session()
                except ENDED:  # and TimeoutError
                    self.end.wait(self.random.uniform(0.02, 0.3))
                finally:
                    self.leave()
        except AssertionError as failure:
            self.wrong.append(f"{self.uid}: {failure!r}")

    def leave(self):
        client, self.client = self.client, None
        if client is None or client.sock is None:
            return
        if self.random.random() < 0.3:
            client.reset()
        else:
            client.close()

    def session(self):
        acked = self.kind == "acked" or self.kind == "both" and self.random.random() < 0.5
        kind = goim.TcpClient if acked else imgo.TcpClient
        self.client = kind(self.random.choice(self.cluster.comets).tcp)
        if acked:
            self.client.auth_acked(self.token)
        else:
            self.client.auth(self.token, timeout=5)
        self.sessions += 1
        self.pending = set()
        if self.calm.is_set():
            self.stay(acked)
            return
        for _ in range(self.random.randrange(25)):
            if self.calm.is_set():
                return
            self.act(acked)

    def act(self, acked):
        what = self.random.random()
        if what < 0.5:
            self.read(acked, self.random.uniform(0, 0.3))
        else:
            self.move(JOIN if what < 0.75 else LEAVE)

    def move(self, operation):
        self.client.send(operation, f"{self.uid}-{self.random.randrange(ROOMS)}".encode(), 9)

    def read(self, acked, seconds, always=False):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                frame = self.client.recv(left)
            except TimeoutError:
                return
            if not acked or frame.id is None:
                continue
            self.got.add(frame.id)
            self.pending.add(frame.id)
            if always or self.random.random() < 0.5:
                self.acked |= self.pending
                self.client.ack(frame.seq)

    def stay(self, acked):
        """Enters a room of its own, and takes all that still comes."""
        self.client.send(JOIN, f"{self.uid}-last".encode(), 9)
        while not self.end.is_set():
            self.read(acked, 0.3, always=True)
            self.move(self.random.choice((JOIN, LEAVE)))


class Pusher(threading.Thread):
    """Pushes to one after the other of UIDS, some with a ttl or a collapse key, until END."""

    def __init__(self, cluster, uids, seed, every=0.1):
        super().__init__(daemon=True)  # a test that failed does not wait for it
        self.cluster, self.uids, self.every = cluster, uids, every
        self.random = random.Random(seed)
        self.end = threading.Event()
        self.accepted = collections.defaultdict(dict)  # uid: {id: what it was pushed with}
        self.unsure = collections.Counter()  # uid: pushes that may have been accepted, with an id that nobody knows

    def run(self):
        while not self.end.wait(self.every):
            self.push(self.random.choice(self.uids))

    def push(self, uid):
        more = self.random.choice([{}] * 7 + [{"ttl": 1}, {"ttl": 3}, {"collapse": "k"}])
        body = json.dumps({"to": {"uids": [uid]}, "body": "m", **more})
        try:
            status, text, _ = self.random.choice(self.cluster.logics).api.request(
                "POST", "/v1/push", body, {"Content-Type": "application/json"})
        except (OSError, http.client.HTTPException) as error:
            self.unsure[uid] += not isinstance(error, ConnectionRefusedError)
            return
        if status == 202:
            self.accepted[uid][int(json.loads(text)["messages"][0]["id"])] = more
        else:
            self.unsure[uid] += 1


class Killer:
    """Kills one daemon, or two at once, again and again, each for a while of its own. LOG says what it did."""

    def __init__(self, cluster, seed):
        self.cluster = cluster
        self.random = random.Random(seed)
        self.dead = {}  # daemon: when it is started again
        self.log = []
        self.begun = time.monotonic()

    def note(self, what, daemons):
        self.log.append(f"{time.monotonic() - self.begun:.2f} {what} {' '.join(d.name for d in daemons)}")

    def revive(self):
        for daemon in [d for d, due in self.dead.items() if due <= time.monotonic()]:
            del self.dead[daemon]
            daemon.start()
            self.note("start", [daemon])

    def strike(self):
        living = [d for d in self.cluster.daemons() if d not in self.dead]
        victims = self.random.sample(living, self.random.choice((1, 2, 2)))
        for daemon in victims:
            daemon.popen.kill()
        for daemon in victims:
            daemon.popen.wait()
            self.dead[daemon] = time.monotonic() + self.random.choice((0, 0.5, 2, 4))
        self.note("kill", victims)

    def run(self, seconds):
        """For SECONDS. In the main thread, whose children die with it."""
        until, due = time.monotonic() + seconds, time.monotonic() + 0.5
        while time.monotonic() < until:
            time.sleep(0.02)
            self.revive()
            if time.monotonic() >= due and len(self.dead) < 3:
                self.strike()
                due = time.monotonic() + self.random.uniform(0.3, 2)
