"""What tests of bad input share: one cluster with short deadlines, a witness that must notice nothing, raw sockets.

A test file imports the fixtures hostile_cluster and hostile (not used directly) and world. Whatever a test does to a port, after
it every daemon must be the same process, ready and without a sanitizer's complaint, and the witness' pushes must have gone on.
"""
import collections
import contextlib
import json
import os
import re
import selectors
import socket
import struct
import subprocess
import threading
import time
import traceback

import pytest

import cluster as cluster_module
import imgo
from cluster import SLOW, wait_for

HANDSHAKE_S, HEARTBEAT_S, HTTP_S, IDLE_S = 1.5 * SLOW, 4.0 * SLOW, 1.0 * SLOW, 2.0 * SLOW
CONN_MAX = 600
CHECK_EVERY_S = 1
MAX_BODY = 4096
# Codes of operation 6, as metrics call them.
CODES = dict(enumerate((
    "bad_token", "handshake_timeout", "malformed", "body_too_large", "replaced", "too_many_sessions", "kicked",
    "too_slow", "going_away", "rate_limited", "heartbeat_missed", "unavailable", "unknown_op"), 1))
GOOD_ORIGIN = "https://good.example"
TOOLS = cluster_module.BUILD / "tests" / "tools"
LATENCY_S = 5.0 * SLOW  # the longest a push to the witness may take: "other sessions notice nothing"
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(32)) + bytes(157)


def _ms(seconds):
    return f"{round(seconds * 1000)}ms"


def settings():
    return {
        "IMC_COMET_CONN_HANDSHAKE_TIMEOUT": _ms(HANDSHAKE_S),
        "IMC_COMET_LOGIC_CONNECT_TIMEOUT": _ms(HANDSHAKE_S * 2 / 3),
        "IMC_COMET_CONN_HEARTBEAT": _ms(HEARTBEAT_S),
        "IMC_COMET_CONN_LINGER": "1s",
        "IMC_COMET_CONN_MAX": str(CONN_MAX),
        "IMC_COMET_WS_ALLOWED_ORIGINS": GOOD_ORIGIN,
        "IMC_COMET_SESSION_FRAMES_PER_SECOND": "0",  # floods have to reach what is behind that limit
        "IMC_COMET_SESSION_BYTES_PER_SECOND": "0",
        "IMC_LOGIC_API_HOSTS": "h,x",  # what the raw requests name
        "IMC_LOGIC_API_HEADER_TIMEOUT": _ms(HTTP_S),
        "IMC_LOGIC_API_BODY_TIMEOUT": _ms(HTTP_S),
        "IMC_LOGIC_API_IDLE_TIMEOUT": _ms(IDLE_S),
        "IMC_JOB_JOB_MAX_MESSAGE": "256k",
        **{f"IMC_{kind}_LEASE_RENEW": "250ms" for kind in ("COMET", "LOGIC", "ROUTER", "JOB")},
    }


# --- the witness ---

