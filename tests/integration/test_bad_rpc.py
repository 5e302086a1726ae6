"""Bad input on the gRPC ports of comet, logic and router: garbage, other protocols, HTTP/2 gone wrong, streams of bytes that
are no batch, batches that make no sense. The connection or stream ends; the streams of the daemons among themselves do not."""
import json
import random
import struct
import time

import pytest

from hostile import TLS_HELLO, Fixed, Raw, garble, hostile, hostile_cluster, pb, varint, wait_for, world  # noqa: F401 (fixtures)

STREAMS = {
    "comet": "/imc.v1.Comet/Push",
    "logic sessions": "/imc.v1.Logic/Sessions",
    "logic settle": "/imc.v1.Logic/Settle",
    "router": "/imc.v1.Router/Map",
}
COUNTERS = {
    "comet": "imc_comet_batches_malformed_total",
    "logic": "imc_logic_batches_malformed_total",
    "router": "imc_router_malformed_batches_total",
}
PORTS = list(COUNTERS)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9


def h2(kind, payload=b"", flags=0, stream=0, length=None):
    return struct.pack(">I", len(payload) if length is None else length)[1:] + bytes([kind, flags]) + \
        struct.pack(">I", stream) + payload


def headers(path, **more):
    """HPACK, every field a literal without indexing."""
    fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "h", "te": "trailers",
              "content-type": "application/grpc", **{k.replace("_", "-"): v for k, v in more.items()}}
    return b"".join(bytes([0, len(k)]) + k.encode() + b"\x7f" * (len(v) > 126) +
                    (varint(len(v) - 127) if len(v) > 126 else bytes([len(v)])) + v.encode() for k, v in fields.items())


def opened(path, *frames, **more):
    """Preface, settings, stream 1 opened by HEADERS for PATH, then FRAMES."""
    return PREFACE + h2(SETTINGS) + h2(HEADERS, headers(path, **more), 4, 1) + b"".join(frames)


def message(payload, compressed=0, length=None):
    return bytes([compressed]) + struct.pack(">I", len(payload) if length is None else length) + payload


COMET = STREAMS["comet"]
NOT_GRPC = {
    "garbage": random.Random(2).randbytes(5000),
    "zeros": bytes(5000),
    "an HTTP/1 request": b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n",
    "an HTTP/1 POST": b"POST /imc.v1.Comet/Push HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "a TLS hello": TLS_HELLO,
    "half a preface, then another": PREFACE[:10] + PREFACE,
    "preface and garbage": PREFACE + random.Random(3).randbytes(5000),
    "no settings": PREFACE + h2(PING, bytes(8)),
    "settings of 5 bytes": PREFACE + h2(SETTINGS, bytes(5)),
    "a frame of 16 MiB": PREFACE + h2(SETTINGS) + h2(DATA, length=0xffffff, stream=1) + bytes(1000),
    "headers that are no HPACK": PREFACE + h2(SETTINGS) + h2(HEADERS, b"\xff" * 200, 4, 1),
    "continuation of nothing": PREFACE + h2(SETTINGS) + h2(CONTINUATION, headers(COMET), 4, 1),
    "data between headers and continuation": PREFACE + h2(SETTINGS) + h2(HEADERS, headers(COMET)[:5], 0, 1) + h2(DATA, b"x", 0, 1),
    "a ping of 7 bytes": PREFACE + h2(SETTINGS) + h2(PING, bytes(7)),
}


@pytest.mark.parametrize("case", NOT_GRPC)
def test_the_connection_ends(world, case):
    """Closed by the daemon at once, perhaps after a GOAWAY; the next one is served."""
    for port in PORTS:
        with Raw(getattr(world, port).rpc, NOT_GRPC[case]) as raw:
            raw.all()


def data(payload, last=False):
    return h2(DATA, payload, int(last), 1)


ODD_STREAMS = {  # by the path
    "compressed, but by what?": lambda path: opened(path, data(message(b"x", compressed=1))),
    "compressed by nothing known": lambda path: opened(path, data(message(b"x", compressed=1)), grpc_encoding="lzma"),
    "gzip that is none": lambda path: opened(path, data(message(b"not gzip", compressed=1)), grpc_encoding="gzip"),
    "half a message, then the end": lambda path: opened(path, data(message(b"x", length=100), True)),
    "another path": lambda path: opened(path + "s", data(message(b""), True)),
    "a path of goim": lambda path: opened("/goim.comet.Comet/PushMsg", data(message(b""), True)),
    "no path at all": lambda path: opened("", data(message(b""), True)),
    "another content type": lambda path: opened(path, data(b"<html>", True), **{"content_type": "text/html"}),
    "GET": lambda path: opened(path, data(message(b""), True), **{":method": "GET"}),
    "a deadline of nonsense": lambda path: opened(path, data(message(b""), True), grpc_timeout="never"),
    "headers of 16 KiB": lambda path: opened(path, data(message(b""), True), x="y" * 16000),
}

