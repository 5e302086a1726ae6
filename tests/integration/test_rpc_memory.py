"""What a stranger sends to a gRPC port costs no multiple of its bytes, and what it cost comes back: batches of a million empty
items, thousands of streams that are opened, or opened and reset, on one connection."""
import select
import struct
import time

import pytest

from cluster import SLOW, wait_for
from hostile import Fixed, Raw, garble, hostile, hostile_cluster, pb, world  # noqa: F401 (fixtures)
from test_bad_rpc import (DATA, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, STREAMS, WINDOW_UPDATE, frames_of, h2, headers,
                          message)

SANITIZED = SLOW > 1  # its memory says nothing
MIB = 1 << 20
LISTS = {  # field numbers of lists, by stream
    "comet": [3],
    "logic sessions": [5, 6, 7, 8, 9, 10],
    "logic settle": [3],
    "router": [3, 4, 5, 6, 8],
}


def resident(daemon, what="VmRSS"):
    with open(f"/proc/{daemon.popen.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(what + ":"))


class Watched:
    """Of a daemon: the peak within the block is at most PEAK above what it was, and soon it is LEFT above it again."""

    def __init__(self, daemon, peak, left=12 * MIB):
        self.daemon, self.peak, self.left = daemon, peak, left

    def __enter__(self):
        with open(f"/proc/{self.daemon.popen.pid}/clear_refs", "w", encoding="ascii") as clear:
            clear.write("5")
        self.before = resident(self.daemon)
        return self

    def __exit__(self, kind, *_):
        if kind or SANITIZED:
            return
        rise = resident(self.daemon, "VmHWM") - self.before
        assert rise < self.peak, f"{self.daemon.name} rose by {rise / MIB:.0f} MiB"
        wait_for(lambda: resident(self.daemon) < self.before + self.left, 10,
                 lambda: f"{self.daemon.name} to be back at {self.before / MIB:.0f} MiB: {resident(self.daemon) / MIB:.0f}", 0.2)


@pytest.mark.parametrize("name", STREAMS)
def test_a_million_empty_items(world, name):
    daemon = getattr(world, name.split()[0])
    for field in LISTS[name]:
        batch = pb((1, Fixed(1))) + bytes([field << 3 | 2, 0]) * 1_050_000
        with Watched(daemon, 32 * MIB), world.rises(daemon, "imc_rpc_refused_messages_total"):
            assert garble(daemon.rpc, STREAMS[name], batch) == ([], "closed closed by the peer")


def test_a_nested_list_of_a_million(world):
    """Too deep to be counted beforehand: the arena is bounded."""
    nested = pb((1, Fixed(1)), (3, pb((7, bytes(8)), (11, b"\x6a\x00" * 1_000_000))))  # unknown fields of the message
    with Watched(world.comet, 40 * MIB), world.rises(world.comet, "imc_rpc_refused_messages_total"):
        assert garble(world.comet.rpc, STREAMS["comet"], nested) == ([], "closed closed by the peer")


def test_ids_of_a_confirm_are_no_structures(world):
    """A long list of numbers costs what it says, and is answered."""
    batch = pb((1, Fixed(1)), (2, "c"), (8, pb((1, Fixed(world.uid())), (2, bytes(8) * 100_000))))
    answers, end = garble(world.logic.rpc, STREAMS["logic sessions"], batch, answers=1)
    assert len(answers) == 1 and end == "open", (answers, end)


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("name", STREAMS)
def test_streams_without_end(world, name, reset):
    daemon, path = getattr(world, name.split()[0]), STREAMS[name]
    with Watched(daemon, 64 * MIB), world.rises(daemon, "imc_rpc_cut_total", 2):
        for _ in range(2):
            with Raw(daemon.rpc, PREFACE + h2(SETTINGS)) as raw:
                for base in range(0, 20_000, 500):
                    raw.send(b"".join(h2(HEADERS, headers(path), 4, 2 * i + 1) +
                                      (h2(RST_STREAM, struct.pack(">I", 8), 0, 2 * i + 1) if reset else b"")
                                      for i in range(base, base + 500)))
                raw.all(30)


def test_batches_on_streams_that_are_reset(world):
    """What was posted before the reset is worked on, and goes."""
    batch = message(pb((1, Fixed(1)), (2, "c"), *[(7, pb((1, Fixed(i))))  for i in range(500)]))
    path = STREAMS["logic sessions"]
    with Watched(world.logic, 64 * MIB), world.rises(world.logic, "imc_rpc_cut_total"):
        with Raw(world.logic.rpc, PREFACE + h2(SETTINGS)) as raw:
            for i in range(5000):
                raw.send(h2(HEADERS, headers(path), 4, 2 * i + 1) + h2(DATA, batch, 0, 2 * i + 1) +
                         h2(RST_STREAM, struct.pack(">I", 8), 0, 2 * i + 1))
            raw.all(30)
    wait_for(lambda: world.logic.metrics()["imc_logic_batches_pending"] < 10, 10, "what was posted to be answered")


PRIORITY = 2


class Sender:
    """Sends PAYLOAD on a stream of its own as fast as the peer's windows allow; answers settings and pings."""

    def __init__(self, port, path, payload):
        self.raw = Raw(port, PREFACE + h2(SETTINGS) + h2(HEADERS, headers(path), 4, 1))
        self.payload, self.at, self.windows, self.out, self.got = payload, 0, [65535, 65535], b"", b""
        self.raw.sock.setblocking(False)
        self.over = False

    def _take(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & 1:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[at:at + 6])
                if name == 4:
                    self.windows[1] += value - 65535
            self.out += h2(SETTINGS, b"", 1)
        elif kind == PING and not flags & 1:
            self.out += h2(PING, payload, 1)
        elif kind == WINDOW_UPDATE:
            self.windows[stream > 0] += int.from_bytes(payload, "big")

    def read(self):
        try:
            new = self.raw.sock.recv(65536)
        except BlockingIOError:
            return
        except ConnectionError:
            new = b""
        self.over = self.over or not new
        self.got += new
        frames = frames_of(self.got)
        self.got = self.got[sum(9 + len(payload) for *_, payload in frames):]
        for frame in frames:
            self._take(*frame)

    def write(self):
        while len(self.out) < 65536 and (n := min(16384, *self.windows, len(self.payload) - self.at)) > 0:
            self.out += h2(DATA, self.payload[self.at:self.at + n], 0, 1)
            self.at += n
            self.windows = [window - n for window in self.windows]
        try:
            self.out = self.out[self.raw.sock.send(self.out):] if self.out else b""
        except BlockingIOError:
            pass
        except ConnectionError:
            self.over = True


@pytest.mark.parametrize("name", STREAMS)
def test_messages_that_do_not_become_whole(world, name):
    """gRPC keeps their parts. Who has sent no whole message is cut before it ends the streams of daemons for them."""
    daemon = getattr(world, name.split()[0])
    payload, cut = message(bytes(4 << 20))[:-1], daemon.metrics()["imc_rpc_cut_total"]
    with Watched(daemon, 150 * MIB), world.rises(daemon, "imc_rpc_cut_total"):
        senders = [Sender(daemon.rpc, STREAMS[name], payload) for _ in range(40)]
        end = time.monotonic() + 20 * SLOW
        while daemon.metrics()["imc_rpc_cut_total"] == cut:
            assert time.monotonic() < end, [(sender.at, sender.over) for sender in senders]
            for _ in range(50):
                socks = {sender.raw.sock: sender for sender in senders if not sender.over}
                for sock in select.select(list(socks), [], [], 0.01)[0]:
                    socks[sock].read()
                for sender in socks.values():
                    sender.write()
        for sender in senders:
            sender.raw.close()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", STREAMS)
def test_frames_that_are_no_message(world, name, stream):
    """They keep gRPC busy for as long as it reads them. Ten times a second we look, and cut the connection. Who sends more
    than gRPC's quota between two looks is ended by gRPC, and what he took goes back to the system later."""
    daemon = getattr(world, name.split()[0])
    frames = h2(PRIORITY, bytes(5), 0, 1) * 8192
    opened = PREFACE + h2(SETTINGS) + (h2(HEADERS, headers(STREAMS[name]), 4, 1) if stream else b"")
    cut = daemon.metrics()["imc_rpc_cut_total"]
    with Watched(daemon, 150 * MIB) as watched:
        with Raw(daemon.rpc, opened) as raw:
            end = time.monotonic() + 20 * SLOW
            with pytest.raises(OSError):
                while time.monotonic() < end:
                    raw.sock.sendall(frames)
        time.sleep(0.5)
        if daemon.metrics()["imc_rpc_cut_total"] == cut:
            watched.left = watched.peak