class Witness(threading.Thread):
    """Healthy sessions on both transports and (most likely) every loop of the comet, each of a user of its own. Each gets every
    push to the users and to their room, once, in order and soon; heartbeats go on all the while."""

    SESSIONS = 3  # per transport
    ROOM = "the-witness"

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster = cluster
        first = 77_000_000 + os.getpid() * 10
        self.uids = list(range(first, first + 2 * self.SESSIONS))
        self.rounds = 0
        self.slowest = 0.0
        self.failure = None
        self.may_repeat = False  # of tests that make others take a comet for dead: what was on its way then comes again
        self.done = threading.Event()
        comet = cluster.comets[0]
        self.clients = []
        for uid in self.uids:
            client = imgo.TcpClient(comet.tcp) if uid % 2 else imgo.WsClient(comet.ws)
            self.clients.append(client.auth(cluster.api.token(uid, room=self.ROOM), timeout=15))

    def run(self):
        try:
            while not self.done.is_set():
                self._round()
                self.done.wait(0.02)
        except BaseException:  # told by check()
            self.failure = traceback.format_exc()

    def _round(self):
        number = self.rounds + 1
        room = number % 4 == 0
        body = f"witness-{number}"
        begin = time.monotonic()
        if room:
            self.cluster.api.push_room(self.ROOM, f'"{body}"')
        else:
            self.cluster.api.pushs(self.uids, body)
        for client in self.clients:
            if number % 8 == 1:
                client.send(imgo.HEARTBEAT, seq=number)
            try:
                self._expect(client, body)
            except TimeoutError:
                raise AssertionError(f"{client.name} waited {LATENCY_S:.0f} s in vain for {body}\n{self._state()}") from None
        self.slowest = max(self.slowest, time.monotonic() - begin)
        self.rounds = number

    def _state(self):
        """What may explain it."""
        names = ("unresolved", "held", "incomplete", "missing", "sessions", "gone", "spill", "outstanding", "lookups", "streams_up",
                 "fenced", "malformed", "settle")
        return "\n".join(f"{d.name} {name} {value:.0f}" for d in self.cluster.daemons() for name, value in d.metrics().items()
                         if value and any(n in name for n in names))

    def _expect(self, client, body):
        """BODY is the next push; a test's own broadcasts may come between."""
        end = time.monotonic() + LATENCY_S
        while True:
            got = client.recv(max(0.01, end - time.monotonic()))
            if got.op == imgo.HEARTBEAT_REPLY:
                continue
            text = got.body.decode(errors="replace") if isinstance(got.body, bytes) else got.body
            if not isinstance(text, str) or "witness-" not in text:
                continue
            if self.may_repeat and text.strip('"') == f"witness-{self.rounds}":
                continue
            assert (got.op, text.strip('"')) == (imgo.PUSH, body), f"{client.name}: wanted {body}, got {got}"
            return

    def check(self, tests):
        """It goes on, and since the last look nothing was late."""
        since = self.rounds
        wait_for(lambda: self.failure or self.rounds >= since + 2, 15, lambda: f"the witness to go on after {tests}")
        assert self.failure is None, f"after {tests}: the witness noticed:\n{self.failure}"
        assert self.slowest < LATENCY_S, f"after {tests}: a push to the witness took {self.slowest:.1f} s"
        self.slowest = 0.0

    def stop(self):
        self.done.set()
        self.join()
        for client in self.clients:
            client.close()


# --- the world under attack ---