# What gRPC itself waits on: ended by our keepalive, because the peer does not answer its ping. test_hostile_silence.py
LATE = {
    "gRPC silence": b"",
    "gRPC half a preface": PREFACE[:10],
    "gRPC preface": PREFACE,
    "gRPC settings": PREFACE + h2(SETTINGS),
    "gRPC headers on stream 0": PREFACE + h2(SETTINGS) + h2(HEADERS, headers(COMET), 4, 0),
    "gRPC window updates beyond 2^31": PREFACE + h2(SETTINGS) + h2(WINDOW_UPDATE, b"\x7f\xff\xff\xff") * 3,
    "gRPC headers without an end": PREFACE + h2(SETTINGS) + h2(HEADERS, headers(COMET), 0, 1),
    **{f"gRPC stream to {name}": opened(path) for name, path in STREAMS.items()},
    **{f"gRPC half a message to {name}": opened(path, data(message(b"x", length=100))) for name, path in STREAMS.items()},
    **{f"gRPC a claim of 4 GiB to {name}": opened(path, data(message(b"x", length=0xffffffff))) for name, path in STREAMS.items()},
    **{f"gRPC a flag that is none to {name}": opened(path, data(message(b"x", compressed=77))) for name, path in STREAMS.items()},
}


def frames_of(data):
    frames = []
    while len(data) >= 9 and len(data) >= 9 + (n := int.from_bytes(data[:3], "big")):
        frames.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:9 + n]))
        data = data[9 + n:]
    return frames


def ended(data):
    """Stream 1 has been ended by trailers or a reset, or the whole connection by GOAWAY."""
    return any((kind == HEADERS and flags & 1 and stream == 1) or (kind == RST_STREAM and stream == 1) or kind == GOAWAY
               for kind, flags, stream, _ in frames_of(data))


@pytest.mark.parametrize("case", ODD_STREAMS)
def test_the_stream_ends(world, case):
    for name, path in STREAMS.items():
        with Raw(getattr(world, name.split()[0]).rpc, ODD_STREAMS[case](path)) as raw:
            assert raw.until(ended) or raw.end, (name, frames_of(raw.data))


def test_thousand_streams_on_one_connection(world):
    """More than gRPC lets wait; all refused, or reset."""
    many = b"".join(h2(HEADERS, headers("/nothing"), 5, 2 * i + 1) for i in range(1000))
    with Raw(world.comet.rpc, PREFACE + h2(SETTINGS) + many) as raw:
        raw.until(lambda data: sum(1 for kind, flags, _, _ in frames_of(data)
                                   if kind == RST_STREAM or (kind == HEADERS and flags & 1)) >= 1000, 20)


def test_streams_that_are_reset_at_once(world):
    many = b"".join(h2(HEADERS, headers(COMET), 4, 2 * i + 1) + h2(RST_STREAM, struct.pack(">I", 8), 0, 2 * i + 1) for i in range(1000))
    with Raw(world.comet.rpc, PREFACE + h2(SETTINGS) + many + h2(PING, b"are you?")) as raw:
        raw.until(lambda data: b"are you?" in data, 20)
    for port in PORTS:
        assert garble(getattr(world, port).rpc, "/nothing")[1].startswith("closed unimplemented")


# --- bytes that are no batch ---

