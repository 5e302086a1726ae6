"""A device of goim v2 written in Go, over TCP (tests/goim/client): on one comet, and spread over four."""
import itertools
import json
import queue
import re
import subprocess
import threading

import pytest

import golang
from cluster import SLOW, Cluster, wait_for
from imgo import PATIENCE

pytestmark = pytest.mark.long

_next_mid = itertools.count(66_000_000)


@pytest.fixture(scope="module")
def program():
    """The client, built. It needs nothing but Go's own library."""
    return golang.build("client")


class Device:
    """A running goimclient."""

    def __init__(self, program, address, heartbeat=0.3 * SLOW, **auth):
        self.popen = subprocess.Popen([program, "-auth", json.dumps(auth), "-heartbeat", f"{heartbeat}s",
                                       "{}:{}".format(*address)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.online = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.popen.stdout:
            what, _, rest = line.rstrip("\n").partition(" ")
            if what == "online":
                self.online.append(int(rest))
            else:
                self.lines.put((what, rest))
        self.lines.put(("end", None))

    def next(self):
        got = self.lines.get(timeout=PATIENCE)
        if got[0] == "end":
            raise AssertionError(f"it ended: {self.popen.stderr.read()}")
        return got

    def _body(self, what):
        got, rest = self.next()
        assert got == what, (got, rest)
        op, _, body = rest.partition(" ")
        return int(op), json.loads(body)  # of what the tests send, Go's quotes are JSON's

    def authenticated(self):
        assert self.next() == ("auth", "")
        return self

    def push(self):
        return self._body("push")

    def ask(self, op, body=""):
        self.popen.stdin.write(f"{op} {body}\n")
        self.popen.stdin.flush()
        return self._body("reply")

    def ends(self):
        """The last words."""
        assert self.popen.wait(PATIENCE) == 1
        self.reader.join()
        return self.popen.stderr.read()

    def close(self):
        self.popen.stdin.close()
        assert self.popen.wait(PATIENCE) in (0, 1)
        self.reader.join()


@pytest.fixture(scope="module", params=[1, 4], ids=["one-comet", "four-comets"])
def trusting(request, bus):
    cluster = Cluster(bus, comets=request.param, env={"IMC_LOGIC_AUTH_TRUST_MID": "yes",
                                                      "IMC_COMET_CONN_HEARTBEAT": "3s"}).wait_ready()
    yield cluster
    cluster.stop()


@pytest.fixture
def mid():
    return next(_next_mid)


@pytest.fixture
def device(program, trusting):
    """device(mid=…) starts a goimclient, on one comet after the other."""
    comets = itertools.cycle(trusting.comets)
    started = []

    def start(**auth):
        started.append(Device(program, next(comets).tcp, **{"key": "", "room_id": "", "platform": "go", **auth}))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_pushes(trusting, device, mid):
    room = f"live://{mid}"
    members = [device(mid=mid + 1_000_000 * i, room_id=room, accepts=[1000, 1001]).authenticated() for i in range(4)]
    for i in range(50):
        trusting.api.push_room(room, f"r{i}", op=1000 + i)
    for one in members:
        assert [one.push() for _ in range(50)] == [(1000 + i, f"r{i}") for i in range(50)]
    trusting.api.push(mid, "not accepted", op=1002)
    trusting.api.push(mid, "an dich, 推送", op=1001)
    assert members[0].push() == (1001, "an dich, 推送")
    trusting.api.push_all("x" * 65536, op=1000)
    for one in members:
        assert one.push() == (1000, "x" * 65536)


def test_what_waited(trusting, device, mid):
    for i in range(20):
        trusting.api.push(mid, f"w{i}")
    trusting.settled()
    one = device(mid=mid).authenticated()
    assert [one.push() for _ in range(20)] == [(5, f"w{i}") for i in range(20)]


def test_changing_the_room_and_counting(trusting, device, mid):
    room, other = f"live://{mid}", f"live://{mid}-2"
    members = [device(mid=mid + 1_000_000 * i, room_id=room).authenticated() for i in range(4)]
    wait_for(lambda: all(one.online[-1:] == [4] for one in members), what="all four to be counted")
    assert members[0].ask(12, other) == (13, other)
    wait_for(lambda: [one.online[-1] for one in members] == [1, 3, 3, 3], what="the counts to follow")
    trusting.api.push_room(other, "yes", op=1007)
    assert members[0].push() == (1007, "yes")
    trusting.api.push_room(room, "to those who stayed", op=1007)
    for one in members[1:]:
        assert one.push() == (1007, "to those who stayed")


def test_operations(trusting, device, mid):
    one = device(mid=mid, accepts=[]).authenticated()
    assert one.ask(14, "1007,1008") == (15, "1007,1008")
    assert one.ask(16, "1007") == (17, "1007")
    assert one.ask(4, "for the business") == (4, "")
    assert one.ask(2000, "too") == (2000, "")
    trusting.api.push(mid, "no", op=1007)
    trusting.settled()
    trusting.api.push(mid, "yes", op=1008)
    assert one.push() == (1008, "yes")


def test_its_heartbeats_of_version_0_keep_the_session(trusting, device, mid):
    """Longer than conn.heartbeat and its grace."""
    one = device(mid=mid).authenticated()
    n = int(6 / 0.3)
    wait_for(lambda: len(one.online) >= n or one.popen.poll() is not None, 60, "heartbeats")
    trusting.api.push(mid, "still here")
    assert one.push() == (5, "still here")
    assert set(one.online) == {0}


def test_refused(device, mid):
    assert re.search(r'disconnect .*code\\":1,', device(mid=mid, token="no such token").ends())
    assert re.search(r'disconnect .*code\\":3,', device(mid="5").ends())