class World:
    def __init__(self, bus):
        self.cluster = cluster_module.Cluster(bus, env=settings()).wait_ready()
        self.comet, self.logic = self.cluster.comets[0], self.cluster.logics[0]
        self.router, self.job = self.cluster.routers[0], self.cluster.jobs[0]
        self.pids = {d: d.popen.pid for d in self.cluster.daemons()}
        self.read = {d: 0 for d in self.cluster.daemons()}
        self.uids = iter(range(88_000_000 + os.getpid() * 10_000, 1 << 62))
        self.tests, self.checked_at = [], 0
        self.witness = None

    def begin(self):
        """A witness for the tests of a file. Between files, others may pause the bus, for one."""
        self.cluster.wait_ready()
        self.witness = Witness(self.cluster)
        self.witness.start()

    def end(self):
        try:
            self.check("the end", True)
        finally:
            self.witness.stop()

    def uid(self):
        return next(self.uids)

    def token(self, uid=None, **more):
        """A user with a token: (uid, token)."""
        uid = uid or self.uid()
        token = f"t-{uid}-{os.urandom(4).hex()}"
        status, answer = self.http("POST", "/1/admin/token/new", uid=uid, token=token, **more)
        assert (status, answer["ret"]) == (200, 1), answer
        return uid, token

    def http(self, method, path, body=None, **query):
        """One call of the API on a connection of its own: (status, answer). The witness has the kept-alive one."""
        return self.api().call(method, path, body, **query)

    def api(self):
        """A connection of its own, for many calls: it is closed when it idles."""
        return cluster_module.Api(self.logic.http)

    def push(self, uid, body):
        status, answer = self.http("POST", "/1/push", body, uid=uid)
        assert (status, answer) == (200, {"ret": 1}), answer

    def session(self, kind, **more):
        """(client, uid): a session by "tcp" or "ws"."""
        uid, token = self.token(**more)
        client = imgo.TcpClient(self.comet.tcp) if kind == "tcp" else imgo.WsClient(self.comet.ws)
        return client.auth(token, timeout=10 * SLOW), uid

    @contextlib.contextmanager
    def rises(self, daemon, metric, by=1):
        """Soon after the block METRIC has risen by at least BY."""
        before = daemon.metrics().get(metric)
        assert before is not None, f"{daemon.name} has no {metric}"
        yield
        wait_for(lambda: daemon.metrics().get(metric, 0) >= before + by, 20,
                 lambda: f"{daemon.name}'s {metric} to rise by {by} from {before}: {daemon.metrics().get(metric)}")

    @contextlib.contextmanager
    def says(self, daemon, pattern):
        """Soon after the block the daemon's log has a new line that matches PATTERN."""
        start = len(daemon.log())
        yield
        wait_for(lambda: re.search(pattern, daemon.log()[start:]), 20,
                 lambda: f"{daemon.name} to say {pattern!r}:\n{daemon.log()[start:][-2000:]}")

    def check(self, test, full):
        """After TEST. FULL takes a while, so that quick tests share one; it tells the tests since the one before."""
        self.tests.append(test)
        for daemon, pid in self.pids.items():
            assert daemon.alive() and daemon.popen.pid == pid, f"{daemon.name} ended:\n{daemon.log()[-4000:]}"
        assert self.witness.failure is None, f"after {self.tests}: the witness noticed:\n{self.witness.failure}"
        if not full:
            return
        tests, self.tests = self.tests, []
        for daemon in self.pids:
            wait_for(lambda: daemon.get("/readyz")[0] == 200, 10, lambda: f"{daemon.name}: {daemon.get('/readyz')}, after {tests}")
            new = daemon.log()[self.read[daemon]:]
            self.read[daemon] += len(new)
            for sign in ("Sanitizer", "runtime error:", "ssertion"):
                assert sign not in new, f"after {tests}: {daemon.name}:\n{new[-4000:]}"
        self.witness.check(tests)
        self.checked_at = time.monotonic()


_world = None


@pytest.fixture(scope="session")
def hostile_cluster(bus):
    """One World for all files of a run: this fixture exists once per file that imports it."""
    global _world
    if _world is None:
        _world = World(bus)
    yield _world
    if _world is not None:
        _world.cluster.stop()
        _world = None


@pytest.fixture(scope="module")
def hostile(hostile_cluster):
    hostile_cluster.begin()
    yield hostile_cluster
    hostile_cluster.end()


@pytest.fixture
def world(hostile, request):
    dead = [daemon.name for daemon in hostile.pids if not daemon.alive()]
    assert not dead and hostile.witness.failure is None, f"broken by an earlier test: {dead or 'the witness'}"
    yield hostile
    hostile.check(request.node.name, full=time.monotonic() > hostile.checked_at + CHECK_EVERY_S)


# --- raw sockets ---