# A field 1 that is a varint would be another type in each batch: they fail to parse, or lack what they need.
NO_BATCH = {
    "garbage": random.Random(4).randbytes(2000),
    "\\xff": b"\xff" * 100,
    "a field cut off": pb((2, b"hello"))[:-2],
    "a length beyond the end": b"\x12\x7f",
    "a length of 2^63": b"\x12" + varint(1 << 63),
    "a varint of 11 bytes": b"\x08" + b"\xff" * 11,
    "field 0": b"\x00\x01",
    "an unknown wire type": b"\x0f",
    "the end of a group": b"\x0c",
    "a string with NUL": pb((1, Fixed(1)), (2, "a\0b")),
    "an item cut off": pb((1, Fixed(1)), (3, b"\x12\x7f"), (5, b"\x12\x7f")),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("case", NO_BATCH)
def test_no_batch(world, case, name):
    daemon = getattr(world, name.split()[0])
    with world.rises(daemon, COUNTERS[daemon.kind]):
        answers, end = garble(daemon.rpc, STREAMS[name], NO_BATCH[case])
    assert (answers, end) == ([], "closed closed by the peer"), (answers, end)


def test_the_log_names_who_sent_no_batch(world):
    time.sleep(1.1)  # lines of one kind are limited to ten a second
    for name, path in STREAMS.items():
        daemon = getattr(world, name.split()[0])
        with world.says(daemon, r"(warn|error) +\w+ (malformed batch|stream closed).*peer=ipv4:127\.0\.0\.1:\d+"):
            garble(daemon.rpc, path, b"\xff")


def test_a_message_beyond_the_limit(world):
    """4 MiB is what a daemon takes."""
    for name, path in STREAMS.items():
        answers, end = garble(getattr(world, name.split()[0]).rpc, path, bytes((4 << 20) + 1))
        assert answers == [] and end.startswith("closed resource exhausted"), (name, end)


def test_a_message_at_the_limit(world):
    """Answered: what it says is not too much, only its comet's name is long."""
    head = pb((1, Fixed(1)))
    batch = head + pb((2, "c" * ((4 << 20) - len(head) - 5)))
    assert len(batch) == 4 << 20
    answers, end = garble(world.logic.rpc, STREAMS["logic sessions"], batch, answers=1)
    assert len(answers) == 1 and end == "open", (len(answers), end)


# --- batches that make no sense ---

WAITING = pb((1, Fixed(12345)), (2, 5), (3, b"body"))
NOWHERE = (2, 4_000_000_000)  # a partition that no job owns


def item(*fields, partition=NOWHERE):
    return (3, pb(partition, (3, Fixed(1)), *fields))


REFUSED_ITEMS = {
    "no seq": [item((1, 3), (11, WAITING))],
    "an unknown kind": [(1, Fixed(7)), item((1, 99), (11, WAITING))],
    "a negative kind": [(1, Fixed(7)), item((1, -1), (11, WAITING))],
    "to a user without a message": [(1, Fixed(7)), item((1, 0), (6, Fixed(1)), (7, struct.pack("<Q", 5)))],
    "to all without a message": [(1, Fixed(7)), item((1, 3))],
    "to a room without a name": [(1, Fixed(7)), item((1, 2), (11, WAITING))],
    "to a room of 129 bytes": [(1, Fixed(7)), item((1, 2), (9, "r" * 129), (11, WAITING))],
    "to a room with NUL": [(1, Fixed(7)), item((1, 2), (9, "a\0b"), (11, WAITING))],
    "a bad item behind good ones": [(1, Fixed(7)), *[item((1, 0), (11, WAITING))] * 100, item((1, 99))],
}


@pytest.mark.parametrize("case", REFUSED_ITEMS)
def test_comet_refuses_a_batch_that_makes_no_sense(world, case):
    with world.rises(world.comet, COUNTERS["comet"]):
        answers, end = garble(world.comet.rpc, COMET, pb(*REFUSED_ITEMS[case]))
    assert (answers, end) == ([], "closed closed by the peer"), (answers, end)


def epoch_of(world):
    return int(json.loads(world.cluster.redis_cli("hget", "imc:members:comet", "1"))["epoch"])


def handles(*values):
    return (7, b"".join(struct.pack("<Q", value & (1 << 64) - 1) for value in values))


@pytest.mark.parametrize("offset", [-1, -2**63, 0, 2**62, 2**63 - 2, 2**63 - 1])
@pytest.mark.parametrize("partition", [16_000, 0xffffffff])
def test_comet_answers_offsets_of_any_size(world, offset, partition):
    """The loop threads and the rpc thread go on; nobody gets anything."""
    where = {"partition": (2, partition)}
    batch = pb((1, Fixed(9)), item((1, 1), (4, offset), **where),
               item((1, 0), (4, offset), (5, Fixed(epoch_of(world))), (6, Fixed(1)), handles(0, 1, -1, 255 << 56, 1 << 24), (11, WAITING), **where),
               item((1, 2), (4, offset), (9, "nobody is here"), (11, WAITING), **where),
               item((1, 2), (4, offset), (9, "nobody is here"), (11, WAITING), **where))
    answers, end = garble(world.comet.rpc, COMET, batch, batch, answers=2)
    assert len(answers) >= 2 and end == "open", (answers, end)


def test_comet_answers_items_that_mean_nobody(world):
    epoch = epoch_of(world)
    items = [
        item((1, 0), (6, Fixed(-1)), (11, WAITING)),                                     # no handle
        item((1, 0), (5, Fixed(epoch)), handles(*range(0, 1 << 40, 1 << 30)), (11, WAITING)),  # handles of nobody
        item((1, 0), (5, Fixed(epoch)), handles(*[(i << 56) | 0xffffff for i in range(256)]), (11, WAITING)),
        item((1, 0), (5, Fixed(epoch + 1)), handles(1), (11, WAITING)),                  # another life
        item((1, 1), (5, Fixed(epoch)), handles(1, 2, 3), (8, bytes(8) * 1000)),         # pokes of ids 0
        item((1, 2), (9, "x" * 128), (11, WAITING)),
        item((1, 2), (9, "x"), (11, WAITING), (9, "nobody")),
        item((1, 2), (9, b"\xff\xfe"), (11, WAITING)),
        item((1, 3), (10, -1), (11, pb((1, Fixed(1)), (2, 4711), (3, b"")))),            # to all, speed -1: no body
    ]
    answers, end = garble(world.comet.rpc, COMET, pb((1, Fixed(5)), (2, "j" * 10_000), *items), answers=1)
    assert answers and end == "open", (answers, end)


def test_logic_answers_sessions_that_make_no_sense(world):
    """Each item gets its refusal, by number; nothing of it is stored or registered."""
    comet = (2, "c" * 1000)  # no comet of that name lives
    sessions = world.router.metrics()["imc_router_sessions"]
    batches = [
        pb((1, Fixed(0))),
        pb((1, Fixed(1)), comet, *[(5, pb((1, Fixed(i)), (2, b"\0\xff" * i), (3, "a" * 1000), (4, -1))) for i in range(1200)]),
        pb((1, Fixed(2)), comet, *[(6, pb((1, Fixed(i)), (2, Fixed(-i)))) for i in range(1000)]),
        pb((1, Fixed(3)), comet, (7, pb((1, Fixed(-2**63)), (2, Fixed(2**64 - 1)), (3, 0xffffffff))), (7, b"")),
        pb((1, Fixed(4)), comet, (8, pb((1, Fixed(1)), (2, bytes(8) * 50_000))), (8, b"")),
        pb((1, Fixed(5)), comet, (9, pb((1, Fixed(1)))), (9, pb((1, Fixed(1)), (2, pb((2, 5)))))),
        pb((1, Fixed(6)), comet, (10, pb((1, Fixed(1)), (2, Fixed(1)), (3, "k" * 5000), (4, "r" * 5000))), (10, b"")),
        pb((1, Fixed(7)), comet, (11, pb((1, 0xffffffff), (2, 0xffffffff)))),
        pb((1, Fixed(8)), comet, (4, Fixed(1)), (10, b""), (11, pb((1, 3), (2, 2)))),
    ]
    answers, end = garble(world.logic.rpc, STREAMS["logic sessions"], *batches, answers=len(batches))
    assert len(answers) == len(batches) and end == "open", (len(answers), end)
    wait_for(lambda: world.router.metrics()["imc_router_sessions"] == sessions, 5, "no session more")


def test_logic_answers_settles_that_make_no_sense(world):
    uid = world.uid()
    batches = [
        pb((1, Fixed(1)), *[(3, b"")] * 1000),
        pb((1, Fixed(2)), (2, "j" * 10_000), (3, pb((1, Fixed(uid)), (2, pb((2, 5), (3, b"no id")))))),
        pb((1, Fixed(3)), (3, pb((1, Fixed(-2**63)), (2, pb((1, Fixed(2**64 - 1)), (2, -1), (3, b""), (4, Fixed(1))))))),
    ]
    answers, end = garble(world.logic.rpc, STREAMS["logic settle"], *batches, answers=len(batches))
    assert len(answers) == 3 and end == "open", (answers, end)
    assert world.cluster.mailbox(uid) == 0
    world.cluster.redis_cli("del", f"imc:mb:{-2**63}")


def test_router_answers_batches_that_make_no_sense(world):
    before = world.router.metrics()
    comets = [(3, pb((1, "nobody"), (2, Fixed(1)))), (3, pb((1, "x" * 5000), (2, Fixed(1)))), (3, b"")]
    batches = [
        pb((1, Fixed(1)), (2, Fixed(1)), *comets, *[(4, pb((1, i), (2, Fixed(1)), (3, Fixed(1)))) for i in (0, 1, 2, 3, 0xffffffff)]),
        pb((1, Fixed(2)), *comets, *[(5, pb((1, i), (2, Fixed(1)), (3, Fixed(1)))) for i in (0, 1, 2, 3, 0xffffffff)]),
        pb((1, Fixed(3)), *comets, *[(6, pb((1, i), (2, 0xffffffff), (3, 0xffffffff))) for i in (0, 1, 2, 3)]),
        pb((1, Fixed(4)), (7, bytes(8) * 16_384)),
        pb((1, Fixed(5)), (8, "nobody"), (8, ""), (8, "x" * 5000), (8, b"\xff")),
        pb((1, Fixed(6)), (9, 1), (10, 1)),
    ]
    answers, end = garble(world.router.rpc, STREAMS["router"], *batches, answers=len(batches))
    assert len(answers) == len(batches) and end == "open", (len(answers), end)
    after = world.router.metrics()
    assert after["imc_router_sessions"] >= before["imc_router_sessions"]
    assert after["imc_router_ring_mismatches_total"] > before["imc_router_ring_mismatches_total"]
