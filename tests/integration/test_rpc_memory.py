"""What a stranger sends to a gRPC port costs no multiple of its bytes, and what it cost comes back: batches of a million empty
items, thousands of streams that are opened, or opened and reset, on one connection."""
import struct

import pytest

from cluster import SLOW, wait_for
from hostile import Fixed, Raw, garble, hostile, hostile_cluster, pb, world  # noqa: F401 (fixtures)
from test_bad_rpc import DATA, HEADERS, PREFACE, RST_STREAM, SETTINGS, STREAMS, h2, headers, message

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
                raw.all(10)


def test_batches_on_streams_that_are_reset(world):
    """What was posted before the reset is worked on, and goes."""
    batch = message(pb((1, Fixed(1)), (2, "c"), *[(7, pb((1, Fixed(i))))  for i in range(500)]))
    path = STREAMS["logic sessions"]
    with Watched(world.logic, 64 * MIB), world.rises(world.logic, "imc_rpc_cut_total"):
        with Raw(world.logic.rpc, PREFACE + h2(SETTINGS)) as raw:
            for i in range(5000):
                raw.send(h2(HEADERS, headers(path), 4, 2 * i + 1) + h2(DATA, batch, 0, 2 * i + 1) +
                         h2(RST_STREAM, struct.pack(">I", 8), 0, 2 * i + 1))
            raw.all(10)
    wait_for(lambda: world.logic.metrics()["imc_logic_batches_pending"] < 10, 10, "what was posted to be answered")