class Raw:
    """A socket that sends what it is told, and tells how the other side ended it."""

    def __init__(self, address, data=b"", rcvbuf=None):
        if isinstance(address, int):
            address = ("127.0.0.1", address)
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(10 * SLOW)
        self.sock.connect(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        self.end = None
        if data:
            self.send(data)

    @classmethod
    def of(cls, client):
        """Takes over the socket of an imgo client."""
        raw = cls.__new__(cls)
        raw.sock, raw.data, raw.end = client.sock, client.buf, None
        return raw

    def send(self, data):
        """Sends all; the other side may close meanwhile."""
        with contextlib.suppress(ConnectionError):
            self.sock.sendall(data)
        return self

    def trickle(self, data, pause=0.0):
        for i in range(len(data)):
            self.send(data[i:i + 1])
            if pause:
                time.sleep(pause)
        return self

    def finish(self):
        """No more from us: half-close."""
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def _read(self, end):
        left = end - time.monotonic()
        assert left > 0, f"nothing more came, it is not closed; so far {self.data[:300]!r}"
        self.sock.settimeout(left)
        try:
            got = self.sock.recv(65536)
        except socket.timeout:
            raise AssertionError(f"not closed; so far {self.data[:300]!r}") from None
        except ConnectionError:
            self.end = "reset"
            return
        if not got:
            self.end = "closed"
        self.data += got

    def all(self, timeout=20):
        """Everything until the other side has closed."""
        end = time.monotonic() + timeout * SLOW
        while self.end is None:
            self._read(end)
        return self.data

    def until(self, done, timeout=20):
        """Reads until done(data) is true, or the other side has closed; its result."""
        end = time.monotonic() + timeout * SLOW
        while not (result := done(self.data)) and self.end is None:
            self._read(end)
        return result

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def tcp_frames(data):
    """All of DATA as frames."""
    frames = []
    while data:
        length, header, ver, op, seq = struct.unpack(">IHHii", data[:16])
        assert len(data) >= length >= header == 16, data[:64]
        frames.append(imgo.Frame(ver, op, seq, data[16:length]))
        data = data[length:]
    return frames


def kicked(data):
    """The one op 6 that ends DATA (TCP): {"code":…,"reason":…}."""
    frames = tcp_frames(data)
    assert frames and frames[-1].op == imgo.DISCONNECT, frames
    reason = json.loads(frames[-1].body)
    assert reason.keys() == {"code", "reason"} and reason["reason"], reason
    return reason


def ws_frames(data):
    """All of DATA as a server's WebSocket frames: [(opcode, payload)]."""
    frames = []
    while data:
        n, at = data[1], 2
        assert data[0] & 0xf0 == 0x80 and n < 128, data[:64]
        if n >= 126:
            n, at = (struct.unpack(">H", data[2:4])[0], 4) if n == 126 else (struct.unpack(">Q", data[2:10])[0], 10)
        assert len(data) >= at + n, "half a frame"
        frames.append((data[0] & 15, data[at:at + n]))
        data = data[at + n:]
    return frames


def ws_kicked(data):
    """How DATA, a server's WebSocket frames, ends: (op 6 as a dict or None, close code, close reason)."""
    frames = ws_frames(data)
    assert frames and frames[-1][0] == 8, frames
    code, words = struct.unpack(">H", frames[-1][1][:2])[0], frames[-1][1][2:].decode()
    reason = None
    for opcode, payload in frames[:-1]:
        for one in json.loads(payload) if opcode == 1 else ():
            if one["op"] == imgo.DISCONNECT:
                reason = one["body"]
    return reason, code, words


Response = collections.namedtuple("Response", "status headers body")


def http_responses(data):
    """All of DATA as HTTP responses."""
    out = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        assert _, f"half a response: {data[:200]!r}"
        lines = head.decode("latin-1").split("\r\n")
        version, status = lines[0].split()[:2]
        assert version == "HTTP/1.1", lines[0]
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        length = 0 if status == "101" else int(headers["content-length"])
        assert len(rest) >= length, f"half a body: {rest[:200]!r}"
        out.append(Response(int(status), headers, rest[:length]))
        data = rest[length:]
        if status == "101":
            break
    return out


def http_complete(n):
    """For Raw.until(): N whole responses are there."""
    def done(data):
        try:
            return len(http_responses(data)) >= n
        except (AssertionError, ValueError, KeyError):
            return False
    return done


def ws_request(path="/sub", drop=(), method="GET", version="HTTP/1.1", **headers):
    """A handshake; HEADERS (x_y for X-Y) replace or add lines, DROP leaves lines out."""
    lines = {"Host": "h", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
             "Sec-WebSocket-Version": "13"}
    for name, value in headers.items():
        name = "-".join(part.capitalize() for part in name.split("_"))
        name = {"Sec-Websocket-Key": "Sec-WebSocket-Key", "Sec-Websocket-Version": "Sec-WebSocket-Version"}.get(name, name)
        lines[name] = value
    text = f"{method} {path} {version}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines.items() if n not in drop)
    return text.encode("latin-1") + b"\r\n"


def ws_message(op, body=None, seq=1, **more):
    """An imgo client's JSON message in a WebSocket text frame."""
    message = {"ver": 1, "op": op, "seq": seq, **more}
    if body is not None:
        message["body"] = body
    return imgo.ws_frame(1, json.dumps(message).encode())


class Crowd:
    """Many sockets at once, each left silent or fed a byte now and then, until the other side has closed them all."""

    Member = collections.namedtuple("Member", "name raw drip every")

    def __init__(self):
        self.members = []
        self.born = {}
        self.closed = {}  # name: seconds from add() to the end

    def add(self, name, address, data=b"", drip=b"", every=0.5):
        """DRIP is sent byte by byte, one each EVERY seconds."""
        raw = address if isinstance(address, Raw) else Raw(address)
        raw.send(data)
        self.members.append(self.Member(name, raw, drip, every))
        self.born[name] = time.monotonic()
        return raw

    def wait(self, timeout):
        end = time.monotonic() + timeout
        selector = selectors.DefaultSelector()
        for member in self.members:
            selector.register(member.raw.sock, selectors.EVENT_READ, member)
        sent = dict.fromkeys((m.name for m in self.members), 0)
        while selector.get_map():
            now = time.monotonic()
            assert now < end, "still open: " + ", ".join(key.data.name for key in selector.get_map().values())
            for key, _ in selector.select(0.05):
                self._read(key.data)
                if key.data.raw.end:
                    selector.unregister(key.fileobj)
            for member in [key.data for key in selector.get_map().values()]:
                n = sent[member.name]
                if n < len(member.drip) and now >= self.born[member.name] + n * member.every:
                    member.raw.send(member.drip[n:n + 1])
                    sent[member.name] += 1
        selector.close()
        return self

    def _read(self, member):
        raw = member.raw
        try:
            got = raw.sock.recv(65536)
        except ConnectionError:
            raw.end = "reset"
            got = b""
        raw.data += got
        if not got:
            raw.end = raw.end or "closed"
            self.closed[member.name] = time.monotonic() - self.born[member.name]

    def close(self):
        for member in self.members:
            member.raw.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


# --- protobuf and the tools that put it on wires ---

def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7f:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def pb(*fields):
    """A message of (number, value): int = varint, bytes or str = length-delimited, Fixed = fixed64."""
    out = b""
    for number, value in fields:
        if isinstance(value, Fixed):
            out += varint(number << 3 | 1) + struct.pack("<Q", value & (1 << 64) - 1)
        elif isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


class Fixed(int):
    """A fixed64 or sfixed64."""


def garble(port, path, *messages, answers=0, wait=10):
    """Sends MESSAGES on a stream of its own: (answers, "closed …", or "open" when ANSWERS came or WAIT is over)."""
    run = subprocess.run([str(TOOLS / "rpc_garble"), f"127.0.0.1:{port}", path, str(round(wait * SLOW)), str(answers)],
                         input="".join(m.hex() + "\n" for m in messages), capture_output=True, text=True,
                         timeout=(wait + 20) * SLOW, check=False)
    assert run.returncode in (0, 3), run.stderr
    lines = run.stdout.splitlines()
    return [bytes.fromhex(line[7:]) for line in lines[:-1]], lines[-1]


def bus_put(world, *messages):
    """Puts (partition, key, value) on the cluster's topic: bytes or None."""
    def text(value):
        return "-" if value is None else value.hex() or "="
    lines = "".join(f"{partition} {text(key)} {text(value)}\n" for partition, key, value in messages)
    subprocess.run([str(TOOLS / "bus_put"), world.cluster.bus.brokers, world.cluster.topic], input=lines, text=True,
                   check=True, timeout=60 * SLOW)
